"""Answers of the API held against its description."""

import json
from functools import cache
from typing import Any

from drf_spectacular.generators import SchemaGenerator
from jsonschema import Draft202012Validator


@cache
def _description() -> Any:
    return json.loads(json.dumps(SchemaGenerator().get_schema(request=None, public=True)))


def checked(answer: Any, operation: str, status: int = 200) -> Any:
    """The body of an answer that is as the description of `operation` says; every declared field is there and no other."""
    assert answer.status_code == status, answer.content
    found = next(
        o for methods in _description()["paths"].values() for o in methods.values() if o["operationId"] == operation
    )
    schema = found["responses"][str(status)]["content"]["application/json"]["schema"]
    body = json.loads(answer.content)
    Draft202012Validator({**schema, "components": _closed()}).validate(body)
    return body


@cache
def _closed() -> Any:
    """The components; objects take no field that they do not declare."""
    components = json.loads(json.dumps(_description()["components"]))
    for schema in components["schemas"].values():
        if "properties" in schema:
            schema["additionalProperties"] = False
    return components
