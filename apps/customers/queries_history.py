"""A customer over time: its versions, and what each of them changed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from apps.common.errors import NotFound
from apps.customers.models import Customer
from apps.customers.queries_values import values_of, without_origin
from apps.customers.survivorship import ATTRIBUTES
from apps.events.models import Event


class AttributeChange(NamedTuple):
    """What one version changed; None: no value. `members` stands for the number of source records."""

    attribute: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class Version:
    """One version: who made it, why, which event told it, and what differs from the version before.

    `erased`: the values were erased by law; only that there was a version is still known."""

    version: int
    at: datetime
    actor: str
    reason: str
    correlation_id: UUID | None
    event: str
    body: Mapping[str, Any]
    changes: Sequence[AttributeChange]
    erased: bool = False


def history(id: UUID, after_version: int | None = None, limit: int = 50) -> list[Version]:
    """Versions of exactly this id (a retired one keeps its own), newest first; two queries. NotFound for an unknown id.

    `after_version`: only versions before that one, for the next page."""
    rows = Customer.history.filter(id=id).order_by("-version")
    if after_version is not None:
        rows = rows.filter(version__lt=after_version)
    snapshots = list(rows[: limit + 1])
    if not snapshots:
        if after_version is None or not Customer.objects.filter(id=id).exists():
            raise NotFound(f"There is no customer {id}.")
        return []
    told = {
        e["version"]: e
        for e in Event.objects.filter(subject_id=id, version__in=[s.version for s in snapshots[:limit]]).values(
            "version", "type", "body"
        )
    }
    before = [*snapshots[1:], None]
    return [
        _version(row, older, told.get(row.version, {}))
        for row, older in list(zip(snapshots, before, strict=True))[:limit]
    ]


def _version(row: Any, older: Any, event: Mapping[str, Any]) -> Version:
    erased = row.salt is None
    return Version(
        version=row.version, at=row.history_date, actor=row.actor, reason=row.history_change_reason or "",
        correlation_id=row.correlation_id, event=event.get("type", ""), body=event.get("body") or {},
        changes=[] if erased or (older is not None and older.salt is None) else _changes(row, older), erased=erased,
    )  # fmt: skip


def _changes(row: Any, older: Any) -> list[AttributeChange]:
    now, then = values_of(row), values_of(older) if older is not None else {}
    found = [AttributeChange(a, without_origin(then.get(a)), without_origin(now.get(a))) for a in ATTRIBUTES]
    found.append(AttributeChange("members", older.member_count if older is not None else None, row.member_count))
    return [c for c in found if c.before != c.after]
