"""All customers derived again: only what differs is written, a run goes on where it stopped, a newer one takes its place."""

import threading
import time
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from django.db import IntegrityError, connection, connections, transaction
from django.test.utils import CaptureQueriesContext

from apps.common.errors import Conflict
from apps.customers import rebuild_all, store
from apps.customers.golden import read_customers
from apps.customers.models import ChangeRequest, Customer, Hold, RebuildRun
from apps.customers.tasks import REBUILD_SECONDS, rebuild_customers
from apps.matching import judge
from apps.policies import activate
from apps.policies.active import shipped
from apps.policies.models import Policy
from tests import pipeline
from tests.customers.given import customer
from tests.pipeline import alice, bob

pytestmark = pytest.mark.django_db
CRM, ERP = "https://crm.example", "https://erp.example"


@pytest.fixture(autouse=True)
def hub() -> None:
    pipeline.systems()


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches of three."""
    monkeypatch.setattr(rebuild_all, "BATCH", 3)


def told_twice(count: int, first: int = 1, **values: Any) -> list[UUID]:
    """Customers whose CRM and ERP name another website each."""
    return [
        customer(("crm", pipeline.person(n, website=CRM, **values)), ("erp", pipeline.person(n, website=ERP)))
        for n in range(first, first + count)
    ]


def draft(kind: str = "survivorship", **changes: Any) -> Policy:
    body = shipped(kind)
    body |= changes
    return activate.draft(kind=kind, body=body, note="", act=alice())


def trusting(system: str, trust: int) -> Policy:
    """A draft by which the system's websites have that trust."""
    trusts = shipped("survivorship")["trust"]
    trusts[system] = {**trusts.get(system, {}), "website": trust}
    return draft(trust=trusts)


def activated(policy: Policy) -> RebuildRun:
    activate.activate(policy=policy.id, act=bob())
    run = rebuild_all.running()
    assert run is not None
    return run


def finished() -> RebuildRun:
    """The newest run, once there is nothing left to do."""
    rebuild_all.drain(seconds=60)
    run = RebuildRun.objects.latest("id")
    assert run.state == "done"
    return run


def websites(ids: list[UUID]) -> list[Any]:
    found = read_customers(ids)
    return [found[id_].values.get("website") for id_ in ids]


def versions(ids: list[UUID]) -> list[int]:
    found = read_customers(ids)
    return [found[id_].version for id_ in ids]


# ── what a run writes ───────────────────────────────────────────────────────────────────────────────────────────────
def test_an_activated_policy_reaches_every_customer_and_writes_only_what_differs(small: None) -> None:
    differing = told_twice(5)
    same = [customer(("crm", pipeline.person(n, website=CRM))) for n in range(11, 16)]
    before, unchanged = pipeline.activity(), list(Customer.objects.filter(id__in=same).order_by("id").values())
    begun = activated(trusting("erp", 99))
    assert (begun.reason, begun.actor, begun.state) == ("policy", "user:bob", "running")
    assert websites(differing) == [CRM] * 5, "activation is one short transaction"
    run = finished()
    assert (run.id, run.done, run.written, run.conflicts, run.failed) == (begun.id, 10, 5, 0, 0)
    assert websites(differing) == [ERP] * 5
    assert versions(differing) == [2] * 5
    assert list(Customer.objects.filter(id__in=same).order_by("id").values()) == unchanged
    after = pipeline.activity()
    assert (after[0] - before[0], after[1] - before[1], after[2:]) == (5, 5, before[2:])
    told = pipeline.query("SELECT DISTINCT actor, correlation_id FROM event WHERE version = 2")
    assert told == [("hub:rebuild", run.correlation_id)]
    assert pipeline.broken() == []


def test_the_same_again_writes_nothing(small: None) -> None:
    told_twice(4)
    activated(trusting("erp", 99))
    finished()
    before = pipeline.activity()
    rebuild_all.begin(reason="manual", act=bob())
    run = finished()
    assert (run.done, run.written) == (4, 0)
    assert pipeline.activity() == before
    assert rebuild_all.step() == 0


def test_retired_customers_are_left_alone() -> None:
    one, other = told_twice(2)
    judge.merge(customers=[one, other], act=alice())
    retired = Customer.objects.get(active=False)
    activated(trusting("erp", 99))
    assert finished().done == 1
    assert Customer.objects.get(id=retired.id).version == retired.version
    assert pipeline.broken() == []


def test_holds_hold_and_the_run_asks_for_approval() -> None:
    """What is protected keeps its value; the request names the run as its author, so that anyone may decide it."""
    activate.activate(policy=draft("ownership", owners={}).id, act=bob())
    activate.activate(policy=draft("approval", protected=["website"]).id, act=bob())
    finished()
    (id_,) = told_twice(1)
    activated(trusting("erp", 99))
    assert rebuild_all.preview().held == {"website": 1}
    assert finished().written == 1
    assert (websites([id_]), read_customers([id_])[id_].held) == ([CRM], {"website": ERP})
    assert (ChangeRequest.objects.get().author, Hold.objects.get().state) == ("hub:rebuild", "open")
    rebuild_all.begin(reason="manual", act=bob())
    assert finished().written == 0
    assert Hold.objects.count() == 1
    assert pipeline.broken() == []
    activated(draft("approval", protected=[]))
    assert finished().written == 1
    assert (websites([id_]), Hold.objects.get().state) == ([ERP], "closed")
    assert pipeline.broken() == []


def test_a_batch_costs_the_same_however_many_it_holds() -> None:
    def queries(differing: int) -> int:
        activated(trusting("erp", 50 + differing))
        assert rebuild_all.step() == 0, "the first turn only says when it began"
        with CaptureQueriesContext(connection) as asked:
            assert rebuild_all.step() > 0
        rebuild_all.drain(seconds=60)
        return len([q for q in asked.captured_queries if "SAVEPOINT" not in q["sql"]])

    told_twice(3)
    assert queries(differing=0) <= 9
    few = queries(differing=49)
    told_twice(30, first=20)
    assert queries(differing=0) <= 9 + few
    many = queries(differing=49)
    assert many <= few + 4, "more than a few rows go through a temporary table"
    assert many <= 40


# ── broken off ──────────────────────────────────────────────────────────────────────────────────────────────────────
class Killed(BaseException):
    """As a process ends: nobody catches it."""


def test_a_run_goes_on_after_a_kill_in_the_middle_of_a_batch(small: None, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = told_twice(8)
    activated(trusting("erp", 99))
    rebuild_all.step()
    assert rebuild_all.step() == 3
    whole = store._write_search

    def killed(rows: Any) -> None:
        whole(rows)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(store, "_write_search", killed)
        with pytest.raises(Killed), transaction.atomic():
            rebuild_all.step()
    run = rebuild_all.running()
    assert run is not None
    assert (run.done, run.written) == (3, 3)
    assert websites(sorted(ids)) == [ERP] * 3 + [CRM] * 5
    run = finished()
    assert (run.done, run.written) == (8, 8)
    assert (websites(ids), versions(ids)) == ([ERP] * 8, [2] * 8)
    assert pipeline.broken() == []


def test_a_batch_that_others_move_is_tried_again_and_then_one_by_one(
    small: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = sorted(told_twice(5))
    activated(trusting("erp", 99))
    whole = rebuild_all.refresh

    def moving(customers: list[UUID], **options: Any) -> list[UUID]:
        if ids[1] in customers:
            raise Conflict("Members moved.")
        return whole(customers, **options)

    monkeypatch.setattr(rebuild_all, "refresh", moving)
    run = finished()
    assert (run.done, run.written, run.conflicts, run.failed) == (5, 4, 2 * rebuild_all.ATTEMPTS, 0)
    assert websites(ids) == [ERP, CRM, ERP, ERP, ERP]


def test_one_customer_that_cannot_be_derived_does_not_stop_the_others(
    small: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = sorted(told_twice(5))
    activated(trusting("erp", 99))
    whole = store.lookup_keys

    def refuses(row: Any) -> Any:
        if row.id == ids[1]:
            pipeline.execute("SELECT 1 / 0")
        return whole(row)

    monkeypatch.setattr(store, "lookup_keys", refuses)
    run = finished()
    assert (run.done, run.written, run.failed) == (5, 4, 1)
    assert str(ids[1]) in run.last_error
    assert websites(ids) == [ERP, CRM, ERP, ERP, ERP]
    assert pipeline.broken() == []


# ── one at a time ───────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_newer_policy_supersedes_the_run_and_begins_anew(small: None) -> None:
    ids = told_twice(5)
    first = activated(trusting("erp", 99))
    rebuild_all.step()
    assert rebuild_all.step() == 3
    second = activated(trusting("crm", 100))
    run = finished()
    first.refresh_from_db()
    assert (first.state, first.done, first.finished_at is not None) == ("superseded", 3, True)
    assert (run.id, run.done, run.written) == (second.id, 5, 3)
    assert run.policy_hash != first.policy_hash
    assert websites(ids) == [CRM] * 5
    assert pipeline.broken() == []


def test_the_database_lets_one_run_at_a_time() -> None:
    rebuild_all.begin(reason="manual", act=bob())
    with pytest.raises(IntegrityError), transaction.atomic():
        RebuildRun.objects.create(policy_hash="x", reason="manual", actor="x", correlation_id=alice().correlation_id)
    with pytest.raises(Conflict):
        rebuild_all.begin(reason="manual", act=bob(), supersedes=False)


def side_by_side(work: Callable[[], object], many: int) -> list[BaseException]:
    """The same in several threads at once; what they raised."""
    raised: list[BaseException] = []
    ready = threading.Barrier(many)

    def run() -> None:
        ready.wait()
        try:
            work()
        except BaseException as error:
            raised.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run) for _ in range(many)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return raised


@pytest.mark.django_db(transaction=True)
def test_many_that_begin_and_drive_at_once_do_the_work_once(small: None) -> None:
    ids = told_twice(20)
    policy = trusting("erp", 99)
    activate.activate(policy=policy.id, act=bob())
    assert side_by_side(lambda: rebuild_all.begin(reason="policy", act=bob()), 4) == []
    assert RebuildRun.objects.filter(state="running").count() == 1
    assert RebuildRun.objects.count() == 5
    assert side_by_side(lambda: rebuild_all.drain(seconds=60), 4) == []
    run = RebuildRun.objects.get(state="done")
    assert (run.done, run.written, run.conflicts) == (20, 20, 0)
    assert (websites(ids), versions(ids)) == ([ERP] * 20, [2] * 20)
    assert pipeline.broken() == []


@pytest.mark.django_db(transaction=True)
def test_a_run_waits_for_who_may_have_read_the_policy_before() -> None:
    """A record that joins by the policy of yesterday, committed after the walk has passed, would keep yesterday's values for ever."""
    told_twice(1)
    may_end, wrote = threading.Event(), threading.Event()

    def older() -> None:
        with transaction.atomic():
            pipeline.execute("SELECT id FROM source_record FOR NO KEY UPDATE")
            wrote.set()
            may_end.wait(30)
        connections.close_all()

    thread = threading.Thread(target=older)
    thread.start()
    try:
        assert wrote.wait(30)
        activated(trusting("erp", 99))
        assert rebuild_all.drain(seconds=0.5) == 0
        begun = time.monotonic()
        rebuild_customers()
        assert time.monotonic() - begun < REBUILD_SECONDS / 2, "a turn that can do nothing gives its place away"
        assert rebuild_all.running() is not None
    finally:
        may_end.set()
        thread.join(30)
    assert finished().written == 1
    assert pipeline.broken() == []
