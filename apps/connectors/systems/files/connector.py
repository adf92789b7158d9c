"""The file adapter: a batch of writes is one CSV file in a folder, files that appear in another one are changes.

A batch has a name of its own, made of its idempotency keys: the same batch written twice is one file. A row says by `hub_key` which
record it is about, so that whoever reads it can tell a repeated row from a new record; the hub knows no other id there."""

from __future__ import annotations

import csv
import hashlib
import io
import tempfile
import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Self

from apps.common.errors import FieldError
from apps.connectors.contract import Answer, Can, FarRecord, Op, Page, Trouble, Write
from apps.connectors.files import FORMATS, FileProblem, Row, open_rows
from apps.connectors.redact import Redactor
from apps.connectors.systems.files.document import FIXED, FileDocument, problems
from apps.connectors.systems.files.folders import Folder, FolderError, Listed, LocalFolder
from apps.connectors.systems.files.sftp import SftpFolder

_WRITABLE: Final = frozenset({Op.CREATE, Op.UPDATE, Op.DEACTIVATE, Op.REACTIVATE})
LONGEST_FILE: Final = 2_000_000_000
"""Bytes of a file that is copied to be read."""
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


class FileAdapter:
    """See contract.Adapter."""

    replay_hours = 0.0

    def __init__(self, document: FileDocument, folder: Folder, credentials: Mapping[str, str]) -> None:
        writes = {Can.BATCH, Can.CREATE, Can.UPDATE, Can.DEACTIVATE}
        self.can: frozenset[Can] = frozenset(writes | ({Can.CHANGES} if document.into else set()))
        self._document = document
        self._folder = folder
        self._redactor = Redactor(document.sensitive, credentials.values())
        self._columns = tuple(column for column in document.mapping.written_columns if column not in FIXED)
        self._known = frozenset((*self._columns, *FIXED))
        self._version = next(iter(document.mapping.render({"hub_version": 1})), None)
        self._copies: tempfile.TemporaryDirectory[str] | None = None
        self._copy: tuple[Listed, Path] | None = None

    @classmethod
    def make(cls, document: Mapping[str, Any], credentials: Mapping[str, str], allowed: Collection[str]) -> Self:
        """An adapter for a whole document. `allowed` holds the hosts and, beginning with /, the folders that are open to the hub.
        Raises DocumentError."""
        read = FileDocument.read(document)
        folder: Folder = LocalFolder(read.folder, allowed)
        if read.host is not None:
            folder = SftpFolder(read, credentials, allowed)
        return cls(read, folder, credentials)

    @staticmethod
    def problems(document: Mapping[str, Any]) -> list[FieldError]:
        """What is wrong with a document, but for its mapping."""
        return list(problems(document))

    # ── out ─────────────────────────────────────────────────────────────────────────────────────────────────────────
    def write(self, write: Write, *, timeout: float) -> Answer:
        return self.write_all([write], timeout=timeout)[0]

    def write_all(self, writes: Sequence[Write], *, timeout: float) -> Sequence[Answer]:
        begun = time.monotonic()
        flat = [self._flat(write.fields) for write in writes]
        refused = [self._refusal(write, fields) for write, fields in zip(writes, flat, strict=True)]
        taken = [(write, fields) for write, fields, no in zip(writes, flat, refused, strict=True) if no is None]
        name = self._name([write for write, _ in taken])
        outcome = Answer()
        if taken:
            try:
                new = self._folder.put(self._document.out, name, self._text(taken), timeout=timeout)
                outcome = Answer(response=f"{name}: {len(taken)} rows{'' if new else ', there already'}")
            except FolderError as error:
                outcome = self._failure(error)
        ms = round((time.monotonic() - begun) * 1000)
        return [no or self._answer(write, outcome, ms) for write, no in zip(writes, refused, strict=True)]

    def _flat(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Native fields by column; what is emptied as a whole is emptied in each of its columns."""
        flat = flattened(fields)
        for name in [name for name, value in flat.items() if name not in self._known and value in (None, "")]:
            parts = [column for column in self._columns if column.startswith(f"{name}.")]
            if parts:
                flat |= dict.fromkeys(parts, flat.pop(name))
        return flat

    def _refusal(self, write: Write, fields: Mapping[str, Any]) -> Answer | None:
        if write.op not in _WRITABLE:
            return _cannot(write.op)
        unknown = sorted(fields.keys() - self._known)
        if unknown:
            detail = f"The file has no column {', '.join(unknown)}."
            return Answer(Trouble.VALIDATION, "unknown_field", detail, request=self._request(write))
        return None

    def _name(self, writes: Sequence[Write]) -> str:
        key = hashlib.sha256("\n".join(write.idempotency_key for write in writes).encode()).hexdigest()
        return f"{self._document.prefix}-{key[:24]}.csv"

    def _text(self, taken: Sequence[tuple[Write, Mapping[str, Any]]]) -> bytes:
        """The file: the same for the same batch, byte for byte."""
        text = io.StringIO(newline="")
        table = csv.writer(text, delimiter=self._document.delimiter, lineterminator="\r\n")
        table.writerow((*FIXED, *self._columns))
        for write, fields in taken:
            changed = ";".join(column for column in self._columns if column in fields)
            version = fields.get(self._version) if self._version else None
            fixed = (write.hub_key, write.op.value, version, write.correlation_id, changed)
            table.writerow(tuple(map(self._cell, (*fixed, *(fields.get(column) for column in self._columns)))))
        return text.getvalue().encode("utf-8", "replace")

    def _cell(self, value: Any) -> str:
        text = "" if value is None else ("true" if value else "false") if isinstance(value, bool) else str(value)
        return f"'{text}" if self._document.guard_formulas and text.startswith(_FORMULA) else text

    def _request(self, write: Write) -> str:
        return self._redactor.request(write.op.value.upper(), write.hub_key, write.fields)

    def _answer(self, write: Write, outcome: Answer, ms: int) -> Answer:
        return Answer(
            trouble=outcome.trouble,
            code=outcome.code,
            detail=outcome.detail,
            external_id=write.external_id or (write.hub_key if outcome.trouble is None else None),
            request=self._request(write),
            response=outcome.response,
            ms=ms,
        )

    # ── in ──────────────────────────────────────────────────────────────────────────────────────────────────────────
    def changes(self, cursor: Mapping[str, Any], *, limit: int, timeout: float) -> Page:
        """Rows of the files in the folder, one file after the other by name.

        The cursor names the files that are read to the end (`seen`) and how far the present one is. A file moves to the done
        folder when a cursor that names it comes back: only then is it known to be kept."""
        if self._document.into is None:
            return Page(cursor=cursor, answer=_cannot("changes"))
        deadline = time.monotonic() + timeout
        try:
            waiting = self._unseen(self._document.into, cursor.get("seen") or {}, deadline)
            if not waiting:
                return Page(cursor={"seen": {}})
            at = next((file for file in waiting if file.name == cursor.get("file")), waiting[0])
            position = cursor.get("position", 0) if at.stamp == cursor.get("stamp") else 0
            rows, position = self._rows(self._document.into, at, position, max(limit, 1), deadline)
        except FolderError as error:
            return Page(cursor=cursor, answer=self._failure(error))
        except FileProblem as error:
            return Page(cursor=cursor, answer=Answer(Trouble.VALIDATION, error.code, f"{at.name}: {error.detail}"))
        answer = Answer(response=f"{at.name}: {len(rows)} rows")
        records = [self._record(row) for row in rows]
        if position is None:
            return Page(records, {"seen": {at.name: at.stamp}}, len(waiting) > 1, answer)
        return Page(
            records, {"seen": {}, "file": at.name, "stamp": at.stamp, "position": position}, more=True, answer=answer
        )

    def _unseen(self, into: str, seen: Mapping[str, str], deadline: float) -> list[Listed]:
        """The files to be read; those that were read move away first."""
        found = self._folder.files(into, timeout=_left(deadline))
        for file in found:
            if seen.get(file.name) == file.stamp:
                self._folder.move(into, file.name, self._document.done, timeout=_left(deadline))
        return [file for file in found if seen.get(file.name) != file.stamp and _format(file.name) in FORMATS]

    def _rows(
        self, into: str, file: Listed, position: int, limit: int, deadline: float
    ) -> tuple[list[Row], int | None]:
        """Up to `limit` rows from `position`, and where to go on; None at the end. Raises FileProblem, FolderError."""
        if file.size > LONGEST_FILE:
            raise FileProblem("too_long", f"The file has {file.size} bytes, more than {LONGEST_FILE}.")
        if self._copy is None or self._copy[0] != file:
            self._copies = self._copies or tempfile.TemporaryDirectory(prefix="mdmhub-files-")
            copy = Path(self._copies.name) / f"file.{_format(file.name)}"
            self._folder.copy(into, file.name, copy, timeout=_left(deadline))
            self._copy = (file, copy)
        rows: list[Row] = []
        with open_rows(self._copy[1], format=_format(file.name), position=position) as reader:
            for row in reader:
                rows.append(row)
                if len(rows) == limit:
                    return rows, reader.position
        return rows, None

    def _record(self, row: Row) -> FarRecord:
        """A row as a record; one that cannot be read has no id, and whoever takes it in sets it aside."""
        if row.values is None:
            return FarRecord("", {"unreadable": row.raw})
        item, _ = self._document.mapping.apply(row.values)
        deleted = str(item.get("deleted") or "").strip().casefold() in ("1", "true", "yes", "y", "x")
        return FarRecord(
            external_id=str(item.get("record_id") or "").strip(),
            values=row.values,
            hub_key=str(row.values.get("hub_key") or "") or None,
            deleted=deleted,
            changed_at=str(item.get("source_updated_at") or "") or None,
        )

    # ── what a folder cannot ────────────────────────────────────────────────────────────────────────────────────────
    def find(self, hub_key: str, *, timeout: float) -> Answer:
        return _cannot("find")

    def read(self, external_id: str, *, timeout: float) -> Answer:
        return _cannot("read")

    def list(self, cursor: Mapping[str, Any], *, limit: int, timeout: float) -> Page:
        return Page(cursor=cursor, answer=_cannot("list"))

    def probe(self, *, timeout: float) -> Answer:
        begun = time.monotonic()
        try:
            self._folder.probe(timeout=timeout)
        except FolderError as error:
            return self._failure(error)
        return Answer(ms=round((time.monotonic() - begun) * 1000))

    def close(self) -> None:
        self._folder.close()
        self._copy = None
        if self._copies is not None:
            self._copies.cleanup()
            self._copies = None

    def _failure(self, error: FolderError) -> Answer:
        return Answer(error.trouble, error.code, self._redactor.text(error.detail, limit=1000))


def flattened(fields: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested objects and lists under dotted names, as a mapping writes them down."""
    found: dict[str, Any] = {}
    for name, value in fields.items():
        if isinstance(value, Mapping):
            found |= flattened(value, f"{prefix}{name}.")
        elif isinstance(value, list | tuple):
            found |= flattened({str(index): part for index, part in enumerate(value)}, f"{prefix}{name}.")
        else:
            found[prefix + name] = value
    return found


def _format(name: str) -> str:
    suffix = name.rpartition(".")[2].casefold()
    return {"jsonl": "ndjson", "tab": "tsv"}.get(suffix, suffix)


def _left(deadline: float) -> float:
    return max(deadline - time.monotonic(), 0.001)


def _cannot(what: str) -> Answer:
    return Answer(Trouble.CONFIG, "cannot", f"Files cannot {what}.")
