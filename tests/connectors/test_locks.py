"""Who plans, who tells and who listens hold rows of the same deliveries: whatever the moment, nobody waits in a circle."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from uuid import UUID

import pytest
from django.db import connection, transaction

from apps.common.ids import uuid7
from apps.connectors import backoff, links, planner
from apps.connectors.claim import Claimed
from apps.connectors.contract import Answer, Trouble
from apps.connectors.models import Delivery
from apps.connectors.settle import Result, settle
from apps.connectors.targets import targets
from apps.customers.models import Link
from apps.events.relay import relay_all
from tests.connectors import outbox
from tests.pipeline import execute, one, person, query, take

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("nobodys_crm")]
GATE = 4711
"""Key of the advisory lock that a test holds while it keeps somebody at the gate."""


class Beside:
    """Work in a thread of its own, in a transaction of its own."""

    def __init__(self, work: Callable[[], object]) -> None:
        self.error: BaseException | None = None
        self.thread = threading.Thread(target=self._run, args=(work,), daemon=True)
        self.thread.start()

    def _run(self, work: Callable[[], object]) -> None:
        try:
            work()
        except BaseException as error:
            self.error = error
        finally:
            connection.close()

    def ends_well(self) -> None:
        self.thread.join(30)
        assert not self.thread.is_alive()
        if self.error is not None:
            raise self.error


def until_waiting(count: int) -> None:
    """Until so many transactions of this database wait for a lock."""
    ends = time.monotonic() + 20
    waiting = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        " AND state = 'active'"
    )
    while one(waiting) < count:
        execute("SELECT pg_stat_clear_snapshot()")  # within a transaction it would show the same for ever
        assert time.monotonic() < ends, f"not {count} wait for a lock"
        threading.Event().wait(0.02)


@contextmanager
def gate(moment: str) -> Iterator[None]:
    """Who comes to `moment` (a trigger's event, table and condition) waits there until the block is left."""
    execute(
        f"CREATE FUNCTION gate() RETURNS trigger LANGUAGE plpgsql AS"
        f" $$ BEGIN PERFORM pg_advisory_xact_lock_shared({GATE}); RETURN NEW; END $$;"
        f" CREATE TRIGGER gate BEFORE {moment} EXECUTE FUNCTION gate()"
    )
    try:
        execute("SELECT pg_advisory_lock(%s)", GATE)
        yield
    finally:
        execute("SELECT pg_advisory_unlock_all()")


@pytest.fixture(autouse=True)
def no_gate() -> Iterator[None]:
    yield
    execute("DROP FUNCTION IF EXISTS gate() CASCADE")


def said(claimed: Claimed, answer: Answer | None = None) -> Result:
    answer = answer or Answer(external_id=claimed.external_id or f"X-{claimed.record}")
    step = backoff.after(answer.trouble, burned=claimed.burned, retry_after=answer.retry_after, chance=0)
    return Result(claimed, targets()[claimed.connection], answer, step)


def known(count: int) -> list[UUID]:
    """So many customers that the target has, by id."""
    outbox.waiting(count)
    settle([said(c) for c in outbox.claimed()])
    planner.drain()
    return sorted(row[0] for row in query("SELECT id FROM customer"))


def moves(*numbers: int, city: str) -> None:
    for number in numbers:
        take("erp", person(number, city=city))
    relay_all()


def told() -> list[tuple[str, str, str]]:
    return sorted(Delivery.objects.filter(op="update").values_list("values__city", "record__external_id", "state"))


def under_way(order: Sequence[int]) -> list[Claimed]:
    """Of each customer a word that is being told; their deliveries were planned in this order."""
    for number in order:
        moves(number, city="Ulm")
        planner.drain()
    return outbox.claimed()


def numbers(customers: Sequence[UUID]) -> list[int]:
    rows = dict(
        query(
            "SELECT customer_id, external_id FROM source_record s JOIN system y ON y.id = s.system_id AND y.code = 'erp'"
        )
    )
    return [int(rows[c].removeprefix("P")) for c in customers]


def test_a_plan_and_results_that_wait_again_take_the_same_records_in_whatever_order() -> None:
    """The plan has put one record's newer word behind what is told and comes to the other's; the results, in the other order, go back
    to waiting."""
    customers = known(2)
    first, second = numbers(customers)
    results = [said(c, Answer(Trouble.TRANSIENT)) for c in under_way([second, first])]
    moves(first, second, city="Bonn")
    (last,) = query("SELECT record_id FROM delivery WHERE state = 'sending' AND customer_id = %s", customers[1])[0]
    with gate(f"INSERT ON delivery FOR EACH ROW WHEN (NEW.record_id = '{last}')"):
        planning = Beside(planner.drain)
        until_waiting(1)
        telling = Beside(lambda: settle(results))
        until_waiting(2)
    planning.ends_well()
    telling.ends_well()
    planner.drain()
    assert {(city, state) for city, _, state in told()} == {("Ulm", "superseded"), ("Bonn", "waiting")}
    assert len(told()) == 4


def test_a_result_that_comes_back_while_the_newer_word_is_taken_off_waits_again() -> None:
    """Ulm is being told and Bonn waits; then it is Ulm again, so Bonn is taken off. Ulm does not arrive, and must not give way to Bonn."""
    known(1)
    moves(0, city="Ulm")
    planner.drain()
    (claimed,) = outbox.claimed()
    moves(0, city="Bonn")
    planner.drain()
    moves(0, city="Ulm")
    bonn = one("SELECT id FROM delivery WHERE state = 'waiting'")
    with gate(f"UPDATE ON delivery FOR EACH ROW WHEN (NEW.id = '{bonn}')"):
        planning = Beside(planner.drain)
        until_waiting(1)
        telling = Beside(lambda: settle([said(claimed, Answer(Trouble.TRANSIENT))]))
        until_waiting(2)
    planning.ends_well()
    telling.ends_well()
    assert [(city, state) for city, _, state in told()] == [("Bonn", "superseded"), ("Ulm", "waiting")]


def test_the_answer_to_a_create_and_a_poll_that_has_heard_of_it_come_at_once() -> None:
    outbox.waiting(1)
    (claimed,) = outbox.claimed()
    made = f"X-{claimed.record}"
    system = one("SELECT id FROM system WHERE code = 'crm'")

    @transaction.atomic
    def hears() -> None:
        planner.ask_each(links.adopt(system, {made: claimed.record.hex}), cause="follow-up")

    with transaction.atomic():
        query("SELECT 1 FROM source_record WHERE id = %s FOR NO KEY UPDATE", claimed.record)
        telling = Beside(lambda: settle([said(claimed)]))
        until_waiting(1)
        hearing = Beside(hears)
        until_waiting(2)
    telling.ends_well()
    hearing.ends_well()
    assert list(Link.objects.filter(system=system).values_list("external_id", flat=True)) == [made]
    assert Delivery.objects.get().state == "done"
    assert planner.waiting() == 1


def test_who_is_asked_for_while_it_is_planned_waits_for_nobody_and_is_planned_again() -> None:
    (customer,) = known(1)
    execute("UPDATE link SET last_sent = '{}'")
    planner.ask([customer], cause="again", correlation_id=uuid7())
    with gate("INSERT ON delivery FOR EACH ROW"):
        planning = Beside(lambda: planner.drain(seconds=0.01))
        until_waiting(1)
        planner.ask([customer], cause="again", correlation_id=uuid7())
        planner.ask_all(cause="again", correlation_id=uuid7())
    planning.ends_well()
    assert planner.waiting() == 1
    assert planner.drain() == 1
    assert planner.waiting() == 0
