"""E-mail addresses and web sites in standard form; a doubtful one is kept and marked, never rejected."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

_ADDRESS: Final = re.compile(
    r"(?=.{3,254}\Z)[a-z0-9!#$%&'*+/=?^_`{|}~-]{1,64}(?:\.[a-z0-9!#$%&'*+/=?^_`{|}~-]{1,64}){0,20}"
    r"@(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.){1,20}[a-z](?:[a-z0-9-]{0,61}[a-z0-9])",
    re.ASCII,
)
_WITH_NAME: Final = re.compile(r"[^<>]*<\s*([^<>\s]+@[^<>\s]+)\s*>")
_SEVERAL: Final = re.compile(r"[;,\s]+")
_MAX_LOCAL: Final = 64
_HOST: Final = re.compile(r"(?:[\w](?:[\w-]{0,61}[\w])?\.)+[\w-]{2,63}(?::\d{1,5})?")
_SCHEME: Final = re.compile(r"([a-z][a-z0-9+.-]*):(?!\d{1,5}(?:[/?#]|\Z))", re.IGNORECASE | re.ASCII)


def emails(text: str) -> list[tuple[str, str, bool]]:
    """Every address in a value, as (piece as received, lower-case address, valid)."""
    if text.count("@") < 2:
        return [(text, *email(text))]
    pieces = [piece for piece in _SEVERAL.split(text) if piece]
    if all(piece.count("@") == 1 for piece in pieces):
        return [(piece, *email(piece)) for piece in pieces]
    return [(text, *email(text))]


def email(text: str) -> tuple[str, bool]:
    """The address in lower case, and whether it is well formed."""
    address = text.lower()
    if _ADDRESS.fullmatch(address) and address.index("@") <= _MAX_LOCAL:
        return address, True
    return _odd_email(text)


@lru_cache(maxsize=10_000)
def _odd_email(text: str) -> tuple[str, bool]:
    """What the fast pattern does not know: "Name <address>", mailto:, other scripts, quoted local parts."""
    address = text.lower()
    found = _WITH_NAME.fullmatch(address)
    if found:
        address = found[1]
    address = address.removeprefix("mailto:").strip(" <>'").rstrip(".,;")
    if _ADDRESS.fullmatch(address) and address.index("@") <= _MAX_LOCAL:
        return address, True
    if address.isascii() and '"' not in address:
        return address, False
    from email_validator import EmailNotValidError, validate_email  # 100 ms, on first need only

    try:
        checked = validate_email(address, check_deliverability=False, allow_quoted_local=True)
    except (EmailNotValidError, ValueError):
        return address, False
    return checked.normalized.lower(), True


def website(text: str) -> tuple[str, bool] | None:
    """The address with scheme and host in lower case and no bare "/" at the end, and whether it is well formed.

    None for any scheme but http and https: such a value is no web site and may be an attack ("javascript:").
    """
    found = _SCHEME.match(text)
    scheme = ""
    rest = text
    if found:
        scheme = found[1].lower()
        if scheme not in {"http", "https"} or not text[found.end() :].startswith("//"):
            return None
        rest = text[found.end() + 2 :]
        scheme += "://"
    end = next((at for at, char in enumerate(rest) if char in "/?#"), len(rest))
    host, tail = rest[:end].lower(), rest[end:]
    return scheme + host + ("" if tail == "/" else tail), _HOST.fullmatch(host) is not None
