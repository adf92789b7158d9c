"""Settle: what came of calls is written down, fenced by the attempt: who was too late changes nothing.

Acknowledged: link, last-sent image and the target's own id are kept in the same transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import IntegrityError, connection, transaction

from apps.common.ids import array
from apps.common.jsontext import json_text, storable
from apps.connectors import circuit, locks, planner
from apps.connectors.backoff import Next
from apps.connectors.claim import Claimed
from apps.connectors.contract import KEPT_TEXT, Answer, Op, Trouble
from apps.connectors.links import Made, confirm_creates
from apps.connectors.poll import take_in_later
from apps.connectors.targets import Target

_TRIES = 3
_WRITES_VERSION = frozenset({Op.CREATE, Op.UPDATE, Op.REACTIVATE})
"""These carry fields, and so the version; by it a record shows whether it was read before the hub's last word."""
_THEN_AGAIN = frozenset({Op.MERGE, Op.REACTIVATE})
"""After these, and after a create, the customer is planned once more."""


@dataclass(frozen=True, slots=True)
class Result:
    """One call with what it came to and what follows."""

    claimed: Claimed
    target: Target
    answer: Answer
    next: Next


def settle(results: Sequence[Result]) -> int:
    """Writes results down; returns how many counted. A result that collides with what the planner writes is tried again."""
    for attempt in range(_TRIES):
        try:
            return _settle(results)
        except IntegrityError:
            if attempt == _TRIES - 1:
                if len(results) == 1:
                    raise
                middle = len(results) // 2
                return settle(results[:middle]) + settle(results[middle:])
    raise AssertionError("unreachable")


@transaction.atomic
def _settle(results: Sequence[Result]) -> int:
    again = _planned_again([r.claimed for r in results if r.answer.trouble is None])
    locks.hold_deliveries({(r.claimed.connection, r.claimed.record) for r in results})
    counted = _write_states(results)
    valid = [r for r in results if r.claimed.id in counted]
    done = [r for r in valid if r.answer.trouble is None]
    _hold_links(valid)
    _acknowledge([r for r in done if r.claimed.op != Op.CREATE])
    made = [_made(r) for r in done if r.claimed.op == Op.CREATE and r.answer.external_id]
    confirm_creates(made)
    _end_older_failures(done)
    _gone([r for r in valid if r.answer.trouble is Trouble.NOT_FOUND])
    _write_attempts(results)
    circuit.note([(r.claimed.connection, r.answer.trouble, r.answer.detail, r.next) for r in results])
    planner.ask_each(again, cause="follow-up")
    _take_in_conflicts([r for r in valid if r.answer.trouble is Trouble.CONFLICT and r.answer.record is not None])
    return len(valid)


def _planned_again(told: Sequence[Claimed]) -> dict[UUID, UUID]:
    """Customers of whom there may be more to tell than what was told, with the correlation id of what was: those the records of
    creates belong to by now, and stay with until this is written down."""
    creates = {one.record: one.correlation_id for one in told if one.op == Op.CREATE}
    owners = locks.hold_records(creates) if creates else {}
    return {customer: creates[record] for record, customer in owners.items()} | {
        one.customer: one.correlation_id for one in told if one.op in _THEN_AGAIN
    }


def _hold_links(counted: Sequence[Result]) -> None:
    """Those that are told, made, or folded into another."""
    made = [
        (r.target.system, r.answer.external_id) for r in counted if r.claimed.op == Op.CREATE and r.answer.external_id
    ]
    folded = [(r.target.system, loser) for r in counted if r.claimed.op == Op.MERGE for loser in r.claimed.losers]
    locks.hold_links([r.claimed.link for r in counted if r.claimed.link], made + folded)


# What goes back to waiting while a newer one waits already has nothing to say any more.
_STATES = """
UPDATE delivery d SET
  state = CASE WHEN r.state = 'waiting' AND EXISTS (SELECT 1 FROM delivery w WHERE w.connection_id = d.connection_id
      AND w.record_id = d.record_id AND w.state = 'waiting') THEN 'superseded' ELSE r.state END,
  due_at = clock_timestamp() + r.delay * interval '1 second', lease_until = NULL, burned = d.burned + r.burns,
  trouble = r.trouble, code = r.code, detail = r.detail,
  finished_at = CASE WHEN r.state IN ('done', 'failed') THEN clock_timestamp() END
FROM jsonb_to_recordset(%s::jsonb) AS r(id uuid, attempts int, state text, delay float8, burns int, trouble text, code text, detail text)
WHERE d.id = r.id AND d.attempts = r.attempts AND d.state = 'sending'
RETURNING d.id
"""


def _write_states(results: Sequence[Result]) -> set[UUID]:
    told = [
        {
            "id": r.claimed.id.hex, "attempts": r.claimed.attempts, "state": r.next.state, "delay": r.next.delay,
            "burns": int(r.next.burns), "trouble": r.answer.trouble or "", "code": storable(r.answer.code)[:200],
            "detail": storable(r.answer.detail)[:1000],
        }
        for r in sorted(results, key=lambda r: r.claimed.id)
    ]  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(_STATES, (json_text(told),))
        return {row[0] for row in cursor.fetchall()}


_ACKNOWLEDGED = """
UPDATE link l SET last_sent = l.last_sent || r."values", acknowledged_version = coalesce(r.version, l.acknowledged_version),
  acknowledged_customer = CASE WHEN r.version IS NULL THEN l.acknowledged_customer ELSE r.customer END,
  acknowledged_at = clock_timestamp(), etag = coalesce(r.etag, l.etag), disposition = r.disposition,
  state = CASE WHEN r.disposition = 'there' THEN 'active' ELSE 'duplicate' END
FROM jsonb_to_recordset(%s::jsonb) AS r(id uuid, "values" jsonb, customer uuid, version int, etag text, disposition text)
WHERE l.id = r.id AND (l.acknowledged_customer IS DISTINCT FROM r.customer OR l.acknowledged_version <= r.version OR r.version IS NULL)
"""
_FOLDED = """
UPDATE link l SET disposition = 'merged', state = 'duplicate', merged_into = f."into"
FROM jsonb_to_recordset(%s::jsonb) AS f(system int, loser text, "into" text)
WHERE l.system_id = f.system AND l.external_id = f.loser
"""


def _acknowledge(done: Sequence[Result]) -> None:
    if not done:
        return
    told = [
        {
            "id": r.claimed.link, "values": r.claimed.values, "customer": r.claimed.customer,
            "version": r.claimed.version if r.claimed.op in _WRITES_VERSION else None, "etag": r.answer.etag,
            "disposition": "deactivated" if r.claimed.op == Op.DEACTIVATE else "there",
        }
        for r in sorted(done, key=lambda r: str(r.claimed.link))
    ]  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(_ACKNOWLEDGED, (json_text(told),))
        folded = [
            {"system": r.target.system, "loser": loser, "into": r.claimed.external_id or ""}
            for r in done
            if r.claimed.op == Op.MERGE
            for loser in r.claimed.losers
        ]
        if folded:
            cursor.execute(_FOLDED, (json_text(folded),))


def _made(result: Result) -> Made:
    one = result.claimed
    return Made(
        delivery=one.id, system=result.target.system, code=result.target.code, record=one.record, customer=one.customer,
        version=one.version, external_id=result.answer.external_id or "", values=one.values, etag=result.answer.etag or "",
        correlation_id=one.correlation_id,
    )  # fmt: skip


def _end_older_failures(done: Sequence[Result]) -> None:
    """What failed before and is behind what the target holds now needs nobody's hand any more."""
    told = json_text([{"c": r.claimed.connection.hex, "r": r.claimed.record.hex, "d": r.claimed.id.hex} for r in done])
    if done:
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE delivery SET state = 'superseded', finished_at = clock_timestamp(), reason = 'a newer one was acknowledged'"
                " WHERE id IN (SELECT d.id FROM jsonb_to_recordset(%s::jsonb) AS n(c uuid, r uuid, d uuid)"
                " JOIN delivery d ON d.connection_id = n.c AND d.record_id = n.r WHERE d.state = 'failed' AND d.id < n.d"
                " FOR UPDATE OF d SKIP LOCKED)",
                (told,),
            )


def _gone(lost: Sequence[Result]) -> None:
    """The record is not there any more: its link is no way to write any longer."""
    links = [r.claimed.link for r in lost if r.claimed.link]
    if links:
        with connection.cursor() as cursor:
            cursor.execute("UPDATE link SET disposition = 'gone' WHERE id = ANY(%s::uuid[])", (array(links),))


def _write_attempts(results: Sequence[Result]) -> None:
    told: list[dict[str, Any]] = [
        {
            "d": r.claimed.id.hex, "n": r.claimed.attempts, "ms": r.answer.ms, "t": r.answer.trouble or "",
            "s": r.answer.status, "c": storable(r.answer.code)[:200], "e": storable(r.answer.detail)[:1000],
            "q": storable(r.answer.request)[:KEPT_TEXT], "a": storable(r.answer.response)[:KEPT_TEXT],
        }
        for r in results
    ]  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO delivery_attempt (delivery_id, number, started_at, ms, trouble, status, code, detail, request, response)"
            " SELECT d, n, clock_timestamp() - ms * interval '1 millisecond', ms, t, s, c, e, q, a FROM jsonb_to_recordset(%s::jsonb)"
            " AS r(d uuid, n int, ms int, t text, s int, c text, e text, q text, a text) ON CONFLICT DO NOTHING",
            (json_text(told),),
        )


def _take_in_conflicts(results: Sequence[Result]) -> None:
    """What the targets hold now comes in as though it had been polled; the deliveries are planned again on top of it."""
    by_target: dict[UUID, list[Result]] = {}
    for r in results:
        by_target.setdefault(r.claimed.connection, []).append(r)
    for of_one in by_target.values():
        records = [r.answer.record for r in of_one if r.answer.record is not None]
        take_in_later(of_one[0].target, records, correlation_id=of_one[0].claimed.correlation_id)
