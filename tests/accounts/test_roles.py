"""The table of roles, asserted cell by cell through real requests: every endpoint with every role, scope and nobody
at all."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from rest_framework.test import APIClient

from apps.accounts import checks
from apps.accounts.models import User
from apps.accounts.roles import OPERATIONS, PEOPLE, ROLES, SCOPES, allowed, may
from tests.callers import machine, person

PLACES = {"uuid": "01900000-0000-7000-8000-000000000000", "str": "crm", "path": "X1"}


def endpoints() -> Iterator[Any]:
    for address, view in checks.api_views():
        for method in checks.methods(view):
            path = "/" + re.sub(r"<(\w+):\w+>", lambda m: PLACES[m[1]], address)
            yield pytest.param(method, path, view.endpoints[method].operation, id=f"{method} {address}")


ENDPOINTS = list(endpoints())


def ask(client: APIClient, method: str, path: str) -> int:
    return client.generic(
        method, path, data="{}" if method == "POST" else "", content_type="application/json"
    ).status_code


def test_the_table_covers_the_whole_api() -> None:
    used = {p.values[2] for p in ENDPOINTS}
    assert used <= OPERATIONS.keys()
    assert {name for name, o in OPERATIONS.items() if o.scope} <= used
    assert checks.check_every_endpoint_is_guarded() == []


@pytest.mark.django_db
@pytest.mark.parametrize(("method", "path", "operation"), ENDPOINTS)
def test_every_cell(method: str, path: str, operation: str) -> None:
    """A caller who may is let through (to an answer other than 401 and 403), everybody else is not."""
    signed = operation == "hooks.receive"
    assert ask(APIClient(), method, path) == 401
    for role in ROLES:
        status = ask(person(role), method, path)
        expected = role in OPERATIONS[operation].roles and role != "service"
        assert (status not in (401, 403)) == expected, (role, status)
    for scope in SCOPES:
        status = ask(machine(scope), method, path)
        assert (status not in (401, 403)) == (scope == OPERATIONS[operation].scope and not signed), (scope, status)


@pytest.mark.django_db
@pytest.mark.parametrize(("method", "path", "operation"), ENDPOINTS)
def test_no_method_slips_past_the_guard(method: str, path: str, operation: str) -> None:
    declared = {p.values[0] for p in ENDPOINTS if p.values[1] == path}
    client = person("admin")
    for other in {"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"} - declared:
        response = client.generic(other, path)
        assert response.status_code == 405, other
        assert response["Content-Type"] == "application/problem+json"
        assert method in response["Allow"]


@pytest.mark.django_db
def test_a_role_nobody_knows_opens_nothing() -> None:
    assert ask(person("emperor"), "GET", "/api/v1/customers") == 403
    assert ask(person(), "GET", "/api/v1/customers") == 403


@pytest.mark.django_db
def test_a_switched_off_account_is_nobody() -> None:
    client = machine("customers:read", name="gone")
    assert ask(client, "GET", "/api/v1/customers") == 200
    User.objects.filter(username="client.gone").update(is_active=False)
    assert ask(client, "GET", "/api/v1/customers") == 401


def test_unknown_operations_are_denied() -> None:
    assert not allowed(ROLES, "customers.destroy")
    assert not allowed(ROLES, "customers.destroy", SCOPES)


def test_a_scope_never_gives_more_than_the_role() -> None:
    assert not allowed(["viewer"], "merges.write", ["merges:write"])
    assert not allowed(["service"], "customers.read", [])
    assert not allowed(["service"], "customers.read")
    assert allowed(["service"], "customers.read", ["customers:read"])


@pytest.mark.parametrize("role", PEOPLE)
@pytest.mark.parametrize("operation", list(OPERATIONS))
def test_pages_ask_the_same_table(role: str, operation: str) -> None:
    assert may(User(roles=[role]), operation) == (role in OPERATIONS[operation].roles)
    assert not may(User(roles=[role], is_active=False), operation)
