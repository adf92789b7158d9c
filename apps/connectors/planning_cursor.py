"""Where a poll begins: a little before the last moment it has seen, for what was changed then may have been committed later. Pure."""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

_MOMENT = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?(Z|[+-]\d\d:?\d\d)")


def overlapping(cursor: Mapping[str, Any], *, now: datetime, seconds: float) -> dict[str, Any]:
    """The cursor to ask with: its moments, if they are younger than `seconds`, put back to that age; all else as it is.

    A change is visible only once it is committed: a record may appear behind a moment that was read already, by as much as the longest
    transaction there and the difference of the clocks. What is older than that has all been seen."""
    latest = now - timedelta(seconds=seconds)
    return {word: _put_back(value, latest) for word, value in cursor.items()}


def _put_back(value: Any, latest: datetime) -> Any:
    moment = _moment(value)
    if moment is None or moment <= latest:
        return value
    _, fraction, zone = _parts(value)
    told = latest.astimezone(moment.tzinfo)
    digits = f".{told.microsecond:06d}"[: len(fraction)] if fraction else ""
    return f"{told:%Y-%m-%dT%H:%M:%S}{digits}{zone}"


def forward(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """The cursor to keep: a moment never goes back, though the question did."""
    kept = dict(after)
    for word, value in before.items():
        old, new = _moment(value), _moment(after.get(word))
        if old is not None and new is not None and new < old:
            return dict(before)
    return kept


def _parts(value: str) -> tuple[str, str, str]:
    found = _MOMENT.fullmatch(value)
    assert found is not None, "only a moment has parts"
    return found[1], found[2] or "", found[3]


def _moment(value: Any) -> datetime | None:
    if not isinstance(value, str) or _MOMENT.fullmatch(value) is None:
        return None
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        return None
