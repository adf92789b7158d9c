"""A customer as it stood at a moment: its values, which id stood for it, who was part of it, and what is otherwise today."""

import zoneinfo
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from django.utils import timezone

from apps.common.errors import FieldError, Rejected
from apps.customers import queries_past as past
from apps.customers.queries import AttributeChange, CustomerDetail, values_of
from apps.customers.queries_compare import differing
from apps.customers.queries_past import Stay, Then
from apps.customers.restore import keepable
from apps.customers.survivorship import ATTRIBUTES

LONGEST = 40


@dataclass(frozen=True, slots=True)
class Line:
    """One attribute then; `now` is today's value, where it is another one. `keepable`: the value of then can be kept again."""

    attribute: str
    then: Any
    now: Any
    same: bool
    keepable: bool


@dataclass(frozen=True, slots=True)
class Neighbour:
    """The version before or after; `at`: when it was made."""

    version: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Standing:
    """`snapshot.id` is the id that stood for the one asked for; `actor`, `reason`: who made the version, and why. `erased`: its values
    were erased by law. `members`: the records that were part of it, stewards' words aside."""

    snapshot: Then
    actor: str
    reason: str
    erased: bool
    lines: Sequence[Line]
    members: Sequence[Stay]
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


def at_query(at: datetime) -> str:
    """A moment to the microsecond as an address says it: "at=2026-11-01T09%3A30%3A00%2B00%3A00"."""
    return urlencode({"at": timezone.localtime(at).isoformat()})


def _impossible(said: str) -> Rejected:
    return Rejected(said, [FieldError("/at", "bad_date", said)])


def standing(detail: CustomerDetail, at: datetime) -> Standing:
    """How the id that was asked for stood `at` a moment: three statements. Raises NotFound: not known then."""
    then = past.stood(detail.asked, at)
    row = then.row
    lines = [] if then.erased else _lines(values_of(row), detail.values)
    members = [stay for stay in past.stays_then(then, past.stays_of(then.id)) if not stay.is_anchor]
    return Standing(
        then, row.actor, row.history_change_reason or "", then.erased, lines, members, _neighbour(then.before),
        _neighbour(then.after),
    )  # fmt: skip


def _neighbour(one: past.Neighbour | None) -> Neighbour | None:
    return Neighbour(one.version, one.at) if one is not None else None


def _lines(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[Line]:
    """Every attribute that either has, in the order of the canonical form."""
    other: dict[str, AttributeChange] = {c.attribute: c for c in differing(now, then)}
    return [
        Line(
            a,
            change.before if (change := other.get(a)) else then.get(a),
            change.after if change else None,
            change is None,
            change is not None and keepable(a, then),
        )
        for a in ATTRIBUTES
        if a in then or a in other
    ]
