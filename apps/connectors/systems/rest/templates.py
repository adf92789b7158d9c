"""Texts with words in braces: "/contacts/{external_id}.json". What a word stands for is put in encoded for its place."""

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote, quote_plus

WORD: Final = re.compile(r"\{([a-z_]+(?:\.[A-Za-z0-9_]+)?)\}")
_UNSAFE_HEADER: Final = re.compile(r"[^\x20-\x7e\xa0-\xff]")

Words = Mapping[str, Any]


class NoValue(Exception):
    """A word of a template has no value, or one that cannot stand there; the text of the error is the word."""


def words_of(template: object) -> set[str]:
    """The words in a template, in the values of a table and in the entries of a list."""
    if isinstance(template, str):
        return set(WORD.findall(template))
    if isinstance(template, Mapping):
        return {word for value in template.values() for word in words_of(value)}
    if isinstance(template, list | tuple):
        return {word for value in template for word in words_of(value)}
    return set()


def in_path(template: str, words: Words) -> str:
    """A path whose words are encoded, so that none adds a step, a query or a host. Raises NoValue."""

    def encoded(match: re.Match[str]) -> str:
        value = _text(match[1], words)
        if value in (".", ".."):
            raise NoValue(match[1])
        return quote(value, safe="")

    return WORD.sub(encoded, template)


def in_query(query: Mapping[str, Any], words: Words) -> str:
    """The query as text; an entry that has a word without a value is left out."""
    parts = []
    for name, template in query.items():
        if all(_has(word, words) for word in WORD.findall(str(template))):
            value = WORD.sub(lambda match: _text(match[1], words), str(template))
            parts.append(f"{quote(name, safe='$')}={quote(value, safe='')}")
    return "&".join(parts)


def in_header(template: str, words: Words) -> str:
    """A header's value; what no header can carry becomes a question mark. Raises NoValue."""
    return _UNSAFE_HEADER.sub("?", WORD.sub(lambda match: _text(match[1], words), template))


def in_body(template: Any, words: Words) -> Any:
    """A value of a body; a text that is nothing but a word becomes the word's value with its own type. Raises NoValue."""
    if isinstance(template, Mapping):
        return {name: in_body(value, words) for name, value in template.items()}
    if isinstance(template, list | tuple):
        return [in_body(value, words) for value in template]
    if not isinstance(template, str):
        return template
    whole = WORD.fullmatch(template)
    if whole is None:
        return WORD.sub(lambda match: _text(match[1], words), template)
    if not _has(whole[1], words):
        raise NoValue(whole[1])
    return words[whole[1]]


def form(body: Mapping[str, Any]) -> bytes:
    """An object as a form: {"address": {"city": x}} is address[city]=x, a list is name[0]=…, null is the empty text."""
    return "&".join(_pairs(body, "")).encode("ascii")


def _pairs(value: Any, name: str) -> list[str]:
    if isinstance(value, Mapping):
        inner = [
            (f"{name}[{quote_plus(str(key))}]" if name else quote_plus(str(key)), part) for key, part in value.items()
        ]
        return [pair for key, part in inner for pair in _pairs(part, key)]
    if isinstance(value, list | tuple):
        return [pair for index, part in enumerate(value) for pair in _pairs(part, f"{name}[{index}]")]
    text = "" if value is None else ("true" if value else "false") if isinstance(value, bool) else str(value)
    return [f"{name}={quote_plus(text.encode('utf-8', 'replace'))}"]


def _has(word: str, words: Words) -> bool:
    return words.get(word) not in (None, "")


def _text(word: str, words: Words) -> str:
    if not _has(word, words):
        raise NoValue(word)
    return str(words[word])
