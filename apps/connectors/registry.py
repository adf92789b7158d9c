"""Adapters by name: the one door to the packages that know how systems are spoken to."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from importlib import import_module
from typing import Any, Final

from apps.common.errors import FieldError
from apps.common.pointers import shown
from apps.connectors.contract import Adapter
from apps.connectors.documents import DocumentError, table
from apps.connectors.mapping import Mapping as ColumnMapping
from apps.connectors.mapping import MappingError
from apps.connectors.mapping_checks import near

ADAPTERS: Final = {
    "rest": "apps.connectors.systems.rest.connector.RestAdapter",
    "file": "apps.connectors.systems.files.connector.FileAdapter",
}
"""Name -> where it stands; loaded when it is first used. Each has `make(document, credentials, allowed)` and `problems(document)`."""


def load(adapter: object) -> Any:
    """The class of an adapter. Raises DocumentError for a name that no adapter has."""
    if not isinstance(adapter, str) or adapter not in ADAPTERS:
        detail = f"{shown(adapter)} is no adapter{near(str(adapter), ADAPTERS)}; there are {' and '.join(ADAPTERS)}."
        raise DocumentError([FieldError("connection.adapter", "unknown_value", detail)])
    module, _, name = ADAPTERS[adapter].rpartition(".")
    return getattr(import_module(module), name)


def make(
    adapter: str, document: Mapping[str, Any], credentials: Mapping[str, str], allowed_hosts: Collection[str]
) -> Adapter:
    """The adapter of a whole document ([connection], …, [mapping]). Nothing is called yet. Raises DocumentError."""
    made: Adapter = load(adapter).make(document, credentials, allowed_hosts)
    return made


def check(document: Mapping[str, Any]) -> list[FieldError]:
    """Everything that is wrong with a whole document, its mapping included; an empty list means it can be used."""
    adapter = table(document, "connection").get("adapter")
    if adapter is None:
        return [FieldError("connection.adapter", "missing", "connection.adapter is missing.")]
    try:
        problems: list[FieldError] = load(adapter).problems(document)
    except DocumentError as error:
        return list(error.fields)
    for name in ("system", "kind"):
        if not table(document, "connection").get(name):
            problems.append(FieldError(f"connection.{name}", "missing", f"connection.{name} is missing."))
    try:
        mapping_of(document)
    except MappingError as error:
        problems += [FieldError(f"mapping.{entry.field}", entry.code, entry.detail) for entry in error.fields]
    return problems


def mapping_of(document: Mapping[str, Any]) -> ColumnMapping:
    """The mapping of a document, both ways. Raises MappingError."""
    return ColumnMapping.from_dict(table(document, "mapping"))
