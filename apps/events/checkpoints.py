"""Checkpoints: the root of the chain, signed, and kept outside the database.

Whoever may write to the database may also make a chain that is right in itself. He cannot sign it, and he cannot take back the lines that
were appended to the file. Each line of it is a JSON object: a checkpoint, or the word of somebody that the database was restored."""

import base64
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from django.db import connection, transaction

from apps.common.errors import Permanent
from apps.events.checkpoint_keys import Signer, verifies
from apps.events.models import Checkpoint, Seal
from apps.events.sealing import GENESIS, LOCK


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the file. `kind`: checkpoint, or restored: from here on the chain goes on from `sequence`, and what was signed after
    that before this line is of a database that is no more. `trusted`: signed by a key that is known."""

    number: int
    kind: str
    sequence: int
    root: bytes
    at: str
    why: str = ""
    trusted: bool = False
    readable: bool = True


@transaction.atomic
def sign(*, by: Signer, file: Path) -> int | None:
    """Signs the newest seal, if that is not signed yet; returns its sequence.

    The file is written, and flushed to disk, before the row is committed: it never holds less than the table. Raises OSError: nothing
    is signed then, and the next run tries again."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", (LOCK,))
        if not cursor.fetchone()[0]:
            return None
        newest = _newest()
        if newest is None or Checkpoint.objects.filter(sequence=newest[0]).exists():
            return None
        (sequence, root), at = newest, datetime.now(UTC)
        line, signature = _line("checkpoint", sequence, root, at, "", by)
        _write(file, line)
        Checkpoint.objects.create(sequence=sequence, root=root, signed_at=at, key=by.fingerprint, signature=signature)
    return sequence


def accept_restore(*, why: str, by: Signer, file: Path) -> int:
    """Says, signed, that the database was restored, and that the chain goes on from what it holds now; returns that sequence."""
    if not why.strip():
        raise Permanent("Say why the chain goes on from here.")
    newest = _newest() or (0, GENESIS)
    _write(file, _line("restored", *newest, datetime.now(UTC), why, by)[0])
    return newest[0]


def _newest() -> tuple[int, bytes] | None:
    """Sequence and root of the newest seal; None without one, or where the database is of a release that made none."""
    if Seal._meta.db_table not in connection.introspection.table_names():
        return None
    row = Seal.objects.order_by("-sequence").values_list("sequence", "root").first()
    return None if row is None else (row[0], bytes(row[1]))


def message(kind: str, sequence: int, root: bytes, at: str, why: str) -> bytes:
    """What is signed."""
    return f"mdmhub {kind}\n{sequence}\n{root.hex()}\n{at}\n{why}".encode()


def _line(kind: str, sequence: int, root: bytes, at: datetime, why: str, by: Signer) -> tuple[str, bytes]:
    moment = at.isoformat(timespec="microseconds")
    signature = by.key.sign(message(kind, sequence, root, moment, why))
    told: dict[str, Any] = {"kind": kind, "sequence": sequence, "root": root.hex(), "at": moment}
    told |= {"why": why} if why else {}
    told |= {"key": by.fingerprint, "signature": base64.b64encode(signature).decode()}
    return json.dumps(told), signature


def _write(file: Path, line: str) -> None:
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(file, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
    with os.fdopen(handle, "rb+") as out:
        out.seek(0, os.SEEK_END)
        torn = out.tell() and (out.seek(-1, os.SEEK_END) or True) and out.read(1) != b"\n"
        out.write((("\n" if torn else "") + line + "\n").encode())
        out.flush()
        os.fsync(out.fileno())


def read(file: Path, known: dict[str, Ed25519PublicKey]) -> list[Line]:
    """The lines of the file; none if there is no file. A line that was torn by a crash, or tampered with, is not readable."""
    try:
        texts = file.read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return []
    return [_read(number, text, known) for number, text in enumerate(texts, 1) if text.strip()]


def _read(number: int, text: str, known: dict[str, Ed25519PublicKey]) -> Line:
    try:
        told = json.loads(text)
        kind, sequence, root, at = told["kind"], int(told["sequence"]), bytes.fromhex(told["root"]), str(told["at"])
        why, key, signature = str(told.get("why", "")), str(told["key"]), base64.b64decode(told["signature"])
    except (ValueError, KeyError, TypeError):
        return Line(number, "unreadable", 0, b"", "", readable=False)
    trusted = verifies(known, key, signature, message(kind, sequence, root, at, why))
    return Line(number, kind, sequence, root, at, why, trusted)


def beyond(file: Path, known: dict[str, Ed25519PublicKey]) -> bool:
    """Whether the file has signed a seal that the database has not, or has with another root."""
    signed = [line for line in read(file, known) if line.trusted and line.kind == "checkpoint"]
    wanted = {line.sequence for line in signed}
    newest = _newest()
    rows = [] if newest is None else Seal.objects.filter(sequence__in=wanted).values_list("sequence", "root")
    roots = {sequence: bytes(root) for sequence, root in rows}
    return any(roots.get(line.sequence) != line.root for line in signed)


def merge(file: Path, older: Sequence[str]) -> None:
    """Puts lines of a backup in front of what the file holds; lines that it holds already are not doubled."""
    there = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    lines = [line for line in older if line.strip() and line not in set(there)]
    if not lines:
        return
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = file.with_name(f".{file.name}.part")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as out:
        out.write("".join(f"{line}\n" for line in [*lines, *there]))
        out.flush()
        os.fsync(out.fileno())
    draft.replace(file)
