"""How lineage is stored: attributes that one record won by one rule stand together, so that a row stays small.

In memory: attribute -> {record, rule, of}. Stored: [[record, rule, of, [attribute, ...]], ...], a third of the size; every version
of every customer carries one. A conflict has no record: null in its place."""

from collections.abc import Mapping, Sequence
from typing import Any

Lineage = dict[str, dict[str, Any]]


def pack(lineage: Mapping[str, Mapping[str, Any]]) -> list[list[Any]]:
    """The stored form."""
    together: dict[tuple[str | None, str, int], list[str]] = {}
    for attribute, told in lineage.items():
        together.setdefault((told.get("record"), told["rule"], told["of"]), []).append(attribute)
    return [[*won, attributes] for won, attributes in together.items()]


def unpack(stored: Sequence[Sequence[Any]]) -> Lineage:
    """The form in memory; attributes that were stored together share one dictionary."""
    lineage: Lineage = {}
    for record, rule, of, attributes in stored:
        won = {"rule": rule, "of": of} if record is None else {"record": record, "rule": rule, "of": of}
        lineage.update((attribute, won) for attribute in attributes)
    return lineage
