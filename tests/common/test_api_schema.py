"""The API's description: valid, complete, and true of what the API answers to whatever the description lets one send."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.generators import SchemaGenerator
from hypothesis import HealthCheck, settings
from hypothesis import given as example
from openapi_spec_validator import validate
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from apps.accounts import checks
from apps.accounts.roles import OPERATIONS
from tests.callers import machine
from tests.customers import given


@pytest.fixture(scope="module")
def description() -> Any:
    GENERATOR_STATS.reset()
    made = SchemaGenerator().get_schema(request=None, public=True)
    assert not GENERATOR_STATS, "the generator warned"
    return json.loads(json.dumps(made))


def test_the_description_is_valid_openapi_3_1(description: Any) -> None:
    assert description["openapi"] == "3.1.1"
    validate(description)


def test_every_method_of_every_view_is_described_with_its_scope(description: Any) -> None:
    described = {
        (o["operationId"], m.upper(), tuple(s for entry in o["security"] for s in entry.get("oauth2", ())))
        for methods in description["paths"].values()
        for m, o in methods.items()
    }
    declared = set()
    for _, view in checks.api_views():
        for method in checks.methods(view):
            endpoint = view.endpoints[method]
            scope = OPERATIONS[endpoint.operation].scope
            declared.add((endpoint.name, method, (scope,) if scope else ()))
    assert described == declared


def test_every_operation_says_what_it_does_and_how_it_fails(description: Any) -> None:
    for methods in description["paths"].values():
        for operation in methods.values():
            assert operation["description"]
            assert operation["tags"] != [""]
            assert "application/problem+json" in operation["responses"]["default"]["content"]


def test_a_method_that_takes_a_key_says_so_by_itself(description: Any) -> None:
    told = description["paths"]["/api/v1/source-records"]["post"]
    key = next(p for p in told["parameters"] if p["name"] == "Idempotency-Key")
    assert (key["in"], key["schema"]["maxLength"]) == ("header", 255)
    assert {"200", "202", "409", "422", "default"} == told["responses"].keys()
    assert all("Idempotency-Replayed" in answer["headers"] for answer in told["responses"].values())
    assert "Retry-After" in told["responses"]["409"]["headers"]
    for status in ("409", "422"):
        assert "application/problem+json" in told["responses"][status]["content"]
    other = description["paths"]["/api/v1/customers"]["get"]
    assert "Idempotency" not in json.dumps(other)


@pytest.fixture
def api(db: None) -> Iterator[Any]:
    given.customers(
        [("crm", {"record_id": "1", "kind": "person", "name": "Anna Berg"})],
        [("erp", {"record_id": "2", "kind": "organization", "name": "ACME AG", "country": "DE"})],
    )
    for signal in (request_started, request_finished):  # the requests share the test's transaction
        signal.disconnect(close_old_connections)
    yield schemathesis.openapi.from_wsgi("/api/schema/?format=json", get_wsgi_application())
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


CHECKS = (not_a_server_error, content_type_conformance, response_schema_conformance, status_code_conformance)


def test_the_api_keeps_to_its_description(api: Any) -> None:
    """Whatever the description lets one send to any operation: no 500, and only answers that it describes."""
    headers = {"Authorization": machine()._credentials["HTTP_AUTHORIZATION"]}
    for found in api.get_all_operations():
        operation = found.ok()

        @example(case=operation.as_strategy())
        @settings(max_examples=12, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        def keeps_to_it(case: Any) -> None:
            case.call_and_validate(headers=headers, checks=CHECKS)

        keeps_to_it()
