"""The way out of a mapping: canonical names become the columns of a target.

    [out]
    empty = ""                      # what the target is sent for "no value"; left out: null
    read_only = ["record_id"]       # names that are never written
    [out.columns]                   # canonical name = column, where writing differs from reading; a list writes all of them
    customer_id = "MDM_Id__c"
    address_line1 = "Straße"        # the other columns it is read from are emptied
    [out.values.status]             # meaning = the word to write, where it is not the first one of [values.status]
    closed = "Inactive"
    [out.types]                     # column = text, number or boolean; text if not said
    creditlimit = "number"
    [out.max_length]                # column = characters; longer text is cut, so that what is sent is what is kept
    organizationname = 40

Written is what is read from one column of its own, or has an entry in [out.columns]; never the record's id, time and deletion
unless an entry says so. A declared extension attribute is written as "extra.NAME". "a.b" makes {"a": {"b": …}} and "a.0" a
list. A meaning without a word is written as it is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from collections.abc import Mapping as Table
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any, Final, NamedTuple, Self

from apps.common.errors import FieldError
from apps.common.pointers import shown
from apps.connectors.mapping_checks import (
    COLUMNS,
    WORDS,
    is_table_of,
    is_text,
    is_texts,
    near,
    unknown_keys,
    wrong_shapes,
)
from apps.customers.canonical_fields import ENVELOPE

HUB_NAMES: Final = ("customer_id", "hub_key", "hub_version")
"""What the hub can tell a target besides a customer's values: the golden id, the unique key, the version."""
TYPES: Final = ("text", "number", "boolean")
_TRUE: Final = frozenset({"1", "true", "yes", "y", "on"})
_FALSE: Final = frozenset({"0", "false", "no", "n", "off"})


def _is_length(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


_SHAPES: Final = {
    "empty": ("text", is_text),
    "read_only": ("a list of canonical names", is_texts),
    "columns": COLUMNS,
    "values": WORDS,
    "types": (f"a table of column = {', '.join(TYPES)}", is_table_of(is_text)),
    "max_length": ("a table of column = a number of characters", is_table_of(_is_length)),
}


@dataclass(frozen=True, slots=True)
class Out:
    """The [out] part of a mapping document, as it was written."""

    columns: Table[str, tuple[str, ...]] = field(default_factory=dict)
    values: Table[str, Table[str, str]] = field(default_factory=dict)
    types: Table[str, str] = field(default_factory=dict)
    max_length: Table[str, int] = field(default_factory=dict)
    read_only: tuple[str, ...] = ()
    empty: str | None = None

    @staticmethod
    def shape_errors(document: object) -> list[FieldError]:
        """What in plain data has an unknown name or a wrong type."""
        if not isinstance(document, dict):
            return [FieldError("out", "wrong_type", "out is a table.")]
        return unknown_keys(document, _SHAPES, "the way out of a mapping", "out.") + wrong_shapes(
            document, _SHAPES, "out."
        )

    @classmethod
    def from_dict(cls, document: Table[str, Any]) -> Self:
        """The part from plain data that has no shape errors."""
        columns = document.get("columns", {})
        return cls(
            columns={name: (value,) if isinstance(value, str) else tuple(value) for name, value in columns.items()},
            values={name: dict(words) for name, words in document.get("values", {}).items()},
            types=dict(document.get("types", {})),
            max_length=dict(document.get("max_length", {})),
            read_only=tuple(document.get("read_only", ())),
            empty=document.get("empty"),
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain data that `from_dict` reads to an equal part; empty parts are left out."""
        document: dict[str, Any] = {
            "read_only": list(self.read_only),
            "columns": {name: cols[0] if len(cols) == 1 else list(cols) for name, cols in self.columns.items()},
            "values": {name: dict(words) for name, words in self.values.items()},
            "types": dict(self.types),
            "max_length": dict(self.max_length),
        }
        found = {key: value for key, value in document.items() if value}
        return found if self.empty is None else {"empty": self.empty, **found}

    def emptied(self, read: Table[str, tuple[str, ...]]) -> list[str]:
        """The columns that are emptied because what is read from them is written elsewhere; `read`: name -> its columns."""
        return [column for name, found in self.columns.items() for column in read.get(name, ()) if column not in found]

    def errors(
        self, known: Collection[str], columns: Collection[str], read: Table[str, tuple[str, ...]]
    ) -> Iterable[FieldError]:
        """What is wrong with it: `known` are the canonical names, `columns` the columns that are written, `read` name -> the
        columns it is read from."""
        names = (*known, *HUB_NAMES)
        for part, entries in (("columns", self.columns), ("values", self.values), ("read_only", self.read_only)):
            for name in entries:
                if name not in names:
                    detail = f"{shown(name)} in out.{part} is no canonical name{near(name, names)}."
                    yield FieldError(f"out.{part}.{name}", "unknown_field", detail)
        for part, limits in (("types", tuple(self.types)), ("max_length", tuple(self.max_length))):
            for column in limits:
                if column not in columns:
                    detail = f"{shown(column)} in out.{part} is no column that is written{near(column, columns)}."
                    yield FieldError(f"out.{part}.{column}", "unknown_column", detail)
        for column, kind in self.types.items():
            if kind not in TYPES:
                detail = f"{shown(kind)} is no type for {shown(column)}; use one of {', '.join(TYPES)}."
                yield FieldError(f"out.types.{column}", "unknown_value", detail)
        claimed = [column for found in self.columns.values() for column in found]
        for column in _twice(claimed):
            detail = f"{shown(column)} would be written for two names; leave one of them out."
            yield FieldError("out.columns", "overlap", detail)
        for column in sorted({*_twice(claimed + self.emptied(read))} - {*_twice(claimed)}):
            detail = (
                f"{shown(column)} would be emptied for one name and is of use to another that is written; "
                "read it for one of them alone."
            )
            yield FieldError("out.columns", "overlap", detail)


def _parents(column: str) -> set[str]:
    """The columns of which a dotted column is a part."""
    steps = column.split(".")
    return {".".join(steps[:end]) for end in range(1, len(steps))}


def _twice(columns: Sequence[str]) -> list[str]:
    """The columns that are named more than once, or are a part of another one."""
    times = Counter(columns)
    return sorted(column for column in times if times[column] > 1 or _parents(column) & times.keys())


def _targets(columns: Table[str, tuple[str, ...]], out: Out) -> dict[str, tuple[str, ...]]:
    """Name -> the columns it is written to: what [out] says, then what is read from one column that is neither shared by
    another such name nor emptied for one."""
    claimed = Counter(column for found in out.columns.values() for column in found)
    claimed.update(out.emptied(columns))
    own = {name: found for name, found in columns.items() if len(found) == 1 and name not in out.columns}
    claimed.update(found[0] for found in own.values())
    inside = {parent for column in claimed for parent in _parents(column)}
    targets = {
        name: found
        for name, found in own.items()
        if claimed[found[0]] == 1 and found[0] not in inside and not _parents(found[0]) & claimed.keys()
    }
    whole = {name: found for name, found in targets.items() if name not in ENVELOPE} | dict(out.columns)
    return {name: found for name, found in whole.items() if name not in out.read_only}


class _Slot(NamedTuple):
    """One column and how a value is written into it."""

    steps: tuple[str, ...]
    type: str
    limit: int | None


class _Step(NamedTuple):
    """One canonical name: its words, the columns that get the value, and those that are emptied with it."""

    words: Table[str, str] | None
    slots: tuple[_Slot, ...]
    emptied: tuple[_Slot, ...]


class Writer:
    """The compiled way out; `extra` are the declared extension attributes. `writes`: the names it can write; `columns`: the
    columns it can fill, dotted as in the document."""

    __slots__ = ("_empty", "_steps", "columns", "writes")

    def __init__(
        self,
        columns: Table[str, tuple[str, ...]],
        values: Table[str, Table[str, str]],
        out: Out,
        extra: Collection[str] = (),
    ) -> None:
        targets = _targets(columns, out)
        self._empty = out.empty
        self.writes = frozenset(f"extra.{name}" if name in extra else name for name in targets)
        self.columns = tuple(dict.fromkeys(column for found in targets.values() for column in found))
        self._steps = {
            name: _Step(
                _words(values.get(name, {}), out.values.get(name, {})),
                tuple(_slot(column, out) for column in found),
                tuple(_slot(column, out) for column in columns.get(name, ()) if column not in self.columns),
            )
            for name, found in targets.items()
        }
        emptied = [".".join(slot.steps) for step in self._steps.values() for slot in step.emptied]
        self.columns = tuple(dict.fromkeys((*self.columns, *emptied)))
        self._steps |= {f"extra.{name}": step for name, step in self._steps.items() if name in extra}

    def render(self, fields: Table[str, Any]) -> dict[str, Any]:
        """The native form of what `fields` says under canonical names; names that cannot be written are left out."""
        native: dict[str, Any] = {}
        lists = False
        for name, value in fields.items():
            step = self._steps.get(name)
            if step is None:
                continue
            word = step.words.get(value, value) if step.words is not None and isinstance(value, str) else value
            for slot in step.slots:
                lists |= _put(native, slot.steps, self._value(word, slot))
            for slot in step.emptied:
                lists |= _put(native, slot.steps, self._empty)
        return {key: self._listed(value) for key, value in native.items()} if lists else native

    def _value(self, value: Any, slot: _Slot) -> Any:
        if value is None or value == "":
            return self._empty
        if slot.type == "number":
            return _number(value)
        if slot.type == "boolean":
            return _truth(value)
        if isinstance(value, bool):
            return "true" if value else "false"
        if not isinstance(value, str):
            return value
        return value if slot.limit is None else value[: slot.limit]

    def _listed(self, value: Any) -> Any:
        """Tables whose keys count from 0 as lists; a list of nothing but empty values is sent as one empty value."""
        if not isinstance(value, dict):
            return value
        inner = {key: self._listed(part) for key, part in value.items()}
        if list(inner) != [str(index) for index in range(len(inner))]:
            return inner
        return self._empty if all(part == self._empty for part in inner.values()) else list(inner.values())


def _slot(column: str, out: Out) -> _Slot:
    return _Slot(tuple(column.split(".")), out.types.get(column, "text"), out.max_length.get(column))


def _words(values: Table[str, str], fixed: Table[str, str]) -> dict[str, str] | None:
    """Meaning -> word: the fixed ones, then the first word written for a meaning."""
    words = dict(fixed)
    for word, meaning in values.items():
        words.setdefault(meaning, word)
    return words or None


def _put(native: dict[str, Any], steps: tuple[str, ...], value: Any) -> bool:
    """Writes a value where the steps lead; returns whether one of them counts, as the places of a list do."""
    place = native
    for step in steps[:-1]:
        place = place.setdefault(step, {})
        if not isinstance(place, dict):
            return False  # a part of what is emptied as a whole
    place[steps[-1]] = value
    return len(steps) > 1 and any(step.isdigit() for step in steps)


def _number(value: Any) -> Any:
    """A number for text that is one, whole if it is; anything else as it is, for the target to refuse by name."""
    if isinstance(value, int | float):
        return value
    try:
        number = Decimal(str(value).strip())
    except InvalidOperation:
        return value
    if not number.is_finite() or number.adjusted() > 300:
        return value
    return int(number) if number == number.to_integral_value() and number.adjusted() < 18 else float(number)


def _truth(value: Any) -> Any:
    word = str(value).strip().casefold()
    return True if word in _TRUE else False if word in _FALSE else value
