"""Receive: what becomes of a record that is new, changed, the same, older, a patch, or deleted; and what stays of the one before."""

import json
from typing import Any

import pytest

from apps.common import seal
from apps.connectors.inbound import Door, Item, take_in
from apps.customers.models import Link, SourceRecord, SourceRecordVersion, System
from tests import pipeline
from tests.customers.given import ACT

pytestmark = pytest.mark.django_db
ADA: dict[str, Any] = {
    "record_id": "1",
    "kind": "person",
    "given_name": "Ada",
    "family_name": "Lund",
    "birth_date": "1980-02-03",
}


@pytest.fixture(autouse=True)
def hub() -> None:
    pipeline.systems()


def take(item: dict[str, Any], *, patch: bool = False) -> str:
    return pipeline.take("crm", {"record_id": "1", **item}, patch=patch)[0].outcome


def stored() -> SourceRecord:
    return SourceRecord.objects.get(system__code="crm", external_id="1")


def test_the_three_kinds_of_emptiness() -> None:
    """Absent: not known. null and the empty text: the source says empty. A value: a value."""
    take(ADA)
    assert "empty" not in stored().canonical
    assert take({**ADA, "birth_date": None, "email": ""}) == "changed"
    assert stored().canonical["empty"] == ["birth_date", "email"]
    assert "birth_date" not in stored().canonical
    assert take({**ADA, "birth_date": "", "email": None}) == "unchanged", "'' and null mean the same"
    del (known := dict(ADA))["birth_date"]
    assert take(known) == "changed", "not known is not the same as empty"
    assert "empty" not in stored().canonical


def test_empty_beats_the_sources_own_older_value_in_the_golden_record() -> None:
    customer = pipeline.customer_of("crm", {**ADA, "payment_terms": "NET30", "website": "https://lund.example"})
    pipeline.take("crm", {**ADA, "website": None})
    values = pipeline.query("SELECT website FROM customer WHERE id = %s", customer)
    assert values == [(None,)]


def test_a_patch_changes_what_it_names_and_nothing_else() -> None:
    take({**ADA, "email": "ada@lund.example", "status": "active"})
    assert take({"status": "blocked", "email": None}, patch=True) == "changed"
    canonical = stored().canonical
    assert (canonical["status"], canonical["given_name"], canonical["birth_date"]) == ("blocked", "Ada", "1980-02-03")
    assert "contact_points" not in canonical
    assert canonical["empty"] == ["email"]
    assert take({"status": "blocked"}, patch=True) == "unchanged"


def test_a_patch_of_a_record_that_is_not_there_makes_it() -> None:
    assert take(ADA, patch=True) == "created"


def test_the_same_content_changes_nothing() -> None:
    take(ADA)
    before = pipeline.activity()
    shuffled = dict(sorted(ADA.items(), reverse=True))
    assert take(shuffled) == "unchanged"
    assert (stored().version, pipeline.activity()) == (1, before)


def test_an_older_version_never_overwrites_a_newer() -> None:
    take({**ADA, "source_updated_at": "2024-03-02T00:00:00Z"})
    assert take({**ADA, "given_name": "Old", "source_updated_at": "2024-03-01T00:00:00Z"}) == "stale"
    assert stored().canonical["given_name"] == "Ada"
    assert take({**ADA, "given_name": "New", "source_updated_at": "2024-03-02T00:00:00Z"}) == "changed", (
        "of one moment the later arrival"
    )
    assert take({**ADA, "given_name": "Undated"}) == "changed"
    assert stored().source_updated_at is not None


def test_a_version_older_than_one_that_only_confirmed_is_stale_too() -> None:
    take({**ADA, "source_updated_at": "2024-03-01T00:00:00Z"})
    before = pipeline.activity()
    assert take({**ADA, "source_updated_at": "2024-03-03T00:00:00Z"}) == "unchanged"
    assert take({**ADA, "given_name": "Late", "source_updated_at": "2024-03-02T00:00:00Z"}) == "stale"
    assert pipeline.activity() == before
    assert take({**ADA, "given_name": "New", "source_updated_at": "2024-03-03T00:00:00Z"}) == "changed"


def test_versions_in_one_batch_are_taken_one_after_the_other() -> None:
    items = [
        {**ADA, "given_name": name, "source_updated_at": f"2024-03-0{day}T00:00:00Z"}
        for name, day in (("A", 2), ("B", 3), ("C", 1))
    ]
    outcomes = pipeline.take("crm", *items)
    assert [o.outcome for o in outcomes] == ["created", "changed", "stale"]
    assert len({o.customer for o in outcomes}) == 1
    assert stored().canonical["given_name"] == "B"
    customer = pipeline.one("SELECT given_name FROM customer WHERE id = %s", outcomes[0].customer)
    assert customer == "B"
    features = pipeline.one("SELECT features FROM match_record WHERE source_record_id = %s", stored().id)
    assert '"b"' in features.lower(), "what is compared is the newest version, not the last of the batch"


def test_a_deletion_is_a_version_and_can_be_taken_back() -> None:
    customer = pipeline.customer_of("crm", ADA)
    assert take({"deleted": True}) == "deleted"
    record = stored()
    assert (record.deleted, record.version, record.canonical["given_name"], record.customer_id) == (
        True,
        2,
        "Ada",
        customer,
    )
    assert take({"deleted": True}) == "unchanged"
    assert take(ADA) == "changed"
    assert (stored().deleted, stored().version) == (False, 3)


def test_the_deletion_of_a_record_nobody_has_makes_nothing() -> None:
    assert take({"deleted": True}) == "unchanged"
    assert not SourceRecord.objects.exists()


def test_a_deleted_record_yields_to_any_live_one() -> None:
    same = {
        "kind": "person",
        "given_name": "Ada",
        "family_name": "Lund",
        "birth_date": "1980-02-03",
        "email": "ada@lund.example",
    }
    customer = pipeline.customer_of("erp", {"record_id": "e", **same, "payment_terms": "NET60"})
    assert (
        pipeline.customer_of("support", {"record_id": "s", **same, "payment_terms": "NET7", "status": "active"})
        == customer
    )
    assert pipeline.one("SELECT payment_terms FROM customer WHERE id = %s", customer) == "NET60"
    pipeline.take("erp", {"record_id": "e", "deleted": True})
    held = pipeline.one("SELECT held FROM customer WHERE id = %s", customer)
    assert json.loads(held) if isinstance(held, str) else held == {"payment_terms": "NET7"}


def test_what_is_replaced_is_kept_byte_for_byte_and_sealed() -> None:
    raws = [
        '{"record_id":  "1", "kind":"person","given_name":"Ada  ", "note": "ü\\u00fc"}',
        '{"record_id":"1","kind":"person","given_name":"Eva"}',
    ]
    door = Door(System.objects.get(code="crm"))
    for raw in (*raws, '{"record_id":"1","kind":"person","given_name":"Ida"}'):
        take_in(door=door, items=[Item(json.loads(raw), raw)], act=ACT)
    versions = list(SourceRecordVersion.objects.order_by("version"))
    assert [v.raw for v in versions] == raws
    assert [v.version for v in versions] == [1, 2]
    for version in versions:
        assert bytes(version.digest) == seal.digest(b"1", bytes(version.salt or b""), (version.raw or "").encode())
        assert version.received_at <= version.replaced_at
    assert stored().raw == '{"record_id":"1","kind":"person","given_name":"Ida"}'


def test_a_record_has_one_active_link() -> None:
    take(ADA)
    take({**ADA, "given_name": "Eva"})
    link = Link.objects.get()
    assert (link.state, link.external_id, link.source_record_id) == ("active", "1", stored().id)


def test_one_id_in_two_systems_is_two_records() -> None:
    pipeline.take("crm", ADA)
    pipeline.take("erp", {**ADA, "given_name": "Otto", "family_name": "Quast", "birth_date": "1955-05-05"})
    assert SourceRecord.objects.count() == 2
    assert len(pipeline.partition()) == 2
