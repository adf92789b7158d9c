"""The door of every page: who may open it, in whose time zone it is shown, how errors look to a browser."""

import zoneinfo
from collections.abc import Callable
from functools import wraps
from typing import Any
from uuid import UUID

from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.http.response import HttpResponseBase
from django.shortcuts import render, resolve_url
from django.utils import timezone

from apps.accounts import roles
from apps.common.act import Act
from apps.common.api.problems import correlation_id
from apps.common.errors import NotFound

View = Callable[..., HttpResponseBase]


def may(user: Any, operation: str) -> bool:
    """Whether a logged-in user's roles allow an operation; nobody else may anything."""
    return bool(user.is_authenticated) and roles.may(user, operation)


def zone_of(user: Any) -> zoneinfo.ZoneInfo:
    """The user's time zone; UTC for a name this machine does not know."""
    try:
        return zoneinfo.ZoneInfo(user.time_zone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError):
        return zoneinfo.ZoneInfo("UTC")


def page(operation: str, *, post: str | None = None, post_only: bool = False) -> Callable[[View], View]:
    """Guards a view: the operation it takes to open it, and with `post` the one it takes to send its form.

    `post_only`: there is nothing to open. A view without a guard is a fault that a test finds."""
    methods = ("POST",) if post_only else ("GET", "HEAD", "POST") if post else ("GET", "HEAD")
    return _guard(operation, operation if post_only else post, methods)


def own_page(view: View) -> View:
    """Guards a view about the user's own account: whoever is logged in may open and send it."""
    return _guard(None, None, ("GET", "HEAD", "POST"))(view)


def _guard(operation: str | None, post: str | None, methods: tuple[str, ...]) -> Callable[[View], View]:
    def guard(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if not request.user.is_authenticated:
                return _to_login(request)
            if request.method not in methods:
                return HttpResponseNotAllowed(methods)
            needed = post if request.method == "POST" else operation
            if needed is not None and not may(request.user, needed):
                return render(request, "403.html", status=403)
            with timezone.override(zone_of(request.user)):
                try:
                    return view(request, *args, **kwargs)
                except (NotFound, Http404):
                    return render(request, "404.html", status=404)

        guarded.hub_page = (operation, post)  # type: ignore[attr-defined]  # read by the test that looks for unguarded views
        return guarded

    return guard


def _to_login(request: HttpRequest) -> HttpResponse:
    """The login page; a part that htmx asked for makes the whole page go there."""
    if request.headers.get("HX-Request"):
        response = HttpResponse(status=204)
        response["HX-Redirect"] = resolve_url("account_login")
        return response
    return redirect_to_login(request.get_full_path())


def uuid_or_none(text: str) -> UUID | None:
    """An id out of an address; None for anything that is none."""
    try:
        return UUID(text)
    except ValueError:
        return None


def act_of(request: HttpRequest, reason: str) -> Act:
    """The act of the person behind a request, under the request's correlation id."""
    user: Any = request.user
    return Act(f"user:{user.username}", reason, user_id=user.pk, correlation_id=correlation_id(request))
