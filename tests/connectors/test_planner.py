"""The planner: its place in the feed is kept with what it planned, two get in nobody's way, and each customer has its lane."""

import threading
from datetime import UTC, datetime

import pytest
from django.db import connection, transaction

from apps.common.act import Act
from apps.common.ids import uuid7
from apps.connectors import connections, outbound, planner
from apps.connectors.models import Connection, Delivery
from apps.connectors.outbound import BULK, INTERACTIVE, Change
from apps.customers import refresh
from apps.customers.models import Customer
from apps.events.relay import relay_all
from apps.matching import judge
from tests import outward, pipeline
from tests.outward import BOB
from tests.pipeline import execute, one, person, take

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("empty")]


def crm() -> Connection:
    """A target that nobody calls: planning is all that is done here."""
    pipeline.systems()
    made = connections.connect(
        document=outward.document("crm", "http://127.0.0.1:9"),
        credentials={"token": "not-a-real-one"},
        act=outward.ALICE,
    )
    asked = connections.request_go_live(connection=made.id, act=outward.ALICE)
    connections.decide_go_live(go_live=asked.id, approve=True, act=BOB)
    outward.policy(crm={"creates": ["person"]})
    planner.drain()
    return made


def position() -> int:
    return int(one("SELECT position FROM feed_reader WHERE name = %s", planner.READER))


class Killed(BaseException):
    """The process ends here."""


def test_a_planner_that_dies_before_its_commit_has_done_nothing_and_the_next_one_does_it_once() -> None:
    crm()
    take("erp", *(person(n) for n in range(3)))
    relay_all()
    before = position()
    with pytest.raises(Killed), transaction.atomic():
        assert planner._turn() == 3
        assert Delivery.objects.count() == 3
        raise Killed
    assert (position(), Delivery.objects.count()) == (before, 0)
    assert planner.drain() == 3
    assert Delivery.objects.filter(state="waiting", op="create").count() == 3
    assert position() == one("SELECT position FROM feed_head")
    assert planner.drain() == 0


def test_what_was_due_is_due_again_when_the_planner_dies() -> None:
    crm()
    customer = pipeline.customer_of("erp", person(1))
    outward.relay_all()
    planner.drain()
    planner.ask([customer], cause="follow-up", correlation_id=uuid7())
    with pytest.raises(Killed), transaction.atomic():
        assert planner._turn() == 1
        raise Killed
    assert planner.waiting() == 1
    assert planner.drain() == 1


def test_planning_again_makes_nothing() -> None:
    crm()
    take("erp", *(person(n) for n in range(3)))
    outward.relay_all()
    planner.drain()
    before = set(Delivery.objects.values_list("id", "state"))
    execute("UPDATE feed_reader SET position = 0 WHERE name = %s", planner.READER)
    assert planner.drain() == 3
    planner.ask(Customer.objects.values_list("id", flat=True), cause="again", correlation_id=uuid7())
    assert planner.drain() == 3
    assert set(Delivery.objects.values_list("id", "state")) == before


def test_while_one_plans_another_one_does_nothing() -> None:
    crm()
    take("erp", person(1))
    relay_all()
    found: list[int] = []

    def second() -> None:
        try:
            found.append(planner.drain(seconds=5))
        finally:
            connection.close()

    with transaction.atomic():
        assert planner._turn() == 1
        thread = threading.Thread(target=second)
        thread.start()
        thread.join(2)
        assert found == [0], "it did not wait and planned nothing"
    assert Delivery.objects.count() == 1


def test_many_planners_plan_every_customer_once() -> None:
    crm()
    for start in range(0, 60, 10):
        take("erp", *(person(n) for n in range(start, start + 10)))
    relay_all()
    begin, planned = threading.Barrier(4), list[int]()

    def work() -> None:
        try:
            begin.wait(20)
            while planner.waiting():
                planned.append(planner.drain(seconds=20))
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sum(planned) == 60
    assert Delivery.objects.filter(state="waiting").count() == 60 == Delivery.objects.count()


def test_a_quiet_customer_is_planned_with_its_release() -> None:
    crm()
    customer = pipeline.customer_of("erp", person(1), act=Act("user:alice", quiet=True))
    relay_all()
    planner.drain()
    assert Delivery.objects.count() == 0
    refresh.refresh([customer], act=outward.ALICE, releases=True)
    relay_all()
    planner.drain()
    assert Delivery.objects.get().customer_id == customer


def test_a_customer_that_was_merged_away_or_never_was_is_told_nobody() -> None:
    crm()
    found = [pipeline.customer_of("erp", person(n)) for n in (1, 2)]
    survivor = next(iter(set(judge.merge(customers=found, act=pipeline.alice()).customer_of.values())))
    relay_all()
    planner.drain()
    execute("DELETE FROM delivery")
    planner.ask([*found, uuid7()], cause="again", correlation_id=uuid7())
    assert planner.drain() == 3
    assert set(Delivery.objects.values_list("customer_id", flat=True)) == {survivor}


def lanes() -> set[int]:
    return set(Delivery.objects.values_list("lane", flat=True))


def test_a_change_of_few_customers_goes_before_a_load() -> None:
    crm()
    few = Act("user:alice", "typed in", correlation_id=uuid7())
    take("erp", *(person(n) for n in range(planner.FEW)), act=few)
    relay_all()
    planner.drain()
    assert lanes() == {INTERACTIVE}


def test_a_change_of_many_customers_goes_behind() -> None:
    crm()
    load = Act("user:alice", "a load", correlation_id=uuid7())
    take("erp", *(person(n) for n in range(planner.FEW + 1)), act=load)
    alone = Act("user:bob", "typed in", correlation_id=uuid7())
    by_hand = pipeline.customer_of("crm", person(99), act=alone)
    relay_all()
    planner.drain()
    assert set(Delivery.objects.exclude(customer=by_hand).values_list("lane", flat=True)) == {BULK}
    assert set(Delivery.objects.filter(customer=by_hand).values_list("lane", flat=True)) <= {INTERACTIVE}


def test_what_is_asked_for_twice_is_planned_once_and_sooner() -> None:
    crm()
    customer = pipeline.customer_of("erp", person(1))
    relay_all()
    planner.drain()
    execute("DELETE FROM delivery")
    planner.ask([customer], cause="connected", correlation_id=uuid7(), lane=BULK)
    planner.ask([customer, customer], cause="reassert", correlation_id=uuid7())
    assert planner.waiting() == planner.waiting([INTERACTIVE]) == 1
    assert planner.drain() == 1
    assert Delivery.objects.get().lane == INTERACTIVE


def test_a_reassertion_that_meets_a_plan_due_anyway_still_counts_as_one() -> None:
    """By its cause the hub knows that two correct each other."""
    crm()
    customer = pipeline.customer_of("erp", person(1))
    relay_all()
    planner.drain()
    execute("DELETE FROM delivery")
    planner.ask([customer], cause="connected", correlation_id=uuid7(), lane=BULK)
    planner.ask([customer], cause=outbound.REASSERT, correlation_id=uuid7())
    planner.drain()
    assert Delivery.objects.get().cause == outbound.REASSERT


def test_what_is_due_at_once_goes_before_the_feed_and_the_feed_before_the_rest() -> None:
    crm()
    last, first = (pipeline.customer_of("erp", person(n)) for n in (1, 2))
    relay_all()
    planner.drain()
    execute("DELETE FROM delivery")
    planner.ask([last], cause="connected", correlation_id=uuid7(), lane=BULK)
    middle = pipeline.customer_of("erp", person(3))
    relay_all()
    planner.ask([first], cause="follow-up", correlation_id=uuid7())
    planner.drain()
    assert list(Delivery.objects.order_by("id").values_list("customer_id", flat=True)) == [first, middle, last]


def test_what_is_due_later_is_left() -> None:
    crm()
    customer = pipeline.customer_of("erp", person(1))
    relay_all()
    planner.drain()
    planner.ask([customer], cause="again", correlation_id=uuid7())
    execute("UPDATE plan_due SET due_at = clock_timestamp() + interval '1 hour'")
    assert planner.drain() == 0
    assert planner.waiting() == 1


def test_without_targets_the_feed_is_skipped_and_a_new_target_is_planned_all() -> None:
    pipeline.systems()
    take("erp", person(1), person(2))
    relay_all()
    assert planner.drain() == 0
    assert position() == one("SELECT position FROM feed_head") > 0
    assert planner.waiting() == 0
    crm()
    planner.drain()
    assert Delivery.objects.filter(op="create").count() == 2


def test_a_target_that_cannot_be_used_leaves_the_others_alone() -> None:
    crm()
    bad = connections.connect(
        document=outward.document("erp", "http://127.0.0.1:9"), credentials={"token": "x"}, act=outward.ALICE
    )
    execute(
        "UPDATE connection SET settings = jsonb_set(settings, '{document,operations}', '7'::jsonb) WHERE id = %s",
        bad.id,
    )
    take("billing", person(1))
    relay_all()
    assert planner.drain() >= 1
    assert set(Delivery.objects.values_list("connection__system__code", flat=True)) == {"crm"}


def test_of_several_events_of_one_customer_the_first_says_since_when_it_waits() -> None:
    crm()
    customer = pipeline.customer_of("erp", person(1))
    take("erp", person(1, city="Ulm"))
    take("erp", person(1, city="Bonn"))
    relay_all()
    assert planner.drain() == 1
    delivery = Delivery.objects.get()
    assert delivery.customer_id == customer
    assert delivery.changed_at == one("SELECT min(occurred_at) FROM event")
    assert (delivery.values["city"], delivery.version) == ("Bonn", 3)


def test_a_newer_plan_takes_the_place_of_what_waits_and_nothing_left_to_tell_drops_it() -> None:
    crm()
    customer = pipeline.customer_of("erp", person(1))
    relay_all()
    planner.drain()
    first = Delivery.objects.get()
    take("erp", person(1, city="Ulm"))
    relay_all()
    planner.drain()
    first.refresh_from_db()
    assert (first.state, first.reason) == ("superseded", "a newer one took its place")
    assert Delivery.objects.get(state="waiting").values["city"] == "Ulm"
    outward.policy(crm={"creates": []})
    change = Change(customer, datetime.now(UTC), uuid7())
    assert outbound.plan([change]) == set()
    assert sorted(Delivery.objects.values_list("state", "reason")) == [
        ("superseded", "a newer one took its place"), ("superseded", "nothing is left to tell"),
    ]  # fmt: skip
