"""Entries of the lists a record may carry: objects with text, a type, and how long and how surely they hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from apps.common.pointers import path, shown
from apps.customers import canonical_values as values
from apps.customers.canonical_text import Notes, tidy

MAX_ITEMS: Final = 200
STANDING: Final = ("valid_from", "valid_to", "preferred", "verified")
"""What an entry may say of itself: its first and last day (YYYY-MM-DD), whether its system takes it first, whether somebody made sure of it."""
_OPEN_YEAR: Final = 2200
"""Systems write a far day for "until further notice"."""

Json = dict[str, Any]


def standing(
    entry: Mapping[str, object], where: str, country: str | None, notes: Notes, *, checked: bool = False
) -> Json:
    """What an entry says of itself, in standard form; what cannot be meant is noted. `checked`: the hub itself finds out whether it is
    right, so what the source says of that does not count."""
    told: Json = {}
    for name in ("valid_from", "valid_to"):
        text = text_of(entry.get(name), f"{where}/{name}", 40, notes)
        day = values.parse_date(text, country) if text else None
        if isinstance(day, values.Refusal):
            notes.problem(f"{where}/{name}", *day)
        elif day is not None and day.year < _OPEN_YEAR:
            told[name] = day.isoformat()
    if told.get("valid_from", "") > told.get("valid_to", "~"):
        notes.problem(
            f"{where}/valid_to",
            "out_of_range",
            f"It ends on {told['valid_to']}, before its first day, {told['valid_from']}.",
        )
    for name in ("preferred",) if checked else ("preferred", "verified"):
        value = entry.get(name)
        if value is None or value == "":
            continue
        truth = values.truth(value.strip() if isinstance(value, str) else value)
        if isinstance(truth, values.Refusal):
            notes.problem(f"{where}/{name}", *truth)
        elif truth or name == "verified":
            told[name] = truth
    return told


def add_once(items: list[Json], item: Json) -> None:
    """Append, unless the same kind, value, extension and country is there already: then only what it says of itself is taken over."""
    for other in items:
        if all(other.get(key) == item.get(key) for key in ("type", "value", "ext", "country")):
            other.update((name, item[name]) for name in STANDING if name in item and name not in other)
            return
    items.append(item)


def objects(
    value: object, name: str, keys: frozenset[str], notes: Notes, unknown: Json
) -> Iterator[tuple[str, Mapping[str, object]]]:
    """Path and content of every object of a list; what is no list, no object or too much is noted."""
    if not isinstance(value, list | tuple):
        notes.problem(name, "wrong_type", f"{name} is a list of objects, not {shown(value)}.")
        return
    if len(value) > MAX_ITEMS:
        notes.problem(name, "too_many", f"{name} has {len(value)} entries; at most {MAX_ITEMS} are kept.")
        return
    for at, entry in enumerate(value):
        where = f"{name}/{at}"
        if not isinstance(entry, Mapping):
            notes.problem(where, "wrong_type", f"An entry of {name} is an object, not {shown(entry)}.")
            continue
        unknown.update({path(name, at, key): entry[key] for key in entry if key not in keys})
        yield where, entry


def one_of(value: object, where: str, allowed: tuple[str, ...], notes: Notes) -> str | None:
    text = text_of(value, where, 30, notes)
    if text is None or text.lower() in allowed:
        return text and text.lower()
    code = "unknown_value" if text else "missing"
    notes.problem(where, code, f"{shown(text)} is not a type known here; write one of {', '.join(allowed)}.")
    return None


def text_of(value: object, where: str, limit: int, notes: Notes) -> str | None:
    """Tidied text, "" for nothing, None for a problem (noted)."""
    if value is None:
        return ""
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() < 200:
        value = str(value)
    if not isinstance(value, str):
        notes.problem(where, "wrong_type", f"{where} is text, not {shown(value)}.")
        return None
    text = tidy(value, where, notes)
    if text is not None and len(text) > limit:
        notes.problem(where, "too_long", f"{where} is {len(text)} characters long; at most {limit} are kept.")
        return None
    return text
