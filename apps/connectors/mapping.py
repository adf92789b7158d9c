"""How the columns of a system's records become canonical names: one document per system, as TOML, JSON or options.

    default_country = "DE"
    hub_key = "MDM_Key__c"          # the column in which the system keeps the hub's own key, if it does
    ignore = ["Internal note"]
    [columns]                       # canonical name = column, or columns joined by a space; "billing.city" looks inside
    email = "E-Mail"
    address_line1 = ["Straße", "Hausnummer"]
    [constants]                     # used where the record brings no value of its own
    kind = "organization"
    [values.status]                 # what the system writes = what it means; case does not matter
    A = "active"
    [extra]                         # extension attributes this system may fill, with their type
    segment = "text"
    [out]                           # how the hub writes to this system, where that is not the way back: mapping_out.py

A column that bears a canonical name needs no entry; it is taken as it is unless that name is given another column.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Sequence
from collections.abc import Mapping as Table
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple, Self

from apps.common.errors import FieldError, Rejected
from apps.common.pointers import shown
from apps.connectors.mapping_checks import (
    COLUMNS,
    WORDS,
    is_scalar,
    is_table_of,
    is_text,
    is_texts,
    near,
    toml_lines,
    unknown_keys,
    wrong_shapes,
)
from apps.connectors.mapping_out import Out, Writer
from apps.customers.canonical import EXTRA_TYPES, FLAT_FIELDS, LIST_FIELDS
from apps.customers.canonical_places import country_code

_SHAPES: Final = {
    "columns": COLUMNS,
    "constants": ("a table of canonical name = text, number or truth value", is_table_of(is_scalar)),
    "values": WORDS,
    "extra": ("a table of name = type", is_table_of(is_text)),
    "default_country": ("text", lambda value: not value or is_text(value)),
    "hub_key": ("text", lambda value: not value or is_text(value)),
    "ignore": ("a list of columns", is_texts),
}
_CANONICAL: Final = frozenset((*FLAT_FIELDS, *LIST_FIELDS))


class MappingError(Rejected):
    """A mapping that cannot be used; `fields` names every wrong entry and what may have been meant."""

    def __init__(self, fields: Sequence[FieldError]) -> None:
        super().__init__("The mapping cannot be used: " + " ".join(entry.detail for entry in fields), fields)


class _Move(NamedTuple):
    """One canonical name, the columns it comes from, and what their values mean."""

    target: str
    columns: tuple[str, ...]
    meanings: Table[str, str] | None


@dataclass(frozen=True, slots=True)
class Mapping:
    """A checked mapping document; making one that is wrong raises MappingError."""

    columns: Table[str, tuple[str, ...]] = field(default_factory=dict)
    constants: Table[str, Any] = field(default_factory=dict)
    values: Table[str, Table[str, str]] = field(default_factory=dict)
    default_country: str | None = None
    hub_key: str | None = None
    extra: Table[str, str] = field(default_factory=dict)
    ignore: tuple[str, ...] = ()
    out: Out = field(default_factory=Out)
    _moves: tuple[_Move, ...] = field(init=False, repr=False, compare=False)
    _used: frozenset[str] = field(init=False, repr=False, compare=False)
    _meanings: Table[str, Table[str, str]] = field(init=False, repr=False, compare=False)
    _passed: frozenset[str] = field(init=False, repr=False, compare=False)
    _writer: Writer = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        writer = Writer(self.columns, self.values, self.out, self.extra)
        errors = list(self._errors())
        errors += self.out.errors((*FLAT_FIELDS, *self.extra), writer.columns, self.columns)
        if errors:
            raise MappingError(errors)
        meanings = {
            target: {_key(word): meaning for word, meaning in words.items()} for target, words in self.values.items()
        }
        moves = tuple(_Move(target, columns, meanings.get(target)) for target, columns in self.columns.items())
        used = {column for columns in self.columns.values() for column in columns}
        used |= (
            {column.split(".")[0] for column in used} | set(self.ignore) | ({self.hub_key} if self.hub_key else set())
        )
        store = object.__setattr__
        store(self, "default_country", country_code(self.default_country) if self.default_country else None)
        store(self, "_moves", moves)
        store(self, "_used", frozenset(used))
        store(self, "_meanings", meanings)
        store(self, "_passed", (_CANONICAL | self.extra.keys()) - self.columns.keys())
        store(self, "_writer", writer)

    @classmethod
    def identity(cls, header: Iterable[str]) -> Self:
        """The mapping for a header whose columns bear canonical names, up to case, spaces and hyphens."""
        columns: dict[str, tuple[str, ...]] = {}
        for column in header:
            name = column.strip().casefold().replace(" ", "_").replace("-", "_")
            if name in FLAT_FIELDS:
                columns.setdefault(name, (column,))
        return cls(columns=columns)

    @classmethod
    def from_dict(cls, document: Table[str, Any]) -> Self:
        """A mapping from plain data (parsed TOML or JSON). Raises MappingError."""
        errors = unknown_keys(document, (*_SHAPES, "out"), "a mapping")
        errors += wrong_shapes(document, _SHAPES) + Out.shape_errors(document.get("out", {}))
        if errors:
            raise MappingError(errors)
        columns = document.get("columns", {})
        return cls(
            columns={name: (value,) if isinstance(value, str) else tuple(value) for name, value in columns.items()},
            constants=dict(document.get("constants", {})),
            values={name: dict(words) for name, words in document.get("values", {}).items()},
            default_country=document.get("default_country") or None,
            hub_key=document.get("hub_key") or None,
            extra=dict(document.get("extra", {})),
            ignore=tuple(document.get("ignore", ())),
            out=Out.from_dict(document.get("out", {})),
        )

    @classmethod
    def from_toml(cls, text: str) -> Self:
        """A mapping from a TOML document. Raises MappingError."""
        try:
            document = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise MappingError([FieldError("", "bad_toml", f"The text is no TOML: {error}.")]) from None
        return cls.from_dict(document)

    def to_dict(self) -> dict[str, Any]:
        """Plain data that `from_dict` reads to an equal mapping; empty parts are left out."""
        document: dict[str, Any] = {
            "columns": {name: cols[0] if len(cols) == 1 else list(cols) for name, cols in self.columns.items()},
            "constants": dict(self.constants),
            "values": {name: dict(words) for name, words in self.values.items()},
            "default_country": self.default_country,
            "hub_key": self.hub_key,
            "extra": dict(self.extra),
            "ignore": list(self.ignore),
            "out": self.out.to_dict(),
        }
        return {key: value for key, value in document.items() if value}

    def to_toml(self) -> str:
        """The document as TOML text that `from_toml` reads to an equal mapping."""
        return "\n".join(toml_lines(self.to_dict())) + "\n"

    def with_columns(self, columns: Table[str, tuple[str, ...]]) -> Self:
        """The same mapping with some canonical names taken from other columns. Raises MappingError."""
        return replace(self, columns={**self.columns, **columns})

    def check(self, header: Sequence[str]) -> None:
        """Holds the mapping against a file's columns. Raises MappingError that names each column and near misses."""
        known = frozenset(header)
        errors = [
            FieldError(
                name, "unknown_column", f"The file has no column {shown(column)} for {name}{near(column, header)}."
            )
            for name, columns in self.columns.items()
            for column in columns
            if column not in known and column.split(".")[0] not in known
        ]
        if "record_id" not in self.columns and "record_id" not in known:
            detail = "No column is mapped to record_id, the record's own id in its system."
            errors.append(FieldError("record_id", "missing", detail))
        if errors:
            raise MappingError(errors)

    def apply(self, values: Table[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """One record under canonical names, and what of it no entry speaks of; absent columns stay absent."""
        item: dict[str, Any] = {}
        for target, columns, meanings in self._moves:
            value = _value(values, columns)
            if value is not _ABSENT:
                item[target] = value if meanings is None else _meaning(value, meanings)
        rest: dict[str, Any] = {}
        for name, value in values.items():
            if name in self._used:
                continue
            if name in self._passed:
                meanings = self._meanings.get(name)
                item[name] = value if meanings is None else _meaning(value, meanings)
            else:
                rest[name] = value
        for name, constant in self.constants.items():
            if _is_blank(item.get(name)):
                item[name] = constant
        return item, rest

    @property
    def writes(self) -> frozenset[str]:
        """The flat names that `render` can write to the system: canonical ones, those of HUB_NAMES, and "extra.NAME"."""
        return self._writer.writes

    @property
    def written_columns(self) -> tuple[str, ...]:
        """The columns that `render` can fill, dotted as in the document."""
        return self._writer.columns

    def key_in(self, values: Table[str, Any]) -> str | None:
        """The hub's own key in a record of the system, where it keeps one."""
        found = _value(values, (self.hub_key,)) if self.hub_key else _ABSENT
        return None if found is _ABSENT or _is_blank(found) else str(found)

    def version_in(self, values: Table[str, Any]) -> int | None:
        """The version of the customer that the hub wrote to the system last, where it keeps that."""
        for column in self.out.columns.get("hub_version", ())[:1]:
            found = _value(values, (column,))
            with suppress(TypeError, ValueError):
                return int(float(found))
        return None

    def render(self, fields: Table[str, Any]) -> dict[str, Any]:
        """The way back: what `fields` says under canonical names, as the system writes it; None empties.

        Names that are not in `writes` are left out. `apply` of what this gives brings the same values again, but for
        text that [out.max_length] cuts and values that [values] gives another meaning."""
        return self._writer.render(fields)

    def _errors(self) -> Iterable[FieldError]:
        known = (*FLAT_FIELDS, *LIST_FIELDS, *self.extra)
        for part, names in (("columns", self.columns), ("constants", self.constants), ("values", self.values)):
            for name in names:
                if name not in known:
                    detail = f"{shown(name)} in {part} is no canonical name{near(name, known)}."
                    if part == "columns" and any(column in known for column in self.columns[name]):
                        detail += " Write canonical=column, not column=canonical."
                    yield FieldError(name, "unknown_field", detail)
        for name, kind in self.extra.items():
            if name in _CANONICAL:
                yield FieldError(
                    name, "unknown_field", f"{shown(name)} is a canonical name and cannot be declared again."
                )
            if kind not in EXTRA_TYPES:
                detail = f"{shown(kind)} is no type for {shown(name)}; use one of {', '.join(EXTRA_TYPES)}."
                yield FieldError(name, "unknown_value", detail)
        if self.default_country and country_code(self.default_country) is None:
            detail = f"{shown(self.default_country)} is no known country; write its ISO 3166 code, such as DE."
            yield FieldError("default_country", "unknown_value", detail)


def parse_map_options(options: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """`canonical=column` options as columns by name; a name given twice joins its columns. Raises MappingError."""
    columns: dict[str, tuple[str, ...]] = {}
    errors: list[FieldError] = []
    for option in options:
        name, mark, column = option.partition("=")
        if not mark or not name.strip() or not column.strip():
            errors.append(FieldError(option, "bad_option", f"{shown(option)} is not of the form canonical=column."))
        else:
            columns[name.strip()] = (*columns.get(name.strip(), ()), column.strip())
    if errors:
        raise MappingError(errors)
    return columns


_ABSENT: Final = object()


def _value(values: Table[str, Any], columns: tuple[str, ...]) -> Any:
    """The value of one column, or of several joined by a space; _ABSENT when the record has none of them."""
    if len(columns) == 1:
        found = values.get(columns[0], _ABSENT)
        return _inside(values, columns[0]) if found is _ABSENT else found
    parts = [part for column in columns if (part := _value(values, (column,))) is not _ABSENT]
    if not parts:
        return _ABSENT
    return " ".join(str(part).strip() for part in parts if not _is_blank(part))


def _inside(values: Table[str, Any], column: str) -> Any:
    """What a dotted name reaches inside nested objects and, by number, inside lists; a list that is too short says: none."""
    found: Any = values
    for step in column.split("."):
        if isinstance(found, list) and step.isdecimal():
            if int(step) >= len(found):
                return None
            found = found[int(step)]
        elif isinstance(found, Table) and step in found:
            found = found[step]
        else:
            return _ABSENT
    return found


def _meaning(value: Any, meanings: Table[str, str]) -> Any:
    if isinstance(value, str | int):
        return meanings.get(_key(str(value)), value)
    return value


def _key(word: str) -> str:
    return word.strip().casefold()


def _is_blank(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())
