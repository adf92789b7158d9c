"""The document of a connection: everything a target needs in one text, so that a system is connected without code.

    [connection]
    adapter = "rest"                # which adapter reads the rest of the document
    system = "crm"                  # the system's code in the hub
    name = "CRM"
    kind = "crm"
    timeout = 20                    # seconds for a whole call
    in_flight = 4                   # calls at a time
    per_second = 50                 # calls; left out: no limit of ours
    guard_share = 0.2               # the target is paused when more than this share of its records would be written in an hour
    guard_least = 100               # but never below this many
    poll_seconds = 60               # how often what changed there is read
    overlap_seconds = 10            # how far a poll looks back: the longest transaction there, and the difference of the clocks
    sweep_seconds = 86400           # how often all ids are compared, for what was deleted without a word
    …                               # what that adapter needs
    [mapping]                       # columns and canonical names, both ways: mapping.py

Credentials never stand in it; it names them, and the hub keeps them encrypted."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from typing import Any, Final

from apps.common.errors import FieldError, Rejected
from apps.connectors.mapping_checks import Shape, is_text, unknown_keys, wrong_shapes
from apps.connectors.redact import SENSITIVE_NAMES


def is_count(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value > 0


COUNT: Final = ("a number above 0", is_count)
COMMON: Final[dict[str, tuple[str, Shape]]] = {
    "adapter": ("text", is_text),
    "system": ("text", is_text),
    "name": ("text", is_text),
    "kind": ("text", is_text),
    "description": ("text", is_text),
    "timeout": COUNT,
    "in_flight": COUNT,
    "per_second": COUNT,
    "guard_share": COUNT,
    "guard_least": COUNT,
    "poll_seconds": COUNT,
    "sweep_seconds": COUNT,
    "overlap_seconds": COUNT,
}
"""The entries of [connection] that every document may have; the last ones are limits that the driver of deliveries keeps."""


class DocumentError(Rejected):
    """A document that cannot be used; `fields` names every wrong entry and what may have been meant."""

    def __init__(self, fields: Sequence[FieldError]) -> None:
        super().__init__("The document cannot be used: " + " ".join(entry.detail for entry in fields), fields)


def read_document(text: str) -> dict[str, Any]:
    """A TOML text as plain data, unchecked. Raises DocumentError."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise DocumentError([FieldError("", "bad_toml", f"The text is no TOML: {error}.")]) from None


def table(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """A table of a document; an empty one where there is none, or something else."""
    found = document.get(name, {})
    return found if isinstance(found, Mapping) else {}


def section_errors(
    document: Mapping[str, Any], name: str, shapes: Mapping[str, tuple[str, Shape]], needed: Sequence[str] = ()
) -> list[FieldError]:
    """What is wrong with the names and types of one table, and which needed entry is missing."""
    found = document.get(name, {})
    if not isinstance(found, Mapping):
        return [FieldError(name, "wrong_type", f"{name} is a table.")]
    errors = unknown_keys(found, shapes, f"[{name}]", f"{name}.") + wrong_shapes(found, shapes, f"{name}.")
    errors += [
        FieldError(f"{name}.{key}", "missing", f"{name}.{key} is missing.")
        for key in needed
        if found.get(key) in (None, "")
    ]
    return errors


def sensitive_names(document: Mapping[str, Any]) -> set[str]:
    """The native names whose values are masked: those the mapping reads sensitive values from, and those the document adds."""
    mapping = table(document, "mapping")
    found = set(table(document, "connection").get("sensitive", ()))
    for columns in (table(mapping, "columns"), table(table(mapping, "out"), "columns")):
        for name in SENSITIVE_NAMES:
            entry = columns.get(name, ())
            found |= {entry} if isinstance(entry, str) else set(entry)
    return found
