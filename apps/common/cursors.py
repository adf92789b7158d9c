"""Opaque cursors: where a list goes on. A cursor is a small JSON list in URL-safe base64 that only its maker reads."""

import base64
import binascii
import json
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from apps.common.errors import FieldError, Rejected

_LONGEST = 500


def encode(parts: Sequence[Any]) -> str:
    """A cursor that holds `parts` (JSON-able)."""
    return base64.urlsafe_b64encode(json.dumps(list(parts), separators=(",", ":")).encode()).decode().rstrip("=")


def decode(cursor: str, *kinds: type) -> list[Any]:
    """The parts of a cursor, one of each kind; raises Rejected for one that this list did not give out."""
    try:
        if len(cursor) > _LONGEST:
            raise ValueError("too long")
        parts = json.loads(
            base64.b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        )
        if not isinstance(parts, list) or [type(p) for p in parts] != list(kinds):
            raise ValueError("not ours")
    except (ValueError, UnicodeError, RecursionError, binascii.Error) as error:
        raise Rejected(
            "The cursor is not one this list gave out.",
            [FieldError("cursor", "invalid_cursor", "Begin again without a cursor.")],
        ) from error
    return parts


def decode_uuid(cursor: str) -> UUID:
    """The one id of a cursor made of an id; raises Rejected as `decode` does."""
    try:
        return UUID(decode(cursor, str)[0])
    except ValueError:
        raise Rejected(
            "The cursor is not one this list gave out.",
            [FieldError("cursor", "invalid_cursor", "Begin again without a cursor.")],
        ) from None
