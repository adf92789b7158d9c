"""What an answer means: status, headers and body of a reply as a Trouble, or as none."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

import orjson

from apps.connectors.contract import Trouble
from apps.connectors.systems.rest.client import Lost, NoReply, Reply
from apps.connectors.systems.rest.document import Operation, RestDocument
from apps.connectors.systems.rest.pointers import ABSENT, at, first

LONGEST_WAIT: Final = 86_400.0
"""Seconds; a target that names a longer wait is asked again after this."""
_STATUSES: Final = {
    400: Trouble.VALIDATION,
    401: Trouble.AUTH,
    402: Trouble.AUTH,
    403: Trouble.AUTH,
    405: Trouble.CONFIG,
    406: Trouble.CONFIG,
    407: Trouble.CONFIG,
    408: Trouble.THROTTLED,
    409: Trouble.CONFLICT,
    412: Trouble.CONFLICT,
    413: Trouble.VALIDATION,
    414: Trouble.CONFIG,
    415: Trouble.CONFIG,
    422: Trouble.VALIDATION,
    423: Trouble.CONFLICT,
    425: Trouble.THROTTLED,
    428: Trouble.CONFIG,
    429: Trouble.THROTTLED,
    501: Trouble.CONFIG,
}
_OF_RECORD: Final = frozenset({"update", "deactivate", "reactivate", "merge", "read", "find"})
"""Operations of which a 404 speaks about the record; of the others it says that the address is wrong."""
_HALF_DONE: Final = frozenset({500, 502, 504})
"""Statuses that a target, or what stands before it, may give after the write was carried out."""
_SAID_WITHOUT_JSON: Final = frozenset({401, 408, 425, 429})
"""Statuses whose meaning does not depend on who answers; any other one with a page for people comes from somewhere else."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a call came to; `body` is the parsed answer, ABSENT where there is none."""

    trouble: Trouble | None
    code: str = ""
    detail: str = ""
    retry_after: float | None = None
    body: Any = ABSENT


def lost(error: NoReply, operation: Operation) -> Verdict:
    """A call without an answer."""
    code = f"no_answer_{error.why}"
    if error.why in (Lost.ADDRESS, Lost.TLS):
        return Verdict(Trouble.CONFIG, code, error.detail)
    if not error.sent:
        return Verdict(Trouble.TRANSIENT, code, error.detail)
    if operation.writes:
        return Verdict(Trouble.UNCERTAIN, code, error.detail)
    return Verdict(Trouble.FATAL if error.why is Lost.TOO_LONG else Trouble.TRANSIENT, code, error.detail)


def judged(reply: Reply, operation: Operation, document: RestDocument) -> Verdict:
    """An answer, whatever its status."""
    body = _parsed(reply)
    if body is None:
        return _no_json(reply, operation)
    if 200 <= reply.status < 300:
        return _inside(body, document)
    if 300 <= reply.status < 400:
        where = reply.headers.get("Location", "nowhere")[:200]
        return Verdict(
            Trouble.CONFIG, "redirect", f"The target sends us elsewhere, to {where}; redirects are not followed."
        )
    code, detail = _words(body, document)
    trouble = document.codes.get(code) or document.statuses.get(reply.status) or _usual(reply, operation)
    if trouble is Trouble.TRANSIENT and operation.writes and reply.status in _HALF_DONE:
        trouble = Trouble.UNCERTAIN
    wait = _wait(reply.headers) if trouble in (Trouble.THROTTLED, Trouble.TRANSIENT) else None
    return Verdict(
        trouble, code or f"http_{reply.status}", detail or f"The target answered {reply.status}.", wait, body
    )


def _usual(reply: Reply, operation: Operation) -> Trouble:
    """What a status means where the document says nothing else."""
    status = reply.status
    if status in (404, 410):
        return Trouble.NOT_FOUND if operation.name in _OF_RECORD else Trouble.CONFIG
    if status == 403 and (_wait(reply.headers) is not None or reply.headers.get("X-RateLimit-Remaining") == "0"):
        return Trouble.THROTTLED
    if status == 503 and _wait(reply.headers) is not None:
        return Trouble.THROTTLED
    if status >= 500:
        return _STATUSES.get(status, Trouble.TRANSIENT)
    return _STATUSES.get(status, Trouble.FATAL)


def _inside(body: Any, document: RestDocument) -> Verdict:
    """A 2xx answer, which some targets give for failures, too."""
    told = document.errors
    failed = any(at(body, place) not in (ABSENT, None, False, "", 0) for place in told["failed"] if body is not ABSENT)
    failed = failed or any(at(body, place) is False for place in told["success"] if body is not ABSENT)
    if not failed:
        return Verdict(None, body=body)
    code, detail = _words(body, document)
    field = first(body, told["field"])
    trouble = document.codes.get(code) or (Trouble.FATAL if field in (ABSENT, "", [], {}) else Trouble.VALIDATION)
    return Verdict(trouble, code or "failed", detail or "The target says that the call failed.", body=body)


def _no_json(reply: Reply, operation: Operation) -> Verdict:
    """An answer that is a page for people, or no text at all: something in front of the target gave it, or it broke."""
    kind = reply.headers.get("Content-Type", "no type").partition(";")[0][:60]
    detail = f"The target answered {reply.status} with {kind} instead of JSON."
    wait = None
    if 200 <= reply.status < 300:
        trouble = Trouble.UNCERTAIN if operation.writes else Trouble.CONFIG
    elif reply.status >= 500:
        trouble = Trouble.UNCERTAIN if operation.writes and reply.status in _HALF_DONE else Trouble.TRANSIENT
        wait = _wait(reply.headers)
    elif reply.status in _SAID_WITHOUT_JSON:
        trouble = _STATUSES[reply.status]
        wait = _wait(reply.headers)
    else:
        trouble = Trouble.CONFIG
    return Verdict(trouble, "redirect" if 300 <= reply.status < 400 else "no_json", detail, wait)


def _parsed(reply: Reply) -> Any:
    """The body as a value; ABSENT when there is none, None when it is no JSON (null is ABSENT, too)."""
    if not reply.body.strip():
        return ABSENT
    if "json" not in reply.headers.get("Content-Type", "json").casefold():
        return None
    try:
        found = orjson.loads(reply.body)
    except orjson.JSONDecodeError:
        return None
    return ABSENT if found is None else found


def _words(body: Any, document: RestDocument) -> tuple[str, str]:
    """The target's own word for an error and its sentence, with the field it names."""
    if body is ABSENT:
        return "", ""
    told = document.errors
    code, message, field = (first(body, told[name]) for name in ("code", "message", "field"))
    name = next(iter(field), "") if isinstance(field, Mapping | list) else "" if field is ABSENT else field
    sentence = "" if message is ABSENT else str(message)
    if name and str(name) not in sentence:
        sentence = f"{name}: {sentence}"
    return "" if code is ABSENT else str(code)[:100], sentence[:1000]


def _wait(headers: Mapping[str, str]) -> float | None:
    """Seconds the target wants us to stay away: Retry-After as seconds or date, else a reset as seconds or Unix time."""
    now = time.time()
    text = headers.get("Retry-After", "").strip()
    seconds = _number(text)
    if seconds is None and text:
        try:
            moment = parsedate_to_datetime(text)
            seconds = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - now
        except (TypeError, ValueError):
            seconds = None
    if seconds is None:
        left = headers.get("X-RateLimit-Remaining", headers.get("RateLimit-Remaining", "0")).strip()
        reset = headers.get("RateLimit-Reset", headers.get("X-RateLimit-Reset", "")).strip()
        seconds = _number(reset) if left == "0" else None
        if seconds is not None and seconds > 1e9:
            seconds -= now
        if seconds is None and left == "0" and reset:
            seconds = _until(reset, now)
    return None if seconds is None else min(max(seconds, 0.0), LONGEST_WAIT)


def _number(text: str) -> float | None:
    """A plain number of seconds; neither "nan" nor "1e9" nor a sign is one."""
    return float(text) if text.replace(".", "", 1).isdecimal() and text.isascii() and len(text) < 16 else None


def _until(text: str, now: float) -> float | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - now
