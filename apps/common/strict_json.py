"""JSON as the hub accepts it: bounded depth and size, every key once, every number finite.

NUL and lone surrogates inside strings pass here; the parser of records names the field that holds them, and
`unstorable` finds them for everybody else.
"""

from __future__ import annotations

import json
import re
import threading
from typing import Any, Final

from apps.common.pointers import path, shown

MAX_DEPTH: Final = 32
MAX_KEYS: Final = 5_000
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_STRUCTURE: Final = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\]]', re.DOTALL)


class JsonProblem(Exception):  # one word for what is wrong with what others send
    """Text that is no JSON the hub accepts: code for programs, JSON pointer to the place, sentence for people."""

    def __init__(self, code: str, pointer: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.pointer = pointer
        self.detail = detail


class _Flaw:
    """Stands in the decoded tree where something is wrong, so that a walk finds its place."""

    def __init__(self, code: str, detail: str, key: str | None = None) -> None:
        self.code = code
        self.detail = detail
        self.key = key


class _Decoder(threading.local):
    """One decoder per thread; `keys` and `flawed` belong to the text being decoded."""

    def __init__(self) -> None:
        self.keys = 0
        self.flawed = False
        self.decode = json.JSONDecoder(
            object_pairs_hook=self._object, parse_float=self._float, parse_constant=self._constant
        ).decode

    def _object(self, pairs: list[tuple[str, Any]]) -> Any:
        self.keys += len(pairs)
        found = dict(pairs)
        if len(found) == len(pairs):
            return found
        self.flawed = True
        seen: set[str] = set()
        twice = ""
        for twice, _ in pairs:
            if twice in seen:
                break
            seen.add(twice)
        return _Flaw("duplicate_key", f"The key {shown(twice)} occurs twice in one object; send it once.", twice)

    def _float(self, text: str) -> Any:
        number = float(text)
        if number - number == 0:
            return number
        return self._constant(text)

    def _constant(self, text: str) -> Any:
        self.flawed = True
        return _Flaw("number_not_finite", f"{text[:40]} is no finite number; send a number or null.")


_decoder: Final = _Decoder()


def strict_json(text: bytes | str, *, max_depth: int = MAX_DEPTH, max_keys: int = MAX_KEYS) -> Any:
    """The value of a JSON text; raises JsonProblem and nothing else."""
    if isinstance(text, bytes):
        try:
            text = text.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            detail = f"The text is not UTF-8 (byte {error.start + 1}); send JSON in UTF-8."
            raise JsonProblem("not_utf8", "", detail) from None
    if text.count("{") + text.count("[") > max_depth and deeper_than(text, max_depth):
        raise JsonProblem("too_deep", "", f"The JSON is nested more than {max_depth} levels deep; send it flatter.")
    _decoder.keys, _decoder.flawed = 0, False
    try:
        value = _decoder.decode(text)
    except json.JSONDecodeError as error:
        detail = f"The text is not JSON: {error.msg} at line {error.lineno}, column {error.colno}."
        raise JsonProblem("bad_json", "", detail) from None
    except RecursionError:
        raise JsonProblem("too_deep", "", f"The JSON is nested more than {max_depth} levels deep.") from None
    except ValueError:  # an integer of more digits than Python reads
        raise JsonProblem("number_too_long", "", "A number has more than 4,300 digits; send it shorter.") from None
    if _decoder.flawed:
        raise _located(value, ())
    if _decoder.keys > max_keys:
        raise JsonProblem("too_many_keys", "", f"The JSON has {_decoder.keys} keys; at most {max_keys} are read.")
    return value


def deeper_than(text: str, depth: int) -> bool:
    """True when brackets outside strings nest deeper than `depth`; needs no stack."""
    level = 0
    for found in _STRUCTURE.finditer(text):
        mark = found[0]
        if mark in "{[":
            level += 1
            if level > depth:
                return True
        elif mark in "}]":
            level -= 1
    return False


def end_of_value(text: str, start: int) -> int | None:
    """Where the object or array that begins at `start` ends by its brackets; None if it does not."""
    level = 0
    for found in _STRUCTURE.finditer(text, start):
        mark = found[0]
        if mark in "{[":
            level += 1
        elif mark in "}]":
            level -= 1
            if level <= 0:
                return found.end()
    return None


def _located(value: Any, parts: tuple[str | int, ...]) -> JsonProblem:
    """The problem of the first flaw in a tree, with its pointer."""
    where, found = _find(value, parts) or ((), _Flaw("bad_json", "The text is not JSON the hub accepts."))
    return JsonProblem(found.code, "/" + path(*where) if where else "", found.detail)


def _find(value: Any, parts: tuple[str | int, ...]) -> tuple[tuple[str | int, ...], _Flaw] | None:
    if isinstance(value, _Flaw):
        return (*parts, value.key) if value.key is not None else parts, value
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, entry in entries:
        found = _find(entry, (*parts, key))
        if found:
            return found
    return None


def unstorable(value: Any) -> str | None:
    """JSON pointer to the first key or text no database column can hold (NUL, half a surrogate pair), or None."""
    if _storable(value):
        return None
    if isinstance(value, dict):
        for key, entry in value.items():
            if not _storable(key):
                return "/" + path(key)
            found = unstorable(entry)
            if found is not None:
                return f"/{path(key)}{found}"
    if isinstance(value, list):
        for at, entry in enumerate(value):
            found = unstorable(entry)
            if found is not None:
                return f"/{at}{found}"
    return ""


def _storable(value: Any) -> bool:
    if isinstance(value, str):
        return "\x00" not in value and (value.isascii() or not _SURROGATE.search(value))
    if isinstance(value, dict):
        return all(_storable(key) and _storable(entry) for key, entry in value.items())
    return all(_storable(entry) for entry in value) if isinstance(value, list) else True
