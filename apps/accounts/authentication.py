"""Who calls the API: a machine by its bearer token, a person by their session.

A token always stands for a user (the client's service user), so history, roles and systems hold for machines too."""

from typing import Any

from allauth.idp.oidc.adapter import get_adapter
from allauth.idp.oidc.models import Client, Token
from django.db import connection
from rest_framework import authentication, exceptions, permissions

from apps.accounts.models import User
from apps.accounts.roles import allowed
from apps.common.api.endpoints import Caller

_USER = [field.attname for field in User._meta.concrete_fields]
_HOLDER = (
    "SELECT t.scopes, c.name, t.user_id, "  # noqa: S608 - names of tables and columns only
    + ", ".join(f'u."{field.column}"' for field in User._meta.concrete_fields)
    + f" FROM {Token._meta.db_table} t JOIN {Client._meta.db_table} c ON c.id = t.client_id"
    f' JOIN "{User._meta.db_table}" u ON u.id = coalesce(t.user_id, c.owner_id)'
    " WHERE t.type = %s AND t.hash = %s AND (t.expires_at IS NULL OR t.expires_at > now()) AND u.is_active"
)


def _holder(digest: str) -> tuple[User, Caller] | None:
    """Whose token this is. Written out, because it is asked at every call and the ORM takes longer to ask than the database
    to answer."""
    with connection.cursor() as cursor:
        cursor.execute(_HOLDER, (Token.Type.ACCESS_TOKEN, digest))
        row = cursor.fetchone()
    if row is None:
        return None
    scopes, client, person = row[:3]
    user = User.from_db(connection.alias, _USER, row[3:])
    label = f"user:{user.get_username()}" if person is not None else f"client:{client}"
    return user, Caller(label, frozenset(scopes.split()))


class BearerAuthentication(authentication.BaseAuthentication):
    """`Authorization: Bearer …` with an access token of this hub; one query. Without the header others may try."""

    def authenticate(self, request: Any) -> tuple[Any, Caller] | None:
        kind, _, value = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
        if kind.lower() != "bearer":
            return None
        found = _holder(get_adapter().hash_token(value.strip()))
        if found is None:
            raise exceptions.AuthenticationFailed("The token is unknown, expired or revoked.")
        return found

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
