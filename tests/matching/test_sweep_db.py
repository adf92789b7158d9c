"""The sweep: leases, attempts, and what is set aside in the end."""

from collections.abc import Iterator
from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries

from apps.common import seal
from apps.common.errors import Retryable
from apps.customers.models import Quarantine, SourceRecord
from apps.matching import sweep
from apps.matching.match import Matched
from apps.matching.models import Redo
from tests import pipeline
from tests.pipeline import person, query

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Records that were kept and not matched: their process died in between."""
    pipeline.systems()
    with monkeypatch.context() as patched:
        patched.setattr("apps.connectors.inbound.finish", lambda intake, *, act: None)
        pipeline.take("crm", *(person(n) for n in range(3)))
    yield


def due() -> None:
    query("UPDATE source_record SET due_at = clock_timestamp() WHERE state = 'received'")
    query("UPDATE redo SET due_at = clock_timestamp()")


def states() -> set[str]:
    return set(SourceRecord.objects.values_list("state", flat=True))


def test_what_somebody_is_about_to_match_is_left_alone() -> None:
    assert sweep.drain() == 0
    assert states() == {"received"}


def test_what_was_left_behind_is_matched() -> None:
    due()
    assert sweep.drain() == 3
    assert states() == {"built"}
    assert sweep.drain() == 0
    assert pipeline.broken() == []


def test_a_quiet_load_stays_quiet_when_the_sweep_finishes_it() -> None:
    query("UPDATE source_record SET quiet = true")
    due()
    sweep.drain()
    assert pipeline.query("SELECT DISTINCT released FROM customer") == [(False,)]


def failing(*_: Any, **__: Any) -> Matched:
    return Matched(
        failed={row[0]: "Poison: it is" for row in query("SELECT id FROM source_record WHERE external_id = 'P1'")}
    )


def test_after_its_attempts_a_record_is_set_aside_with_what_was_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep, "match", failing)
    for attempt in range(sweep.MAX_ATTEMPTS):
        assert SourceRecord.objects.get(external_id="P1").state == "received", attempt
        due()
        sweep.drain()
    record = SourceRecord.objects.get(external_id="P1")
    assert (record.state, record.last_error, record.due_at) == ("quarantined", "Poison: it is", None)
    row = Quarantine.objects.get()
    assert (row.external_id, row.problems[0]["code"], row.problems[0]["detail"]) == (
        "P1",
        "cannot_be_matched",
        "Poison: it is",
    )
    assert row.raw == record.raw


def test_a_race_that_was_lost_is_no_mark_against_a_record(monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(*_: Any, **__: Any) -> Matched:
        raise Retryable("Others have it.")

    monkeypatch.setattr(sweep, "match", busy)
    for _ in range(sweep.MAX_ATTEMPTS + 1):
        due()
        sweep.drain()
    monkeypatch.undo()
    assert states() == {"received"}
    due()
    sweep.drain()
    assert states() == {"built"}


def test_a_decision_is_taken_again_once_however_often_it_was_asked_for() -> None:
    due()
    sweep.drain()
    record = SourceRecord.objects.get(external_id="P1")
    before = pipeline.activity()
    for _ in range(2):
        query("INSERT INTO redo (source_record_id, reason, due_at, attempts) VALUES (%s, 'a test', clock_timestamp(), 0)"
              " ON CONFLICT DO NOTHING", record.id)  # fmt: skip
    assert sweep.drain() == 1
    assert not Redo.objects.exists()
    assert pipeline.activity() == before


def test_a_redo_that_cannot_be_done_is_given_up() -> None:
    record = SourceRecord.objects.get(external_id="P1")
    Redo.objects.create(source_record=record, reason="a test", due_at=record.received_at, attempts=sweep.MAX_ATTEMPTS)
    sweep._give_up({record.id: "Poison: it is"})
    assert not Redo.objects.exists()


def test_many_failures_cost_the_statements_of_one(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    """Records that have turns left wait for them; those that have none are set aside in one go, whatever was said."""
    query("UPDATE source_record SET attempts = CASE WHEN external_id = 'P2' THEN 1 ELSE %s END", sweep.MAX_ATTEMPTS)
    query("UPDATE source_record SET raw = NULL, raw_salt = NULL WHERE external_id = 'P1'")
    records = list(SourceRecord.objects.order_by("-external_id"))
    said = {r.id: f"Poison \x00 \ud800 in {r.external_id}" for r in records}
    # begin, mark, forget, look up the systems, set aside, end
    with django_assert_num_queries(6):
        sweep._give_up(said)
    states = {r.external_id: (r.state, r.due_at is None) for r in SourceRecord.objects.all()}
    assert states == {"P0": ("quarantined", True), "P1": ("quarantined", True), "P2": ("received", False)}
    assert SourceRecord.objects.get(external_id="P2").last_error == "Poison \\u0000 \\ud800 in P2"
    rows = {row.external_id: row for row in Quarantine.objects.all()}
    assert rows.keys() == {"P0", "P1"}
    whole, erased = rows["P0"], rows["P1"]
    assert whole.problems[0]["detail"] == "Poison \\u0000 \\ud800 in P0"
    assert (whole.raw, erased.raw) == (SourceRecord.objects.get(external_id="P0").raw, None)
    assert bytes(whole.digest) == seal.digest(b"crm", bytes(whole.salt or b""), (whole.raw or "").encode())


def test_no_more_than_asked_for() -> None:
    due()
    assert sweep.drain(most=1) == 3, "a batch is not cut in two"
    assert sweep.drain(most=0) == 0
