"""Who calls the API: a machine by its bearer token, a person by their session.

A token always stands for a user (the client's service user), so history, roles and systems hold for machines too."""

from typing import Any

from allauth.idp.oidc.models import Token
from rest_framework import authentication, exceptions, permissions

from apps.accounts.roles import allowed
from apps.common.api.endpoints import Caller


class BearerAuthentication(authentication.BaseAuthentication):
    """`Authorization: Bearer …` with an access token of this hub; one query. Without the header others may try."""

    def authenticate(self, request: Any) -> tuple[Any, Caller] | None:
        kind, _, value = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
        if kind.lower() != "bearer":
            return None
        token = (
            Token.objects.valid()
            .by_value(value.strip())
            .filter(type=Token.Type.ACCESS_TOKEN)
            .select_related("client__owner", "user")
            .first()
        )
        user = None if token is None or token.client is None else token.user or token.client.owner
        if token is None or user is None or not user.is_active:
            raise exceptions.AuthenticationFailed("The token is unknown, expired or revoked.")
        label = f"user:{user.get_username()}" if token.user_id else f"client:{token.client.name}"
        return user, Caller(label, frozenset(token.get_scopes()))

    def authenticate_header(self, request: Any) -> str:
        return 'Bearer realm="hub"'


class SessionAuthentication(authentication.SessionAuthentication):
    """A person's session; calls that change something need the CSRF token."""


class MayDoOperation(permissions.BasePermission):
    """Lets through who may do the operation the endpoint declares; without a declaration nobody."""

    message = "You may not do this: a scope of the token or a role is missing."

    def has_permission(self, request: Any, view: Any) -> bool:
        method = "GET" if request.method == "HEAD" else request.method
        endpoint = getattr(view, "endpoints", {}).get(method)
        if endpoint is None or not request.user.is_authenticated:
            return False
        scopes = request.auth.scopes if isinstance(request.auth, Caller) else None
        return allowed(request.user.roles, endpoint.operation, scopes)
