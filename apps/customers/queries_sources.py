"""Reading source records, and which customer each system's ids stand for."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from apps.common.errors import NotFound
from apps.customers.models import SourceRecord, SourceRecordVersion

_MOST_VERSIONS = 50
Key = tuple[str, str]
"""(system code, external id)"""


@dataclass(frozen=True, slots=True)
class SourceVersion:
    """A version that a later one replaced."""

    version: int
    received_at: datetime
    replaced_at: datetime
    source_updated_at: datetime | None
    deleted: bool
    erased: bool
    canonical: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class SourceDetail:
    """One source record whole, and its earlier versions, newest first."""

    row: SourceRecord
    system: str
    versions: Sequence[SourceVersion]


def source_record(system: str, external_id: str) -> SourceDetail:
    """What `system` sent under `external_id`: two queries. Raises NotFound."""
    row = (
        SourceRecord.objects.select_related("system")
        .filter(system__code=system, external_id=external_id)
        .exclude(system__kind="steward")
        .first()
    )
    if row is None:
        raise NotFound(f"System {system!r} has no record with this id.")
    older = SourceRecordVersion.objects.filter(source_record=row).order_by("-version")[:_MOST_VERSIONS]
    versions = [
        SourceVersion(
            v.version, v.received_at, v.replaced_at, v.source_updated_at, v.deleted, v.salt is None, v.canonical
        )
        for v in older
    ]
    return SourceDetail(row, row.system.code, versions)


def customers_of(keys: Sequence[Key]) -> dict[Key, UUID]:
    """The customer behind each of some (system code, external id) that the hub knows: one query."""
    codes, ids = [k[0] for k in keys], [k[1] for k in keys]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT y.code, l.external_id, s.customer_id FROM unnest(%s::text[], %s::text[]) AS w(code, external_id)"
            " JOIN system y ON y.code = w.code JOIN link l ON l.system_id = y.id AND l.external_id = w.external_id"
            " JOIN source_record s ON s.id = l.source_record_id"
            " WHERE s.customer_id IS NOT NULL AND y.kind <> 'steward'",
            (codes, ids),
        )
        return {(code, external_id): customer for code, external_id, customer in cursor.fetchall()}


def crosswalk(system: str | None = None, *, chunk: int = 5_000) -> Iterator[tuple[str, str, UUID]]:
    """(system code, external id, customer id) of every record of every system, or of one, in that order, read in
    chunks by a cursor of the database: memory does not grow with the hub."""
    with transaction.atomic(), connection.chunked_cursor() as cursor:
        cursor.execute(
            "SELECT y.code, l.external_id, s.customer_id FROM link l JOIN system y ON y.id = l.system_id"
            " JOIN source_record s ON s.id = l.source_record_id"
            " WHERE s.customer_id IS NOT NULL AND y.kind <> 'steward' AND (%s::text IS NULL OR y.code = %s)"
            " ORDER BY y.code, l.external_id",
            (system, system),
        )
        while rows := cursor.fetchmany(chunk):
            yield from rows
