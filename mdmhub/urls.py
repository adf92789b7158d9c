"""Addresses of the hub. /livez and /readyz are answered by mdmhub.health before they come here."""

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, URLResolver, include, path


def no_icon(request: HttpRequest) -> HttpResponse:
    """Browsers ask for /favicon.ico whatever the page says; an answer without content keeps their console clean."""
    return HttpResponse(status=204)


urlpatterns: list[URLPattern | URLResolver] = [
    path("favicon.ico", no_icon),
    path("admin/", admin.site.urls),
    path("accounts/", include("allauth.urls")),
    path("", include("allauth.idp.urls")),
]
