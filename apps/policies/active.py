"""The policy in force for each kind: the active row, else the document shipped in policy/<kind>.toml.

A kind is registered by its owner with a parser that raises Rejected for a document that makes no sense; what it returns is
frozen and cached by the document's hash. An owner who has to do something about a new policy registers that too."""

import hashlib
import json
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection

from apps.common.act import Act
from apps.common.errors import Permanent, Rejected

Parse = Callable[[Mapping[str, Any]], Any]
Follow = Callable[[Act], None]
_parsers: dict[str, Parse] = {}
_followers: dict[str, Follow] = {}


@dataclass(frozen=True, slots=True)
class Active:
    """`rules` is what the kind's parser made of the document; `hash` names it in every decision; version 0 is the shipped one."""

    rules: Any
    hash: str
    version: int


def register(kind: str, parse: Parse, *, follow: Follow | None = None) -> None:
    """`follow` is called whenever a policy of the kind has come into force, in the transaction of its activation."""
    _parsers[kind] = parse
    if follow is not None:
        _followers[kind] = follow


def follow(kind: str, act: Act) -> None:
    """Tells the kind's owner that another policy is in force from now on."""
    if kind in _followers:
        _followers[kind](act)


def kinds() -> tuple[str, ...]:
    return tuple(sorted(_parsers))


def document_hash(body: Mapping[str, Any]) -> str:
    """16 hex digits of sha256 over the document as JSON with sorted keys."""
    return hashlib.sha256(json.dumps(body, sort_keys=True, ensure_ascii=False).encode()).hexdigest()[:16]


def shipped_path(kind: str) -> Path:
    return Path(settings.BASE_DIR) / "policy" / f"{kind}.toml"


@lru_cache(maxsize=64)
def _parsed(kind: str, text: str) -> tuple[Any, str]:
    body = json.loads(text)
    return _parsers[kind](body), document_hash(body)


@lru_cache(maxsize=32)
def _shipped(kind: str) -> str:
    with shipped_path(kind).open("rb") as file:
        return json.dumps(tomllib.load(file), sort_keys=True)


def shipped(kind: str) -> dict[str, Any]:
    """The document that the hub ships for `kind`, as a plain dict."""
    body: dict[str, Any] = json.loads(_shipped(kind))
    return body


def parse(kind: str, body: Mapping[str, Any]) -> Any:
    """What the kind's owner makes of `body`; raises Rejected when it makes no sense, Permanent for an unknown kind."""
    if kind not in _parsers:
        raise Permanent(f"No policy of kind {kind!r}; known are {', '.join(kinds())}.")
    return _parsers[kind](body)


def active(kind: str) -> Active:
    """One query; the parsed document is cached."""
    return active_ones(kind)[0]


def active_ones(*kinds: str) -> list[Active]:
    """Of several kinds, in their order: one query."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT kind, body::text, version FROM policy WHERE state = 'active' AND kind = ANY(%s)", (list(kinds),)
        )
        stored = {row[0]: row[1:] for row in cursor.fetchall()}
    found = []
    for kind in kinds:
        text, version = stored.get(kind) or (_shipped(kind), 0)
        found.append(Active(*_parsed(kind, text), version))
    return found


def known(kind: str, hash: str) -> Active | None:
    """The policy that a decision names by its hash: one query. None for a document that is not kept (one that an earlier version of the
    hub shipped), or that makes no sense any more."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT body::text, version FROM policy WHERE kind = %s AND hash = %s ORDER BY version LIMIT 1",
            (kind, hash),
        )
        text, version = cursor.fetchone() or (_shipped(kind), 0)
    try:
        rules, own = _parsed(kind, text)
    except Rejected:
        return None
    return Active(rules, own, version) if own == hash else None
