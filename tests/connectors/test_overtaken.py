"""While customers are planned their deliveries are claimed, come back or are acknowledged: nothing is made twice, no last word lost."""

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from django.db import connection

from apps.common.ids import uuid7
from apps.connectors import deliver, outbound, planner
from apps.connectors.claim import Claimed
from apps.connectors.contract import Answer, Trouble
from apps.connectors.models import Delivery, PlanDue
from apps.connectors.outbound import Change
from apps.connectors.settle import settle
from apps.connectors.targets import targets
from apps.customers.models import Customer, Link, SourceRecord
from apps.events.relay import relay_all
from apps.matching import judge
from tests import pipeline
from tests.connectors import outbox
from tests.pipeline import execute, person, take

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("nobodys_crm")]


@contextmanager
def meanwhile(monkeypatch: pytest.MonkeyPatch, happens: Callable[[], None]) -> Iterator[None]:
    """Between what the next plan reads and what it writes this happens, in a transaction of its own."""
    read = outbound._read

    def and_then(*args: Any) -> Any:
        known = read(*args)
        monkeypatch.setattr(outbound, "_read", read)
        with outbox.side_by_side(1, happens):
            pass
        return known

    monkeypatch.setattr(outbound, "_read", and_then)
    yield
    assert outbound._read is read, "nothing was planned"


def tell(one: Claimed, trouble: Trouble | None = None) -> None:
    said = Answer(trouble, external_id=one.external_id or (None if trouble else f"X-{one.id}"))
    settle([deliver.result_of(one, targets()[one.connection], said)])


def tell_all() -> None:
    """Until nothing is left to tell; everything is carried out there."""
    while True:
        relay_all()
        planned = planner.drain()
        ones = outbox.claimed()
        for one in ones:
            tell(one)
        if not planned and not ones:
            return


def customer() -> UUID:
    """One that the target has, with nothing left to tell."""
    found = pipeline.customer_of("erp", person(0, city="Aalen"))
    tell_all()
    return found


def moves(city: str) -> None:
    take("erp", person(0, city=city))
    relay_all()


def told() -> list[tuple[str, Any, str]]:
    return [
        (op, values.get("city"), state)
        for op, values, state in Delivery.objects.order_by("id").values_list("op", "values", "state")
    ]


def claim_all() -> None:
    assert len(outbox.claimed()) == 1


def tell_claimed() -> None:
    (one,) = outbox.claimed()
    tell(one)


@pytest.mark.parametrize("happens", [claim_all, tell_claimed])
def test_a_create_that_is_claimed_meanwhile_gets_no_second_one_beside_it(
    happens: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    outbox.waiting(1)
    moves("Ulm")
    with meanwhile(monkeypatch, happens):
        planner.drain()
    outbox.run_out()
    tell_all()
    assert [t[0] for t in told()] == ["create", "update"]
    assert Link.objects.get(system__code="crm").last_sent["city"] == "Ulm"


def test_what_goes_back_to_what_it_was_is_told_although_the_step_between_is_claimed_meanwhile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    customer()
    moves("Bonn")
    planner.drain()
    moves("Aalen")
    with meanwhile(monkeypatch, claim_all):
        planner.drain()
    outbox.run_out()
    tell_all()
    assert told() == [("create", "Aalen", "done"), ("update", "Bonn", "done"), ("update", "Aalen", "done")]


def test_what_comes_back_meanwhile_gives_way_to_the_newer_one(monkeypatch: pytest.MonkeyPatch) -> None:
    customer()
    moves("Bonn")
    planner.drain()
    (one,) = outbox.claimed()
    moves("Ulm")
    with meanwhile(monkeypatch, lambda: tell(one, Trouble.TRANSIENT)):
        planner.drain()
    tell_all()
    assert told()[1:] == [("update", "Bonn", "superseded"), ("update", "Ulm", "done")]


def test_what_fails_for_good_meanwhile_is_told_with_the_newer_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """The plan counted on its arrival."""
    customer()
    moves("Bonn")
    planner.drain()
    (one,) = outbox.claimed()
    take("erp", person(0, city="Bonn", website="https://meier.example"))
    relay_all()
    with meanwhile(monkeypatch, lambda: tell(one, Trouble.VALIDATION)):
        planner.drain()
    assert told()[1:] == [("update", "Bonn", "superseded"), ("update", "Bonn", "waiting")]
    assert Delivery.objects.get(state="waiting").values["website"] == "https://meier.example"


def test_a_record_that_goes_elsewhere_meanwhile_is_planned_with_its_new_customer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first, second = pipeline.customer_of("erp", person(1)), pipeline.customer_of("billing", person(2))
    relay_all()
    with meanwhile(monkeypatch, lambda: judge.merge(customers=[first, second], act=pipeline.alice()) and None):
        planner.drain()
    tell_all()
    survivor = Customer.objects.get(active=True).id
    assert [
        (d.op, d.customer_id) for d in Delivery.objects.exclude(state="superseded")
    ] == [("create", survivor)]  # fmt: skip
    assert Link.objects.filter(system__code="crm").count() == 1


def test_a_create_of_a_record_that_went_elsewhere_is_followed_up_there() -> None:
    first, second = pipeline.customer_of("erp", person(1)), pipeline.customer_of("billing", person(2))
    relay_all()
    planner.drain()
    ones = {c.customer: c for c in outbox.claimed()}
    tell(ones[first])
    planner.drain()
    judge.merge(customers=[first, second], act=pipeline.alice())
    relay_all()
    planner.drain()
    tell(ones[second])
    survivor = Customer.objects.get(active=True).id
    assert list(PlanDue.objects.values_list("customer_id", flat=True)) == [survivor]
    tell_all()
    sent = {tuple(sorted(link.last_sent.items())) for link in Link.objects.filter(system__code="crm")}
    assert len(sent) == 1, "both accounts are told the same"


@pytest.mark.parametrize("last", [Trouble.UNCERTAIN, Trouble.TRANSIENT])
def test_beside_a_create_that_was_given_up_in_doubt_no_other_one_is_made(last: Trouble) -> None:
    """It may have been carried out; only a person can find out."""
    outbox.waiting(1)
    outbox.claimed()
    outbox.run_out()  # who told it died
    execute("UPDATE delivery SET burned = 9")
    (one,) = outbox.claimed()
    tell(one, last)
    moves("Ulm")
    planner.drain()
    assert told() == [("create", None, "failed")]
    execute("UPDATE delivery SET trouble = 'validation'")
    planner.ask(Customer.objects.values_list("id", flat=True), cause="again", correlation_id=uuid7())
    planner.drain()
    assert told() == [("create", None, "superseded"), ("create", "Ulm", "waiting")]


def test_who_was_overtaken_waits_since_the_change_and_with_its_cause(monkeypatch: pytest.MonkeyPatch) -> None:
    id_ = customer()
    moves("Bonn")
    planner.drain()
    moves("Ulm")
    change = Change(id_, datetime(2026, 1, 2, tzinfo=UTC), uuid7(), outbound.REASSERT, outbound.BULK)
    with meanwhile(monkeypatch, claim_all):
        assert outbound.plan([change]) == {id_}


class FarSide:
    """What a target without keys of ours would hold: each create under a new idempotency key makes a record."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.made: dict[str, str] = {}
        self.of: dict[UUID, set[str]] = {}

    def answer(self, one: Claimed, rng: random.Random) -> Answer:
        if rng.random() < 0.2:
            return Answer(Trouble.TRANSIENT)
        with self.lock:
            id_ = (
                self.made.setdefault(f"{one.id}.{one.revision}", f"X-{one.id}")
                if one.op == "create"
                else one.external_id
            )
            self.of.setdefault(one.record, set())
            if one.op == "create":
                self.of[one.record].add(str(id_))
        return Answer(Trouble.UNCERTAIN) if rng.random() < 0.1 else Answer(external_id=id_)


def test_changes_plans_and_calls_side_by_side_make_everybody_once_and_end_with_the_last_word() -> None:
    people, rounds = 60, 12
    far, over, errors = FarSide(), threading.Event(), list[BaseException]()

    def tells(seed: int) -> None:
        rng = random.Random(seed)
        while not over.is_set():
            execute(
                "UPDATE delivery SET due_at = clock_timestamp() WHERE id IN (SELECT id FROM delivery"
                " WHERE state IN ('waiting', 'uncertain') FOR UPDATE SKIP LOCKED)"
            )
            execute("UPDATE circuit SET state = 'closed', failures = 0, not_before = NULL")
            for one in outbox.claimed(most=rng.randint(1, 20)):
                settle([deliver.result_of(one, targets()[one.connection], far.answer(one, rng))])

    def plans() -> None:
        while not over.is_set():
            relay_all()
            planner.drain(seconds=1)

    def guarded(work: Callable[[], None]) -> Callable[[], None]:
        def run() -> None:
            try:
                work()
            except BaseException as error:
                errors.append(error)
            finally:
                connection.close()

        return run

    threads = [threading.Thread(target=guarded(w)) for w in (plans, lambda: tells(1), lambda: tells(2))]
    for thread in threads:
        thread.start()
    try:
        for turn in range(rounds):
            for start in range(0, people, 20):
                take("erp", *(person(n, city=f"Ort {turn % 3}{n}") for n in range(start, start + 20)))
    finally:
        over.set()
        for thread in threads:
            thread.join(60)
    assert errors == []
    execute("UPDATE delivery SET due_at = clock_timestamp(), burned = 0")
    execute("UPDATE delivery SET lease_until = clock_timestamp() WHERE state = 'sending'")
    tell_all()
    twice = {record for record, made in far.of.items() if len(made) > 1}
    assert not twice, f"{len(twice)} of {people} were made twice"
    wanted = {n: f"Ort {(rounds - 1) % 3}{n}" for n in range(people)}
    held = dict(Link.objects.filter(system__code="crm").values_list("source_record__follows__external_id", "last_sent"))
    assert {r.external_id: held[r.external_id]["city"] for r in SourceRecord.objects.filter(system__code="erp")} == {
        person(n)["record_id"]: city for n, city in wanted.items()
    }
    assert pipeline.broken() == []
