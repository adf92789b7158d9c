"""apps.connectors outward: planned, told, acknowledged, and what comes back is no news."""

from pathlib import Path

import pytest

from apps.connectors.models import Delivery
from apps.customers.models import Customer, Link, SourceRecord
from tests import outward, pipeline

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _clean() -> None:
    pipeline.empty()


def test_a_customer_is_created_where_it_is_lacking(tmp_path: Path) -> None:
    with outward.target("crm", tmp_path / "crm.db") as (far, _):
        customer = pipeline.customer_of("erp", pipeline.person(1, payment_terms="NET30"))
        outward.settle()
        assert outward.states() == {"done": 1}
        (made,) = far.records()
        assert made["MDM_Id__c"] == str(customer)
        link = Link.objects.get(system__code="crm")
        assert link.external_id == made["Id"]
        assert link.source_record.customer_id == customer
        assert Customer.objects.get().version == 1
        assert outward.poll_all() >= 1
        outward.settle()
        assert Customer.objects.get().version == 1, "an echo made a version"
        assert outward.states() == {"done": 1}
        assert pipeline.broken() == []


def test_a_change_is_told_and_its_echo_is_no_news(tmp_path: Path) -> None:
    with outward.target("crm", tmp_path / "crm.db") as (far, _):
        pipeline.take("erp", pipeline.person(1))
        outward.settle()
        pipeline.take("erp", pipeline.person(1, city="Ulm"))
        outward.settle()
        (there,) = far.records()
        assert there["BillingCity"] == "Ulm"
        outward.poll_all()
        outward.settle()
        assert Customer.objects.get().version == 2
        assert Delivery.objects.count() == 2
        assert SourceRecord.objects.filter(system__code="crm").get().version == 1
        assert pipeline.broken() == []


def test_a_field_that_the_far_side_changes_is_its_own(tmp_path: Path) -> None:
    with outward.target("crm", tmp_path / "crm.db") as (far, _):
        pipeline.take("erp", pipeline.person(1))
        outward.settle()
        outward.poll_all()
        far.edit(far.records()[0]["Id"], {"Website": "new.example.org"})
        outward.poll_all()
        outward.settle()
        assert Customer.objects.get().website is not None
        assert pipeline.broken() == []


def test_the_owner_has_the_last_word(tmp_path: Path) -> None:
    """The CRM changes a field whose golden value comes from a system that is trusted more: it is told again."""
    with outward.target("crm", tmp_path / "crm.db") as (far, _):
        pipeline.take("erp", pipeline.person(1, city="Ulm"))
        outward.settle()
        far.edit(far.records()[0]["Id"], {"BillingCity": "Bonn"})
        outward.poll_all()
        outward.settle()
        assert far.records()[0]["BillingCity"] == "Ulm"
        assert pipeline.broken() == []
