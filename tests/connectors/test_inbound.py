"""At the door: a bad record stands alone with its cause, whoever found it bad; the rest goes through."""

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from apps.connectors import runs
from apps.connectors.inbound import Door, Item, take_in
from apps.connectors.models import FieldDrift, Run
from apps.customers.models import Quarantine, SourceRecord, System
from tests import pipeline
from tests.pipeline import ACT, person, query

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def hub() -> Iterator[None]:
    pipeline.systems()
    pipeline.empty()
    yield
    pipeline.empty()


@contextmanager
def refused(table: str, condition: str) -> Iterator[None]:
    """The database refuses rows of `table` for which `condition` (over NEW) holds, as a constraint does."""
    query(
        f"CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF {condition} THEN RAISE EXCEPTION"
        " 'value is not wanted' USING ERRCODE = 'check_violation', COLUMN = 'external_id', CONSTRAINT = 'not_wanted'; END IF; RETURN NEW; END $$"
    )
    query(f"CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION refuse()")
    try:
        yield
    finally:
        query("DROP FUNCTION refuse() CASCADE")


def load(folder: Path, items: list[dict[str, Any]]) -> Run:
    """A run over a file of the items."""
    path = folder / "load.csv"
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, items[0].keys())
        writer.writeheader()
        writer.writerows(items)
    run = runs.create_file_run(
        path=path, file_name="load.csv", system=System.objects.get(code="crm"), mapping=None, act=ACT
    )
    runs.claim(run.id)
    return runs.execute(run.id)


def accounted(run: Run) -> None:
    """In = linked + unchanged + quarantined."""
    counts = run.counts
    assert run.state == "succeeded", run.error
    assert counts["read"] == sum(
        counts[k] for k in ("created", "changed", "deleted", "unchanged", "stale", "quarantined")
    )
    assert counts["created"] + counts["changed"] == SourceRecord.objects.filter(state="built").count()
    assert pipeline.broken() == []


@pytest.mark.parametrize("place", [1, 500, 1_000])
def test_one_of_a_thousand_that_the_database_refuses(tmp_path: Path, place: int) -> None:
    with refused("source_record", f"NEW.external_id = 'P{place}'"):
        run = load(tmp_path, [person(n) for n in range(1, 1_001)])
    assert (run.counts["created"], run.counts["quarantined"]) == (999, 1)
    row = Quarantine.objects.get()
    assert (row.external_id, row.line, row.file_name, row.run_id) == (f"P{place}", place + 1, "load.csv", run.id)
    assert row.problems == [{"field": "external_id", "code": "refused_by_database", "detail": "value is not wanted"}]
    accounted(run)


def test_the_refused_and_the_unreadable_and_the_same_add_up(tmp_path: Path) -> None:
    load(tmp_path, [person(n) for n in range(10)])
    items = [person(n) for n in range(30)]
    items[20]["birth_date"] = "2024-02-30"
    with refused("source_record", "NEW.external_id = 'P25'"):
        run = load(tmp_path, items)
    assert {k: v for k, v in run.counts.items() if v} == {"read": 30, "created": 18, "unchanged": 10, "quarantined": 2}
    assert pipeline.broken() == []


def test_a_record_that_cannot_be_matched_waits_and_is_set_aside_in_the_end(tmp_path: Path) -> None:
    """The poison stands alone at once; after its attempts it is quarantined; nobody else is held up."""
    with refused("membership", "(SELECT external_id FROM source_record WHERE id = NEW.source_record_id) = 'P7'"):
        run = load(tmp_path, [person(n) for n in range(300)])
        assert SourceRecord.objects.filter(state="built").count() == 299
        assert SourceRecord.objects.get(external_id="P7").state == "received"
        for _ in range(6):
            pipeline.drain_all()
    poison = SourceRecord.objects.get(external_id="P7")
    assert (poison.state, poison.customer_id) == ("quarantined", None)
    assert "value is not wanted" in poison.last_error
    row = Quarantine.objects.get()
    assert (row.external_id, row.problems[0]["code"], row.run_id) == ("P7", "cannot_be_matched", run.id)
    assert pipeline.broken() == []
    pipeline.take("crm", person(7, payment_terms="NET30"))
    assert SourceRecord.objects.get(external_id="P7").state == "built", "a new version gets a new chance"
    assert pipeline.broken() == []


def test_what_nobody_declared_is_kept_and_counted() -> None:
    pipeline.take("crm", {**person(1), "fax": "1"}, {**person(2), "fax": "2", "shoe size": 42})
    assert {d.field: (d.seen, d.sample) for d in FieldDrift.objects.all()} == {
        "fax": (2, '"2"'),
        "shoe size": (1, "42"),
    }
    assert '"fax": "1"' in (SourceRecord.objects.get(external_id="P1").raw or "")


def test_a_door_that_takes_no_unknown_field() -> None:
    door = Door(System.objects.get(code="crm"), keep_unknown=False)
    outcome = take_in(door=door, items=[Item({**person(1), "fax": "1"}, "{}"), Item(person(2), "{}")], act=ACT)
    assert [o.outcome for o in outcome] == ["quarantined", "created"]
    assert [(p.field, p.code) for p in outcome[0].problems] == [("fax", "unknown_field")]


def test_nul_bytes_and_lone_surrogates_are_set_aside_whole() -> None:
    items = [{**person(1), "given_name": "A\x00da"}, {**person(2), "given_name": "A\ud800da"}, person(3)]
    outcomes = take_in(door=Door(System.objects.get(code="crm")), items=[Item(i, str(i)) for i in items], act=ACT)
    assert outcomes[2].outcome == "created"
    assert {o.outcome for o in outcomes} <= {"created", "quarantined"}
    assert Quarantine.objects.count() == sum(o.outcome == "quarantined" for o in outcomes)
    assert pipeline.broken() == []


def test_outcomes_stand_in_the_order_of_the_items() -> None:
    pipeline.take("crm", person(1), person(2))
    outcomes = pipeline.take(
        "crm",
        person(9),
        {"kind": "person"},
        person(2),
        person(1, payment_terms="NET30"),
        {"record_id": "P2", "deleted": True},
    )
    assert [o.outcome for o in outcomes] == ["created", "quarantined", "unchanged", "changed", "deleted"]
    assert [o.external_id for o in outcomes] == ["P9", None, "P2", "P1", "P2"]
    assert [o.customer is not None for o in outcomes] == [True, False, True, True, True]
