"""Claims: no delivery is told twice at once, no target is called more than it allows, and who comes too late changes nothing."""

import threading
import time
from collections import Counter
from uuid import UUID

import pytest
from django.db import transaction

from apps.connectors import backoff, connections
from apps.connectors.claim import RESERVED, Claimed
from apps.connectors.contract import Answer, Trouble
from apps.connectors.models import Circuit, Delivery
from apps.connectors.settle import Result, settle
from apps.connectors.targets import targets
from tests import outward, pipeline
from tests.connectors import outbox
from tests.pipeline import execute, one, query

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _clean(empty: None) -> None:
    outward.policy(crm={"creates": ["person"]}, support={"creates": ["person"]})


def settled(ones: list[Claimed], answer: Answer | None = None) -> int:
    """The answer of these calls, written down."""
    found = []
    for claimed in ones:
        said = answer or Answer(external_id=f"X-{claimed.record}")
        step = backoff.after(said.trouble, burned=claimed.burned, retry_after=said.retry_after, chance=1)
        found.append(Result(claimed, targets()[claimed.connection], said, step))
    return settle(found)


def test_eight_that_claim_side_by_side_claim_nothing_twice_and_never_more_than_the_cap() -> None:
    """Each keeps what it claimed for a moment; at no time are more in flight than the target allows."""
    made = outbox.connect(in_flight=5)
    deliveries = outbox.waiting(60)
    seen, most, lock = Counter[UUID](), [0], threading.Lock()
    ends = time.monotonic() + 40

    def work() -> None:
        while time.monotonic() < ends:
            ones = outbox.claimed(most=3)
            with lock:
                seen.update(c.id for c in ones)
            in_flight = one("SELECT count(*) FROM delivery WHERE state = 'sending' AND connection_id = %s", made.id)
            with lock:
                most[0] = max(most[0], in_flight)
            time.sleep(0.005)
            settled(ones)
            if not ones and not Delivery.objects.filter(state__in=("waiting", "sending")).exists():
                return

    with outbox.side_by_side(8, work):
        pass
    assert set(seen) == set(deliveries)
    assert set(seen.values()) == {1}
    assert 1 < most[0] <= 5
    assert Delivery.objects.filter(state="done").count() == 60
    assert pipeline.broken() == []


def test_answers_that_are_not_written_down_yet_are_no_calls_in_flight() -> None:
    outbox.connect(in_flight=4)
    outbox.waiting(10)
    first = [c.id for c in outbox.claimed()]
    assert len(first) == 4
    assert outbox.claimed() == []
    assert len(outbox.claimed(answered=first[:3])) == 3
    execute("UPDATE delivery SET state = 'done' WHERE id = ANY(%s)", first[:3])
    assert outbox.claimed(answered=first[:3]) == [], "one that is written down by now counts once"


def test_answers_that_are_not_written_down_yet_count_for_the_guard() -> None:
    outbox.connect(in_flight=10, guard_least=5, guard_share=0.1)
    execute("UPDATE circuit SET guard_lifted_until = NULL")
    outbox.waiting(20)
    first = [c.id for c in outbox.claimed()]
    assert len(first) == 5
    assert outbox.claimed(answered=first) == [], "they are written by now, or about to be"


def test_one_record_has_one_delivery_under_way_and_the_next_waits_behind() -> None:
    outbox.connect()
    outbox.waiting(1)
    (first,) = outbox.claimed()
    settled([first])
    pipeline.take("erp", pipeline.person(0, city="Ulm"))
    outward.relay_all()
    outward.planner.drain()
    (second,) = outbox.claimed()
    assert (second.op, second.values["city"]) == ("update", "Ulm")
    pipeline.take("erp", pipeline.person(0, city="Bonn"))
    outward.relay_all()
    outward.planner.drain()
    assert sorted(Delivery.objects.values_list("state", flat=True)) == ["done", "sending", "waiting"]
    assert outbox.claimed() == [], "the one before is under way"
    settled([second], Answer(Trouble.UNCERTAIN))
    assert outbox.claimed() == [], "nobody knows yet what the one before did"
    execute("UPDATE delivery SET due_at = clock_timestamp() WHERE state = 'uncertain'")
    (again,) = outbox.claimed()
    assert (again.id, again.unsure) == (second.id, True)
    settled([again], Answer())
    (third,) = outbox.claimed()
    assert third.values["city"] == "Bonn"


def test_a_lease_that_ran_out_can_be_claimed_and_the_late_worker_changes_nothing() -> None:
    outbox.connect()
    outbox.waiting(1)
    (slow,) = outbox.claimed()
    assert outbox.claimed() == []
    outbox.run_out()
    (again,) = outbox.claimed()
    assert (again.id, again.attempts, again.unsure) == (slow.id, slow.attempts + 1, True)
    assert settled([slow], Answer(Trouble.VALIDATION)) == 0, "its word counts no more"
    assert Delivery.objects.get().state == "sending"
    assert settled([again]) == 1
    assert settled([slow]) == 0
    assert settled([again]) == 0, "a result counts once"
    assert Delivery.objects.get().state == "done"
    assert one("SELECT count(*) FROM link WHERE external_id = %s", f"X-{again.record}") == 1


def test_people_come_before_loads_and_a_part_of_the_calls_is_kept_for_them() -> None:
    made = outbox.connect(in_flight=8)
    outbox.waiting(20)
    execute("UPDATE delivery SET lane = 1, due_at = due_at - interval '1 hour'")
    bulk = outbox.claimed()
    assert len(bulk) == 8 - 8 // RESERVED
    people = outbox.waiting(4, start=100)
    assert {c.id for c in outbox.claimed()} <= set(people)
    assert one("SELECT count(*) FROM delivery WHERE state = 'sending' AND connection_id = %s", made.id) == 8
    settled(bulk)
    found = outbox.claimed(most=3)
    assert [c.id in people for c in found] == [True, True, False]


def test_a_target_of_one_call_at_a_time_does_its_loads_too() -> None:
    outbox.connect(in_flight=1)
    outbox.waiting(2)
    execute("UPDATE delivery SET lane = 1")
    assert len(outbox.claimed()) == 1


def all_in_the_bulk_lane() -> None:
    execute("UPDATE delivery SET lane = 1")


def test_a_load_can_be_the_probe_of_a_half_open_circuit() -> None:
    """Nothing else may wait: what is kept for people must not keep the circuit open for ever."""
    outbox.connect(in_flight=8)
    outbox.waiting(3)
    all_in_the_bulk_lane()
    execute("UPDATE circuit SET state = 'open', trips = 1, probe_at = clock_timestamp()")
    assert len(outbox.claimed()) == 1


def test_a_load_goes_to_a_target_that_allows_little_in_a_second() -> None:
    outbox.connect(in_flight=8, per_second=1)
    outbox.waiting(3)
    all_in_the_bulk_lane()
    assert [len(outbox.claimed()) for _ in range(2)] == [1, 0]


def test_a_load_uses_all_that_the_guard_allows_and_is_stopped_then() -> None:
    made = outbox.connect(in_flight=8, guard_least=5, guard_share=0.1)
    outbox.waiting(9)
    all_in_the_bulk_lane()
    execute("UPDATE circuit SET guard_lifted_until = NULL")
    ones = outbox.claimed()
    assert len(ones) == 5
    settled(ones)
    assert outbox.claimed() == []
    made.refresh_from_db()
    assert made.paused_by == "hub:guard"


def test_no_more_in_a_second_than_the_target_allows() -> None:
    outbox.connect(in_flight=100, per_second=10)
    outbox.waiting(60)
    assert len(outbox.claimed()) == 10
    assert len(outbox.claimed()) <= 2
    began, taken = time.monotonic(), 0
    while taken < 20:
        taken += len(outbox.claimed())
        time.sleep(0.01)
        assert time.monotonic() - began < 10
    assert time.monotonic() - began > 1.5


def test_less_than_one_in_a_second() -> None:
    outbox.connect(in_flight=100, per_second=0.5)
    outbox.waiting(3)
    assert [len(outbox.claimed()) for _ in range(3)] == [1, 0, 0]
    execute("UPDATE circuit SET refilled_at = refilled_at - interval '2 seconds'")
    assert len(outbox.claimed()) == 1


def test_the_guard_pauses_a_target_that_would_be_rewritten_and_tells_how_much() -> None:
    made = outbox.connect(in_flight=100, guard_least=5, guard_share=0.1)
    outbox.waiting(12)
    execute("UPDATE circuit SET guard_lifted_until = NULL")
    ones = outbox.claimed()
    assert len(ones) == 5
    assert outbox.claimed() == [], "what is on its way counts, too"
    settled(ones)
    assert outbox.claimed() == []
    made.refresh_from_db()
    assert (made.mode, made.paused_by) == ("paused", "hub:guard")
    assert "5 records" in made.paused_reason
    connections.resume(connection=made.id, act=outward.BOB, guard_hours=1)
    assert len(outbox.claimed()) == 7


def test_the_guard_counts_an_hour() -> None:
    outbox.connect(in_flight=100, guard_least=5)
    outbox.waiting(12)
    execute("UPDATE circuit SET guard_lifted_until = NULL")
    ones = outbox.claimed()
    assert len(ones) == 5
    settled(ones)
    execute("UPDATE circuit SET hour_began = hour_began - interval '61 minutes'")
    assert len(outbox.claimed()) == 5


def test_the_one_switch_a_pause_and_a_moment_not_to_call_before() -> None:
    made = outbox.connect()
    outbox.waiting(1)
    connections.switch(stopped=True, act=outward.ALICE)
    assert outbox.claimed() == []
    connections.switch(stopped=False, act=outward.ALICE)
    connections.pause(connection=made.id, act=outward.ALICE)
    assert outbox.claimed() == []
    connections.resume(connection=made.id, act=outward.ALICE)
    execute("UPDATE circuit SET not_before = clock_timestamp() + interval '1 hour'")
    assert outbox.claimed() == []
    execute("UPDATE circuit SET not_before = clock_timestamp()")
    assert len(outbox.claimed()) == 1


def test_what_waits_for_its_next_attempt_is_left_and_other_connections_too() -> None:
    crm, support = outbox.connect("crm"), outbox.connect("support")
    outbox.waiting(2)
    assert {c.connection for c in outbox.claimed(only={support.id})} == {support.id}
    execute("UPDATE delivery SET due_at = clock_timestamp() + interval '1 hour' WHERE connection_id = %s", crm.id)
    assert outbox.claimed() == []


def test_a_half_open_circuit_lets_one_through() -> None:
    made = outbox.connect(in_flight=8)
    outbox.waiting(10)
    execute("UPDATE circuit SET state = 'open', trips = 1, probe_at = clock_timestamp() + interval '1 hour'")
    assert outbox.claimed() == []
    execute("UPDATE circuit SET probe_at = clock_timestamp()")
    (probe,) = outbox.claimed()
    assert Circuit.objects.get(connection=made).state == "half_open"
    assert outbox.claimed() == [], "one at a time"
    settled([probe], Answer(Trouble.TRANSIENT))
    circuit = Circuit.objects.get(connection=made)
    assert (circuit.state, circuit.trips) == ("open", 2)
    assert outbox.claimed() == []
    execute("UPDATE circuit SET probe_at = clock_timestamp()")
    (probe,) = outbox.claimed()
    settled([probe])
    assert Circuit.objects.get(connection=made).state == "closed"
    assert len(outbox.claimed()) == 8


def test_a_probe_that_nobody_answers_for_is_followed_by_another_one() -> None:
    outbox.connect(in_flight=8)
    outbox.waiting(3)
    execute("UPDATE circuit SET state = 'open', trips = 1, probe_at = clock_timestamp()")
    assert len(outbox.claimed()) == 1
    execute("UPDATE circuit SET probe_at = clock_timestamp()")
    assert len(outbox.claimed()) == 1


def test_who_claims_does_not_wait_for_another_one_that_claims() -> None:
    outbox.connect()
    outbox.waiting(3)
    taken: list[int] = []

    def work() -> None:
        taken.append(len(outbox.claimed()))

    with transaction.atomic():
        assert len(outbox.claimed(most=1)) == 1
        with outbox.side_by_side(1, work):
            pass
    assert taken == [0]
    assert len(outbox.claimed()) == 2


def test_nothing_is_claimed_of_a_target_that_cannot_be_used() -> None:
    made = outbox.connect()
    outbox.waiting(1)
    execute(
        "UPDATE connection SET settings = jsonb_set(settings, '{document,operations}', '7'::jsonb) WHERE id = %s",
        made.id,
    )
    assert targets()[made.id].error
    assert outbox.claimed() == []
    assert query("SELECT attempts FROM delivery") == [(0,)]
