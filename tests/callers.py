"""Callers of the API for tests: people by role, machines by scope, each through a real login of its kind."""

from collections.abc import Sequence
from datetime import timedelta

from allauth.idp.oidc.models import Client as OAuthClient
from allauth.idp.oidc.models import Token
from django.utils import timezone
from rest_framework.test import APIClient

from apps.accounts.clients import create_client
from apps.accounts.models import User
from apps.accounts.roles import SCOPES


def person(*roles: str, name: str = "") -> APIClient:
    """A logged-in person with these roles."""
    username = name or "-".join(roles) or "nobody"
    user = User.objects.get_or_create(username=username, defaults={"roles": list(roles)})[0]
    client = APIClient()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def machine(*scopes: str, name: str = "loader", systems: Sequence[str] = ()) -> APIClient:
    """A machine with a bearer token for these scopes (none named: all)."""
    wanted = scopes or SCOPES
    if not OAuthClient.objects.filter(name=name).exists():
        create_client(name=name, scopes=SCOPES, systems=systems)
    oauth = OAuthClient.objects.get(name=name)
    value = f"token-{name}-{'-'.join(wanted)}"
    token = Token(
        type=Token.Type.ACCESS_TOKEN,
        client=oauth,
        scopes="\n".join(wanted),
        expires_at=timezone.now() + timedelta(hours=1),
    )
    token.set_value(value)
    if not Token.objects.filter(type=token.type, hash=token.hash).exists():
        token.save()
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {value}")
    return client
