"""Errors over the API: always a problem document, with a page behind its type, and a correlation id the log knows."""

from typing import Any
from uuid import UUID

import psycopg.errors
import pytest
from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import IntegrityError, InterfaceError, OperationalError
from django.http import Http404
from django.test import Client

from apps.common import errors
from apps.common.api.problems import KINDS, Problem, problem_of
from tests.callers import machine

PATHS = [
    "/api",
    "/api/",
    "/api/v1",
    "/api/v1/",
    "/api/v1/none",
    "/api/v1/customers/",
    "/api/v2/customers",
    "/api/v1/a%0Ab",
    "/api/v1/%00",
]


@pytest.mark.parametrize("path", PATHS[1:])
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "OPTIONS"])
def test_an_address_that_is_none_answers_with_a_problem(method: str, path: str) -> None:
    response = Client(enforce_csrf_checks=True).generic(method, path)
    assert response.status_code == 404
    assert response["Content-Type"] == "application/problem+json"
    body = response.json()
    assert body["type"] == "/api/problems/not-found"
    assert UUID(body["correlation_id"]) == UUID(response["X-Request-ID"])


@pytest.mark.parametrize("kind", list(KINDS))
def test_every_type_has_a_page(kind: str) -> None:
    response = Client().get(f"/api/problems/{kind}")
    assert (response.status_code, KINDS[kind].title in response.content.decode()) == (200, True)
    assert Client().get("/api/problems/none").status_code == 404


def chained(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (errors.Rejected("no", [errors.FieldError("name", "missing", "Say it.")]), "bad-request"),
        (errors.NotFound("no"), "not-found"), (errors.Conflict("no"), "conflict"), (errors.Retryable("no", after=3), "try-again"),
        (errors.Permanent("no"), "refused"), (Http404(), "not-found"), (PermissionDenied(), "forbidden"),
        (RequestDataTooBig(), "too-large"), (SuspiciousOperation(), "bad-request"), (OperationalError(), "try-again"),
        (InterfaceError(), "try-again"), (chained(OperationalError(), psycopg.errors.QueryCanceled()), "try-again"),
        (chained(IntegrityError(), psycopg.errors.UniqueViolation()), None), (ZeroDivisionError(), None), (errors.HubError("x"), None),
    ],
    ids=lambda value: type(value.__cause__ or value).__name__ if isinstance(value, Exception) else str(value),
)  # fmt: skip
def test_each_error_says_who_can_mend_it(error: Exception, kind: str | None) -> None:
    found = problem_of(error)
    assert (found.kind if found else None) == kind
    if kind == "try-again":
        assert found is not None
        assert int(found.headers["Retry-After"]) >= 1


def test_a_field_is_pointed_at() -> None:
    found = problem_of(errors.Rejected("no", [errors.FieldError("name", "missing", "Say it.")]))
    assert found is not None
    assert found.faults[0].as_dict() == {"pointer": "/name", "code": "missing", "detail": "Say it."}


def fails(*_: Any, **__: Any) -> None:
    raise ZeroDivisionError("secret inner detail")


@pytest.mark.django_db
def test_a_fault_of_the_hub_tells_nothing_but_where_to_look(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("apps.customers.queries.search", fails)
    response = machine("customers:read").get("/api/v1/customers?q=x")
    body = response.json()
    assert (response.status_code, body["type"]) == (500, "/api/problems/internal")
    assert "secret" not in response.content.decode()
    assert any(record.exc_info and "secret" in str(record.exc_info[1]) for record in caplog.records)
    assert UUID(body["correlation_id"]) == UUID(response["X-Request-ID"])


def test_a_problem_can_carry_headers() -> None:
    assert Problem("try-again", "later", headers={"Retry-After": "9"}).headers == {"Retry-After": "9"}


@pytest.mark.django_db
def test_a_callers_correlation_id_is_kept() -> None:
    given = "01900000-0000-7000-8000-000000000001"
    response = machine("customers:read").get("/api/v1/customers?x=1", HTTP_X_REQUEST_ID=given)
    assert response["X-Request-ID"] == response.json()["correlation_id"] == given
