"""The API's description: valid, complete, and true of what the API answers to whatever the description lets one send."""

import json
from typing import Any

import pytest
import schemathesis
from django.core.wsgi import get_wsgi_application
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.generators import SchemaGenerator
from hypothesis import HealthCheck, settings
from openapi_spec_validator import validate
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance, status_code_conformance

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


@pytest.fixture
def api(db: None) -> Any:
    given.customers(
        [("crm", {"record_id": "1", "kind": "person", "name": "Anna Berg"})],
        [("erp", {"record_id": "2", "kind": "organization", "name": "ACME AG", "country": "DE"})],
    )
    return schemathesis.openapi.from_wsgi("/api/schema/?format=json", get_wsgi_application())


schema = schemathesis.pytest.from_fixture("api")


@pytest.mark.django_db
@schema.parametrize()
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
def test_the_api_keeps_to_its_description(case: schemathesis.Case) -> None:
    token = machine()._credentials["HTTP_AUTHORIZATION"]
    case.call_and_validate(
        headers={"Authorization": token},
        checks=(not_a_server_error, content_type_conformance, response_schema_conformance, status_code_conformance),
    )
