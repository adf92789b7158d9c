"""What came of calls is written down once, whole, and with what follows from it."""

import pytest

from apps.connectors import backoff, planner
from apps.connectors.claim import Claimed
from apps.connectors.contract import KEPT_TEXT, Answer, Trouble
from apps.connectors.models import Delivery, DeliveryAttempt
from apps.connectors.settle import Result, settle
from apps.connectors.targets import targets
from apps.customers.models import Link
from tests import outward, pipeline
from tests.connectors import outbox
from tests.pipeline import execute, one, person, take

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("nobodys_crm")]


def result(claimed: Claimed, answer: Answer | None = None) -> Result:
    said = answer or Answer(external_id=claimed.external_id or f"X-{claimed.record}")
    step = backoff.after(said.trouble, burned=claimed.burned, retry_after=said.retry_after, chance=0)
    return Result(claimed, targets()[claimed.connection], said, step)


def made(count: int = 1) -> None:
    """Customers that the target has."""
    outbox.waiting(count)
    settle([result(c) for c in outbox.claimed()])
    planner.drain()


def changed(city: str) -> None:
    take("erp", person(0, city=city))
    outward.relay_all()
    planner.drain()


def states() -> list[str]:
    return list(Delivery.objects.order_by("id").values_list("state", flat=True))


def test_what_is_acknowledged_is_kept_with_the_link() -> None:
    made()
    changed("Ulm")
    (claimed,) = outbox.claimed()
    assert settle([result(claimed, Answer(external_id=claimed.external_id, etag="v2"))]) == 1
    link = Link.objects.get(system__code="crm")
    assert (link.last_sent["city"], link.acknowledged_version, link.acknowledged_customer, link.etag) == (
        "Ulm",
        2,
        claimed.customer,
        "v2",
    )
    assert link.last_sent["email"], "what was told before is still held there"
    changed("Ulm")
    assert outbox.claimed() == []


def test_an_older_word_that_is_acknowledged_late_takes_nothing_back() -> None:
    made()
    changed("Ulm")
    (claimed,) = outbox.claimed()
    execute('UPDATE link SET acknowledged_version = 9, last_sent = last_sent || \'{"city": "Bonn"}\'')
    assert settle([result(claimed)]) == 1
    link = Link.objects.get(system__code="crm")
    assert (link.last_sent["city"], link.acknowledged_version) == ("Bonn", 9)


def test_what_would_wait_again_gives_way_to_the_newer_one_that_waits() -> None:
    made()
    changed("Ulm")
    (claimed,) = outbox.claimed()
    changed("Bonn")
    assert states() == ["done", "sending", "waiting"]
    settle([result(claimed, Answer(Trouble.TRANSIENT))])
    assert states() == ["done", "superseded", "waiting"]
    (newer,) = outbox.claimed()
    assert newer.values["city"] == "Bonn"


def test_what_nobody_knows_the_end_of_stays_before_the_newer_one() -> None:
    made()
    changed("Ulm")
    (claimed,) = outbox.claimed()
    changed("Bonn")
    settle([result(claimed, Answer(Trouble.UNCERTAIN))])
    assert states() == ["done", "uncertain", "waiting"]


def test_an_older_failure_ends_when_a_newer_one_is_acknowledged() -> None:
    made()
    changed("Ulm")
    (claimed,) = outbox.claimed()
    changed("Bonn")
    settle([result(claimed, Answer(Trouble.VALIDATION))])
    assert states() == ["done", "failed", "waiting"]
    settle([result(c) for c in outbox.claimed()])
    assert states() == ["done", "superseded", "done"]


def test_every_attempt_is_kept_redacted_texts_cut_and_what_no_database_can_hold_left_out() -> None:
    outbox.waiting(1)
    (first,) = outbox.claimed()
    bad = Answer(
        Trouble.TRANSIENT, "co\x00de", "why\ud800\x00" * 500, 503, request="q" * 9_000, response="\x00a" * 9_000, ms=12
    )
    settle([result(first, bad)])
    execute("UPDATE delivery SET due_at = clock_timestamp()")
    (second,) = outbox.claimed()
    settle([result(second)])
    one_, other = DeliveryAttempt.objects.order_by("number")
    assert (one_.number, one_.trouble, one_.status, one_.ms) == (1, "transient", 503, 12)
    assert max(len(one_.request), len(one_.response)) <= KEPT_TEXT
    assert len(one_.detail) <= 1_000
    assert (other.number, other.trouble) == (2, "")
    told = Delivery.objects.get()
    assert (told.state, told.trouble, told.attempts, told.burned) == ("done", "", 2, 1)


def test_attempts_are_burned_up_to_the_desk() -> None:
    outbox.waiting(1)
    for _ in range(len(backoff.STEPS) + 1):
        execute("UPDATE delivery SET due_at = clock_timestamp()")
        execute("UPDATE circuit SET state = 'closed', failures = 0, window_calls = 0")
        (claimed,) = outbox.claimed()
        settle([result(claimed, Answer(Trouble.TRANSIENT, "down", "It is down."))])
    failed = Delivery.objects.get()
    assert (failed.state, failed.trouble, failed.detail) == ("failed", "transient", "It is down.")
    assert failed.finished_at is not None
    assert DeliveryAttempt.objects.count() == len(backoff.STEPS) + 1


def test_a_record_that_is_gone_there_is_no_way_to_write_any_more() -> None:
    made()
    changed("Ulm")
    settle([result(c, Answer(Trouble.NOT_FOUND)) for c in outbox.claimed()])
    assert Link.objects.get(system__code="crm").disposition == "gone"
    changed("Bonn")
    assert outbox.claimed() == [], "nothing is told to it, and it is not made again"


def test_many_results_of_one_go_are_each_counted_by_its_own_attempt() -> None:
    outbox.waiting(12)
    ones = outbox.claimed()
    outbox.run_out()
    again = outbox.claimed(most=4)
    late = {c.id for c in again}
    assert settle([result(c) for c in ones]) == 8
    assert set(Delivery.objects.filter(state="sending").values_list("id", flat=True)) == late
    assert settle([result(c) for c in again]) == 4
    assert Link.objects.filter(system__code="crm").count() == 12
    assert pipeline.broken() == []


def test_after_a_create_the_customer_is_planned_once_more() -> None:
    """What changed while it was being made is told then."""
    outbox.waiting(1)
    (claimed,) = outbox.claimed()
    changed("Ulm")
    assert states() == ["sending"], "nothing can be told to a record whose id is not known"
    settle([result(claimed)])
    assert one("SELECT cause FROM plan_due") == "follow-up"
    planner.drain()
    (next_,) = outbox.claimed()
    assert (next_.op, next_.values) == ("update", {"city": "Ulm"})
    settle([result(next_)])
    planner.drain()
    assert states() == ["done", "done"]
    assert pipeline.broken() == []


def test_two_that_write_the_same_down_side_by_side_count_once() -> None:
    outbox.waiting(10)
    ones = outbox.claimed()
    counted: list[int] = []
    with outbox.side_by_side(4, lambda: counted.append(settle([result(c) for c in ones]))):
        pass
    assert sum(counted) == 10
    assert Link.objects.filter(system__code="crm").count() == 10
    assert DeliveryAttempt.objects.count() == 10
    assert (
        one(
            "SELECT count(*) FROM membership m JOIN source_record s ON s.id = m.source_record_id WHERE s.follows_id IS NOT NULL"
        )
        == 10
    )
