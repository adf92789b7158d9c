"""Addresses of the hub. /livez and /readyz are answered by mdmhub.health before they come here."""

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path

urlpatterns: list[URLPattern | URLResolver] = [
    path("admin/", admin.site.urls),
    path("accounts/", include("allauth.urls")),
    path("", include("allauth.idp.urls")),
]
