"""Bodies: JSON and newline-delimited JSON by the hub's strict rules, read no further than the limit."""

from collections.abc import Mapping
from typing import Any

from rest_framework.exceptions import UnsupportedMediaType
from rest_framework.parsers import BaseParser

from apps.common.api.problems import Fault, Problem
from apps.common.pointers import shown
from apps.common.strict_json import JsonProblem, strict_json, unstorable

MOST_BYTES = 2_000_000
"""The largest body a call may have; files have their own way in."""


def read_body(stream: Any, declared: str | None) -> bytes:
    """The whole body; raises the problem too-large as soon as that is certain."""
    if declared and declared.isdigit() and int(declared) > MOST_BYTES:
        raise too_large()
    body: bytes = stream.read(MOST_BYTES + 1)
    if len(body) > MOST_BYTES:
        raise too_large()
    return body


def too_large() -> Problem:
    return Problem("too-large", f"A body has at most {MOST_BYTES:,} bytes; send fewer records in one call.")


class JsonParser(BaseParser):
    """application/json in UTF-8. A view that parses records itself sets `keeps_odd_text`: NUL and half surrogate pairs
    then stand for its own parser to name; all others refuse them here. `most_keys` bounds the work of one call."""

    media_type = "application/json"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Mapping[str, Any] | None = None) -> Any:
        context = parser_context or {}
        view, request = context.get("view"), context.get("request")
        _only_utf8(media_type or "")
        body = read_body(stream, request.META.get("CONTENT_LENGTH") if request is not None else None)
        return self.read(body, view)

    def read(self, body: bytes, view: Any) -> Any:
        value = strict_json(body, max_keys=getattr(view, "most_keys", 5_000))
        if not getattr(view, "keeps_odd_text", False):
            place = unstorable(value)
            if place is not None:
                sentence = "The text holds a NUL or half a surrogate pair; send whole characters only."
                raise Problem("bad-request", sentence, [Fault("unstorable_text", sentence, pointer=place)])
        return value


class NdjsonParser(JsonParser):
    """application/x-ndjson: one object a line; becomes {"records": [...]}. Empty lines are skipped."""

    media_type = "application/x-ndjson"

    def read(self, body: bytes, view: Any) -> Any:
        records = []
        most = getattr(view, "most_keys", 5_000)
        for number, line in enumerate(body.split(b"\n"), 1):
            if not line.strip():
                continue
            try:
                records.append(strict_json(line, max_keys=most))
            except JsonProblem as problem:
                detail = f"Line {number}: {problem.detail}"
                raise JsonProblem(problem.code, f"/records/{len(records)}{problem.pointer}", detail) from None
        return {"records": records}


def _only_utf8(media_type: str) -> None:
    """JSON is UTF-8 by its standard; a body that says otherwise would be misread."""
    for part in media_type.split(";")[1:]:
        name, _, value = part.partition("=")
        charset = value.strip().strip('"').lower()
        if name.strip().lower() == "charset" and charset not in ("utf-8", "utf8"):
            raise UnsupportedMediaType(media_type, f"The charset {shown(charset)} is not read; send UTF-8.")
