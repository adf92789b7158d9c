"""Pins, and customers that are derived again after a change of policy."""

from typing import Any
from uuid import UUID

import pytest

from apps.common import seal
from apps.common.act import Act
from apps.common.errors import NotFound, Rejected
from apps.common.ids import uuid7
from apps.customers.golden import read_customers
from apps.customers.models import SourceRecord, SourceRecordVersion
from apps.customers.pins import pin
from apps.customers.refresh import refresh
from apps.matching import judge
from apps.policies.active import document_hash, shipped
from apps.policies.models import Policy
from tests import pipeline
from tests.pipeline import alice, bob

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def hub() -> None:
    pipeline.systems()


def values(customer: UUID) -> dict[str, Any]:
    return read_customers([customer])[customer].values


def rule(customer: UUID, attribute: str) -> object:
    return read_customers([customer])[customer].lineage.get(attribute, {}).get("rule")


def test_a_pin_stands_above_every_source_and_can_be_lifted() -> None:
    customer = pipeline.customer_of("crm", pipeline.person(1, language="de"))
    assert pin(customer=customer, attribute="language", value="fr", act=alice()) == [customer]
    pipeline.take("erp", pipeline.person(1, language="es"))
    assert (values(customer)["language"], rule(customer, "language")) == ("fr", "pin")
    pin(customer=customer, attribute="language", value=None, act=alice())
    assert values(customer)["language"] in ("de", "es")
    assert pipeline.broken() == []


def test_the_same_pin_again_changes_nothing() -> None:
    customer = pipeline.customer_of("crm", pipeline.person(1))
    pin(customer=customer, attribute="language", value="fr", act=alice())
    before = pipeline.activity()
    assert pin(customer=customer, attribute="language", value="fr", act=alice()) == []
    assert pin(customer=customer, attribute="website", value=None, act=alice()) == []
    assert pipeline.activity() == before


def test_a_pin_is_standardised_as_a_sources_value_is() -> None:
    customer = pipeline.customer_of("crm", pipeline.person(1))
    pin(customer=customer, attribute="credit_limit", value="12", act=alice())
    assert values(customer)["credit_limit"] == "12.00"
    assert refresh([customer], act=alice()) == []
    pin(
        customer=customer,
        attribute="contact_points",
        value=[{"type": "email", "value": "New@Berg.Example"}],
        act=alice(),
    )
    assert [p["value"] for p in values(customer)["contact_points"]] == ["new@berg.example"]
    assert pipeline.one("SELECT count(*) FROM lookup_key WHERE kind = 'email' AND value = 'new@berg.example'") == 1
    assert pipeline.broken() == []


def test_a_pinned_name_is_what_people_read() -> None:
    customer = pipeline.customer_of("crm", pipeline.person(1))
    pin(customer=customer, attribute="name", value="The Lady", act=alice())
    assert values(customer)["name"] == "The Lady"


@pytest.mark.parametrize(
    ("attribute", "value"),
    [("birth_date", "never"), ("credit_limit", "much"), ("language", ""), ("kind", "person"), ("shoes", "42")],
)
def test_a_pin_that_makes_no_sense_is_refused(attribute: str, value: str) -> None:
    customer = pipeline.customer_of("crm", pipeline.person(1))
    before = pipeline.activity()
    with pytest.raises(Rejected) as refused:
        pin(customer=customer, attribute=attribute, value=value, act=alice())
    assert refused.value.fields
    assert pipeline.activity() == before


def test_a_pin_needs_a_reason_and_a_customer() -> None:
    customer = pipeline.customer_of("crm", pipeline.person(1))
    with pytest.raises(Rejected):
        pin(customer=customer, attribute="language", value="fr", act=Act("user:alice"))
    with pytest.raises(NotFound):
        pin(customer=uuid7(), attribute="language", value="fr", act=alice())


def two_pinned() -> tuple[UUID, UUID, UUID]:
    """Two customers with a pin each, the older one's set last, merged; and the record of the younger."""
    one, other = (pipeline.customer_of("crm", pipeline.person(n)) for n in (1, 2))
    pin(customer=other, attribute="language", value="fr", act=alice())
    pin(customer=one, attribute="language", value="es", act=bob())
    record = pipeline.record_ids()["crm:P2"]
    judge.merge(customers=[one, other], act=alice())
    return one, other, record


def test_of_two_pins_the_newer_counts_whatever_is_pinned_later() -> None:
    one, _, _ = two_pinned()
    assert values(one)["language"] == "es"
    pin(customer=one, attribute="website", value="https://x.example", act=alice())
    assert values(one)["language"] == "es"
    assert pipeline.broken() == []


def test_lifting_a_pin_lifts_every_one_of_it() -> None:
    one, _, _ = two_pinned()
    pin(customer=one, attribute="language", value=None, act=alice())
    assert "language" not in values(one)


def test_pins_go_with_their_records_when_customers_part() -> None:
    one, other, record = two_pinned()
    judge.unmerge(customer=one, records=[record], act=alice())
    assert (values(one)["language"], values(other)["language"]) == ("es", "fr")
    assert pipeline.broken() == []


def test_an_anchor_is_no_record_to_match_and_keeps_its_versions_sealed() -> None:
    customer = pipeline.customer_of("crm", pipeline.person(1))
    for value in ("fr", "es"):
        pin(customer=customer, attribute="language", value=value, act=alice())
    anchor = SourceRecord.objects.get(system__kind="steward")
    assert (anchor.customer_id, anchor.version, anchor.state) == (customer, 2, "built")
    assert read_customers([customer])[customer].member_count == 1
    assert pipeline.one("SELECT count(*) FROM match_record WHERE source_record_id = %s", anchor.id) == 0
    for row in (anchor, SourceRecordVersion.objects.get(source_record=anchor)):
        salt = row.raw_salt if isinstance(row, SourceRecord) else row.salt
        digest = row.raw_digest if isinstance(row, SourceRecord) else row.digest
        assert bytes(digest) == seal.digest(anchor.external_id.encode(), bytes(salt or b""), (row.raw or "").encode())


def test_a_change_of_policy_shows_when_customers_are_derived_again() -> None:
    customer = pipeline.customer_of("crm", pipeline.person(1, website="https://crm.example"))
    assert pipeline.customer_of("erp", pipeline.person(1, website="https://erp.example")) == customer
    assert values(customer)["website"] == "https://crm.example"
    body = shipped("survivorship")
    body["trust"]["erp"]["website"] = 99
    Policy.objects.create(
        kind="survivorship", version=1, state="active", body=body, hash=document_hash(body), author="alice"
    )
    assert refresh([customer], act=alice()) == [customer]
    assert values(customer)["website"] == "https://erp.example"
    assert refresh([customer], act=alice()) == []
    assert pipeline.broken() == []
