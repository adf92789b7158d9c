"""Reading the way out: the one place where pages, the API and commands ask how targets are doing and what they are told.

Every query is a small, fixed number of SQL statements, whatever the number of targets."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection as database

from apps.common.jsontext import json_value
from apps.connectors.models import OutboundSwitch
from apps.connectors.queries_deliveries import (
    ADVICE,
    Advice,
    Attempt,
    DeliveryDetail,
    DeliveryRow,
    FailureGroup,
    Filters,
    Page,
    advice,
    deliveries,
    delivery,
    failures,
)
from apps.connectors.queries_distribution import Distribution, Held, Pending, distribution
from apps.connectors.queries_planned import Difference, PlannedPage, PlannedRow, field_name, planned
from apps.connectors.targets import GUARD_SHARE, POLL_SECONDS, SWEEP_SECONDS, Target, targets

__all__ = [
    "ADVICE", "Advice", "Attempt", "DeliveryDetail", "DeliveryRow", "Difference", "Distribution", "FailureGroup", "Filters", "Held",
    "OpenGoLive", "Page", "Pending", "PlannedPage", "PlannedRow", "Switch", "TargetHealth", "advice", "deliveries", "delivery", "distribution", "failures",
    "field_name", "monitor", "planned", "switch_state",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class OpenGoLive:
    """A request that waits for a second person; `counts` is what the plan came to when it was made."""

    id: UUID
    author: str
    reason: str
    opened_at: datetime
    counts: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Switch:
    """Whether anything may leave the hub, and who said so last."""

    stopped: bool
    reason: str = ""
    actor: str = ""
    changed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class TargetHealth:
    """How one target is doing. `lag`: seconds since the oldest change that waits to be told; `success`: share of what came to an end
    within the hour, None when nothing did; `per_second`, `in_flight_cap`: our limits; `error`: why its document cannot be used."""

    connection: UUID
    name: str
    system: str
    system_name: str
    adapter: str
    mode: str
    paused_reason: str
    paused_by: str
    paused_at: datetime | None
    breaker: str
    probe_at: datetime | None
    not_before: datetime | None
    guard_lifted_until: datetime | None
    hour_writes: int
    waiting: int
    sending: int
    uncertain: int
    failed: int
    planned: int
    lag: float | None
    done_hour: int
    failed_hour: int
    last_success_at: datetime | None
    last_failure_at: datetime | None
    last_error: str
    per_second: float | None
    in_flight_cap: int
    guard_share: float
    error: str
    polled_at: datetime | None
    poll_due_at: datetime | None
    swept_at: datetime | None
    sweep_due_at: datetime | None
    go_live: OpenGoLive | None

    @property
    def success(self) -> float | None:
        ended = self.done_hour + self.failed_hour
        return self.done_hour / ended if ended else None


# statement_timestamp() does not change while the statement runs: clock_timestamp() could not be looked up in an index.
_HEALTH = """
SELECT c.id, c.name, y.code, y.name, c.adapter, c.mode, c.paused_reason, c.paused_by, c.paused_at,
  coalesce(k.state, 'closed'), k.probe_at, CASE WHEN k.not_before > clock_timestamp() THEN k.not_before END,
  CASE WHEN k.guard_lifted_until > clock_timestamp() THEN k.guard_lifted_until END,
  CASE WHEN k.hour_began > clock_timestamp() - interval '1 hour' THEN k.hour_writes ELSE 0 END,
  w.waiting, u.sending, u.uncertain, f.failed, w.planned, w.lag, h.done, h.failed,
  k.last_success_at, k.last_failure_at, coalesce(k.last_error, ''), c.poll_due_at, c.sweep_due_at,
  g.id, g.author, g.reason, g.opened_at, g.counts::text
FROM connection c JOIN system y ON y.id = c.system_id LEFT JOIN circuit k ON k.connection_id = c.id
LEFT JOIN go_live g ON g.connection_id = c.id AND g.state = 'open'
CROSS JOIN LATERAL (SELECT count(*) FILTER (WHERE d.state = 'waiting') AS waiting, count(*) FILTER (WHERE d.state = 'planned') AS planned,
    extract(epoch FROM clock_timestamp() - min(d.changed_at) FILTER (WHERE d.state = 'waiting'))::float8 AS lag
  FROM delivery d WHERE d.connection_id = c.id AND d.state IN ('waiting', 'planned')) w
CROSS JOIN LATERAL (SELECT count(*) FILTER (WHERE d.state = 'sending') AS sending, count(*) FILTER (WHERE d.state = 'uncertain') AS uncertain
  FROM delivery d WHERE d.connection_id = c.id AND d.state IN ('sending', 'uncertain')) u
CROSS JOIN LATERAL (SELECT count(*) AS failed FROM delivery d WHERE d.connection_id = c.id AND d.state = 'failed') f
CROSS JOIN LATERAL (SELECT count(*) FILTER (WHERE d.state = 'done') AS done, count(*) FILTER (WHERE d.state = 'failed') AS failed
  FROM delivery d WHERE d.connection_id = c.id AND d.finished_at > statement_timestamp() - interval '1 hour') h
WHERE c.adapter <> 'webhook' ORDER BY y.code, c.name
"""


_READ = tuple(f.name for f in fields(TargetHealth))[:25]
"""The fields that stand first in what _HEALTH reads, in its order."""


def monitor() -> list[TargetHealth]:
    """Every target with its numbers: two statements."""
    known = targets()
    with database.cursor() as cursor:
        cursor.execute(_HEALTH)
        return [_health(row, known.get(row[0])) for row in cursor.fetchall()]


def _health(row: tuple[Any, ...], target: Target | None) -> TargetHealth:
    poll, sweep, asked = row[25], row[26], row[27:]
    every_poll = target.number("poll_seconds", POLL_SECONDS) if target else POLL_SECONDS
    every_sweep = target.number("sweep_seconds", SWEEP_SECONDS) if target else SWEEP_SECONDS
    limit = target.number("per_second", 0.0) if target else 0.0
    return TargetHealth(
        **dict(zip(_READ, row, strict=False)), per_second=limit or None, in_flight_cap=target.in_flight if target else 0,
        guard_share=target.number("guard_share", GUARD_SHARE) if target else GUARD_SHARE,
        error=target.error if target else "Its system is switched off.",
        polled_at=poll - timedelta(seconds=every_poll) if poll else None, poll_due_at=poll,
        swept_at=sweep - timedelta(seconds=every_sweep) if sweep else None, sweep_due_at=sweep,
        go_live=OpenGoLive(asked[0], asked[1], asked[2], asked[3], json_value(asked[4])) if asked[0] else None,
    )  # fmt: skip


def switch_state() -> Switch:
    """The one switch: one statement."""
    row = OutboundSwitch.objects.filter(id=1).first()
    return Switch(row.stopped, row.reason, row.actor, row.changed_at) if row else Switch(stopped=False)
