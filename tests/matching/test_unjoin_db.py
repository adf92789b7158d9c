"""What a run, a model or a stretch of time joined is apart again, and nothing else; what cannot be done is told with its cause."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.common.act import Act
from apps.common.errors import Conflict, NotFound, Rejected
from apps.common.ids import uuid7
from apps.customers.models import Customer, Judgement
from apps.customers.pins import pin
from apps.matching import judge, unjoin
from apps.matching.candidates import clock
from apps.matching.model import active_model
from apps.matching.models import Doubt
from apps.matching.unjoin import What, choose, take_apart
from tests import pipeline
from tests.pipeline import alice, bob, person

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def hub() -> None:
    pipeline.systems()


def load(system: str, *items: dict[str, Any]) -> Act:
    """As a run takes records in: one act for all of them."""
    act = Act("user:loader", "a run")
    pipeline.take(system, *items, act=act)
    return act


def undone(what: What, act: Act | None = None, **how: Any) -> unjoin.Done:
    return take_apart(chosen=choose(what), act=act or Act("command:unmerge", "wrong"), **how)


def names(*groups: str) -> pipeline.Partition:
    return frozenset(frozenset(group.split()) for group in groups)


def live() -> list[tuple[str, str]]:
    return list(Judgement.objects.filter(superseded_at=None).values_list("verdict", "actor").order_by("id"))


# ── what is undone ──────────────────────────────────────────────────────────────────────────────────────────────────────
def test_what_a_run_joined_is_apart_and_stays_apart() -> None:
    load("crm", person(1), person(2), person(3))
    run = load("erp", person(1), person(2))
    done = undone(What(act=run.correlation_id))
    assert pipeline.partition() == names("crm:P1", "crm:P2", "crm:P3", "erp:P1", "erp:P2")
    assert [(one.records, one.joinings, one.pairs, len(one.into)) for one in done.parted] == [(2, 1, 1, 2)] * 2
    assert done.left == {}
    assert live() == [("no_match", "command:unmerge")] * 2
    pipeline.take("crm", person(1, phone="+49 30 2222222"))
    pipeline.drain_all()
    assert len(pipeline.partition()) == 5
    assert pipeline.broken() == []


def test_what_was_joined_before_and_after_stays_where_it_can() -> None:
    """crm and billing were one before the run; support came later and fits all of them: it stays with nobody, and is a question."""
    load("crm", person(1))
    load("billing", person(1))
    run = load("erp", person(1))
    load("support", person(1))
    assert len(pipeline.partition()) == 1
    undone(What(act=run.correlation_id))
    assert pipeline.partition() == names("crm:P1 billing:P1", "erp:P1", "support:P1")
    assert {reason for _, reason in pipeline.open_doubts()} == {"ambiguous"}
    assert pipeline.broken() == []


def test_who_came_later_goes_where_it_fits_better() -> None:
    load("crm", person(1))
    run = load("erp", person(1, email=None, phone=None))
    load("support", person(1, record_id="S1"))
    assert len(pipeline.partition()) == 1
    undone(What(act=run.correlation_id))
    assert pipeline.partition() == names("crm:P1 support:S1", "erp:P1")
    assert pipeline.broken() == []


def test_the_whole_can_be_taken_back() -> None:
    load("crm", person(1), person(2))
    run = load("erp", person(1), person(2))
    before, ids = pipeline.partition(), pipeline.where()
    act = Act("command:unmerge", "wrong")
    undone(What(act=run.correlation_id), act)
    assert pipeline.partition() != before
    judge.undo(correlation_id=act.correlation_id, act=bob())
    assert pipeline.where() == ids
    assert live() == []
    assert pipeline.broken() == []


def test_again_leaves_the_decision_to_the_machine_of_today() -> None:
    load("crm", person(1))
    run = load("erp", person(1))
    undone(What(act=run.correlation_id), for_ever=False)
    assert len(pipeline.partition()) == 1, "today's model joins them too"
    pipeline.use_model(automatic=500.0, bridge=501.0)
    undone(What(act=run.correlation_id), for_ever=False)
    assert len(pipeline.partition()) == 2
    assert live() == []
    assert pipeline.broken() == []


def test_what_one_model_joined() -> None:
    load("crm", person(1), person(2))
    load("erp", person(1))
    old = active_model().version
    pipeline.use_model(outweigh=98.0)
    new = active_model()
    load("billing", person(2))
    assert new.version != old
    undone(What(model=unjoin.model_version(new.model.hash[:8])))
    assert pipeline.partition() == names("crm:P1 erp:P1", "crm:P2", "billing:P2")
    undone(What(model=unjoin.model_version(str(old))))
    assert pipeline.partition() == names("crm:P1", "erp:P1", "crm:P2", "billing:P2")
    assert pipeline.broken() == []


def test_what_was_joined_in_a_stretch_of_time() -> None:
    load("crm", person(1), person(2), person(3))
    load("erp", person(1))
    since = clock()
    load("erp", person(2))
    until = clock()
    load("erp", person(3))
    undone(What(since=since, until=until))
    assert pipeline.partition() == names("crm:P1 erp:P1", "crm:P2", "erp:P2", "crm:P3 erp:P3")
    undone(What(since=since))
    assert len(pipeline.partition()) == 5
    assert pipeline.broken() == []


def test_only_the_customers_that_are_named() -> None:
    load("crm", person(1), person(2))
    run = load("erp", person(1), person(2))
    chosen = choose(What(act=run.correlation_id), customers=[pipeline.where()["crm:P2"]])
    take_apart(chosen=chosen, act=alice())
    assert pipeline.partition() == names("crm:P1 erp:P1", "crm:P2", "erp:P2")
    assert len(choose(What(act=run.correlation_id), limit=1).customers) == 1


# ── what people said ────────────────────────────────────────────────────────────────────────────────────────────────────
def test_what_people_said_stands_unless_it_is_asked_for() -> None:
    since = clock()
    load("crm", person(1), person(2))
    where = pipeline.where()
    judge.merge(customers=[where["crm:P1"], where["crm:P2"]], act=alice())
    assert choose(What(since=since)).customers == ()
    undone(What(since=since, people=True))
    assert pipeline.where() == where
    assert live() == [("no_match", "command:unmerge")]
    assert pipeline.broken() == []


def test_a_merge_on_top_goes_on_for_the_part_that_keeps_the_id() -> None:
    """The run brought erp:P1 to crm:P1; alice merged that customer with crm:P2. Without the run she had merged crm:P1 with crm:P2."""
    load("crm", person(1), person(2))
    run = load("erp", person(1))
    where = pipeline.where()
    merge = alice()
    judge.merge(customers=[where["crm:P1"], where["crm:P2"]], act=merge)
    act = Act("command:unmerge", "wrong")
    undone(What(act=run.correlation_id), act)
    assert pipeline.partition() == names("crm:P1 crm:P2", "erp:P1")
    assert sorted(live()) == [("match", "user:alice"), ("no_match", "command:unmerge")]
    assert pipeline.broken() == []
    judge.undo(correlation_id=act.correlation_id, act=bob())
    assert pipeline.partition() == names("crm:P1 crm:P2 erp:P1")
    judge.undo(correlation_id=merge.correlation_id, act=alice())
    assert pipeline.where() == where
    assert pipeline.broken() == []


def test_what_a_person_has_confirmed_is_left() -> None:
    load("crm", person(1), person(2))
    run = load("erp", person(1), person(2))
    ids = pipeline.record_ids()
    judge.join(record_a=ids["crm:P1"], record_b=ids["erp:P1"], act=alice())
    assert [c for c, _ in choose(What(act=run.correlation_id)).customers] == [pipeline.where()["crm:P2"]]
    undone(What(act=run.correlation_id))
    assert pipeline.partition() == names("crm:P1 erp:P1", "crm:P2", "erp:P2")


def test_pins_go_with_the_part_they_hang_on() -> None:
    load("crm", person(1))
    kept = pipeline.where()["crm:P1"]
    pin(customer=kept, attribute="language", value="de", act=alice())
    run = load("erp", person(1))
    undone(What(act=run.correlation_id))
    assert dict(Customer.objects.filter(active=True).values_list("id", "language")) == {
        kept: "de",
        pipeline.where()["erp:P1"]: None,
    }


# ── what is not done ────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("what", "cause"),
    [
        (What(), "Say what is to be undone"),
        (What(since=datetime(2026, 1, 1)), "needs an offset"),  # noqa: DTZ001 - that is the mistake
        (What(since=datetime(2026, 1, 2, tzinfo=UTC), until=datetime(2026, 1, 1, tzinfo=UTC)), "ends before"),
        (What(since=datetime(2999, 1, 1, tzinfo=UTC)), "ends before"),
    ],
    ids=["nothing", "naive", "backwards", "to come"],
)
def test_a_wrong_question_is_refused(what: What, cause: str) -> None:
    with pytest.raises(Rejected, match=cause):
        choose(what)


def test_unknown_models_and_customers() -> None:
    active_model()
    for named in ("77", "0123456789", "abc", ""):
        with pytest.raises(NotFound, match="There is no model"):
            unjoin.model_version(named)
    with pytest.raises(NotFound):
        choose(What(since=clock() - timedelta(hours=1)), customers=[uuid7()])


def test_a_run_that_joined_nothing_leaves_everything_as_it_is() -> None:
    run = load("crm", person(1), person(2))
    before = pipeline.activity()
    assert choose(What(act=run.correlation_id)).customers == ()
    assert choose(What(act=uuid7())).customers == ()
    assert undone(What(act=run.correlation_id)).parted == []
    assert pipeline.activity() == before


def test_what_moved_meanwhile_is_told_and_the_others_go_on() -> None:
    load("crm", person(1), person(2), person(3))
    run = load("erp", person(1), person(2), person(3))
    chosen = choose(What(act=run.correlation_id))
    where = pipeline.where()
    judge.separate(
        record_a=pipeline.record_ids()["crm:P1"], record_b=pipeline.record_ids()["erp:P1"], act=bob()
    )  # parted by hand
    judge.merge(customers=[where["crm:P2"], where["crm:P3"]], act=bob())  # P3's customer is retired, P2's goes on
    done = take_apart(chosen=chosen, act=alice())
    assert done.left == {where["crm:P1"]: unjoin.GONE, where["crm:P3"]: unjoin.GONE}
    assert [one.customer for one in done.parted] == [where["crm:P2"]]
    assert pipeline.partition() == names("crm:P1", "erp:P1", "crm:P2 crm:P3", "erp:P2", "erp:P3")
    assert pipeline.broken() == []


def test_what_cannot_be_done_stands_alone_and_nothing_of_it_is_half_done(monkeypatch: pytest.MonkeyPatch) -> None:
    load("crm", *(person(n) for n in range(1, 8)))
    run = load("erp", *(person(n) for n in range(1, 8)))
    where = pipeline.where()
    real: Callable[..., Any] = unjoin.redecide

    def refuses(records: Any, **how: Any) -> Any:
        if pipeline.record_ids()["crm:P4"] in records:
            raise Rejected("The fourth is not to be touched.")
        return real(records, **how)

    monkeypatch.setattr(unjoin, "redecide", refuses)
    done = undone(What(act=run.correlation_id))
    assert done.left == {where["crm:P4"]: "The fourth is not to be touched."}
    assert len(done.parted) == 6
    assert len(pipeline.partition()) == 13
    assert Judgement.objects.count() == 6
    assert pipeline.broken() == []
    monkeypatch.undo()
    undone(What(act=run.correlation_id))  # the same call goes on with what was left
    assert len(pipeline.partition()) == 14


def test_a_conflict_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    load("crm", person(1))
    run = load("erp", person(1))
    real: Callable[..., Any] = unjoin.redecide
    turns = []

    def disturbed(records: Any, **how: Any) -> Any:
        turns.append(records)
        if len(turns) < 3:
            raise Conflict("Others moved them.")
        return real(records, **how)

    monkeypatch.setattr(unjoin, "redecide", disturbed)
    assert len(undone(What(act=run.correlation_id)).parted) == 1
    assert len(turns) == 3
    assert Judgement.objects.count() == 1


# ── size ────────────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_the_statements_of_a_batch_do_not_grow_with_it() -> None:
    """400 customers of two records and 400 of one: as many statements for 10 customers as for 125, which are a batch."""
    for start in range(0, 800, 200):
        load("crm", *(person(n) for n in range(start, start + 200)))
    run = Act("user:loader", "a run")
    for start in range(0, 400, 200):
        pipeline.take("erp", *(person(n) for n in range(start, start + 200)), act=run)
    chosen = choose(What(act=run.correlation_id))
    assert len(chosen.customers) == 400
    ids = [customer for customer, _ in chosen.customers]
    counts = []
    for some in (ids[:10], ids[10:135], ids[135:260]):
        with CaptureQueriesContext(connection) as asked:
            unjoin.take_some_apart(customers=some, chosen=chosen, act=alice())
        counts.append(len(asked))
    assert max(counts) - min(counts) <= 2, counts
    assert max(counts) <= 40
    sizes = []
    done = take_apart(
        chosen=choose(What(act=run.correlation_id)), act=alice(), on_batch=lambda d: sizes.append(len(d.parted))
    )
    assert sizes == [125, 15]
    assert done.left == {}
    assert len(pipeline.partition()) == 1_200
    assert pipeline.broken() == []


def test_a_customer_of_many_records_is_taken_apart_too() -> None:
    """30 records that one run brought together: every two of them are kept apart."""
    run = load("crm", *({**person(1), "record_id": f"R{n}"} for n in range(30)))
    assert len(pipeline.partition()) == 1
    (one,) = undone(What(act=run.correlation_id)).parted
    assert (one.records, one.pairs, len(one.into)) == (30, 435, 30)
    assert not Doubt.objects.filter(state="open").exists()
