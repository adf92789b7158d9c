"""Addresses of the hub. /livez and /readyz are answered by mdmhub.health before they come here."""

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, URLResolver, include, path, re_path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from apps.common.api import problems


def no_icon(request: HttpRequest) -> HttpResponse:
    """Browsers ask for /favicon.ico whatever the page says; an answer without content keeps their console clean."""
    return HttpResponse(status=204)


urlpatterns: list[URLPattern | URLResolver] = [
    path("favicon.ico", no_icon),
    path("admin/", admin.site.urls),
    path("accounts/", include("allauth.urls")),
    path("", include("allauth.idp.urls")),
    path("api/v1/", include("mdmhub.api_urls")),
    path("api/problems/<slug:kind>", problems.page),
    path("api/schema/", SpectacularAPIView.as_view(), name="schema"),
    path("api/docs/", SpectacularSwaggerSplitView.as_view(), name="api_docs"),
    re_path(r"^api/[\s\S]*$", problems.nowhere),
    path("", include("apps.stewardship.urls")),
]
