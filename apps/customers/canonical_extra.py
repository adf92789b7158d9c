"""Declared extension attributes in the type they were declared with, and JSON numbers as text."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any, Final

from apps.common.pointers import shown
from apps.customers import canonical_values as values
from apps.customers.canonical_fields import EXTRA_LENGTH

_LARGEST_NUMBER: Final = 10**15


def typed(value: object, kind: str, country: str | None) -> Any:
    """The value of a declared attribute in its type, or a Refusal."""
    if kind == "boolean":
        return values.truth(value)
    if kind == "date":
        text = value.isoformat()[:10] if isinstance(value, date) else value if isinstance(value, str) else None
        day = values.parse_date(text or number_text(value) or "", country)
        return day if isinstance(day, values.Refusal) else day.isoformat()
    if kind == "number":
        return values.number(value, country)
    text = value if isinstance(value, str) else number_text(value)
    if text is None:
        return values.Refusal("wrong_type", f"Text is needed here, not {shown(value)}.")
    if len(text) > EXTRA_LENGTH:
        return values.Refusal("too_long", f"The text is {len(text)} characters long; at most {EXTRA_LENGTH} are kept.")
    return text


def number_text(value: object) -> str | None:
    """A whole number (or one with a fraction, as written) as text; None for what is no such number."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return str(value) if value.bit_length() < 300 else None
    if isinstance(value, float):
        if not abs(value) <= _LARGEST_NUMBER:  # written so that NaN is refused too
            return None
        return str(int(value)) if value.is_integer() else repr(value)
    if isinstance(value, Decimal):
        return str(value) if value.is_finite() and abs(value.adjusted()) < 100 else None
    return None
