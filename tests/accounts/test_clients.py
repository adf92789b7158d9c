"""Machines: made, given tokens, renewed, ended; each with a user of its own."""

import json
from base64 import b64encode
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from apps.accounts.clients import Credentials, create_client, revoke_client, rotate_secret
from apps.accounts.models import User
from apps.common.errors import Conflict, NotFound, Rejected

pytestmark = pytest.mark.django_db


def token(made: Credentials, **form: str) -> Any:
    login = b64encode(f"{made.client_id}:{made.secret}".encode()).decode()
    return Client().post(
        "/identity/o/api/token", {"grant_type": "client_credentials", **form}, HTTP_AUTHORIZATION=f"Basic {login}"
    )


def test_a_machine_gets_a_token_and_is_its_service_user() -> None:
    made = create_client(name="crm-loader", scopes=["systems:read"])
    answer = token(made)
    assert answer.status_code == 200, answer.content
    bearer = answer.json()["access_token"]
    response = Client().get("/api/v1/systems", HTTP_AUTHORIZATION=f"Bearer {bearer}")
    assert response.status_code == 200
    assert not response.cookies  # no session was opened
    user = User.objects.get(username="client.crm-loader")
    assert (user.roles, user.has_usable_password(), user.is_staff) == (["service"], False, False)


def test_a_token_holds_no_scope_the_client_lacks() -> None:
    made = create_client(name="reader", scopes=["systems:read"])
    assert token(made, scope="sources:write").status_code == 400
    bearer = token(made, scope="systems:read").json()["access_token"]
    assert Client().get("/api/v1/customers", HTTP_AUTHORIZATION=f"Bearer {bearer}").status_code == 403


def test_a_rotated_secret_replaces_the_old_one() -> None:
    made = create_client(name="crm", scopes=["systems:read"])
    renewed = rotate_secret(name="crm")
    assert token(made).status_code in (400, 401)
    assert token(renewed).status_code == 200


def test_a_revoked_client_is_out_at_once() -> None:
    made = create_client(name="crm", scopes=["systems:read"])
    bearer = token(made).json()["access_token"]
    revoke_client(name="crm")
    assert Client().get("/api/v1/systems", HTTP_AUTHORIZATION=f"Bearer {bearer}").status_code == 401
    assert token(made).status_code in (400, 401)
    user = User.objects.get(username="client.crm")
    assert user.is_active is False
    assert token(create_client(name="crm", scopes=["systems:read"])).status_code == 200
    assert User.objects.get(username="client.crm").id == user.id


@pytest.mark.parametrize(
    "value", ["", "Bearer", "Bearer ", "Bearer x", "Bearer \x00", "Basic YTpi", "bearer ü", "x" * 9000]
)
def test_a_bad_authorization_header_is_nobody(value: str) -> None:
    response = Client().get("/api/v1/systems", HTTP_AUTHORIZATION=value)
    assert response.status_code == 401
    assert response["WWW-Authenticate"].startswith("Bearer")
    assert response["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("name", "scopes"), [("", ["systems:read"]), ("Ä", ["systems:read"]), ("crm", []), ("crm", ["all"])]
)
def test_a_wrong_client_is_rejected(name: str, scopes: list[str]) -> None:
    with pytest.raises(Rejected):
        create_client(name=name, scopes=scopes)


def test_a_name_is_given_once() -> None:
    create_client(name="crm", scopes=["systems:read"])
    with pytest.raises(Conflict):
        create_client(name="crm", scopes=["systems:read"])
    with pytest.raises(NotFound):
        rotate_secret(name="erp")


def test_the_command_prints_the_secret_once() -> None:
    out = StringIO()
    call_command("client", "billing", scope=["sources:write", "jobs:read"], system=["billing"], json=True, stdout=out)
    told = json.loads(out.getvalue())
    assert told["scopes"] == ["jobs:read", "sources:write"]
    assert User.objects.get(username="client.billing").systems == ["billing"]
    listing = StringIO()
    call_command("client", list=True, stdout=listing)
    assert "billing" in listing.getvalue()
    assert told["client_secret"] not in listing.getvalue()
    call_command("client", "billing", rotate=True, stdout=StringIO())
    call_command("client", "billing", revoke=True, stdout=StringIO())
    with pytest.raises(CommandError):
        call_command("client", "billing", rotate=True)
    with pytest.raises(CommandError):
        call_command("client")


def test_changes_by_session_need_the_csrf_token() -> None:
    user = User.objects.create(username="sue", roles=["steward"])
    client = Client(enforce_csrf_checks=True)
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    assert client.get("/api/v1/customers").status_code == 200
    response = client.post("/api/v1/customers:match", {"email": "a@b.de"}, content_type="application/json")
    assert response.status_code == 403
