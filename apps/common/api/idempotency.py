"""`Idempotency-Key`: a call that is sent again because its answer was lost has its effect once.

The caller makes a key for a call and sends it with every repeat of that call. The first answer is kept and given again
byte for byte, errors too; only after a fault of the hub (5xx) is the call done anew. The draft of the IETF rules:
https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Any, Protocol, cast
from uuid import UUID

from django.conf import settings
from django.http import HttpResponse, RawPostDataException
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse
from rest_framework.exceptions import UnsupportedMediaType

from apps.common.api.parsers import MOST_BYTES, too_large
from apps.common.api.problems import MEDIA_TYPE, Fault, Problem, correlation_id
from apps.common.api.serializers import ProblemOut
from apps.common.api.views import HubView

LONGEST = 255
_HEADER, _REPLAYED = "Idempotency-Key", "Idempotency-Replayed"
_TOLD = ("Content-Type", "ETag", "Location", "Retry-After")
"""Headers that are part of an answer; all others belong to the one exchange of messages."""

Handler = Callable[..., HttpResponse]


@dataclass(frozen=True, slots=True)
class Call:
    """One call as its repeats have it too; the keys of two callers never meet."""

    caller: str
    key: str
    digest: bytes
    correlation_id: UUID


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Known:
    """What a key stands for already; `answer` is None while that call is being worked on."""

    digest: bytes
    answer: Answer | None


class Keys(Protocol):
    """Where keys are kept. `claim` gives the call to one caller at a time, and not for ever: to another one when the
    process of the first must have died. From then on the first one's claim keeps and drops nothing."""

    def claim(self, call: Call) -> UUID | Known: ...

    def keep(self, claim: UUID, answer: Answer) -> None: ...

    def drop(self, claim: UUID) -> None: ...


_places: list[Keys] = []


def keep_in(keys: Keys) -> None:
    """Says at the start where keys are kept: the room that has the table knows, this one does not."""
    _places[:] = [keys]


def idempotent(handler: Handler) -> Handler:
    """Lets callers of this method of a HubView send an Idempotency-Key; the API's description says so by itself.

    The key is claimed and committed before the handler begins, the answer kept after it has ended, each on its own: a
    call whose process died in between is done again. What the handler does must bear that, as all of the hub's verbs do.
    """

    @wraps(handler)
    def guarded(view: HubView, request: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        key = _key(request)
        if key is None:
            return handler(view, request, *args, **kwargs)
        (keys,) = _places
        caller = f"{view.caller.label}#{request.user.pk}"
        call = Call(caller, key, _digest(request), correlation_id(request))
        claimed = keys.claim(call)
        if isinstance(claimed, Known):
            return _again(call, claimed)
        response = _first(handler, view, request, *args, **kwargs)
        if response.status_code >= 500:
            keys.drop(claimed)
        else:
            headers = {name: response[name] for name in _TOLD if name in response}
            keys.keep(claimed, Answer(response.status_code, response.content, headers))
        return response

    guarded.is_idempotent = True  # type: ignore[attr-defined]  # how the description finds it; functions take attributes
    return guarded


def is_idempotent(handler: object) -> bool:
    return getattr(handler, "is_idempotent", False)


def _key(request: Any) -> str | None:
    """The key of a request, with or without the quotes of a structured field; None: it has none."""
    given: str | None = request.META.get("HTTP_IDEMPOTENCY_KEY")
    if given is None:
        return None
    key = given.strip()
    if len(key) >= 2 and key[0] == key[-1] == '"':
        key = key[1:-1]
    if not (0 < len(key) <= LONGEST and key.isascii() and key.isprintable()):
        sentence = f"{_HEADER} has 1 to {LONGEST} printable ASCII characters; a UUID is a good one."
        raise Problem("bad-request", sentence, [Fault("wrong_shape", sentence, header=_HEADER)])
    return key


def _digest(request: Any) -> bytes:
    """What makes two calls the same: method, path, query and body."""
    raw = request._request
    try:
        body = raw.body
    except RawPostDataException:  # a form, read before by the check of the CSRF token
        raise UnsupportedMediaType(request.content_type) from None
    if len(body) > MOST_BYTES:
        raise too_large()
    return hashlib.sha256(f"{raw.method} {raw.get_full_path()}\n".encode() + body).digest()


def _again(call: Call, known: Known) -> HttpResponse:
    """The answer to a call whose key is known: the same again, or why not."""
    if known.digest != call.digest:
        sentence = f"This {_HEADER} came with another call before: address or body differ."
        raise Problem("key-reused", sentence, [Fault("key_reused", sentence, header=_HEADER)])
    if known.answer is None:
        sentence = f"The first call with this {_HEADER} has not ended yet."
        raise Problem("in-progress", sentence, headers={"Retry-After": "1"})
    headers = {**known.answer.headers, _REPLAYED: "true"}
    return HttpResponse(known.answer.body, status=known.answer.status, headers=headers)


def _first(handler: Handler, view: HubView, request: Any, *args: Any, **kwargs: Any) -> HttpResponse:
    """The handler's answer as it leaves: errors made a problem document (as rest_framework's dispatch does), all of it
    rendered."""
    try:
        response = handler(view, request, *args, **kwargs)
    except Exception as error:  # the view's exception handler logs what nobody foresaw
        response = view.handle_exception(error)
    response = cast("HttpResponse", view.finalize_response(request, response, *args, **kwargs))
    render: Callable[[], Any] | None = getattr(response, "render", None)
    if render is not None:
        render()
    return response


PARAMETERS = (
    OpenApiParameter(
        _HEADER,
        {"type": "string", "minLength": 1, "maxLength": LONGEST},
        OpenApiParameter.HEADER,
        description="A key of your own making for this call, the same in every repeat of it: it has its effect once, and"
        f" the repeats get the first answer. Kept for {settings.IDEMPOTENCY_HOURS} hours.",
    ),
    OpenApiParameter(
        _REPLAYED,
        {"type": "string", "enum": ["true"]},
        OpenApiParameter.HEADER,
        response=True,
        description="This is the answer of an earlier call with the same Idempotency-Key.",
    ),
    OpenApiParameter(
        "Retry-After", int, OpenApiParameter.HEADER, response=[409], description="Seconds; when the call is at work."
    ),
)
ANSWERS = {
    (409, MEDIA_TYPE): OpenApiResponse(
        ProblemOut, description="The call with this Idempotency-Key is being worked on; or somebody was faster."
    ),
    (422, MEDIA_TYPE): OpenApiResponse(
        ProblemOut, description="The Idempotency-Key stands for another call; or this cannot be done."
    ),
}
"""What the description of such a method says besides what its endpoint declares."""
