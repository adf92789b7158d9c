"""What the file adapter reads in the document of a connection.

    [connection]
    adapter = "file"
    folder = "/srv/exchange/crm"    # on this machine: inside a folder the administrator allows; over SFTP: the folder there
    host = "sftp.example.org"       # left out: a folder of this machine
    port = 22
    host_key = "ssh-ed25519 AAAA…"  # the key by which the server is known; needed with host
    connect_timeout = 10            # seconds
    sensitive = ["Iban"]            # columns whose values are masked where calls are kept
    [files]
    prefix = "customers"            # customers-1f3a….csv
    out = "out"                     # files we write, NAME.csv, each complete when it appears
    in = "in"                       # files we read; left out: nothing is read
    done = "done"                   # where they go when they are read
    delimiter = ","
    guard_formulas = true           # a ' before what a spreadsheet would take for a formula

Credentials: username, and password or private_key (PEM). What is written and read is named by [mapping]."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Final, Self

from apps.common.errors import FieldError
from apps.common.pointers import shown
from apps.connectors.addresses import Refused, place
from apps.connectors.documents import COMMON, COUNT, DocumentError, section_errors, sensitive_names, table
from apps.connectors.mapping import Mapping as ColumnMapping
from apps.connectors.mapping import MappingError
from apps.connectors.mapping_checks import Shape, is_text, is_texts, near

FIXED: Final = ("hub_key", "operation", "version", "correlation_id", "changed")
"""The columns of every file, before those of the mapping. `version` is what [mapping.out.columns] hub_version brings;
`changed` names, with ; between them, the columns that count in this row: one of them that has nothing is to be emptied."""


def _is_folder(value: object) -> bool:
    return isinstance(value, str) and value.startswith("/") and ".." not in PurePosixPath(value).parts


def _is_part(value: object) -> bool:
    """One step of a path, that can be nothing else."""
    return (
        isinstance(value, str)
        and bool(value)
        and "/" not in value
        and value.isprintable()
        and not value.startswith(".")
    )


def _is_port(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 65536


_PART: Final = ("the name of a folder or file, without slashes", _is_part)
CONNECTION: Final[Mapping[str, tuple[str, Shape]]] = COMMON | {
    "folder": ("a path that begins with / and has no ..", _is_folder),
    "host": ("text", is_text),
    "port": ("a number of a port", _is_port),
    "host_key": ("text", is_text),
    "connect_timeout": COUNT,
    "sensitive": ("a list of columns", is_texts),
}
FILES: Final[Mapping[str, tuple[str, Shape]]] = {
    "prefix": _PART,
    "out": _PART,
    "in": _PART,
    "done": _PART,
    "delimiter": ("one of , ; | and tab", lambda value: value in (",", ";", "|", "\t")),
    "guard_formulas": ("true or false", lambda value: isinstance(value, bool)),
}


@dataclass(frozen=True, slots=True)
class FileDocument:
    """A checked document of the file adapter."""

    folder: str
    host: str | None
    port: int
    host_key: tuple[str, bytes] | None
    connect_timeout: float
    sensitive: frozenset[str]
    prefix: str
    out: str
    into: str | None
    done: str
    delimiter: str
    guard_formulas: bool
    mapping: ColumnMapping

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> Self:
        """The document from plain data. Raises DocumentError, MappingError."""
        errors = list(problems(document))
        if errors:
            raise DocumentError(errors)
        connection, files = table(document, "connection"), table(document, "files")
        return cls(
            folder=connection["folder"].rstrip("/") or "/",
            host=connection.get("host") or None,
            port=connection.get("port", 22),
            host_key=_key(connection["host_key"]) if connection.get("host_key") else None,
            connect_timeout=float(connection.get("connect_timeout", 10)),
            sensitive=frozenset(sensitive_names(document)),
            prefix=files.get("prefix", "customers"),
            out=files.get("out", "out"),
            into=files.get("in"),
            done=files.get("done", "done"),
            delimiter=files.get("delimiter", ","),
            guard_formulas=files.get("guard_formulas", True),
            mapping=ColumnMapping.from_dict(table(document, "mapping")),
        )


def problems(document: Mapping[str, Any]) -> Iterable[FieldError]:
    """Everything that is wrong with a document, but for the names in its mapping."""
    known = ("connection", "files", "mapping")
    for key in document:
        if key not in known:
            yield FieldError(key, "unknown_field", f"{shown(key)} is no part of a document{near(key, known)}.")
    connection = table(document, "connection")
    yield from section_errors(document, "connection", CONNECTION, ("folder",))
    yield from section_errors(document, "files", FILES)
    host, host_key = connection.get("host"), connection.get("host_key")
    if isinstance(host, str) and host:
        try:
            place(f"https://{host}/")
        except Refused as error:
            yield FieldError("connection.host", error.code, f"connection.host: {error.detail}")
        if not host_key:
            detail = "connection.host_key is missing; without it nobody knows whether the server is the right one."
            yield FieldError("connection.host_key", "missing", detail)
    if isinstance(host_key, str) and host_key and _key(host_key) is None:
        detail = "connection.host_key is no key; write its type and its base64 text, as in a known_hosts file."
        yield FieldError("connection.host_key", "bad_key", detail)
    try:
        if not ColumnMapping.from_dict(table(document, "mapping")).writes:
            detail = "The mapping names no column that can be written."
            yield FieldError("mapping.columns", "missing", detail)
    except MappingError:
        return  # told by whoever checks the mapping


def _key(text: str) -> tuple[str, bytes] | None:
    """Type and bytes of "ssh-ed25519 AAAA… comment"."""
    kind, _, rest = text.strip().partition(" ")
    try:
        found = base64.b64decode(rest.split()[0], validate=True)
    except (IndexError, binascii.Error, ValueError):
        return None
    size = int.from_bytes(found[:4], "big")
    return (kind, found) if found[4 : 4 + size].decode("ascii", "replace") == kind else None
