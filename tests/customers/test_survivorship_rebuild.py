"""Strategies that need more than values, in the hub itself: clocks and the moment reach survivorship, and a conflict can be read."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from apps.customers import queries
from apps.customers.golden import read_customers
from apps.customers.models import SourceRecord
from apps.customers.refresh import refresh
from apps.policies.active import document_hash
from apps.policies.models import Policy
from tests import pipeline

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def hub() -> None:
    pipeline.systems()


def under(policy: dict[str, Any], customer: UUID) -> Any:
    """The customer, derived by another policy."""
    Policy.objects.filter(kind="survivorship", state="active").update(state="retired")
    version = Policy.objects.filter(kind="survivorship").count() + 1
    body = {"default": ["trust"], **policy}
    Policy.objects.create(
        kind="survivorship", version=version, state="active", body=body, hash=document_hash(body), author="alice"
    )
    refresh([customer], act=pipeline.alice())
    assert pipeline.broken() == []
    return read_customers([customer])[customer]


def ago(days: int) -> str:
    return (datetime.now(UTC) - timedelta(days=days)).isoformat()


def test_what_was_received_last_and_what_has_decayed() -> None:
    """The ERP is trusted more and speaks last, of a change that is old."""
    crm = pipeline.person(1, website="https://crm.example", source_updated_at=ago(10))
    erp = pipeline.person(1, website="https://erp.example", source_updated_at=ago(1_000))
    customer = pipeline.customer_of("crm", crm)
    assert pipeline.customer_of("erp", erp) == customer
    later = SourceRecord.objects.get(system__code="erp")  # one transaction has one clock
    SourceRecord.objects.filter(id=later.id).update(received_at=later.received_at + timedelta(seconds=1))
    for chain, expected, rule in (
        (["trust"], "https://erp.example", "trust"),
        (["recent"], "https://crm.example", "recent"),
        ([{"strategy": "recent", "clock": "received"}], "https://erp.example", "recent_received"),
        ([{"strategy": "trust", "decay": {"to": 0, "days": 100, "shape": "step"}}], "https://crm.example", "trust"),
    ):
        found = under({"attributes": {"website": chain}}, customer)
        assert (found.values["website"], found.lineage["website"]["rule"]) == (expected, rule)


def test_a_conflict_has_no_value_and_every_reader_stands_it() -> None:
    customer = pipeline.customer_of("crm", pipeline.person(1, website="https://crm.example"))
    assert pipeline.customer_of("erp", pipeline.person(1, website="https://erp.example")) == customer
    found = under({"attributes": {"website": ["unanimous"]}}, customer)
    assert "website" not in found.values
    assert found.lineage["website"] == {"rule": "conflict", "of": 2}
    (told,) = (line for line in queries.lineage(customer) if line.attribute == "website")
    assert (told.value, told.rule, told.winner) == (None, "conflict", None)
    assert {other.value for other in told.others} == {"https://crm.example", "https://erp.example"}
    assert queries.resolve(customer).customer.lineage["website"]["rule"] == "conflict"
