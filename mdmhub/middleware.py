"""The correlation id of a request: begins here, or at the caller, and is told back in X-Request-ID."""

from collections.abc import Callable
from uuid import UUID

from django.http import HttpRequest, HttpResponse

from apps.common.ids import uuid7
from mdmhub.logs import correlation_id

HEADER = "X-Request-ID"


class CorrelationMiddleware:
    """Sets `request.correlation_id` (UUID). A caller's id is taken only if it is a UUID: it ends in log lines."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        try:
            known = UUID(request.headers.get(HEADER, ""))
        except ValueError:
            known = uuid7()
        request.correlation_id = known  # type: ignore[attr-defined]  # Django's request is open for this
        token = correlation_id.set(str(known))
        try:
            response = self.get_response(request)
        finally:
            correlation_id.reset(token)
        response.headers[HEADER] = str(known)
        return response
