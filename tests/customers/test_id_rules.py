"""docs/reference/ids.md, rule by rule."""

import csv
import json
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction

from apps.common.act import Act
from apps.common.errors import NotFound, Rejected
from apps.common.ids import uuid7
from apps.customers import pins, queries
from apps.customers.erase import erase_history
from apps.customers.models import Customer, Link, Redirect, RenamedKey, SourceRecord
from apps.customers.queries_sources import customers_of
from apps.customers.rekey import Rename, rekey
from apps.events.models import Event
from apps.matching import judge
from apps.stewardship import notes
from tests import pipeline
from tests.callers import machine, person
from tests.customers import given
from tests.events.sealed_hub import own_file, seal_all, verify
from tests.pipeline import alice, take
from tests.pipeline import person as somebody
from tests.stewardship.given import browser, text

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def hub() -> Any:
    pipeline.systems()
    yield
    assert pipeline.broken() == []


def people(*numbers: int) -> list[UUID]:
    """One customer each, in this order; none like another."""
    return [pipeline.customer_of("crm", somebody(n)) for n in numbers]


def records_of(*customers: UUID) -> list[UUID]:
    return list(SourceRecord.objects.filter(customer__in=customers).order_by("id").values_list("id", flat=True))


def leads_to(customer: UUID) -> UUID:
    return queries.resolve(customer).customer.id


def merged() -> tuple[UUID, UUID]:
    """(the one that goes on, the one that was retired)."""
    old, young = people(1, 2)
    judge.merge(customers=[old, young], act=alice())
    return old, young


# ── Merge ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_01_the_customer_made_first_keeps_its_id() -> None:
    old, young = people(1, 2)
    judge.merge(customers=[young, old], act=alice())
    assert (leads_to(old), leads_to(young)) == (old, old)


def test_02_made_at_the_same_moment_the_one_with_more_records_keeps_it() -> None:
    one, two = given.customers([("crm", somebody(1))], [("crm", somebody(2)), ("erp", somebody(3))])
    given.place([records_of(one, two)])
    assert (leads_to(one), leads_to(two)) == (two, two)


def test_03_as_many_the_smaller_id_does() -> None:
    one, two = given.customers([("crm", somebody(1))], [("crm", somebody(2))])
    given.place([records_of(one, two)])
    assert leads_to(max(one, two)) == leads_to(min(one, two)) == min(one, two)


# ── Split ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_04_the_part_with_the_oldest_record_keeps_the_id() -> None:
    customer = given.customer(("crm", somebody(1)), ("erp", somebody(2)), ("billing", somebody(3)))
    oldest = records_of(customer)[0]
    judge.unmerge(customer=customer, records=[oldest], act=alice())
    assert records_of(customer) == [oldest], "though it was the one taken out, and the smaller part"


def test_04_an_id_stays_with_those_that_are_left_when_the_oldest_goes_into_an_older_customer() -> None:
    (older,) = people(1)
    customer = given.customer(("crm", somebody(2)), ("erp", somebody(3)), ("billing", somebody(4)))
    first, second, third = records_of(customer)
    (own,) = records_of(older)
    *_, fresh = given.place([[own, first], [second], [third]])
    assert records_of(older) == [own, first]
    assert records_of(customer) == [second], "no new id for it"
    assert fresh not in (older, customer)
    assert given.place([[own], [first, second], [third]]) == [older, customer, fresh], "so it can be taken back"


def test_05_the_other_part_gets_its_former_id_back_else_a_new_one() -> None:
    old, young = merged()
    theirs = records_of(old)[1]
    judge.unmerge(customer=old, records=[theirs], act=alice())
    assert records_of(young) == [theirs]
    before = set(Customer.objects.values_list("id", flat=True))
    both = given.customer(("erp", somebody(3)), ("billing", somebody(4)))
    judge.unmerge(customer=both, records=records_of(both)[1:], act=alice())
    fresh = set(Customer.objects.values_list("id", flat=True)) - before - {both}
    assert len(fresh) == 1


# ── The end of an id ────────────────────────────────────────────────────────────────────────────────────────────────
def test_06_an_id_whose_last_record_leaves_is_retired_to_where_most_of_them_went() -> None:
    big, small = people(1, 2)
    gone = given.customer(("erp", somebody(3)), ("erp", somebody(4)), ("erp", somebody(5)))
    (one,), (other,), (first, second, third) = records_of(big), records_of(small), records_of(gone)
    given.place([[one, first, second], [other, third]])
    row = Customer.objects.get(id=gone)
    assert (row.active, row.replaced_by, row.retired_reason, row.member_count) == (False, big, "merged", 0)
    assert leads_to(gone) == big


def test_07_a_record_that_its_system_deleted_keeps_its_customer() -> None:
    (customer,) = people(1)
    take("crm", {"record_id": "P1", "deleted": True}, patch=True)
    assert SourceRecord.objects.get(customer=customer).deleted
    assert leads_to(customer) == customer


def test_08_a_retired_id_is_never_given_to_anybody_else() -> None:
    """Neither to a new record, nor to one that leaves the successor and never stood under it."""
    old, young = people(1, 2)
    beside = given.customer(("erp", somebody(3)))
    judge.merge(customers=[old, beside], act=alice())
    judge.merge(customers=[old, young], act=alice())
    strangers = [pipeline.customer_of("erp", somebody(n)) for n in range(10, 15)]
    judge.unmerge(customer=old, records=[pipeline.record_ids()["erp:P3"]], act=alice())
    assert len({old, young, beside, *strangers}) == 8
    assert pipeline.where()["erp:P3"] == beside
    assert leads_to(young) == old


def test_09_it_resolves_for_ever_in_one_hop_and_the_redirect_is_never_deleted() -> None:
    first, second, third, fourth = people(1, 2, 3, 4)
    for pair in ([third, fourth], [second, third], [first, second]):
        judge.merge(customers=pair, act=alice())
    assert set(Customer.objects.filter(active=False).values_list("replaced_by", flat=True)) == {first}
    assert {leads_to(id_) for id_ in (second, third, fourth)} == {first}
    rows = Redirect.objects.filter(retired=fourth).order_by("since")
    assert [(row.successor_id, row.until is None) for row in rows] == [(third, False), (second, False), (first, True)]
    with pytest.raises(IntegrityError), transaction.atomic():
        rows[0].delete()


# ── Reading and writing by an old id ────────────────────────────────────────────────────────────────────────────────
def test_10_an_old_id_answers_with_its_successor_and_the_reason_stands_in_its_history() -> None:
    old, young = merged()
    client = machine()
    answer = client.get(f"/api/v1/customers/{young}")
    told = answer.json()
    assert answer.status_code == 200
    assert (told["id"], told["asked_id"], told["replaced_by"]) == (str(old), str(young), str(old))
    assert told["retired_ids"] == [str(young)]
    for part in ("lineage", "members", "joins"):
        assert client.get(f"/api/v1/customers/{young}/{part}").json()["id"] == str(old)
    last = client.get(f"/api/v1/customers/{young}/history").json()["items"][0]
    assert (last["event"], last["replaced_by"], last["actor"], last["reason"]) == (
        "customer.retired", str(old), "user:alice", "alice says so",
    )  # fmt: skip
    assert client.get(f"/api/v1/customers/{old}").json()["replaced_by"] is None


def test_11_a_merge_and_a_link_by_an_old_id_are_said_of_its_successor() -> None:
    old, young = merged()
    (third,) = people(3)
    client = person("steward")
    body = {"customers": [str(young), str(third)], "reason": "same passport"}
    done = client.post("/api/v1/customers:merge", body, format="json")
    assert (done.status_code, done.json()["customers"]) == (200, [str(old)])
    (fourth,) = people(4)
    body = {"customers": [str(young), str(fourth)], "kind": "household", "reason": "one household"}
    assert client.post("/api/v1/customers:link", body, format="json").status_code == 200
    assert pipeline.where()["crm:P4"] == fourth


def test_11_a_merge_of_an_id_with_what_it_became_part_of_says_so() -> None:
    old, young = merged()
    before = pipeline.activity()
    for pair in ([old, young], [young, old]):
        body = {"customers": [str(id_) for id_ in pair], "reason": "again"}
        for door in ("customers:merge", "merge-requests"):
            answer = person("steward").post(f"/api/v1/{door}", body, format="json")
            assert answer.status_code == 409, answer.content
            assert answer.json()["detail"] == f"{young} was merged into {old} already: they are one customer."
    assert pipeline.activity() == before


def test_11_an_unmerge_by_an_old_id_takes_the_records_out_of_its_successor() -> None:
    old, young = merged()
    body = {"records": [{"system": "crm", "external_id": "P2"}], "reason": "two people"}
    done = person("steward").post(f"/api/v1/customers/{young}:unmerge", body, format="json")
    assert done.status_code == 200, done.content
    assert pipeline.where() == {"crm:P1": old, "crm:P2": young}


def test_11_a_note_and_a_pin_on_an_old_id_land_on_its_successor() -> None:
    old, young = merged()
    notes.add(id=uuid7(), customer=young, body="Called them.", act=alice())
    assert [n.body for n in notes.of([old, *queries.customer_detail(old).redirects])] == ["Called them."]
    assert pins.pin(customer=young, attribute="website", value="right.example.org", act=alice()) == [old]
    assert "right.example.org" in str(Customer.objects.get(id=old).website)
    theirs = records_of(old)[1]
    pins.ignore(customer=young, record=theirs, attribute="birth_date", act=alice())
    pins.heed(customer=young, record=theirs, attribute="birth_date", act=alice())
    with pytest.raises(NotFound):
        pins.pin(customer=uuid7(), attribute="website", value="x.example", act=alice())


def test_12_an_unmerge_brings_the_id_back_and_the_ids_that_led_to_it() -> None:
    first, second, third = people(1, 2, 3)
    judge.merge(customers=[second, third], act=alice())
    taken = records_of(second)
    judge.merge(customers=[first, second], act=alice())
    judge.unmerge(customer=first, records=taken, act=alice())
    assert (leads_to(first), leads_to(second), leads_to(third)) == (first, second, second)
    back = Customer.objects.get(id=second)
    assert (back.active, back.replaced_by, back.retired_reason) == (True, None, "")
    assert list(Customer.history.filter(id=second).order_by("version").values_list("version", flat=True)) == list(
        range(1, back.version + 1)
    ), "its history goes on"


# ── Keys of source records ──────────────────────────────────────────────────────────────────────────────────────────
def renamed(*renames: tuple[str, str], system: str = "crm", act: Act | None = None) -> list[Any]:
    id_ = pipeline.systems()[system].id
    return rekey(system_id=id_, renames=[Rename(*pair) for pair in renames], act=act or alice())


def test_13_a_renamed_key_keeps_record_customer_link_verdicts_and_pins() -> None:
    old, young = merged()
    record = pipeline.record_ids()["crm:P2"]
    pins.pin(customer=old, attribute="website", value="right.example.org", act=alice())
    Link.objects.filter(source_record=record).update(last_sent={"city": "Ulm"}, etag="7")
    link = Link.objects.get(source_record=record)
    version, verdicts = Customer.objects.get(id=old).version, pipeline.one("SELECT count(*) FROM judgement")
    act = alice()
    (done,) = renamed(("P2", "C-0002"), act=act)
    assert (done.record, done.customer, done.before, done.after) == (record, old, "P2", "C-0002")
    assert pipeline.where() == {"crm:P1": old, "crm:C-0002": old}
    again = Link.objects.get(source_record=record)
    assert (again.id, again.external_id, again.last_sent, again.etag) == (link.id, "C-0002", {"city": "Ulm"}, "7")
    row = Customer.objects.get(id=old)
    assert (row.version, "right.example.org" in str(row.website)) == (version + 1, True)
    told = Event.objects.get(subject_id=old, version=version + 1)
    assert (told.type, told.actor, told.correlation_id) == ("customer.rekeyed", "user:alice", act.correlation_id)
    assert told.body["rekeyed"] == [{"system": "crm", "from": "P2", "to": "C-0002"}]
    assert pipeline.one("SELECT count(*) FROM judgement") == verdicts
    assert [h.id for h in queries.search("C-0002").items] == [old]
    judge.unmerge(customer=old, records=[record], act=alice())
    assert pipeline.where() == {"crm:P1": old, "crm:C-0002": young}


def test_13_what_comes_under_the_new_key_is_the_same_record() -> None:
    (customer,) = people(1)
    take("crm", somebody(1, language="fr"))
    renamed(("P1", "N1"))
    same = take("crm", somebody(1, language="fr", record_id="N1"))[0]
    assert (same.outcome, same.customer) == ("unchanged", customer)
    changed = take("crm", somebody(1, language="it", record_id="N1"))[0]
    assert (changed.outcome, changed.customer) == ("changed", customer)
    assert SourceRecord.objects.count() == 1
    told = machine().get("/api/v1/source-records/crm/N1").json()
    assert [v["canonical"]["language"] for v in told["versions"] if "language" in v["canonical"]] == ["fr"]


def test_13_what_was_sealed_under_the_old_key_verifies(settings: Any, tmp_path: Path) -> None:
    own_file(settings, tmp_path)
    people(1)
    renamed(("P1", "N1"))
    take("crm", somebody(1, language="fr", record_id="N1"))
    renamed(("N1", "M1"))
    take("crm", somebody(1, language="it", record_id="M1"))
    seal_all()
    assert verify().findings == []
    with pytest.raises(IntegrityError), transaction.atomic():
        RenamedKey.objects.update(before="X")


def test_13_an_erasure_finds_what_was_set_aside_under_the_old_key() -> None:
    (customer,) = people(1)
    take("crm", somebody(1, kind="dragon"))
    renamed(("P1", "N1"))
    assert erase_history(customer=customer, act=alice()).rows["quarantine"] == 1
    assert pipeline.one("SELECT raw FROM quarantine") is None


def test_13_the_timeline_names_both_keys() -> None:
    (customer,) = people(1)
    renamed(("P1", "N1"))
    page = text(browser("steward").get(f"/customers/{customer}/history/"))
    assert "Key renamed" in page
    assert "crm P1 → N1" in page


def test_14_a_key_that_is_taken_unknown_or_none_is_refused_and_nothing_is_done() -> None:
    people(1, 2, 3)
    before = (pipeline.activity(), pipeline.where())
    cases: list[tuple[list[tuple[str, str]], str, str]] = [
        ([("P1", "P2")], "/renames/0/to", "taken"),
        ([("P3", "N3"), ("nope", "N1")], "/renames/1/from", "unknown_record"),
        ([("P1", "P1")], "/renames/0/to", "same"),
        ([("P1", "N1"), ("P2", "N1")], "/renames/0/to", "repeated"),
        ([("P1", "N1"), ("P1", "N2")], "/renames/0/from", "repeated"),
        ([("P1", "P2"), ("P2", "P1")], "/renames/0/to", "taken"),
        ([("P1", "  ")], "/renames/0/to", "missing"),
    ]
    for renames, place, code in cases:
        with pytest.raises(Rejected) as refused:
            renamed(*renames)
        assert (place, code) in {(f.field, f.code) for f in refused.value.fields}, renames
    with pytest.raises(Rejected):
        renamed()
    with pytest.raises(Rejected):
        renamed(("P1", "N1"), act=Act("user:alice"))
    assert (pipeline.activity(), pipeline.where()) == before
    assert not RenamedKey.objects.exists()


def test_14_over_the_api_for_those_who_may_write_the_system() -> None:
    (customer,) = people(1)
    body = {"system": "crm", "renames": [{"from": "P1", "to": "N/1 ü"}], "reason": "moved to another tenant"}
    assert person("steward").post("/api/v1/source-records:rekey", body, format="json").status_code == 403
    other = machine("sources:write", name="erp-loader", systems=["erp"])
    assert other.post("/api/v1/source-records:rekey", body, format="json").status_code == 403
    client = machine("sources:write")
    done = client.post("/api/v1/source-records:rekey", body, format="json")
    assert done.status_code == 200, done.content
    (one,) = done.json()["items"]
    assert (one["external_id"], one["former_id"], one["customer_id"]) == ("N/1 ü", "P1", str(customer))
    refused = client.post("/api/v1/source-records:rekey", body, format="json")
    assert refused.status_code == 400
    assert refused.json()["errors"][0]["pointer"] == "/renames/0/from"
    for wrong in ({**body, "renames": []}, {**body, "reason": ""}, {**body, "system": "nope"}, {**body, "x": 1}):
        assert client.post("/api/v1/source-records:rekey", wrong, format="json").status_code in (400, 404)


def test_14_by_command_from_a_file(tmp_path: Path) -> None:
    first, second = people(1, 2)

    def run(*rows: tuple[str, str], **options: Any) -> str:
        path, out = tmp_path / "keys.csv", StringIO()
        with path.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([("from", "to"), *rows])
        call_command("rekey", "crm", file=path, reason="new tenant", stdout=out, **options)
        return out.getvalue()

    assert run(("P1", "N1"), ("P2", "N2"), dry_run=True) == "2 records of 2 customers would be renamed.\n"
    assert pipeline.where() == {"crm:P1": first, "crm:P2": second}
    with pytest.raises(CommandError, match="line 3, to: 'P1' is the key of another record"):
        run(("P1", "N1"), ("P2", "P1"))
    assert pipeline.where() == {"crm:P1": first, "crm:P2": second}
    assert json.loads(run(("P1", "N1"), ("P2", "N2"), json=True))["renamed"] == 2
    assert pipeline.where() == {"crm:N1": first, "crm:N2": second}
    call_command("rekey", "crm", before="N1", after="P1", reason="back again", stdout=StringIO())
    assert pipeline.where()["crm:P1"] == first
    for wrong in ({}, {"before": "N2"}, {"file": tmp_path / "none.csv"}):
        with pytest.raises(CommandError):
            call_command("rekey", "crm", reason="x", **wrong)
    with pytest.raises(CommandError, match="no system"):
        call_command("rekey", "nope", before="a", after="b", reason="x")


def test_15_the_old_key_goes_on_answering_until_its_system_gives_it_to_another() -> None:
    (customer,) = people(1)
    renamed(("P1", "N1"))
    key = ("crm", "P1")
    assert customers_of([key, ("crm", "N1"), ("erp", "P1")]) == {key: customer, ("crm", "N1"): customer}
    stranger = pipeline.customer_of("crm", somebody(9, record_id="P1"))
    assert stranger != customer
    assert customers_of([key]) == {key: stranger}
    with pytest.raises(Rejected):
        renamed(("N1", "P1"))
