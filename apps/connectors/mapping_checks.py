"""What documents of the hub are checked for before they are used, and how their faults are told: shapes, names, near misses."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from collections.abc import Mapping as Table
from difflib import get_close_matches
from typing import Any, Final

from apps.common.errors import FieldError
from apps.common.pointers import shown

Shape = Callable[[object], bool]


def near(word: str, known: Iterable[str]) -> str:
    """A half sentence that names what may have been meant, or nothing."""
    by_key = {name.casefold(): name for name in known}
    found = get_close_matches(word.casefold(), by_key, n=3, cutoff=0.6)
    return "; did you mean " + " or ".join(shown(by_key[name]) for name in found) + "?" if found else ""


def unknown_keys(document: Table[str, Any], known: Iterable[str], what: str, at: str = "") -> list[FieldError]:
    """An error for every key of `document` that is not among `known`; `what` is named in the sentence, `at` is put before."""
    names = tuple(known)
    return [
        FieldError(f"{at}{key}", "unknown_field", f"{shown(key)} is no part of {what}{near(key, names)}.")
        for key in document
        if key not in names
    ]


def wrong_shapes(document: Table[str, Any], shapes: Table[str, tuple[str, Shape]], at: str = "") -> list[FieldError]:
    """An error for every entry that does not have its shape: `shapes` is key -> (what it is, whether a value is so)."""
    return [
        FieldError(f"{at}{key}", "wrong_type", f"{at}{key} is {what}.")
        for key, (what, is_so) in shapes.items()
        if key in document and not is_so(document[key])
    ]


def is_text(value: object) -> bool:
    return isinstance(value, str)


def is_texts(value: object) -> bool:
    return isinstance(value, list | tuple) and all(map(is_text, value))


def is_scalar(value: object) -> bool:
    return isinstance(value, str | int | float)


def is_columns(value: object) -> bool:
    return bool(value) and (is_text(value) or is_texts(value))


def is_table_of(is_entry: Shape) -> Shape:
    def is_so(value: object) -> bool:
        return isinstance(value, dict) and all(map(is_entry, value.values()))

    return is_so


COLUMNS: Final = ("a table of canonical name = column", is_table_of(is_columns))
WORDS: Final = ("a table of canonical name = table of text = text", is_table_of(is_table_of(is_text)))


def toml(value: Any) -> str:
    """A TOML value or quoted key: JSON's writing of it, which TOML shares but for U+007F."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def toml_lines(document: Table[str, Any], path: tuple[str, ...] = ()) -> list[str]:
    """A document of values and tables as the lines of a TOML text; the values of a table stand before its tables."""
    plain = {key: value for key, value in document.items() if not isinstance(value, dict)}
    lines = [f"{toml(key) if path else key} = {toml(value)}" for key, value in plain.items()]
    for key, table in document.items():
        if isinstance(table, dict):
            inner = (*path, key if not path else toml(key))
            lines += [f"[{'.'.join(inner)}]", *toml_lines(table, inner)]
    return lines
