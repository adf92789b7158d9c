"""Machines that call the hub: OAuth2 clients, each with a service user of its own.

The secret is shown once, when it is made; the hub keeps its hash."""

import re
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from allauth.idp.oidc.models import Client, Token
from django.db import transaction

from apps.accounts.models import User
from apps.accounts.roles import SCOPES
from apps.common.errors import Conflict, FieldError, NotFound, Rejected

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{1,39}")


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a machine needs to get tokens; `secret` is nowhere else."""

    name: str
    client_id: str
    secret: str
    scopes: tuple[str, ...]


@transaction.atomic
def create_client(*, name: str, scopes: Iterable[str], systems: Sequence[str] = ()) -> Credentials:
    """A client named `name` that may do what `scopes` name, and write the systems named (none: all).

    Raises Rejected (name, scopes), Conflict (the name is taken)."""
    wanted = tuple(sorted(set(scopes)))
    if not _NAME.fullmatch(name):
        raise Rejected("A name has 2 to 40 of a-z, 0-9, - and _.", [FieldError("/name", "wrong_shape", repr(name))])
    unknown = [s for s in wanted if s not in SCOPES]
    if unknown or not wanted:
        known = f"Known scopes: {', '.join(SCOPES)}."
        raise Rejected(known, [FieldError("/scopes", "unknown_value", f"{s!r} is none.") for s in unknown])
    username = f"client.{name}"
    if Client.objects.filter(owner__username=username).exists():
        raise Conflict(f"A client named {name} exists; rotate its secret or take another name.")
    owner = User.objects.filter(username=username).first() or User(username=username)  # a revoked one's history goes on
    owner.roles, owner.systems, owner.is_active = ["service"], list(systems), True
    owner.set_unusable_password()
    owner.save()
    client = Client(
        name=name,
        owner=owner,
        grant_types=Client.GrantType.CLIENT_CREDENTIALS,
        scopes="\n".join(wanted),
        default_scopes="\n".join(wanted),
        response_types="",
    )
    secret = _new_secret(client)
    client.save(force_insert=True)
    return Credentials(name, client.id, secret, wanted)


@transaction.atomic
def rotate_secret(*, name: str) -> Credentials:
    """A new secret; the old one is refused from now on, tokens already given live out their hour. Raises NotFound."""
    client = _client(name)
    secret = _new_secret(client)
    client.save(update_fields=("secret",))
    return Credentials(name, client.id, secret, tuple(client.get_scopes()))


@transaction.atomic
def revoke_client(*, name: str) -> None:
    """Ends a client at once: its tokens and its secret are worth nothing; its service user stays for history's sake.

    Raises NotFound."""
    client = _client(name)
    Token.objects.filter(client=client).delete()
    User.objects.filter(id=client.owner_id).update(is_active=False, roles=[])
    client.delete()


def clients() -> list[Client]:
    """All clients by name, with their service users."""
    return list(Client.objects.select_related("owner").order_by("name"))


def _client(name: str) -> Client:
    client = Client.objects.select_for_update(of=("self",)).filter(name=name, owner__username=f"client.{name}").first()
    if client is None:
        raise NotFound(f"There is no client named {name}.")
    return client


def _new_secret(client: Client) -> str:
    secret = secrets.token_urlsafe(32)
    client.set_secret(secret)
    return secret
