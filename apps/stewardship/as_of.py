"""A customer as it stood at a moment: its values, which id stood for it, who was part of it, and what is otherwise today."""

import zoneinfo
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection
from django.utils import timezone

from apps.common.errors import FieldError, NotFound, Rejected
from apps.customers import queries
from apps.customers.models import Customer
from apps.customers.queries import AttributeChange, CustomerDetail, Snapshot
from apps.customers.survivorship import ATTRIBUTES
from apps.stewardship.timeline_entries import differing

LONGEST = 40


@dataclass(frozen=True, slots=True)
class Line:
    """One attribute then; `now` is today's value, where it is another one."""

    attribute: str
    then: Any
    now: Any
    same: bool


@dataclass(frozen=True, slots=True)
class Member:
    """A source record that was part of it then; `today`: the customer it belongs to now."""

    record: UUID
    system: str
    external_id: str
    since: datetime
    until: datetime | None
    today: UUID | None
    name: str


@dataclass(frozen=True, slots=True)
class Neighbour:
    """The version before or after; `at`: when it was made."""

    version: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Standing:
    """`snapshot.id` is the id that stood for the one asked for; `actor`, `reason`: who made the version, and why. `erased`: its values
    were erased by law."""

    snapshot: Snapshot
    actor: str
    reason: str
    erased: bool
    lines: Sequence[Line]
    members: Sequence[Member]
    before: Neighbour | None
    after: Neighbour | None


def moment(text: str, zone: zoneinfo.ZoneInfo) -> tuple[datetime, str]:
    """A moment out of an address, and what has to be said of it: without an offset it is in `zone`, and where the clocks were put back
    the first of two. Raises Rejected: no date, one that the calendar or the clock left out, one that is still to come."""
    try:
        if len(text) > LONGEST or not text.isascii():
            raise ValueError("no date")
        read = datetime.fromisoformat(text)
        local = read.replace(tzinfo=zone, fold=0) if read.tzinfo is None else read
        at = local.astimezone(UTC)
        later = local.replace(fold=1).astimezone(UTC)
        again = at.astimezone(zone).replace(tzinfo=None)
    except (ValueError, OverflowError) as error:
        raise _impossible("That is no date and time.") from error
    if at > timezone.now():
        raise _impossible("That moment is still to come.")
    if read.tzinfo is None and again != read:
        raise _impossible(f"There was no such time in {zone.key}: the clocks were put forward.")
    if read.tzinfo is None and later != at:
        return at, f"That time came twice in {zone.key}, because the clocks were put back; this is the first one."
    return at, ""


def _impossible(said: str) -> Rejected:
    return Rejected(said, [FieldError("/at", "bad_date", said)])


def first_known(id: UUID) -> datetime | None:
    """When the hub first knew an id."""
    row = Customer.history.filter(id=id).order_by("version").values_list("history_date", flat=True).first()
    return row if isinstance(row, datetime) else None


def standing(detail: CustomerDetail, at: datetime) -> Standing:
    """How the id that was asked for stood `at` a moment: four statements and those of `as_of`. Raises NotFound: not known then."""
    shot = queries.as_of(detail.asked, at)
    around = {
        row.version: row
        for row in Customer.history.filter(id=shot.id, version__range=(shot.version - 1, shot.version + 1)).only(
            "version", "history_date", "actor", "history_change_reason", "active", "salt", "correlation_id"
        )
    }
    if shot.version not in around:
        raise NotFound("There is no such version.")
    own, after = around[shot.version], around.get(shot.version + 1)
    erased = own.salt is None
    return Standing(
        shot, own.actor, own.history_change_reason or "", erased, [] if erased else _lines(shot.values, detail.values),
        _members(shot, own, after), _neighbour(around.get(shot.version - 1)), _neighbour(after),
    )  # fmt: skip


def _neighbour(row: Any) -> Neighbour | None:
    return Neighbour(row.version, row.history_date) if row is not None else None


def _lines(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[Line]:
    """Every attribute that either has, in the order of the canonical form."""
    other: dict[str, AttributeChange] = {c.attribute: c for c in differing(now, then)}
    return [
        Line(
            a,
            change.before if (change := other.get(a)) else then.get(a),
            change.after if change else None,
            change is None,
        )
        for a in ATTRIBUTES
        if a in then or a in other
    ]


_MEMBERS = """
SELECT m.source_record_id, y.code, s.external_id, m.customer_id, m.before, m.since, m.until, m.correlation_id, s.customer_id, c.name
FROM (SELECT o.*, lag(o.customer_id) OVER (PARTITION BY o.source_record_id ORDER BY o.since) AS before FROM membership o
  WHERE o.source_record_id IN (SELECT source_record_id FROM membership WHERE customer_id = %(id)s)) m
JOIN source_record s ON s.id = m.source_record_id JOIN system y ON y.id = s.system_id AND y.kind <> 'steward'
LEFT JOIN customer c ON c.id = s.customer_id
WHERE m.customer_id = %(id)s OR m.before = %(id)s ORDER BY y.code, s.external_id, m.since
"""


def _members(shot: Snapshot, own: Any, after: Any) -> list[Member]:
    """Who was part of it then. A version and the moves that made it are of one transaction, but not of one microsecond: what moved with
    the version counts from its first moment on, and what leaves with the last one until its end."""
    with connection.cursor() as cursor:
        cursor.execute(_MEMBERS, {"id": shot.id})
        rows = cursor.fetchall()
    end = after.history_date if after is not None else own.history_date + timedelta(days=1)
    last = after is not None and not after.active
    moved = [(row[5], row[7], row[3] == shot.id) for row in rows if own.history_date <= row[5] < end]
    made = [since for since, act, joins in moved if act == own.correlation_id and (joins or not last)]
    gone = [since for since, act, joins in moved if last and act == after.correlation_id and not joins]
    at = min([max([shot.at, *made]), *(since - timedelta(microseconds=1) for since in gone)])
    return [
        Member(record, system, external_id, since, until, today, name or "")
        for record, system, external_id, customer, _, since, until, _, today, name in rows
        if customer == shot.id and since <= at and (until is None or until > at)
    ]
