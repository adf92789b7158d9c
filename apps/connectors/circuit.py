"""The breaker of each target, shared by all workers, and what pauses a connection. State in the database: it outlives the broker."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from django.db import connection

from apps.common.jsontext import json_text, storable
from apps.connectors.backoff import Breaker, Next
from apps.connectors.contract import HURTS, Trouble

BREAKER = Breaker()
Call = tuple[UUID, Trouble | None, str, Next]


def note(calls: Sequence[Call]) -> None:
    """Counts calls for and against their targets, opens and closes circuits, obeys "not before", pauses what needs a person."""
    by_target: dict[UUID, list[Call]] = {}
    for call in calls:
        by_target.setdefault(call[0], []).append(call)
    for id_ in sorted(by_target):
        _note(id_, by_target[id_])


_STANDING = (
    "SELECT state, failures, trips, CASE WHEN fresh THEN window_calls ELSE 0 END, CASE WHEN fresh THEN window_failures ELSE 0 END, fresh"
    " FROM circuit, LATERAL (SELECT coalesce(window_began > clock_timestamp() - %s * interval '1 second', false) AS fresh) f"
    " WHERE connection_id = %s FOR UPDATE OF circuit"
)


def _note(id_: UUID, calls: Sequence[Call]) -> None:
    counted = [c for c in calls if c[1] is not Trouble.THROTTLED]
    hurt = [c for c in counted if c[1] in HURTS]
    with connection.cursor() as cursor:
        cursor.execute(_STANDING, (BREAKER.window, id_))
        row = cursor.fetchone()
        if row is None:
            return
        state, failures, trips, total, failed, fresh = row
        for call in counted:
            failures = failures + 1 if call[1] in HURTS else 0
        total, failed = total + len(counted), failed + len(hurt)
        answered = len(hurt) < len(counted)
        rest: float | None = None
        if state != "closed" and answered and not hurt:
            state, failures, trips, total, failed, fresh = "closed", 0, 0, 0, 0, False
        elif hurt and (  # what was under way when it opened, or a poll meanwhile, is no probe that failed
            state == "half_open" or (state == "closed" and BREAKER.opens(failures=failures, calls=total, failed=failed))
        ):
            state, trips, total, failed, fresh = "open", trips + 1, 0, 0, False
            rest = BREAKER.rests(trips)
        held = max((c[3].delay for c in calls if c[3].holds), default=None)
        worst = next((c[2] for c in reversed(calls) if c[1] is not None), "")
        cursor.execute(
            "UPDATE circuit SET state = %(state)s, failures = %(failures)s, trips = %(trips)s, window_calls = %(total)s,"
            " window_failures = %(failed)s, window_began = CASE WHEN %(fresh)s THEN window_began ELSE clock_timestamp() END,"
            " opened_at = CASE WHEN %(rest)s::float8 IS NOT NULL THEN clock_timestamp() WHEN %(state)s = 'closed' THEN NULL ELSE opened_at END,"
            " probe_at = CASE WHEN %(rest)s::float8 IS NOT NULL THEN clock_timestamp() + %(rest)s * interval '1 second'"
            "   WHEN %(state)s = 'closed' THEN NULL ELSE probe_at END,"
            " not_before = greatest(not_before, clock_timestamp() + %(held)s::float8 * interval '1 second'),"
            " hour_writes = %(written)s + CASE WHEN hour_began > clock_timestamp() - interval '1 hour' THEN hour_writes ELSE 0 END,"
            " hour_began = CASE WHEN hour_began > clock_timestamp() - interval '1 hour' THEN hour_began ELSE clock_timestamp() END,"
            " last_success_at = CASE WHEN %(answered)s THEN clock_timestamp() ELSE last_success_at END,"
            " last_failure_at = CASE WHEN %(worst)s <> '' THEN clock_timestamp() ELSE last_failure_at END,"
            " last_error = CASE WHEN %(worst)s <> '' THEN %(worst)s ELSE last_error END WHERE connection_id = %(id)s",
            {
                "state": state, "failures": failures, "trips": trips, "total": total, "failed": failed, "fresh": fresh,
                "rest": rest, "held": held, "answered": any(c[1] is None for c in calls),
                "written": sum(c[1] is None for c in calls), "worst": storable(worst)[:500], "id": id_,
            },
        )  # fmt: skip
        pausing = next((c for c in calls if c[3].pauses), None)
        if pausing is not None:
            why = "Its credentials are refused" if pausing[1] is Trouble.AUTH else "Its set-up is wrong"
            pause({id_: f"{why}: {storable(pausing[2])[:500]}"}, by="hub:deliver")


def pause(reasons: Mapping[UUID, str], *, by: str) -> None:
    """Nothing more is sent to these connections, as far as they are live."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE connection c SET mode = 'paused', paused_reason = r.why, paused_by = %s, paused_at = clock_timestamp()"
            " FROM jsonb_to_recordset(%s::jsonb) AS r(id uuid, why text) WHERE c.id = r.id AND c.mode = 'live'",
            (by, json_text([{"id": id_.hex, "why": why} for id_, why in sorted(reasons.items())])),
        )


def ensure(connections: Sequence[UUID]) -> None:
    """A row for each target."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO circuit (connection_id, state, failures, window_calls, window_failures, trips, tokens, hour_writes, last_error)"
            " SELECT i, 'closed', 0, 0, 0, 0, 0, 0, '' FROM jsonb_to_recordset(%s::jsonb) AS r(i uuid) ON CONFLICT DO NOTHING",
            (json_text([{"i": id_.hex} for id_ in connections]),),
        )
