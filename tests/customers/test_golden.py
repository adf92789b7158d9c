"""Rebuild: one version, one snapshot and one event for each difference, and none without."""

import pytest

from apps.customers.golden import read_customers
from apps.customers.models import Customer
from apps.events.models import Event
from apps.matching import judge
from tests import pipeline
from tests.pipeline import alice, person

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def hub() -> None:
    pipeline.systems()


def test_a_new_customer_has_what_its_record_has() -> None:
    customer = pipeline.customer_of("crm", person(1, credit_limit="1200", website="muster.example", status="active"))
    found = read_customers([customer])[customer]
    assert found.values["credit_limit"] == "1200.00"
    assert found.values["birth_date"] == person(1)["birth_date"]
    assert found.lineage["status"]["rule"] == "only"
    assert (found.version, found.member_count, found.active, found.held) == (1, 1, True, {})


def test_no_difference_no_version() -> None:
    """A record that adds nothing adds a member; one that says the same in other words changes nothing."""
    customer = pipeline.customer_of("crm", person(1))
    assert pipeline.customer_of("erp", person(1)) == customer
    assert read_customers([customer])[customer].version == 2
    before = pipeline.activity()[:2]
    pipeline.take("erp", {**person(1), "email": person(1)["email"].upper()})
    assert pipeline.activity()[:2] == before
    assert pipeline.broken() == []


def test_a_change_tells_what_changed() -> None:
    customer = pipeline.customer_of("crm", person(1))
    pipeline.take("crm", person(1, website="https://new.example", status="closed"))
    event = Event.objects.get(subject_id=customer, version=2)
    assert (event.type, event.body["attributes"]) == ("customer.changed", ["status", "website"])


def test_a_value_that_loses_changes_nothing_that_is_read() -> None:
    customer = pipeline.customer_of("crm", person(1, website="https://a.example"))
    pipeline.take("support", person(1, website="https://b.example"))
    assert read_customers([customer])[customer].values["website"] == "https://a.example"


def test_a_merge_tells_both_sides() -> None:
    one, other = (pipeline.customer_of("crm", person(n)) for n in (1, 2))
    judge.merge(customers=[one, other], act=alice())
    merged, retired = Event.objects.get(subject_id=one, version=2), Event.objects.get(subject_id=other, version=2)
    assert (merged.type, merged.body["merged"]) == ("customer.merged", [str(other)])
    assert (retired.type, retired.body["replaced_by"]) == ("customer.retired", str(one))
    assert {merged.actor, retired.actor} == {"user:alice"}
    assert merged.correlation_id == retired.correlation_id


def test_a_customer_of_deleted_records_keeps_its_values() -> None:
    customer = pipeline.customer_of("crm", person(1))
    pipeline.take("crm", {"record_id": "P1", "deleted": True})
    assert Customer.objects.get(id=customer).family_name == person(1)["family_name"]
    assert pipeline.broken() == []
