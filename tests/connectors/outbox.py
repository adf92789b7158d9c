"""Deliveries that wait, without a server: for tests of who may be told what, and when."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from django.db import connection

from apps.common.act import Act
from apps.common.ids import uuid7
from apps.connectors import connections, planner
from apps.connectors.claim import Claimed, claim
from apps.connectors.models import Connection, Delivery
from apps.connectors.targets import targets
from apps.events.relay import relay_all
from tests import outward, pipeline

NOWHERE = "http://127.0.0.1:9"


def connect(kind: str = "crm", **limits: Any) -> Connection:
    """A live target whose address nobody answers."""
    pipeline.systems()
    document = outward.document(kind, NOWHERE, **limits)
    made = connections.connect(document=document, credentials={"token": "a-token"}, act=outward.ALICE)
    asked = connections.request_go_live(connection=made.id, act=outward.ALICE)
    connections.decide_go_live(go_live=asked.id, approve=True, act=outward.BOB)
    planner.drain()
    return made


def waiting(count: int, *, system: str = "erp", start: int = 0) -> list[UUID]:
    """`count` customers that the connected targets lack; their deliveries, planned a few at a time and so interactive."""
    before = set(Delivery.objects.values_list("id", flat=True))
    for at in range(start, start + count, 10):
        people = [pipeline.person(n) for n in range(at, min(at + 10, start + count))]
        pipeline.take(system, *people, act=Act("hub:test", "a test", correlation_id=uuid7()))
    relay_all()
    planner.drain(seconds=20)
    return [id_ for id_ in Delivery.objects.order_by("id").values_list("id", flat=True) if id_ not in before]


def claimed(most: int = 100, **options: Any) -> list[Claimed]:
    return claim(targets(), most=most, **options)


def run_out() -> None:
    """Every lease is over."""
    pipeline.execute(
        "UPDATE delivery SET lease_until = clock_timestamp() - interval '1 second', due_at = clock_timestamp() WHERE state = 'sending'"
    )


@contextmanager
def side_by_side(count: int, work: Callable[[], None]) -> Iterator[None]:
    """`work` in `count` threads that begin together; what one raises is raised here at the end."""
    begin, errors = threading.Barrier(count), list[BaseException]()

    def run() -> None:
        try:
            begin.wait(30)
            work()
        except BaseException as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    yield
    for thread in threads:
        thread.join(60)
    assert not any(t.is_alive() for t in threads)
    if errors:
        raise errors[0]
