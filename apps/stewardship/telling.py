"""One delivery as the exception desk shows it: what is told field by field, the form that corrects it, and its neighbours.

Sensitive values never reach a page whole; a masked field that comes back as it was shown keeps its value."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from apps.common.errors import FieldError, Rejected
from apps.connectors.documents import sensitive_names
from apps.connectors.models import Delivery
from apps.connectors.redact import Redactor

PREFIX = "field:"
_LONG = 80


@dataclass(frozen=True, slots=True)
class NativeField:
    """One native field in the form. `value`: as shown and sent back; `masked`: only its last characters are shown."""

    name: str
    value: str
    kind: str
    masked: bool = False

    @property
    def is_long(self) -> bool:
        return self.kind == "json" or len(self.value) > _LONG or "\n" in self.value


def native_fields(
    native: Mapping[str, Any], document: Mapping[str, Any], posted: Mapping[str, str] | None = None
) -> list[NativeField]:
    """The fields of a form that corrects `native`; nested ones under dotted names. `posted`: what somebody has typed already."""
    masked = dict(_leaves(Redactor(sensitive_names(document)).value(native)))
    found = []
    for name, value in _leaves(native):
        text = _text(masked[name])
        hidden = masked[name] != value
        typed = posted.get(PREFIX + name) if posted is not None else None
        found.append(NativeField(name, text if typed is None else typed, _kind(value), hidden))
    return found


def corrected(native: Mapping[str, Any], document: Mapping[str, Any], posted: Mapping[str, str]) -> dict[str, Any]:
    """`native` with what was typed. A name that is no field of it goes along, for the verb to refuse it by name.

    Raises Rejected with every value that is not of its field's kind."""
    shown = {f.name: f for f in native_fields(native, document)}
    result: dict[str, Any] = json.loads(json.dumps(native))
    wrong = []
    for key, text in posted.items():
        if not key.startswith(PREFIX):
            continue
        name = key.removeprefix(PREFIX)
        field = shown.get(name)
        if field is not None and text.replace("\r\n", "\n") == field.value:
            continue
        try:
            _put(result, name, _value(text, field.kind if field is not None else "text"))
        except ValueError as error:
            wrong.append(FieldError(name, "wrong_type", str(error)))
    if wrong:
        raise Rejected("The values were not sent: some are not of their field's kind.", wrong)
    return result


def _leaves(native: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in native.items():
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value


def _put(native: dict[str, Any], name: str, value: Any) -> None:
    """Writes at a dotted name where its tables exist; else under the whole name."""
    steps, place = name.split("."), native
    for step in steps[:-1]:
        inner = place.get(step)
        if not isinstance(inner, dict):
            native[name] = value
            return
        place = inner
    place[steps[-1]] = value


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    return "json" if isinstance(value, list | Mapping) else "text"


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _value(text: str, kind: str) -> Any:
    """What was typed, in its field's kind; nothing typed: no value. Raises ValueError with a sentence."""
    if not text.strip():
        return None
    if kind == "boolean":
        if text.strip().lower() not in ("true", "false"):
            raise ValueError("This field is true or false.")
        return text.strip().lower() == "true"
    if kind == "text":
        return text
    try:
        value = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        value = None
    if kind == "number" and (isinstance(value, bool) or not isinstance(value, int | float)):
        raise ValueError("This field is a number.")
    if kind == "json" and not isinstance(value, list | dict):
        raise ValueError("This field is a list or a table, written as JSON.")
    return value


def _refuse(constant: str) -> Any:
    raise ValueError(constant)


@dataclass(frozen=True, slots=True)
class Line:
    """One field of a delivery: what the target has, and what it shall have."""

    name: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The deliveries of the same group before and after one, and how many the group has."""

    previous: UUID | None
    next: UUID | None
    count: int


def neighbours(delivery: Any) -> Neighbours:
    """Where j and k lead: one query over the index of failed deliveries."""
    ids = list(
        Delivery.objects.filter(
            connection_id=delivery.connection, trouble=delivery.trouble, code=delivery.code, state="failed"
        )
        .order_by("id")
        .values_list("id", flat=True)
    )
    return Neighbours(
        max((i for i in ids if i < delivery.id), default=None), min((i for i in ids if i > delivery.id), default=None), len(ids)
    )
