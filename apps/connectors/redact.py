"""What of a request and its answer may be kept: no credentials, no sensitive values beyond their last characters, no long texts.

Sensitive are values under a name that says so, in whatever system's words, and under the names a connection adds; what a request
sent under such a name is masked in the target's answer, too, wherever it is quoted there."""

from __future__ import annotations

import base64
import contextlib
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import orjson

from apps.common.jsontext import json_text, storable
from apps.connectors.contract import KEPT_TEXT

MASK: Final = "•••"
GONE: Final = "[credential]"
SHORTEST_QUOTED: Final = 5
"""A shorter value is not looked for in other texts: it would hit what only looks like it."""
DEEPEST: Final = 30
"""Levels of a value that are looked at; what lies deeper is not kept."""
_SENSITIVE: Final = re.compile(
    r"tax(id|no|num|code|ref)|^vat$|vat(id|in|no|num|reg)|national(id|no|num|ident)|^ssn|socialsecurity|birth|^dob$|dateofb"
    r"|iban|bankaccount|account(no$|num)|cardn(o|um)|passport|identitycard|personalid"
)
_CREDENTIAL: Final = re.compile(r"passw|secret|authorization|apikey|accesstoken|refreshtoken|^token$|cookie|privatekey")
_NOISE: Final = re.compile(r"[^a-z0-9]")
SENSITIVE_NAMES: Final = ("tax_id", "national_id", "birth_date")
"""The canonical names whose values are sensitive, whatever a system calls them."""


def mask(value: object) -> str:
    """A value of which no more than the last 2 characters are left, and nothing of a short one."""
    text = str(value)
    return MASK + text[-2:] if len(text) >= SHORTEST_QUOTED else MASK


def cut(text: str, limit: int = KEPT_TEXT) -> str:
    """A text of `limit` characters or fewer that a database can hold; what is missing is said."""
    text = storable(text[: limit + 1])
    if len(text) <= limit:
        return text
    return text[: limit - 20].rstrip() + " … (cut)"


class Redactor:
    """Redacts the texts of one connection. `names`: native names that are sensitive there; `credentials`: texts that never stay."""

    def __init__(self, names: Iterable[str] = (), credentials: Iterable[str] = ()) -> None:
        self._names = frozenset(_plain(part) for name in names for part in (name, name.rpartition(".")[2]))
        self._known: dict[str, str | None] = {}
        texts = {text for text in credentials if len(text) >= 4}
        texts |= {base64.b64encode(text.encode()).decode() for text in texts}
        self._credentials = tuple(sorted(texts, key=len, reverse=True))

    def value(self, value: Any, depth: int = 0) -> Any:
        """A JSON value with everything sensitive in it masked; the value itself is not changed."""
        if not isinstance(value, Mapping | list | tuple):
            return value
        if depth >= DEEPEST:
            return "…"
        if isinstance(value, Mapping):
            return {name: self._entry(str(name), part, depth + 1) for name, part in value.items()}
        return [self.value(part, depth + 1) for part in value]

    def hidden(self, value: Any) -> set[str]:
        """The texts in a JSON value that `value()` masks and that are long enough to be told from others."""
        return {text for text in self._hidden(value) if len(text) >= SHORTEST_QUOTED}

    def text(self, text: str, hidden: Iterable[str] = (), limit: int = KEPT_TEXT) -> str:
        """A text that may be kept: JSON is masked entry by entry, `hidden` values and credentials wherever they stand."""
        if text[:1] in ("{", "["):
            with contextlib.suppress(orjson.JSONDecodeError):
                text = json_text(self.value(orjson.loads(text)))
        for value in sorted(hidden, key=len, reverse=True):
            text = text.replace(value, mask(value))
        for credential in self._credentials:
            text = text.replace(credential, GONE)
        return cut(text, limit)

    def request(self, method: str, path: str, body: Any) -> str:
        """What was asked, without headers: those hold the credentials."""
        asked = f"{method} {path}"
        return self.text(asked if body is None else f"{asked}\n{json_text(self.value(body))}", self.hidden(body))

    def _entry(self, name: str, value: Any, depth: int) -> Any:
        how = self._how(name)
        if how is None:
            return self.value(value, depth)
        if isinstance(value, Mapping | list | tuple):
            return GONE if how == "credential" else MASK
        if value is None or value == "" or isinstance(value, bool):
            return value
        return GONE if how == "credential" else mask(value)

    def _hidden(self, value: Any, depth: int = 0, *, under: bool = False) -> Iterator[str]:
        if isinstance(value, Mapping | list | tuple):
            if depth >= DEEPEST:
                return
            entries = value.items() if isinstance(value, Mapping) else (("", part) for part in value)
            for name, part in entries:
                yield from self._hidden(part, depth + 1, under=under or self._how(str(name)) is not None)
        elif under and value is not None and not isinstance(value, bool):
            yield str(value)

    def _how(self, name: str) -> str | None:
        """Whether what stands under a name is a credential, sensitive, or neither."""
        if name in self._known:
            return self._known[name]
        plain = _plain(name)
        if _CREDENTIAL.search(plain):
            how: str | None = "credential"
        else:
            how = "sensitive" if plain in self._names or _SENSITIVE.search(plain) else None
        if len(self._known) < 10_000:
            self._known[name] = how
        return how


def _plain(name: str) -> str:
    return _NOISE.sub("", name.casefold())
