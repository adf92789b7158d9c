"""Calls of which nobody knows whether they were carried out, over real HTTP: exactly one record there, and the last word is ours."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from apps.connectors import deliver
from apps.connectors.claim import claim
from apps.connectors.contract import Adapter, Answer
from apps.connectors.models import Connection, Delivery, DeliveryAttempt
from apps.connectors.sandbox.running import Far
from apps.connectors.targets import targets
from apps.customers.models import Link
from tests import outward, pipeline
from tests.connectors.telling import again, delivery, source, value, without_chance
from tests.pipeline import execute, person, take

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def limits() -> dict[str, Any]:
    return {"timeout": 3}


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch, creates_people: None) -> None:
    without_chance(monkeypatch)


# ── what may have been carried out ──────────────────────────────────────────────────────────────────────────────────
UNKNOWN = {
    "lost_reply": {"lost_reply": 1.0}, "500": {"error_500": 1.0}, "html": {"html_instead_of_json": 1.0}, "huge": {"huge_answer": 3_000_000},
    "200 with a page": {"html_instead_of_json": 1.0, "html_status": 200},
}  # fmt: skip


@pytest.mark.parametrize("fault", UNKNOWN, ids=list(UNKNOWN))
def test_a_create_of_unknown_outcome_leaves_exactly_one_record_there(
    fault: str, any_kind: tuple[Far, Connection]
) -> None:
    far, _ = any_kind
    far.faults(**UNKNOWN[fault], times=1, methods="POST,PATCH,PUT")
    take(source(far), person(1, city="Ulm"))
    outward.settle(rounds=1)
    first = delivery()
    assert (first.state, first.burned) in {("uncertain", 1), ("waiting", 1)}
    if fault in ("lost_reply", "huge"):
        assert first.state == "uncertain"
        assert len(far.records()) == 1, "the first one was carried out"
    again()
    (there,) = far.records()
    first.refresh_from_db()
    assert (first.state, first.trouble) == ("done", "")
    assert Link.objects.get(system__code=far.kind).external_id == there["_id"]
    assert value(far, "city") == "Ulm"
    assert outward.poll_all() >= 0
    outward.settle()
    assert len(far.records()) == 1
    assert pipeline.broken() == []


@pytest.mark.parametrize("fault", UNKNOWN, ids=list(UNKNOWN))
def test_an_update_of_unknown_outcome_arrives_and_nothing_overtakes_it(
    fault: str, any_kind: tuple[Far, Connection]
) -> None:
    far, _ = any_kind
    take(source(far), person(1, city="Ulm"))
    outward.settle()
    far.faults(**UNKNOWN[fault], times=1, methods="POST,PATCH,PUT")
    take(source(far), person(1, city="Bonn"))
    outward.settle(rounds=1)
    take(source(far), person(1, city="Kiel"))
    outward.relay_all()
    outward.planner.drain()
    if Delivery.objects.filter(state="uncertain").exists():
        execute("UPDATE delivery SET due_at = clock_timestamp() + interval '1 hour' WHERE state = 'uncertain'")
        deliver.drain(seconds=2)
        assert value(far, "city") in ("Ulm", "Bonn"), "the newer one went before the older one was known"
    for _ in range(3):
        again()
    assert value(far, "city") == "Kiel"
    assert len(far.records()) == 1
    assert set(outward.states()) <= {"done", "superseded"}
    assert pipeline.broken() == []


class ArrivesLate:
    """The adapter of a target, where the attempt before arrives right after the next one has looked for it."""

    def __init__(self, adapter: Adapter, arrive: Callable[[], None]) -> None:
        self.adapter, self.arrive, self.can = adapter, [arrive], adapter.can

    def read(self, external_id: str, *, timeout: float) -> Answer:
        there = self.adapter.read(external_id, timeout=timeout)
        while self.arrive:
            self.arrive.pop()()
        return there

    def __getattr__(self, name: str) -> Any:
        return getattr(self.adapter, name)


def test_an_update_that_arrives_after_it_was_looked_for_is_not_told_twice(tmp_path: Path) -> None:
    with outward.target("erp", tmp_path / "erp.db") as (far, made):
        take("billing", person(1, city="Ulm"))
        outward.settle()
        take("billing", person(1, city="Bonn"))
        outward.relay_all()
        outward.planner.drain()
        (going,) = claim(targets(), most=10)
        target = outward.here(made)
        adapter = target.adapter

        def arrive() -> None:
            assert adapter.write(deliver._write(going), timeout=3).trouble is None

        target._adapter = ArrivesLate(adapter, arrive)
        execute("UPDATE delivery SET lease_until = clock_timestamp(), due_at = clock_timestamp()")
        outward.settle(rounds=1)
        far_log = far.requests()["log"]
        assert [(e["op"], e["hub_version"]) for e in far_log] == [("create", "1"), ("update", "2")]
        assert outward.states() == {"done": 2}
        assert value(far, "city") == "Bonn"


def test_a_create_that_is_not_carried_out_by_its_first_words_stays_one_after_ten(
    any_kind: tuple[Far, Connection],
) -> None:
    """Every second answer is lost, for ten people."""
    far, _ = any_kind
    far.faults(lost_reply=0.5, seed=7, methods="POST,PATCH,PUT")
    take(source(far), *(person(n) for n in range(10)))
    outward.settle()
    for _ in range(6):
        again()
    far.faults()
    again()
    assert len(far.records()) == 10
    assert outward.states() == {"done": 10}
    assert Link.objects.filter(system__code=far.kind).count() == 10


def test_a_slow_body_ends_with_the_time_allowed_and_makes_no_second_record(any_kind: tuple[Far, Connection]) -> None:
    far, _ = any_kind
    far.faults(slow_body_ms=8_000, times=1, methods="POST,PATCH,PUT")
    take(source(far), person(1))
    outward.settle(rounds=1)
    tried = DeliveryAttempt.objects.order_by("id")[0]
    assert tried.trouble == "uncertain"
    assert tried.ms < 6_000
    again()
    assert len(far.records()) == 1
    assert outward.states() == {"done": 1}


# ── A → B → A ───────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("arrives", [True, False], ids=["B arrives", "B is lost on its way"])
def test_a_value_that_goes_back_while_the_other_is_on_its_way_ends_as_it_is_here(
    arrives: bool, any_kind: tuple[Far, Connection]
) -> None:
    far, _ = any_kind
    take(source(far), person(1, city="Ulm"))
    outward.settle()
    take(source(far), person(1, city="Bonn"))
    outward.relay_all()
    outward.planner.drain()
    (going,) = claim(targets(), most=10)
    if arrives:
        assert deliver.tell(going, targets()[going.connection]).trouble is None
        assert value(far, "city") == "Bonn"
    take(source(far), person(1, city="Ulm"))
    outward.settle()
    assert Delivery.objects.filter(state="waiting").exists(), "there is something to tell: Bonn is on its way there"
    execute("UPDATE delivery SET lease_until = clock_timestamp(), due_at = clock_timestamp() WHERE state = 'sending'")
    for _ in range(3):
        again()
    assert value(far, "city") == "Ulm"
    outward.poll_all()
    outward.settle()
    assert value(far, "city") == "Ulm"
    assert set(outward.states()) <= {"done", "superseded"}
    assert pipeline.broken() == []
