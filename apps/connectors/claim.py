"""Claim: which deliveries may be told now, taken for this process with a lease by the database's clock.

The row of a target's circuit is locked while its deliveries are claimed, so the cap of calls in flight, the rate and the guard
hold for all workers together. A lease that ran out makes a delivery claimable again: a dead worker needs no janitor."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from apps.common.ids import array
from apps.common.jsontext import json_text, json_value
from apps.connectors import circuit
from apps.connectors.outbound import BULK, INTERACTIVE
from apps.connectors.targets import GUARD_LEAST, GUARD_SHARE, Target

PROBE_SECONDS = 90.0
"""After this time without a word of the probe of a half-open circuit another one goes out."""
RESERVED = 4
"""One call in so many of a target's cap is kept for the interactive lane."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery this process may tell. `unsure`: an earlier attempt may have been carried out; `sent_for`: seconds since the first."""

    id: UUID
    connection: UUID
    customer: UUID
    record: UUID
    link: UUID | None
    op: str
    version: int
    values: Mapping[str, Any]
    native: Mapping[str, Any]
    losers: Sequence[str]
    revision: int
    attempts: int
    burned: int
    unsure: bool
    sent_for: float
    correlation_id: UUID
    external_id: str | None
    etag: str | None


@dataclass(slots=True)
class _Room:
    """What one target has room for: `free` calls under its cap, of which `may` be made now (rate, guard, probe)."""

    free: int
    may: int

    def share(self, lane: int, cap: int) -> int:
        """How many deliveries of a lane: part of the cap is kept for the interactive one. Rate, guard and probe are anybody's."""
        kept = max(1, cap // RESERVED) if lane == BULK and cap > 1 else 0
        return min(self.may, self.free - kept)

    def take_one(self) -> None:
        self.free -= 1
        self.may -= 1


def claim(
    targets: Mapping[UUID, Target],
    *,
    most: int,
    each: Mapping[UUID, int] | None = None,
    only: Collection[UUID] | None = None,
    answered: Collection[UUID] = (),
) -> list[Claimed]:
    """Up to `most` due deliveries of live targets that may be called; `only`: of these connections, `each`: so many of each at the most.
    `answered`: deliveries of this process whose calls are over but not written down yet: they are no longer in flight.

    A half-open circuit lets one delivery through. No delivery is claimed while another of the same record is under way."""
    allowed = [id_ for id_ in targets if not targets[id_].error and (only is None or id_ in only)]
    if not allowed or most < 1:
        return []
    with transaction.atomic():
        room = _room(targets, allowed, answered)
        for id_, r in room.items():
            r.may = min(r.may, (each or {}).get(id_, r.may))
        taken: list[Claimed] = []
        for lane in (INTERACTIVE, BULK):
            shares = {id_: r.share(lane, targets[id_].in_flight) for id_, r in room.items()}
            found = _take(lane, {id_: n for id_, n in shares.items() if n > 0}, most - len(taken), targets)
            for one in found:
                room[one.connection].take_one()
            taken += found
        _count(taken, targets)
    return taken


_TOKENS = (
    "least(k.tokens + r.rate * extract(epoch FROM clock_timestamp() - coalesce(k.refilled_at, clock_timestamp() - interval '1 hour'))::float8,"
    " greatest(r.rate, 1))"
)
# Rows of circuits that another process is claiming from right now are left to it.
_LOCKED = """
SELECT k.connection_id FROM circuit k JOIN connection c ON c.id = k.connection_id
WHERE k.connection_id = ANY(%s::uuid[]) AND c.mode = 'live' AND coalesce(k.not_before <= clock_timestamp(), true)
  AND (k.state = 'closed' OR k.probe_at <= clock_timestamp())
  AND NOT EXISTS (SELECT 1 FROM outbound_switch WHERE stopped)
  AND EXISTS (SELECT 1 FROM delivery d WHERE d.connection_id = k.connection_id AND d.state IN ('waiting', 'sending', 'uncertain')
    AND d.due_at <= statement_timestamp())
ORDER BY k.connection_id FOR UPDATE OF k SKIP LOCKED
"""
# A statement of its own, begun when the rows are locked: by then what another process has claimed can be seen and counts.
_CIRCUITS = f"""
SELECT k.connection_id, k.state, f.calls, f.unwritten, {_TOKENS},
  CASE WHEN k.hour_began > clock_timestamp() - interval '1 hour' THEN k.hour_writes ELSE 0 END,
  coalesce(k.guard_lifted_until > clock_timestamp(), false),
  CASE WHEN r.guard > 0 AND k.hour_writes >= r.least AND k.hour_began > clock_timestamp() - interval '1 hour'
    THEN (SELECT count(*) FROM link l WHERE l.system_id = r.system AND l.state = 'active') ELSE 0 END
FROM circuit k JOIN jsonb_to_recordset(%s::jsonb) AS r(id uuid, rate float8, guard float8, least int, system int) ON r.id = k.connection_id
CROSS JOIN LATERAL (SELECT count(*) FILTER (WHERE d.id <> ALL(%s::uuid[])) AS calls, count(*) AS unwritten FROM delivery d
  WHERE d.connection_id = k.connection_id AND d.state = 'sending' AND d.lease_until > clock_timestamp()) f
"""


def _room(targets: Mapping[UUID, Target], allowed: Sequence[UUID], answered: Collection[UUID]) -> dict[UUID, _Room]:
    """How many deliveries of each target may be claimed. Pauses a target whose guard is reached."""
    with connection.cursor() as cursor:
        cursor.execute(_LOCKED, (array(allowed),))
        locked = [row[0] for row in cursor.fetchall()]
    if not locked:
        return {}
    told = [
        {
            "id": id_.hex, "rate": targets[id_].number("per_second", 1e6),
            "guard": targets[id_].number("guard_share", GUARD_SHARE), "system": targets[id_].system,
            "least": int(targets[id_].number("guard_least", GUARD_LEAST)),
        }
        for id_ in locked
    ]  # fmt: skip
    room: dict[UUID, _Room] = {}
    over: dict[UUID, str] = {}
    with connection.cursor() as cursor:
        cursor.execute(_CIRCUITS, (json_text(told), array(answered)))
        for id_, state, calls, unwritten, tokens, written, lifted, links in cursor.fetchall():
            target = targets[id_]
            free = target.in_flight - calls
            n = min(free, int(tokens))
            share = target.number("guard_share", GUARD_SHARE)
            if share > 0 and not lifted:
                allowance = int(max(target.number("guard_least", GUARD_LEAST), share * links)) - written
                if allowance <= 0:
                    over[id_] = (
                        f"The guard stopped it: {written:,} records written within the hour, of {links:,} that are linked there."
                    )
                n = min(n, allowance - unwritten)
            if state != "closed":
                n = min(n, 1)
            if n > 0:
                room[id_] = _Room(free, n)
    if over:
        circuit.pause(over, by="hub:guard")
    return room


_TAKE = """
WITH room AS (SELECT * FROM jsonb_to_recordset(%s::jsonb) AS r(id uuid, n int, lease float8)), picked AS (
  SELECT d.id, d.state AS was, d.link_id, room.lease FROM room CROSS JOIN LATERAL (
    SELECT d.id, d.state, d.link_id FROM delivery d
    WHERE d.connection_id = room.id AND d.lane = %s AND d.state IN ('waiting', 'sending', 'uncertain') AND d.due_at <= statement_timestamp()
      AND (d.state <> 'waiting' OR NOT EXISTS (SELECT 1 FROM delivery o WHERE o.connection_id = d.connection_id
        AND o.record_id = d.record_id AND o.state IN ('sending', 'uncertain')))
    ORDER BY d.due_at LIMIT room.n FOR UPDATE SKIP LOCKED) d LIMIT %s
)
UPDATE delivery d SET state = 'sending', attempts = d.attempts + 1, lease_until = clock_timestamp() + p.lease * interval '1 second',
  due_at = clock_timestamp() + p.lease * interval '1 second', first_sent_at = coalesce(d.first_sent_at, clock_timestamp())
FROM picked p LEFT JOIN link l ON l.id = p.link_id
WHERE d.id = p.id
RETURNING d.id, d.connection_id, d.customer_id, d.record_id, d.link_id, d.op, d.version, d."values"::text, d.native::text,
  d.losers::text, d.revision, d.attempts, d.burned, p.was <> 'waiting',
  extract(epoch FROM clock_timestamp() - d.first_sent_at)::float8, d.correlation_id, l.external_id, l.etag
"""


_JSON = frozenset({7, 8, 9})  # places of values, native and losers in what it returns


def _take(lane: int, room: Mapping[UUID, int], most: int, targets: Mapping[UUID, Target]) -> list[Claimed]:
    if not room or most < 1:
        return []
    told = json_text([{"id": id_.hex, "n": n, "lease": targets[id_].lease} for id_, n in room.items()])
    with connection.cursor() as cursor:
        cursor.execute(_TAKE, (told, lane, most))
        return [
            Claimed(*[json_value(value) if place in _JSON else value for place, value in enumerate(row)])
            for row in cursor.fetchall()
        ]


def _count(taken: Sequence[Claimed], targets: Mapping[UUID, Target]) -> None:
    """Takes the tokens of each target; a probe of an open circuit has the next one wait."""
    by_target: dict[UUID, int] = {}
    for one in taken:
        by_target[one.connection] = by_target.get(one.connection, 0) + 1
    if not by_target:
        return
    told = json_text(
        [{"id": i.hex, "n": n, "rate": targets[i].number("per_second", 1e6)} for i, n in by_target.items()]
    )
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE circuit k SET tokens = {_TOKENS} - r.n, refilled_at = clock_timestamp(), state = CASE WHEN k.state = 'open' THEN 'half_open'"
            " ELSE k.state END, probe_at = CASE WHEN k.state = 'closed' THEN k.probe_at ELSE clock_timestamp() + %s * interval '1 second' END"
            " FROM jsonb_to_recordset(%s::jsonb) AS r(id uuid, n int, rate float8) WHERE k.connection_id = r.id",
            (PROBE_SECONDS, told),
        )
