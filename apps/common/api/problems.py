"""Errors as callers of the API see them: RFC 9457 problem documents, each kind with a page that says what to do.

The table maps what went wrong, by who can mend it, to a status. Nothing a caller sends leads to a 500: such an answer
is a fault of the hub, is logged with its trace, and carries the correlation id that finds it."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg.errors
from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import DatabaseError, InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from rest_framework import exceptions
from rest_framework.response import Response

from apps.common import errors as hub
from apps.common.pointers import path
from apps.common.strict_json import JsonProblem

logger = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
MOST_ERRORS = 100
"""Field errors listed in one answer; the rest would be noise."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of problem: its status, its title, and what a caller does about it."""

    status: int
    title: str
    remedy: str


KINDS: Mapping[str, Kind] = {
    "bad-request": Kind(400, "The request is not right", "Mend what `errors` names and send it again."),
    "unauthenticated": Kind(
        401, "Nobody is logged in", "Get a token (POST /identity/o/api/token) and send it as Bearer."
    ),
    "forbidden": Kind(
        403, "This is not allowed", "Ask an administrator for the scope, the role or the system it takes."
    ),
    "not-found": Kind(404, "There is no such thing", "Check the address and the ids in it."),
    "method-not-allowed": Kind(405, "This address has no such method", "Use one of the methods in the header Allow."),
    "not-acceptable": Kind(406, "No such format", "Ask for application/json."),
    "conflict": Kind(409, "Somebody was faster", "Read it again, then decide."),
    "in-progress": Kind(
        409, "This very call is being worked on", "Send the same again after the seconds in the header Retry-After."
    ),
    "gone": Kind(410, "It was erased by law", "Nothing brings it back; ask for another moment, or for today."),
    "too-large": Kind(413, "The body is too large", "Send fewer records in one call, or a file."),
    "unsupported-media-type": Kind(415, "This kind of body is not read", "Send application/json in UTF-8."),
    "refused": Kind(422, "This cannot be done", "Calling again will not help; `detail` says why."),
    "key-reused": Kind(
        422,
        "The key stands for another call",
        "Make a new Idempotency-Key for every new call, and repeat calls unchanged.",
    ),
    "internal": Kind(500, "The hub made a mistake", "Tell an operator the correlation id; it is in the hub's log."),
    "try-again": Kind(503, "Not just now", "Send the same again after the seconds in the header Retry-After."),
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with a request: `pointer` into the body (RFC 6901), `parameter` of the query, or a `header`."""

    code: str
    detail: str
    pointer: str | None = None
    parameter: str | None = None
    header: str | None = None

    def as_dict(self) -> dict[str, str]:
        place = {"pointer": self.pointer, "parameter": self.parameter, "header": self.header}
        return {**{k: v for k, v in place.items() if v is not None}, "code": self.code, "detail": self.detail}


class Problem(Exception):
    """What a view raises to answer with a problem document of a kind in KINDS."""

    def __init__(
        self, kind: str, detail: str, faults: Sequence[Fault] = (), *, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail
        self.faults = tuple(faults)
        self.headers = dict(headers or {})


def bad_parameter(name: str, code: str, detail: str) -> Problem:
    """400 for one query parameter."""
    return Problem("bad-request", detail, [Fault(code, detail, parameter=name)])


def bad_field(pointer: str, code: str, detail: str) -> Problem:
    """400 for one place in the body."""
    return Problem("bad-request", detail, [Fault(code, detail, pointer=pointer)])


def handle(exc: Exception, context: Mapping[str, Any]) -> Response:
    """DRF's exception handler: any exception becomes a problem document; what nobody foresaw is logged."""
    problem = problem_of(exc)
    if problem is None:
        logger.error("Unforeseen error in %s", context["request"].path, exc_info=exc)
        problem = Problem("internal", "Something went wrong inside the hub; the same call may work later.")
    request = context["request"]
    return Response(
        document(problem, request), status=KINDS[problem.kind].status, headers=problem.headers, content_type=MEDIA_TYPE
    )


def document(problem: Problem, request: HttpRequest) -> dict[str, Any]:
    """The body of the answer; `errors` is there when something can be pointed at."""
    kind = KINDS[problem.kind]
    body: dict[str, Any] = {
        "type": f"/api/problems/{problem.kind}",
        "title": kind.title,
        "status": kind.status,
        "detail": problem.detail,
        "instance": request.path[:500],
        "correlation_id": str(correlation_id(request)),
    }
    if problem.faults:
        body["errors"] = [fault.as_dict() for fault in problem.faults[:MOST_ERRORS]]
    return body


def correlation_id(request: Any) -> UUID:
    """The id under which the log knows this request."""
    found: UUID = request.correlation_id
    return found


def problem_of(exc: Exception) -> Problem | None:
    """The problem an exception stands for; None for one that is a fault of the hub."""
    if isinstance(exc, Problem):
        return exc
    if isinstance(exc, hub.HubError):
        return _of_hub_error(exc)
    if isinstance(exc, JsonProblem):
        return Problem("bad-request", exc.detail, [Fault(exc.code, exc.detail, pointer=exc.pointer)])
    if isinstance(exc, exceptions.APIException):
        return _of_api_exception(exc)
    if isinstance(exc, Http404):
        return Problem("not-found", "There is nothing at this address.")
    if isinstance(exc, PermissionDenied):
        return Problem("forbidden", "You may not do this.")
    if isinstance(exc, RequestDataTooBig):
        return Problem("too-large", "The body is too large.")
    if isinstance(exc, SuspiciousOperation):
        return Problem("bad-request", "The request is malformed.")
    if isinstance(exc, DatabaseError | InterfaceError):
        return _of_database_error(exc)
    return None


def _of_hub_error(exc: hub.HubError) -> Problem | None:
    if isinstance(exc, hub.Rejected):
        return Problem("bad-request", exc.detail, [_fault(f) for f in exc.fields])
    if isinstance(exc, hub.NotFound):
        return Problem("not-found", exc.detail, [_fault(f) for f in exc.fields])
    if isinstance(exc, hub.Erased):
        return Problem("gone", exc.detail, [_fault(f) for f in exc.fields])
    if isinstance(exc, hub.Conflict):
        return Problem("conflict", exc.detail)
    if isinstance(exc, hub.Retryable):
        return Problem("try-again", exc.detail, headers={"Retry-After": str(max(1, round(exc.after)))})
    if isinstance(exc, hub.Permanent):
        return Problem("refused", exc.detail)
    return None


_PARAMETERS = frozenset({"cursor", "as_of", "from", "to"})
"""Fields by which verbs and readings name a parameter of the query, not a place in a body."""


def _fault(field: hub.FieldError) -> Fault:
    if field.field in _PARAMETERS:
        return Fault(field.code, field.detail, parameter=field.field)
    pointer = field.field if not field.field or field.field.startswith("/") else f"/{field.field}"
    return Fault(field.code, field.detail, pointer=pointer)


_BY_STATUS = {
    KINDS[name].status: name for name in reversed(list(KINDS))
}  # the first one of a status is the general one


def _of_api_exception(exc: exceptions.APIException) -> Problem:
    if isinstance(exc, exceptions.ValidationError):
        faults = [Fault(code, detail, pointer=place) for place, code, detail in flatten(exc.detail, exc.get_codes())]
        return Problem("bad-request", "The body is not as this address wants it.", faults)
    headers = {}
    header = getattr(exc, "auth_header", None)
    if header:
        headers["WWW-Authenticate"] = header
    return Problem(_BY_STATUS.get(exc.status_code, "bad-request"), str(exc.detail), headers=headers)


def flatten(detail: Any, codes: Any, place: str = "") -> Iterator[tuple[str, str, str]]:
    """(pointer, code, sentence) of every message in a serializer's nested errors."""
    if isinstance(detail, dict):
        for key, inner in detail.items():
            here = place if key == "non_field_errors" else f"{place}/{path(str(key))}"
            yield from flatten(inner, codes[key], here)
    elif isinstance(detail, list):
        for at, inner in enumerate(detail):
            nested = isinstance(inner, dict | list)
            yield from flatten(inner, codes[at], f"{place}/{at}" if nested else place)
    else:
        yield place, str(codes), str(detail)


def _of_database_error(exc: Exception) -> Problem | None:
    """A database that is away, slow or contended answers later; any other refusal is a fault of the hub."""
    cause = exc.__cause__
    slow = psycopg.errors.QueryCanceled, psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected
    if isinstance(cause, slow) or isinstance(exc, OperationalError | InterfaceError):
        return Problem("try-again", "The database is busy or away; nothing was lost.", headers={"Retry-After": "2"})
    return None


@csrf_exempt  # there is nothing here to guard, and the answer has to be a problem document too
def nowhere(request: HttpRequest, **_: Any) -> HttpResponse:
    """Any address under /api/ that is none."""
    problem = Problem("not-found", "There is nothing at this address.")
    return JsonResponse(document(problem, request), status=404, content_type=MEDIA_TYPE)


@csrf_exempt
def page(request: HttpRequest, kind: str) -> HttpResponse:
    """What a problem's `type` leads to: its title and what to do, as plain text."""
    if kind not in KINDS:
        return nowhere(request)
    told = KINDS[kind]
    return HttpResponse(f"{told.status} {told.title}\n\n{told.remedy}\n", content_type="text/plain; charset=utf-8")
