"""Records that could not be taken in are set aside: whole, sealed, with their place and every cause."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from apps.common import seal
from apps.common.ids import uuid7
from apps.common.jsontext import storable
from apps.customers.canonical import Problem
from apps.customers.models import Quarantine, System


@dataclass(frozen=True, slots=True)
class Aside:
    """One such record. `raw` is what arrived, None when it was erased since; `line` its place in the file."""

    system: System
    raw: str | None
    problems: Sequence[Problem]
    correlation_id: UUID
    external_id: str = ""
    run_id: UUID | None = None
    file_name: str = ""
    line: int | None = None


def set_aside(records: Sequence[Aside]) -> list[UUID]:
    """Keeps them in quarantine, in one statement; their ids there, in the same order."""
    rows = [_row(record) for record in records]
    Quarantine.objects.bulk_create(rows)
    return [row.id for row in rows]


def _row(record: Aside) -> Quarantine:
    raw = None if record.raw is None else storable(record.raw)
    salt = seal.new_salt()
    return Quarantine(
        id=uuid7(), system=record.system, run_id=record.run_id, file_name=record.file_name, line=record.line,
        external_id=storable(record.external_id)[:500], raw=raw, correlation_id=record.correlation_id,
        problems=[{"field": storable(p.field), "code": p.code, "detail": storable(p.detail)} for p in record.problems],
        salt=salt, digest=seal.digest(record.system.code.encode(), salt, (raw or "").encode()),
    )  # fmt: skip
