"""Secrets: encrypted in the database, never shown again. Those of webhooks are several at a time so that they can be exchanged; the
credentials with which the hub reaches a target are a table of names and values."""

import json
import secrets
from base64 import b64encode
from collections.abc import Mapping
from uuid import UUID

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.db import transaction

from apps.common.errors import NotFound, Permanent
from apps.connectors.models import Connection

PREFIX = "whsec_"
MOST = 5
"""Secrets one connection may have at a time."""


def _box() -> MultiFernet:
    return MultiFernet([Fernet(key) for key in settings.FIELD_KEYS])


def read_secrets(connection: Connection) -> list[str]:
    """The valid secrets, newest first. Raises Permanent when they cannot be decrypted with the keys the hub has."""
    if not connection.webhook_secrets:
        return []
    try:
        found: list[str] = json.loads(_box().decrypt(bytes(connection.webhook_secrets)))
    except InvalidToken as error:
        raise Permanent(
            f"The secrets of {connection.name} were encrypted with a key this hub does not have."
        ) from error
    return found


@transaction.atomic
def add_secret(connection_id: UUID, *, given: str | None = None) -> str:
    """A new secret (or the one the sender uses already, `given`) beside those that are valid; the oldest falls out beyond MOST.
    Shown once, kept encrypted."""
    connection = _locked(connection_id)
    secret = given or PREFIX + b64encode(secrets.token_bytes(32)).decode()
    _write(connection, [secret, *read_secrets(connection)][:MOST])
    return secret


@transaction.atomic
def retire_old_secrets(connection_id: UUID) -> int:
    """Only the newest secret stays valid; returns how many are gone."""
    connection = _locked(connection_id)
    known = read_secrets(connection)
    _write(connection, known[:1])
    return len(known[1:])


def _locked(connection_id: UUID) -> Connection:
    connection = Connection.objects.select_for_update().filter(id=connection_id).first()
    if connection is None:
        raise NotFound("No such connection.")
    return connection


def _write(connection: Connection, known: list[str]) -> None:
    connection.webhook_secrets = _box().encrypt(json.dumps(known).encode()) if known else None
    connection.save(update_fields=("webhook_secrets",))


def seal_credentials(values: Mapping[str, str]) -> bytes:
    """Credentials as the database keeps them."""
    return _box().encrypt(json.dumps(dict(values)).encode())


def open_credentials(sealed: bytes | None, name: str) -> dict[str, str]:
    """The credentials of the connection `name`. Raises Permanent when the hub has no key that opens them."""
    if not sealed:
        return {}
    try:
        found: dict[str, str] = json.loads(_box().decrypt(bytes(sealed)))
    except InvalidToken as error:
        raise Permanent(f"The credentials of {name} were encrypted with a key this hub does not have.") from error
    return found
