"""The planner: follows the change feed, and customers that are due for another reason, and has their deliveries worked out.

One planner works at a time: it holds the reader's row. Its place in the feed is kept in the transaction of what it planned, so a
planner that dies loses nothing and does nothing twice."""

import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from django.db import connection, transaction

from apps.common.ids import array
from apps.common.rowset import rowset
from apps.connectors.outbound import BATCH, BULK, INTERACTIVE, REASSERT, Change, plan
from apps.connectors.targets import targets

READER = "plan"
FEW = 20
"""A correlation that touches no more customers than this goes in the interactive lane: somebody may be waiting for it."""


def drain(*, seconds: float = 2.0) -> int:
    """Plans for up to `seconds`; returns how many customers were planned. 0: nothing waits, or another planner is at work."""
    ends = time.monotonic() + seconds
    total = 0
    while time.monotonic() < ends:
        done = _turn()
        total += done
        if not done:
            break
    return total


@transaction.atomic
def _turn() -> int:
    """One batch: what is due in the interactive lane first, then the feed, then the rest."""
    if not _take_reader():
        return 0
    if not targets():
        _skip_to_head()
        return 0
    changes = _due(INTERACTIVE) or _from_feed() or _due(BULK)
    overtaken = plan(changes)
    _put((c.customer, c.cause, c.lane, c.changed_at, c.correlation_id) for c in changes if c.customer in overtaken)
    return len(changes)


def _take_reader() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT position FROM feed_reader WHERE name = %s FOR UPDATE SKIP LOCKED", (READER,))
        if cursor.fetchone() is not None:
            return True
        cursor.execute(
            "INSERT INTO feed_reader (name, position) SELECT %s, 0 WHERE NOT EXISTS (SELECT 1 FROM feed_reader WHERE name = %s)"
            " ON CONFLICT DO NOTHING RETURNING name",
            (READER, READER),
        )  # only where it is lacking: a conflict with a row that another planner moves on would be waited for
        return cursor.fetchone() is not None


def _skip_to_head() -> None:
    """Without a target there is nothing to plan; connecting one plans every customer anyway."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE feed_reader SET position = h.position FROM feed_head h WHERE name = %s AND feed_reader.position < h.position",
            (READER,),
        )


def _from_feed() -> list[Change]:
    """The next events: of several of one customer the first says since when it waits. A quiet event is told with its release."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT e.position, e.subject_id, e.occurred_at, e.correlation_id, e.type FROM event e, feed_reader r"
            " WHERE r.name = %s AND e.position > r.position ORDER BY e.position LIMIT %s",
            (READER, BATCH),
        )
        rows = cursor.fetchall()
        if not rows:
            return []
        cursor.execute("UPDATE feed_reader SET position = %s WHERE name = %s", (rows[-1][0], READER))
    touched: dict[UUID, int] = {}
    for row in rows:
        touched[row[3]] = touched.get(row[3], 0) + 1
    found: dict[UUID, Change] = {}
    for _, customer, at, correlation, kind in rows:
        lane = INTERACTIVE if touched[correlation] <= FEW else BULK
        cause = kind.removeprefix("customer.")
        found.setdefault(customer, Change(customer, at, correlation, cause, lane))
    return list(found.values())


def _due(lane: int) -> list[Change]:
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM plan_due WHERE customer_id IN (SELECT customer_id FROM plan_due WHERE lane = %s AND due_at <= clock_timestamp()"
            " ORDER BY due_at LIMIT %s FOR UPDATE SKIP LOCKED) RETURNING customer_id, due_at, correlation_id, cause, lane",
            (lane, BATCH),
        )
        return [Change(*row) for row in cursor.fetchall()]


def ask(customers: Iterable[UUID], *, cause: str, correlation_id: UUID, lane: int = INTERACTIVE) -> None:
    """Customers to be planned again though nothing about them changed in the hub."""
    ask_each(dict.fromkeys(customers, correlation_id), cause=cause, lane=lane)


def ask_each(correlations: Mapping[UUID, UUID], *, cause: str, lane: int = INTERACTIVE) -> None:
    """The same, each customer with the correlation id of what asks for it."""
    _put((customer, cause, lane, None, correlation) for customer, correlation in correlations.items())


def follow_up(correlations: Mapping[UUID, UUID]) -> None:
    """Plans again the customers these records belong to by now (record -> correlation id). Until the end of the transaction none goes
    elsewhere."""
    if not correlations:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT customer_id, id FROM source_record WHERE id = ANY(%s::uuid[]) AND customer_id IS NOT NULL ORDER BY id"
            " FOR NO KEY UPDATE",
            (array(correlations),),
        )
        ask_each({customer: correlations[record] for customer, record in cursor.fetchall()}, cause="follow-up")


_ASKED = {"customer_id": "uuid", "cause": "text", "lane": "smallint", "due_at": "timestamptz", "correlation_id": "uuid"}


def _put(asked: Iterable[tuple[UUID, str, int, datetime | None, UUID]]) -> None:
    """That a value is told again (REASSERT) is counted, so no other cause hides it."""
    rows = sorted(asked)
    if not rows:
        return
    due = rowset("plan_asked", _ASKED, rows)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO plan_due (customer_id, cause, lane, due_at, correlation_id)"  # noqa: S608 - text of our own
            " SELECT i.customer_id, i.cause, i.lane, coalesce(i.due_at, clock_timestamp()), i.correlation_id"
            f" FROM {due.source} ORDER BY i.customer_id"
            " ON CONFLICT (customer_id) DO UPDATE SET lane = least(plan_due.lane, excluded.lane),"
            " cause = CASE WHEN excluded.cause = %s THEN excluded.cause ELSE plan_due.cause END",
            (*due.params, REASSERT),
        )


def ask_all(*, cause: str, correlation_id: UUID) -> int:
    """Every customer, one after the other and behind everything else; returns how many."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO plan_due (customer_id, cause, lane, due_at, correlation_id)"
            " SELECT id, %s, %s::smallint, clock_timestamp(), %s::uuid FROM customer WHERE active ON CONFLICT DO NOTHING",
            (cause, BULK, correlation_id),
        )
        return int(cursor.rowcount)


def waiting(lanes: Sequence[int] = (INTERACTIVE, BULK)) -> int:
    """How many customers and events wait to be planned."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT (SELECT count(*) FROM plan_due WHERE lane = ANY(%s)) + greatest(0, coalesce((SELECT position FROM feed_head), 0)"
            " - coalesce((SELECT position FROM feed_reader WHERE name = %s), 0))",
            (list(lanes), READER),
        )
        return int(cursor.fetchone()[0])
