"""The relay: positions without gaps, in each subject's order, only for what is committed."""

import threading
from collections.abc import Iterator

import pytest
from django.db import IntegrityError, connection, transaction

from apps.common.ids import uuid7
from apps.events.models import Event, FeedHead
from apps.events.queries import changes, head
from apps.events.relay import relay, relay_all
from tests import pipeline
from tests.pipeline import person

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def hub() -> Iterator[None]:
    pipeline.systems()
    pipeline.empty()
    yield
    pipeline.empty()


def positions() -> list[int | None]:
    return list(Event.objects.order_by("occurred_at", "id").values_list("position", flat=True))


def test_positions_are_given_after_commit_in_order_and_without_gaps() -> None:
    pipeline.take("crm", *(person(n) for n in range(5)))
    assert positions() == [None] * 5
    assert changes(0, 10) == []
    assert relay() == 5
    assert (positions(), head()) == ([1, 2, 3, 4, 5], 5)
    pipeline.take("crm", person(0, payment_terms="NET30"))
    assert relay_all() == 1
    (entry,) = changes(5, 10)
    assert (entry.position, entry.version, entry.type) == (6, 2, "customer.changed")
    assert relay() == 0


def test_a_limit_leaves_the_rest_for_the_next_time() -> None:
    pipeline.take("crm", *(person(n) for n in range(5)))
    assert [relay(most=2) for _ in range(4)] == [2, 2, 1, 0]
    assert positions() == [1, 2, 3, 4, 5]


def test_an_open_transaction_gets_its_position_when_it_is_through() -> None:
    """An event that began first and is committed last comes last: a reader that went on misses nothing."""
    written, may_commit = threading.Event(), threading.Event()

    def slow() -> None:
        try:
            with transaction.atomic():
                pipeline.take("crm", person(1))
                written.set()
                may_commit.wait(20)
        finally:
            connection.close()

    thread = threading.Thread(target=slow)
    thread.start()
    assert written.wait(20)
    pipeline.take("crm", person(2))
    assert relay_all() == 1
    read = changes(0, 10)
    may_commit.set()
    thread.join()
    assert relay_all() == 1
    read += changes(read[-1].position, 10)
    assert [e.position for e in read] == [1, 2]
    assert {e.subject for e in read} == set(pipeline.where().values())


def test_a_position_is_given_once_and_an_event_never_changes() -> None:
    pipeline.take("crm", person(1))
    relay()
    for change in ({"position": 9}, {"type": "customer.retired"}, {"body": {"told": "otherwise"}}):
        with pytest.raises(IntegrityError), transaction.atomic():
            Event.objects.update(**change)
    with pytest.raises(IntegrityError), transaction.atomic():
        Event.objects.all().delete()


def test_one_event_for_one_version() -> None:
    pipeline.take("crm", person(1))
    known = Event.objects.get()
    with pytest.raises(IntegrityError), transaction.atomic():
        Event.objects.create(
            type="customer.changed", subject_id=known.subject_id, version=1, occurred_at=known.occurred_at, actor="x",
            correlation_id=uuid7(), digest=b"",
        )  # fmt: skip


def test_a_lost_head_is_made_again_from_what_was_given() -> None:
    pipeline.take("crm", person(1), person(2))
    relay()
    FeedHead.objects.all().delete()
    pipeline.take("crm", person(3))
    assert relay_all() == 1
    assert (positions(), head()) == ([1, 2, 3], 3)
