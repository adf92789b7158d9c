"""A customer is found by names that its sources have for it and the golden record has not."""

from typing import Any
from uuid import UUID

import pytest

from apps.customers.queries import search
from tests import pipeline

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def hub() -> None:
    pipeline.systems()


def company(name: str, **values: Any) -> dict[str, Any]:
    return {
        "record_id": "C", "kind": "organization", "organization_name": name, "tax_id": "GB684159308", "country": "GB", **values,
    }  # fmt: skip


def hits(text: str) -> list[UUID]:
    return [hit.id for hit in search(text).items]


def test_a_name_that_lost_finds_the_customer_too() -> None:
    pipeline.take("erp", company("Kestrel & Vane Precision Instruments Limited"))
    customer = pipeline.customer_of("support", company("Vane Instrument Co. Ltd", record_id="OLD"))
    assert len(pipeline.partition()) == 1
    for text in ("Kestrel", "Vane Instrument", "Vane Instrment Co"):
        assert hits(text) == [customer], text


def test_it_is_found_by_the_new_one_when_a_name_that_lost_changes() -> None:
    """The golden record stays as it is, version and all; only what it is found by is another."""
    pipeline.take("erp", company("Kestrel & Vane Precision Instruments Limited"))
    customer = pipeline.customer_of("support", company("Brixton Lamps", record_id="OLD"))
    versions, events, *_ = pipeline.activity()
    pipeline.take("support", company("Zephyr Lenses", record_id="OLD"))
    assert pipeline.activity()[:2] == (versions, events)
    assert hits("Zephyr") == [customer]
    assert hits("Brixton") == []


def test_it_is_no_longer_found_by_the_one_other_name_that_was_taken_back() -> None:
    name = "Kestrel & Vane Precision Instruments Limited"
    pipeline.take("erp", company(name))
    customer = pipeline.customer_of("support", company("Brixton Lamps", record_id="OLD"))
    pipeline.take("support", company(name, record_id="OLD"))
    assert hits("Brixton") == []
    assert hits("Kestrel") == [customer]


def test_people_are_found_by_the_name_before_the_wedding() -> None:
    known = pipeline.person(1, family_name="Bergqvist", source_updated_at="2020-01-01T00:00:00Z")
    pipeline.take("crm", known)
    married = {**known, "family_name": "Lind", "source_updated_at": "2024-01-01T00:00:00Z"}
    customer = pipeline.customer_of("erp", married)
    assert len(pipeline.partition()) == 1
    assert hits(f"{known['given_name']} Bergqvist") == [customer]
    assert hits(f"{known['given_name']} Lind") == [customer]


def test_a_single_record_has_no_other_names() -> None:
    pipeline.take("crm", pipeline.person(1))
    names = pipeline.one("SELECT names FROM customer_search")
    assert names.count(pipeline.person(1)["given_name"].lower()) == 1
