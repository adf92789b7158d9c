"""Entries of lists that begin and end with a day: a customer is derived again when one has come, without anybody saying so."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.utils import timezone

from apps.customers import golden
from apps.customers.golden import read_customers
from apps.customers.models import CustomerDue, System
from apps.customers.refresh import refresh_due
from tests import pipeline

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def systems() -> None:
    pipeline.systems()


TODAY = datetime.now(UTC).date()


def day(ahead: int) -> str:
    return (TODAY + timedelta(days=ahead)).isoformat()


def address(line: str, **told: Any) -> dict[str, Any]:
    return {"type": "postal", "line1": line, "city": "Ulm", "country": "DE", **told}


def values(customer: UUID) -> dict[str, Any]:
    return read_customers([customer])[customer].values


def ranks(customer: UUID, attribute: str = "addresses") -> list[tuple[str, int | None]]:
    return [(part.get("line1") or part["value"], part.get("rank")) for part in values(customer)[attribute]]


def due() -> dict[UUID, date]:
    return dict(CustomerDue.objects.values_list("customer_id", "on"))


@pytest.fixture
def moved(monkeypatch: pytest.MonkeyPatch) -> UUID:
    """A customer who moved house tonight: what was sent yesterday said so, and was derived yesterday."""
    monkeypatch.setattr(golden.timezone, "now", lambda: datetime.now(UTC) - timedelta(days=1))
    places = [address("Alter Weg 1", valid_to=day(-1)), address("Neuer Weg 2", valid_from=day(0), valid_to=day(9))]
    customer = pipeline.customer_of("crm", pipeline.person(1, addresses=places))
    monkeypatch.undo()
    assert ranks(customer) == [("Alter Weg 1", 1), ("Neuer Weg 2", None)]
    return customer


def test_on_the_day_the_new_address_is_the_golden_one(moved: UUID) -> None:
    assert due() == {moved: TODAY}
    version = read_customers([moved])[moved].version
    assert refresh_due() == 1
    assert ranks(moved) == [("Neuer Weg 2", 1), ("Alter Weg 1", None)]
    assert read_customers([moved])[moved].version == version + 1
    assert due() == {moved: TODAY + timedelta(days=10)}
    assert pipeline.broken() == []
    assert refresh_due() == 0
    assert read_customers([moved])[moved].version == version + 1


def test_a_day_that_changes_nothing_is_crossed_out(moved: UUID) -> None:
    """The record says something else by now, without any day."""
    pipeline.take("crm", pipeline.person(1, addresses=[address("Markt 3")]))
    version = read_customers([moved])[moved].version
    assert refresh_due() == 1
    assert read_customers([moved])[moved].version == version
    assert due() == {}


def test_nobody_is_due_who_says_no_day() -> None:
    pipeline.take("crm", pipeline.person(1))
    assert due() == {}


def test_other_names_are_one_list_and_found() -> None:
    names = [
        {"type": "trading", "value": "Adler Bau"},
        {"type": "former", "value": "Falke Bau GmbH", "valid_to": "2019-12-31"},
    ]
    firm = {
        "record_id": "F1",
        "kind": "organization",
        "tax_id": "DE136695976",
        "names": [{"type": "legal", "value": "Adler Bau GmbH"}, *names],
    }
    customer = pipeline.customer_of("crm", firm)
    assert pipeline.customer_of("erp", {**firm, "names": [{"type": "former", "value": "FALKE-BAU GMBH"}]}) == customer
    found = values(customer)
    assert found["name"] == "Adler Bau GmbH"
    assert [(n["type"], n["value"], n.get("rank"), len(n["from"])) for n in found["names"]] == [
        ("legal", "Adler Bau GmbH", 1, 1), ("trading", "Adler Bau", 1, 1), ("former", "FALKE-BAU GMBH", None, 2),
    ]  # fmt: skip
    assert pipeline.query("SELECT customer_id FROM customer_search WHERE names LIKE '%%falke-bau%%'") == [(customer,)]
    assert pipeline.broken() == []


@pytest.mark.parametrize(
    ("policy", "status", "mails"),
    [
        ("keep", "blocked", [("erp@firma.example", 1), ("crm@firma.example", 2)]),
        ("downgrade", "active", [("crm@firma.example", 1), ("erp@firma.example", 2)]),
        ("end_date", "active", [("crm@firma.example", 1), ("erp@firma.example", None)]),
        ("cascade", "active", [("crm@firma.example", 1)]),
    ],
)
def test_what_becomes_of_a_deleted_record(policy: str, status: str, mails: list[tuple[str, int | None]]) -> None:
    System.objects.filter(code="erp").update(delete_policy=policy, trust=95)
    crm = pipeline.person(1, email="crm@firma.example", status="active", source_updated_at="2025-01-01T00:00:00Z")
    erp = pipeline.person(1, email="erp@firma.example", status="blocked", source_updated_at="2025-02-01T00:00:00Z")
    customer = pipeline.customer_of("erp", erp)
    assert pipeline.customer_of("crm", crm) == customer
    gone = timezone.now().isoformat()
    pipeline.take("erp", {"record_id": erp["record_id"], "deleted": True, "source_updated_at": gone})
    assert values(customer)["status"] == status
    assert [told for told in ranks(customer, "contact_points") if "@" in told[0]] == mails
    assert pipeline.broken() == []


def test_with_the_last_record_a_cascade_closes_the_customer_and_a_return_opens_it() -> None:
    System.objects.filter(code="crm").update(delete_policy="cascade")
    record = pipeline.person(1, status="active")
    customer = pipeline.customer_of("crm", record)
    pipeline.take("crm", {"record_id": record["record_id"], "deleted": True})
    found = read_customers([customer])[customer]
    assert (found.active, found.values["status"], found.lineage["status"]["rule"]) == (True, "closed", "deleted")
    assert found.values["name"]
    assert pipeline.broken() == []
    pipeline.take("crm", {**record, "website": "https://back.example"})
    assert values(customer)["status"] == "active"


def test_a_company_is_known_by_a_name_it_had() -> None:
    """One system says what it was called before, another never heard of the new name."""
    firm = {
        "kind": "organization",
        "address_line1": "Hauptstr. 5",
        "city": "Ulm",
        "postal_code": "89073",
        "country": "DE",
        "phone": "+49 731 1234567",
    }
    names = [{"type": "former", "value": "Falke Bau GmbH", "valid_to": "2019-12-31"}]
    customer = pipeline.customer_of(
        "crm", {**firm, "record_id": "F1", "organization_name": "Adler Bau GmbH", "names": names}
    )
    assert pipeline.customer_of("erp", {**firm, "record_id": "F2", "organization_name": "Falke Bau GmbH"}) == customer
    assert (
        pipeline.customer_of("billing", {**firm, "record_id": "F3", "organization_name": "Moritz Elektro GmbH"})
        != customer
    )


def test_an_account_is_kept_and_found_and_makes_nobody_one() -> None:
    """A family's account: two people, each with it, confirmed."""
    account = {"identifiers": [{"type": "iban", "value": "DE89 3704 0044 0532 0130 00"}]}
    parent = pipeline.customer_of(
        "crm",
        {
            "record_id": "F1",
            "kind": "person",
            "given_name": "Karl",
            "family_name": "Ohm",
            "birth_date": "1950-01-01",
            **account,
        },
    )
    child = pipeline.customer_of(
        "erp",
        {
            "record_id": "F2",
            "kind": "person",
            "given_name": "Ida",
            "family_name": "Berg",
            "birth_date": "1981-05-05",
            **account,
        },
    )
    assert parent != child
    assert pipeline.broken() == []
    (told,) = values(parent)["identifiers"]
    assert (told["type"], told["value"], told["country"], told["verified"]) == (
        "iban",
        "DE89370400440532013000",
        "DE",
        True,
    )
    assert len(pipeline.query("SELECT customer_id FROM lookup_key WHERE kind = 'iban'")) == 2
