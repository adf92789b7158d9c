"""The planner: follows the change feed, and customers that are due for another reason, and has their deliveries worked out.

One planner works at a time: it holds the reader's row. Its place in the feed is kept in the transaction of what it planned, so a
planner that dies loses nothing and does nothing twice. While it plans it holds no customer that is due: it takes those that are planned
off the list at the end, but for those that were asked for again meanwhile."""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import connection, transaction

from apps.common.jsontext import json_text
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
    due = _due(INTERACTIVE)
    changes = [] if due else _from_feed()
    due = due or ([] if changes else _due(BULK))
    overtaken = plan(changes or [d.change for d in due])
    # One or the other, and last of all: rows of plan_due are taken in the order of their customers.
    _take_off([d for d in due if d.change.customer not in overtaken])
    _put((c.customer, c.cause, c.lane, c.changed_at, c.correlation_id) for c in changes if c.customer in overtaken)
    return len(changes) or len(due)


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


@dataclass(frozen=True, slots=True)
class _Due:
    """A customer that is due, and which `row` (version of it) said so."""

    change: Change
    row: str


def _due(lane: int) -> list[_Due]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT xmin::text, customer_id, due_at, correlation_id, cause, lane FROM plan_due"
            " WHERE lane = %s AND due_at <= clock_timestamp() ORDER BY due_at LIMIT %s",
            (lane, BATCH),
        )
        return [_Due(Change(*asked), row) for row, *asked in cursor.fetchall()]


def _take_off(planned: Sequence[_Due]) -> None:
    """Who was asked for again since it was read has another row now and stays."""
    if not planned:
        return
    told = json_text([{"c": d.change.customer.hex, "x": d.row} for d in planned])
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM plan_due WHERE customer_id IN (SELECT p.customer_id FROM jsonb_to_recordset(%s::jsonb) AS r(c uuid, x text)"
            " JOIN plan_due p ON p.customer_id = r.c WHERE p.xmin::text = r.x ORDER BY p.customer_id FOR UPDATE OF p)",
            (told,),
        )


def ask(customers: Iterable[UUID], *, cause: str, correlation_id: UUID, lane: int = INTERACTIVE) -> None:
    """Customers to be planned again though nothing about them changed in the hub."""
    ask_each(dict.fromkeys(customers, correlation_id), cause=cause, lane=lane)


def ask_each(correlations: Mapping[UUID, UUID], *, cause: str, lane: int = INTERACTIVE) -> None:
    """The same, each customer with the correlation id of what asks for it."""
    _put((customer, cause, lane, None, correlation) for customer, correlation in correlations.items())


def ask_causes(asked: Mapping[UUID, tuple[str, UUID]]) -> None:
    """The same, each with a cause of its own: customer -> (cause, correlation id)."""
    _put((customer, cause, INTERACTIVE, None, correlation) for customer, (cause, correlation) in asked.items())


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
            " SELECT id, %s, %s::smallint, clock_timestamp(), %s::uuid FROM customer WHERE active ORDER BY id"
            # a row that stands may be planned right now, without what this asks for: it is written anew, and so stays
            " ON CONFLICT (customer_id) DO UPDATE SET lane = plan_due.lane",
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
