"""Single values in their standard form: dates, times, money, yes and no, kind and status.

Every function is pure, takes tidied text (see canonical_text) and returns the standard form, or a `Refusal` that says
in a sentence what is wrong and what would be right.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from functools import lru_cache
from typing import Final, NamedTuple

from apps.common.pointers import shown


class Refusal(NamedTuple):
    """Why a value is not accepted: a code for programs, a sentence for people."""

    code: str
    detail: str


STATUSES: Final = ("prospect", "active", "blocked", "inactive", "closed")
KINDS: Final = {
    "person": "person",
    "individual": "person",
    "contact": "person",
    "private": "person",
    "b2c": "person",
    "organization": "organization",
    "organisation": "organization",
    "company": "organization",
    "business": "organization",
    "corporate": "organization",
    "b2b": "organization",
}
_TRUE: Final = frozenset({"true", "1", "yes", "y", "t"})
_FALSE: Final = frozenset({"false", "0", "no", "n", "f"})

# Where a date written with slashes begins with the month.
_MONTH_FIRST: Final = frozenset({"US", "PH", "FM", "MH", "PW", "AS", "GU", "MP", "PR", "VI", "UM"})
# Where the point parts the decimals; elsewhere the comma does (CLDR number symbols, by most spoken language).
_POINT_COUNTRIES: Final = """
US GB IE AU NZ CA IN CN JP KR TW HK MO SG MY TH PH IL MX GT HN NI SV DO PR NG KE GH UG TZ ZM ZW BW PK BD LK NP MM MT
CH LI AE SA QA KW BH OM EG JO JM BB BS BZ TT GY FJ PG
"""
_DECIMAL_POINT: Final = frozenset(_POINT_COUNTRIES.split())
_ISO_DATE: Final = re.compile(r"(\d{4})-(\d\d)-(\d\d)(?:[T ].*)?", re.ASCII)
_YEAR_FIRST: Final = re.compile(r"(\d{4})[/.](\d{1,2})[/.](\d{1,2})|(\d{4})(\d\d)(\d\d)", re.ASCII)
_YEAR_LAST: Final = re.compile(r"(\d{1,2})([./-])(\d{1,2})\2(\d{4})", re.ASCII)
_LOCAL_TIME: Final = re.compile(
    r"(\d{1,2})[./](\d{1,2})[./](\d{4})[ T](\d{1,2}):(\d\d)(?::(\d\d))?(?:\.\d+)?", re.ASCII
)
_PLAIN_NUMBER: Final = re.compile(r"[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d{1,3})?", re.ASCII)
_GROUPED_NUMBER: Final = re.compile(r"[+-]?\d{1,3}(?:[.,' \u2019]?\d{3})*(?:[.,]\d+)?", re.ASCII)
_MAX_MONEY: Final = Decimal(10) ** 14
_CENT: Final = Decimal("0.01")
_OLDEST_BIRTH: Final = date(1850, 1, 1)


def parse_date(text: str, country: str | None) -> date | Refusal:
    """A calendar date: ISO, YYYYMMDD, DD.MM.YYYY, or with slashes in the order of the country (month first in the US).

    Where only one order makes a date ("25/04/1980" in the US), that order is taken.
    """
    found = _ISO_DATE.fullmatch(text)
    if found:
        return _calendar(text, found[1], found[2], found[3])
    found = _YEAR_FIRST.fullmatch(text)
    if found:
        return _calendar(text, found[1] or found[4], found[2] or found[5], found[3] or found[6])
    found = _YEAR_LAST.fullmatch(text)
    if found:
        first, mark, second, year = found.groups()
        if mark == "/" and country in _MONTH_FIRST:
            first, second = second, first
        if mark != "." and int(second) > 12 >= int(first):
            first, second = second, first
        return _calendar(text, year, second, first)
    return Refusal("impossible_date", f"{shown(text)} is not a date; write it as YYYY-MM-DD.")


def _calendar(text: str, year: str, month: str, day: str) -> date | Refusal:
    try:
        return date(int(year), int(month), int(day))
    except ValueError:
        return Refusal("impossible_date", f"{shown(text)} is not a day of the calendar; write it as YYYY-MM-DD.")


def birth_date(text: str, country: str | None) -> str | Refusal:
    """A date of birth as YYYY-MM-DD: not in the future, not before 1850."""
    day = parse_date(text, country)
    if isinstance(day, Refusal):
        return day
    # "Today" is taken where the date changes first (UTC+14): nobody born today is refused.
    if day > (datetime.now(UTC) + timedelta(hours=14)).date():
        return Refusal("impossible_date", f"{shown(text)} lies in the future; a date of birth lies in the past.")
    if day < _OLDEST_BIRTH:
        return Refusal("impossible_date", f"{shown(text)} lies before 1850; nobody alive was born then.")
    return day.isoformat()


def timestamp(value: object) -> datetime | Refusal:
    """A moment in UTC from ISO 8601 text, seconds or milliseconds since 1970, or DD.MM.YYYY HH:MM; naive means UTC."""
    if isinstance(value, bool):
        return _not_a_time(value)
    try:
        if isinstance(value, int | float):
            moment = _from_epoch(value)
        elif isinstance(value, datetime):
            moment = value
        elif isinstance(value, date):
            moment = datetime(value.year, value.month, value.day, tzinfo=UTC)
        elif isinstance(value, str):
            moment = _from_text(value)
        else:
            return _not_a_time(value)
        if moment.tzinfo is not UTC:
            moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        return _not_a_time(value)
    if not 1900 <= moment.year < 2200:
        return Refusal("impossible_date", f"{shown(value)} lies outside the years 1900 to 2199.")
    return moment


def _not_a_time(value: object) -> Refusal:
    return Refusal(
        "impossible_date", f"{shown(value)} is not a moment in time; write it as 2025-01-31T13:45:00Z (ISO 8601)."
    )


def _from_text(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        pass
    if text.isascii() and text.replace(".", "", 1).isdigit():
        if len(text) == 14 and "." not in text:
            return datetime.strptime(text, "%Y%m%d%H%M%S").replace(tzinfo=UTC)
        return _from_epoch(float(text))
    found = _LOCAL_TIME.fullmatch(text)
    if found is None:
        day = parse_date(text, None)
        if isinstance(day, Refusal):
            raise ValueError(day.detail)
        return datetime(day.year, day.month, day.day, tzinfo=UTC)
    day_, month, year, hour, minute, second = (int(part or 0) for part in found.groups())
    return datetime(year, month, day_, hour, minute, second, tzinfo=UTC)


def _from_epoch(number: float) -> datetime:
    """Seconds, or by size milli-, micro- or nanoseconds, since 1970."""
    seconds = float(number)
    for _ in range(3):
        if abs(seconds) < 1e11:
            break
        seconds /= 1000
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)


def money(value: str | float | Decimal, country: str | None) -> str | Refusal:
    """A non-negative amount with two decimals as text ("1200.00"), 10^14 at most.

    Text may group thousands ("1.200,50", "1,200.50", "1 200"). Where "1.200" or "1,200" can be read two ways, the
    country's habit decides; without a country the point parts decimals and the comma thousands.
    """
    try:
        amount = _amount(value, country)
    except (InvalidOperation, ValueError, OverflowError):
        return Refusal("wrong_type", f"{shown(value)} is not an amount; write it as 1200.00.")
    if not amount.is_finite():
        return Refusal("wrong_type", f"{shown(value)} is not an amount; write it as 1200.00.")
    if amount < 0:
        return Refusal("out_of_range", f"{shown(value)} is negative; an amount is 0 or more.")
    if amount.adjusted() > 14 or amount > _MAX_MONEY:
        return Refusal("out_of_range", f"{shown(value)} is more than 10^14, the largest amount kept.")
    if amount.adjusted() < -20:
        return "0.00"
    return str(abs(amount.quantize(_CENT, rounding=ROUND_HALF_UP)))


def number(value: object, country: str | None) -> int | float | Refusal:
    """A finite number of fifteen digits at most; text is read as `money` reads it."""
    refusal = Refusal("wrong_type", f"{shown(value)} is not a number; write it as 1200.5.")
    if not isinstance(value, str | int | float | Decimal):
        return refusal
    try:
        amount = _amount(value, country)
    except (InvalidOperation, ValueError, OverflowError):
        return refusal
    if not amount.is_finite() or amount.adjusted() > 14:
        return refusal
    if abs(amount.adjusted()) > 30:
        return 0
    return int(amount) if amount == amount.to_integral_value() else float(amount)


def _amount(value: str | float | Decimal, country: str | None) -> Decimal:
    if isinstance(value, bool):
        raise ValueError("a truth value is no amount")
    if isinstance(value, Decimal):
        return value
    if isinstance(value, int):
        if value.bit_length() > 64:
            return Decimal(10) ** 20 if value > 0 else Decimal(-1)
        return Decimal(value)
    if isinstance(value, float):
        return Decimal(repr(value))
    grouped = value.count(",") or len(value.split(".")[-1]) == 3
    if not grouped and _PLAIN_NUMBER.fullmatch(value):
        return Decimal(value)
    if not _GROUPED_NUMBER.fullmatch(value):
        raise ValueError("not a number")
    return Decimal(_ungrouped(value, country))


def _ungrouped(text: str, country: str | None) -> str:
    """Digits with a decimal point at most, from a number that may group its thousands."""
    text = text.replace(" ", "").replace("'", "").replace("\u2019", "")
    if "," in text and "." in text:
        mark = max(",", ".", key=text.rfind)
    elif text.count(",") + text.count(".") > 1:
        mark = ""
    else:
        mark = "," if "," in text else "."
        whole = text[: text.rfind(mark)].lstrip("+-")
        if len(text) - text.rfind(mark) == 4 and len(whole) <= 3 and whole[0] != "0":
            # Three digits follow: thousands or decimals, as the country writes.
            point = country is None or country in _DECIMAL_POINT
            mark = "." if point else ","
    for separator in {",", "."} - {mark}:
        text = text.replace(separator, "")
    return text.replace(",", ".")


def truth(value: object) -> bool | Refusal:
    """A yes or no: a JSON truth value, 1 or 0, or the words true, yes, y, false, no, n in any case."""
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float) and value in (0, 1):
        return bool(value)
    if isinstance(value, str):
        word = value.lower()
        if word in _TRUE:
            return True
        if word in _FALSE:
            return False
    return Refusal("unknown_value", f"{shown(value)} is neither yes nor no; write true or false.")


@lru_cache(maxsize=4096)
def kind(text: str) -> str | Refusal:
    """person or organization, from the word itself or a usual synonym."""
    found = KINDS.get(text.lower())
    return found or Refusal("unknown_value", f"{shown(text)} is not a kind; write person or organization.")


@lru_cache(maxsize=4096)
def status(text: str) -> str | Refusal:
    """One of the five states of a customer."""
    found = text.lower()
    if found in STATUSES:
        return found
    return Refusal("unknown_value", f"{shown(text)} is not a status; write one of {', '.join(STATUSES)}.")
