"""`manage.py check`: no address of the API without a guard."""

from collections.abc import Iterator, Sequence
from typing import Any

from django.core.checks import Error, Tags, register
from django.urls import URLPattern, URLResolver, get_resolver

from apps.accounts.roles import OPERATIONS
from apps.common.api.endpoints import Endpoint
from apps.common.api.views import HubView


def api_views() -> Iterator[tuple[str, type[HubView]]]:
    """(address, view) of every view of the API."""
    for address, callback in _patterns(get_resolver().url_patterns, ""):
        view = getattr(callback, "cls", None)
        if isinstance(view, type) and issubclass(view, HubView):
            yield address, view


def _patterns(patterns: Sequence[Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for pattern in patterns:
        address = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from _patterns(pattern.url_patterns, address)
        elif isinstance(pattern, URLPattern):
            yield address, pattern.callback


def methods(view: type[HubView]) -> list[str]:
    """The methods a view answers, without HEAD, which is GET without a body."""
    return [m.upper() for m in view.http_method_names if m != "head" and hasattr(view, m)]


@register(Tags.security)
def check_every_endpoint_is_guarded(**_: Any) -> list[Error]:
    """Every method of every API view declares an operation that the table of roles knows."""
    errors = []
    for address, view in api_views():
        for method in methods(view):
            endpoint: Endpoint | None = view.endpoints.get(method)
            if endpoint is None:
                errors.append(
                    Error(f"{method} {address} declares no endpoint.", hint="Add it to `endpoints`.", id="hub.E101")
                )
            elif endpoint.operation not in OPERATIONS:
                hint = "Add it to apps/accounts/roles.py or correct the name."
                errors.append(
                    Error(f"{method} {address}: no operation {endpoint.operation!r}.", hint=hint, id="hub.E102")
                )
    names = [e.name for _, view in api_views() for e in view.endpoints.values()]
    errors += [Error(f"Two endpoints are named {n}.", id="hub.E103") for n in sorted(set(names)) if names.count(n) > 1]
    return errors
