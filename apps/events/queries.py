"""The change feed: events in the order of their positions."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from apps.events.models import Event, FeedHead


@dataclass(frozen=True, slots=True)
class Entry:
    """One event with its position. `body`: the `attributes` that changed, `merged` ids, or `replaced_by`."""

    position: int
    type: str
    subject: UUID
    version: int
    at: datetime
    actor: str
    correlation_id: UUID
    quiet: bool
    body: Mapping[str, Any]


def changes(after: int, limit: int) -> list[Entry]:
    """Entries with a position above `after`, lowest first: one index scan. Positions have no gaps, so a reader that
    keeps the last one it saw misses nothing."""
    rows = Event.objects.filter(position__gt=after).order_by("position")[:limit]
    return [
        Entry(
            e.position, e.type, e.subject_id, e.version, e.occurred_at, e.actor, e.correlation_id, e.quiet, e.body or {}
        )
        for e in rows
        if e.position is not None
    ]


def head() -> int:
    """The last position given; 0 before the first."""
    return FeedHead.objects.values_list("position", flat=True).first() or 0
