"""How the columns of a system's records become canonical names: one document per system, as TOML, JSON or options.

    default_country = "DE"
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

A column that bears a canonical name needs no entry; it is taken as it is unless that name is given another column.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Sequence
from collections.abc import Mapping as Table
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import Any, Final, NamedTuple, Self

from apps.common.errors import FieldError, Rejected
from apps.common.pointers import shown
from apps.customers.canonical import EXTRA_TYPES, FLAT_FIELDS, LIST_FIELDS
from apps.customers.canonical_places import country_code

_KEYS: Final = ("columns", "constants", "values", "default_country", "extra", "ignore")
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
    extra: Table[str, str] = field(default_factory=dict)
    ignore: tuple[str, ...] = ()
    _moves: tuple[_Move, ...] = field(init=False, repr=False, compare=False)
    _used: frozenset[str] = field(init=False, repr=False, compare=False)
    _meanings: Table[str, Table[str, str]] = field(init=False, repr=False, compare=False)
    _passed: frozenset[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        errors = list(self._errors())
        if errors:
            raise MappingError(errors)
        meanings = {
            target: {_key(word): meaning for word, meaning in words.items()} for target, words in self.values.items()
        }
        moves = tuple(_Move(target, columns, meanings.get(target)) for target, columns in self.columns.items())
        used = {column for columns in self.columns.values() for column in columns}
        used |= {column.split(".")[0] for column in used} | set(self.ignore)
        store = object.__setattr__
        store(self, "default_country", country_code(self.default_country) if self.default_country else None)
        store(self, "_moves", moves)
        store(self, "_used", frozenset(used))
        store(self, "_meanings", meanings)
        store(self, "_passed", (_CANONICAL | self.extra.keys()) - self.columns.keys())

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
        errors = [
            FieldError(key, "unknown_field", f"{shown(key)} is no part of a mapping{_near(key, _KEYS)}.")
            for key in document
            if key not in _KEYS
        ]
        errors += _shape_errors(document)
        if errors:
            raise MappingError(errors)
        columns = document.get("columns", {})
        return cls(
            columns={name: (value,) if isinstance(value, str) else tuple(value) for name, value in columns.items()},
            constants=dict(document.get("constants", {})),
            values={name: dict(words) for name, words in document.get("values", {}).items()},
            default_country=document.get("default_country") or None,
            extra=dict(document.get("extra", {})),
            ignore=tuple(document.get("ignore", ())),
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
            "extra": dict(self.extra),
            "ignore": list(self.ignore),
        }
        return {key: value for key, value in document.items() if value}

    def to_toml(self) -> str:
        """The document as TOML text that `from_toml` reads to an equal mapping."""
        document = self.to_dict()
        values = document.pop("values", {})
        lines = [f"{key} = {_toml(value)}" for key, value in document.items() if not isinstance(value, dict)]
        tables = [(key, value) for key, value in document.items() if isinstance(value, dict)]
        tables += [(f"values.{_toml(name)}", words) for name, words in values.items()]
        for name, table in tables:
            lines += [f"[{name}]", *(f"{_toml(key)} = {_toml(value)}" for key, value in table.items())]
        return "\n".join(lines) + "\n"

    def with_columns(self, columns: Table[str, tuple[str, ...]]) -> Self:
        """The same mapping with some canonical names taken from other columns. Raises MappingError."""
        return replace(self, columns={**self.columns, **columns})

    def check(self, header: Sequence[str]) -> None:
        """Holds the mapping against a file's columns. Raises MappingError that names each column and near misses."""
        known = frozenset(header)
        errors = [
            FieldError(
                name, "unknown_column", f"The file has no column {shown(column)} for {name}{_near(column, header)}."
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

    def _errors(self) -> Iterable[FieldError]:
        known = (*FLAT_FIELDS, *LIST_FIELDS, *self.extra)
        for part, names in (("columns", self.columns), ("constants", self.constants), ("values", self.values)):
            for name in names:
                if name not in known:
                    detail = f"{shown(name)} in {part} is no canonical name{_near(name, known)}."
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
    """What a dotted name reaches inside nested objects."""
    found: Any = values
    for step in column.split("."):
        if not isinstance(found, Table) or step not in found:
            return _ABSENT
        found = found[step]
    return found


def _meaning(value: Any, meanings: Table[str, str]) -> Any:
    if isinstance(value, str | int):
        return meanings.get(_key(str(value)), value)
    return value


def _key(word: str) -> str:
    return word.strip().casefold()


def _is_blank(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _near(word: str, known: Iterable[str]) -> str:
    """A half sentence that names what may have been meant, or nothing."""
    by_key = {name.casefold(): name for name in known}
    near = get_close_matches(word.casefold(), by_key, n=3, cutoff=0.6)
    return "; did you mean " + " or ".join(shown(by_key[name]) for name in near) + "?" if near else ""


def _shape_errors(document: Table[str, Any]) -> list[FieldError]:
    """What in plain data has the wrong type."""
    errors: list[FieldError] = []

    def need(key: str, what: str, *, fine: bool) -> None:
        if not fine:
            errors.append(FieldError(key, "wrong_type", f"{key} is {what}."))

    columns, constants, values = (document.get(key, {}) for key in ("columns", "constants", "values"))
    need("columns", "a table of canonical name = column", fine=_is_table_of(columns, _is_columns))
    need(
        "constants", "a table of canonical name = text, number or truth value", fine=_is_table_of(constants, _is_scalar)
    )
    words = isinstance(values, dict) and all(_is_table_of(entry, _is_text) for entry in values.values())
    need("values", "a table of canonical name = table of text = text", fine=words)
    need("extra", "a table of name = type", fine=_is_table_of(document.get("extra", {}), _is_text))
    need("default_country", "text", fine=isinstance(document.get("default_country") or "", str))
    ignore = document.get("ignore", [])
    need("ignore", "a list of columns", fine=isinstance(ignore, list | tuple) and all(map(_is_text, ignore)))
    return errors


def _is_table_of(value: object, is_entry: Any) -> bool:
    return isinstance(value, dict) and all(map(is_entry, value.values()))


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_scalar(value: object) -> bool:
    return isinstance(value, str | int | float)


def _is_columns(value: object) -> bool:
    return bool(value) and (_is_text(value) or (isinstance(value, list | tuple) and all(map(_is_text, value))))


def _toml(value: Any) -> str:
    """A TOML value or quoted key: JSON's writing of it, which TOML shares but for U+007F."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
