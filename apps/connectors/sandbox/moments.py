"""Moments as servers write them: microseconds since 1970 inside, ISO 8601 outside."""

from datetime import UTC, datetime, timedelta
from typing import Final

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND: Final = timedelta(microseconds=1)


def iso(moment: int, zone: str = "Z") -> str:
    """`zone` is how UTC is written at the end."""
    return (EPOCH + timedelta(microseconds=moment)).strftime("%Y-%m-%dT%H:%M:%S.%f") + zone


def moment(text: str) -> int:
    """Raises ValueError for what is not a moment. A blank before the offset is a '+' that was not encoded in an address."""
    found = datetime.fromisoformat(text.replace(" ", "+"))
    return ((found if found.tzinfo else found.replace(tzinfo=UTC)) - EPOCH) // MICROSECOND
