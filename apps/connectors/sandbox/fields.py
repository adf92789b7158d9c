"""What a kind's records are made of, and what is wrong with values that do not fit."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from math import isfinite
from typing import Any, Final

UNKNOWN: Final = "unknown"
READ_ONLY: Final = "read_only"
TOO_LONG: Final = "too_long"
WRONG_TYPE: Final = "wrong_type"
NOT_IN_LIST: Final = "not_in_list"
LARGEST_NUMBER: Final = 10**15


@dataclass(frozen=True, slots=True)
class Field:
    """`type`: text, number, boolean, date (YYYY-MM-DD), list (of texts) or object. `choices`: the only words taken. `cut`: a longer
    text is cut without a word. `parts`: the fields of an object; `free`: an object takes any name, with text."""

    type: str = "text"
    longest: int = 255
    choices: tuple[str, ...] = ()
    read_only: bool = False
    cut: bool = False
    parts: Mapping[str, "Field"] = field(default_factory=dict)
    free: bool = False


@dataclass(frozen=True, slots=True)
class Fault:
    """One value that is refused; `name` is dotted where nested."""

    name: str
    code: str
    detail: str


Declared = Mapping[str, Field]


def faults_of(values: Mapping[str, Any], declared: Declared, prefix: str = "") -> Iterator[Fault]:
    """All that is wrong with `values`; null is always allowed and means empty."""
    for name, value in values.items():
        full = prefix + name
        known = declared.get(name)
        if known is None:
            yield Fault(full, UNKNOWN, f"There is no field {full}.")
        elif known.read_only:
            yield Fault(full, READ_ONLY, f"The field {full} cannot be written.")
        elif value is not None:
            yield from _faults_of_value(full, value, known)


def _faults_of_value(name: str, value: Any, known: Field) -> Iterator[Fault]:
    if known.type == "object":
        yield from _faults_of_object(name, value, known)
    elif known.type == "list":
        if not isinstance(value, list) or not all(isinstance(part, str) for part in value):
            yield Fault(name, WRONG_TYPE, f"{name} must be a list of texts.")
    elif known.type == "number":
        if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > LARGEST_NUMBER:
            yield Fault(name, WRONG_TYPE, f"{name} must be a number.")
    elif known.type == "boolean":
        if not isinstance(value, bool):
            yield Fault(name, WRONG_TYPE, f"{name} must be true or false.")
    elif not isinstance(value, str):
        yield Fault(name, WRONG_TYPE, f"{name} must be a text.")
    elif value:
        yield from _faults_of_text(name, value, known)


def _faults_of_object(name: str, value: Any, known: Field) -> Iterator[Fault]:
    if not isinstance(value, dict):
        yield Fault(name, WRONG_TYPE, f"{name} must be an object.")
    elif known.free:
        for part, text in value.items():
            yield from _faults_of_value(
                f"{name}.{part}", text if text is not None else "", Field(longest=known.longest)
            )
    else:
        yield from faults_of(value, known.parts, f"{name}.")


def _faults_of_text(name: str, value: str, known: Field) -> Iterator[Fault]:
    if known.choices and value not in known.choices:
        yield Fault(name, NOT_IN_LIST, f"{value[:60]!r} is none of the words of {name}: {', '.join(known.choices)}.")
    elif known.type == "date" and not is_date(value):
        yield Fault(name, WRONG_TYPE, f"{name} must be a date, YYYY-MM-DD.")
    elif len(value) > known.longest and not known.cut:
        yield Fault(name, TOO_LONG, f"{name} takes {known.longest} characters; these are {len(value)}.")


def is_date(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def number_of(text: str) -> Any:
    """The number that `text` says, whole if it is; what says none stays as it is."""
    try:
        number = float(text)
    except ValueError:
        return text
    if not isfinite(number):
        return text
    return int(number) if number.is_integer() else number


def fitted(values: Mapping[str, Any], declared: Declared) -> dict[str, Any]:
    """`values` as they are kept: empty text is null, and what is cut silently is cut."""
    kept: dict[str, Any] = {}
    for name, value in values.items():
        known = declared[name]
        if isinstance(value, dict):
            kept[name] = {part: text if text != "" else None for part, text in value.items()}
        elif isinstance(value, str):
            kept[name] = (value[: known.longest] if known.cut else value) or None
        else:
            kept[name] = value
    return kept


def merged(before: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """`before` with `values` written over it; objects are merged part by part, null takes a part away."""
    after = dict(before)
    for name, value in values.items():
        if isinstance(value, dict):
            parts = {**(after.get(name) or {}), **value}
            after[name] = {part: text for part, text in parts.items() if text is not None}
        else:
            after[name] = value
    return after


def differences(before: Mapping[str, Any], after: Mapping[str, Any], prefix: str = "") -> dict[str, list[Any]]:
    """field -> [before, after] for what differs; parts of objects by dotted name."""
    found: dict[str, list[Any]] = {}
    for name in {**before, **after}:
        old, new = before.get(name), after.get(name)
        if isinstance(old, dict) or isinstance(new, dict):
            found |= differences(old or {}, new or {}, f"{prefix}{name}.")
        elif old != new:
            found[prefix + name] = [old, new]
    return found


def unfolded(values: Mapping[str, Any]) -> dict[str, Any]:
    """`{"address.city": x}` as `{"address": {"city": x}}`."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        head, dot, part = name.partition(".")
        if dot:
            found.setdefault(head, {})[part] = value
        else:
            found[name] = value
    return found
