"""The driver of matching: what it does beside other processes, and what one bad record costs the rest."""

import json
import threading
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import pytest
from django.db import connection

from apps.common import retrying
from apps.common.errors import Conflict, Retryable
from apps.connectors import inbound
from apps.customers.models import SourceRecord, System
from apps.matching import candidates, judge, match
from apps.matching.model import active_model
from apps.matching.models import Doubt, Edge
from tests import pipeline
from tests.pipeline import ACT, person, query

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def hub() -> Iterator[None]:
    pipeline.systems()
    pipeline.empty()
    yield
    pipeline.empty()


def meanwhile(work: Callable[[], Any]) -> None:
    """`work` from beginning to end on a connection of its own, as another process would do it."""
    failures: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:
            failures.append(error)
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(30)
    assert not thread.is_alive()
    assert not failures, failures


def after_the_first_search(monkeypatch: pytest.MonkeyPatch, work: Callable[[], Any]) -> list[int]:
    """Lets `work` happen between the first search and the lock; the list counts searches."""
    searches: list[int] = []
    search = match._search

    def searched(batch: Any, model: Any) -> Any:
        found = search(batch, model)
        searches.append(1)
        if len(searches) == 1:
            meanwhile(work)
        return found

    monkeypatch.setattr(match, "_search", searched)
    return searches


def test_a_record_that_changed_after_it_was_compared_is_compared_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The other was alike when it was read; before the decision it became somebody else."""
    pipeline.take("crm", person(1))
    searches = after_the_first_search(monkeypatch, lambda: pipeline.take("crm", person(2, record_id="P1")))
    pipeline.take("erp", person(1))
    assert len(searches) == 3, "this one twice, the other's own once"
    assert len(pipeline.partition()) == 2
    assert not Edge.objects.filter(superseded_at=None).exists()
    assert pipeline.broken() == []


def test_a_partner_that_came_after_the_search_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """The other one found this one and wrote what it found; this one's older search must not wipe it out."""
    searches = after_the_first_search(monkeypatch, lambda: pipeline.take("erp", person(1)))
    pipeline.take("crm", person(1))
    assert len(searches) >= 2
    assert len(pipeline.partition()) == 1
    assert Edge.objects.filter(superseded_at=None).count() == 1
    assert pipeline.broken() == []


def test_a_component_that_grew_is_locked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two records that are just being joined a person ties one of them to a third."""
    pipeline.take("crm", person(1), person(5))
    records = pipeline.record_ids()

    def tie() -> None:
        judge.join(record_a=records["crm:P1"], record_b=records["crm:P5"], act=pipeline.alice())

    after_the_first_search(monkeypatch, tie)
    pipeline.take("erp", person(1))
    assert pipeline.partition() == {frozenset({"crm:P1", "crm:P5", "erp:P1"})}
    assert pipeline.broken() == []


def test_the_sweep_never_puts_old_features_over_new_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading and writing of features happen under the record's lock: a change has to wait for it."""
    pipeline.take("crm", person(1))
    record = pipeline.record_ids()["crm:P1"]
    order: list[str] = []
    index = candidates.index
    changer = threading.Thread(
        target=lambda: (pipeline.take("crm", person(2, record_id="P1")), order.append("changed"), connection.close())
    )

    def slow(records: Any, model: Any) -> None:
        if threading.current_thread() is threading.main_thread() and not order:
            order.append("indexing")
            changer.start()
            changer.join(0.5)
            assert changer.is_alive(), "the change did not wait"
        index(records, model)

    monkeypatch.setattr(candidates, "index", slow)
    match.index([record])
    changer.join(30)
    assert order == ["indexing", "changed"]
    assert (
        person(2)["family_name"].lower()
        in pipeline.one("SELECT features FROM match_record WHERE source_record_id = %s", record).lower()
    )


def test_who_keeps_losing_the_race_may_come_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch that others keep changing stays for the sweep; the caller gets its answer all the same."""
    monkeypatch.setattr(retrying, "_TRIES", 2)

    def moved(*_: Any, **__: Any) -> Any:
        raise Conflict("Somebody else was quicker.")

    monkeypatch.setattr(match, "_apply", moved)
    outcome = pipeline.take("crm", person(1))[0]
    assert (outcome.outcome, outcome.customer) == ("created", None)
    with pytest.raises(Retryable):
        match.match([outcome.record] if outcome.record else [], act=ACT)
    monkeypatch.undo()
    assert SourceRecord.objects.get().state == "received"
    pipeline.drain_all()
    assert SourceRecord.objects.get().state == "built"


def test_a_poison_record_stands_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is raised for a batch, halves are tried until the offender is by itself."""
    monkeypatch.setattr("apps.connectors.inbound.finish", lambda intake, *, act: None)
    pipeline.take("crm", *(person(n) for n in range(20)))
    poison = pipeline.record_ids()["crm:P13"]
    apply = match._apply

    def spoilt(batch: Any, *rest: Any, **named: Any) -> Any:
        if poison in batch:
            raise ZeroDivisionError("by nought")
        return apply(batch, *rest, **named)

    monkeypatch.setattr(match, "_apply", spoilt)
    matched = match.match(sorted(pipeline.record_ids().values()), act=ACT)
    assert matched.failed == {poison: "ZeroDivisionError: by nought"}
    assert len(matched.customer_of) == 19
    assert len(matched.created) == 19


def test_a_doubt_is_overtaken_when_what_it_was_about_is_gone() -> None:
    pipeline.use_model(automatic=900.0, bridge=900.0)
    pipeline.take("crm", {**person(1), "phone": "+49 30 7000001"})
    pipeline.take("erp", {**person(1), "phone": "+49 30 7000001"})
    assert [d.reason for d in Doubt.objects.filter(state="open")] == ["review_band"]
    pipeline.take("erp", person(2, record_id="P1"))
    assert [d.state for d in Doubt.objects.all()] == ["overtaken"]
    pipeline.take("erp", {**person(1), "phone": "+49 30 7000001"})
    assert [d.state for d in Doubt.objects.order_by("opened_at")] == ["overtaken", "open"]
    assert pipeline.broken() == []


def test_evidence_is_superseded_and_never_rewritten() -> None:
    pipeline.take("crm", person(1))
    pipeline.take("erp", person(1))
    first = Edge.objects.get()
    pipeline.take("erp", person(1, phone="+49 30 7000002"))
    assert Edge.objects.count() == 2
    first.refresh_from_db()
    live = Edge.objects.get(superseded_at=None)
    assert first.superseded_at is not None
    assert live.weight != first.weight
    assert live.model_version == active_model().version


def test_a_system_that_keeps_no_duplicates_is_not_merged_within() -> None:
    query("UPDATE system SET one_record_per_customer = true WHERE code = 'erp'")
    try:
        pipeline.take("erp", person(1), person(1, record_id="again"))
        assert len(pipeline.partition()) == 2
        assert [d.reason for d in Doubt.objects.filter(state="open")] == ["distinct_source"]
    finally:
        query("UPDATE system SET one_record_per_customer = false")


def names(ids: set[UUID]) -> set[str]:
    known = {id_: name for name, id_ in pipeline.record_ids().items()}
    return {known[id_] for id_ in ids}


def test_candidates_are_those_who_share_a_key_that_is_not_too_common() -> None:
    model = active_model().model
    pipeline.take("crm", person(1), person(2), person(3, email=person(1)["email"]))
    one = pipeline.record_ids()["crm:P1"]
    assert names({r for pair in candidates.pairs_for([one], model) for r in pair}) == {"crm:P1", "crm:P3"}
    pipeline.use_model(block_cap=2)
    small = active_model().model
    pipeline.take("erp", person(4, email=person(1)["email"]))
    assert candidates.pairs_for([one], small) == []
    assert pipeline.one("SELECT count(*) FROM oversized_key") >= 1


# ── what was received while others were matched ─────────────────────────────────────────────────────────────────────
def only_received(system: str, item: dict[str, Any]) -> UUID:
    """Kept, and then the process dies."""
    door = inbound.Door(System.objects.get(code=system))
    inbound.keep(door=door, items=[inbound.Item(item, json.dumps(item))], act=ACT)
    return pipeline.record_ids()[f"{system}:{item['record_id']}"]


def cities() -> dict[str, str]:
    """By record, the city of the customer it belongs to."""
    rows = query(
        "SELECT y.code || ':' || s.external_id, c.addresses -> 0 ->> 'city' FROM source_record s JOIN system y ON y.id = s.system_id"
        " JOIN customer c ON c.id = s.customer_id"
    )
    return dict(rows)  # type: ignore[arg-type]  # pairs


def state(record: UUID) -> tuple[Any, ...]:
    return query("SELECT state, due_at IS NOT NULL FROM source_record WHERE id = %s", record)[0]


def test_a_record_received_meanwhile_waits_for_its_own_turn() -> None:
    """The two are in doubt, and so decided together; yet only the one that was compared is done."""
    pipeline.use_model(automatic=900.0, bridge=900.0)
    pipeline.take("crm", person(1, city="Ulm"))
    pipeline.take("erp", person(1, city="Ulm"))
    assert len(pipeline.partition()) == 2
    waits = only_received("crm", person(1, city="Bonn"))
    pipeline.take("erp", person(1, city="Kiel"))
    assert state(waits) == ("received", True)
    assert cities()["crm:P1"] == "Ulm"
    pipeline.drain_all()
    assert cities() == {"crm:P1": "Bonn", "erp:P1": "Kiel"}
    assert state(waits) == ("built", False)
    assert pipeline.broken() == []


def test_a_record_received_meanwhile_waits_though_a_person_merges_its_customer() -> None:
    one = pipeline.customer_of("crm", person(1, city="Ulm"))
    other = pipeline.customer_of("erp", person(2, city="Ulm"))
    waits = only_received("erp", {**person(2, city="Bonn"), "email": person(3)["email"], "phone": person(3)["phone"]})
    judge.merge(customers=[one, other], act=pipeline.alice())
    assert state(waits) == ("received", True)
    third = pipeline.customer_of("billing", {**person(3), "record_id": "X3"})
    assert third != one
    pipeline.drain_all()
    assert state(waits) == ("built", False)
    assert pipeline.broken() == []
