"""Reading source records, and which customer each system's ids stand for."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Q

from apps.common.errors import Erased, FieldError, NotFound
from apps.customers.models import Membership, SourceRecord, SourceRecordVersion

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
    """One source record whole, and its earlier versions, newest first. `held`: the record itself, or the version that it was at the
    moment that was asked for; `customer`: whose it was then."""

    row: SourceRecord
    held: SourceRecord | SourceRecordVersion
    customer: UUID | None
    versions: Sequence[SourceVersion]


def source_record(system: str, external_id: str, at: datetime | None = None) -> SourceDetail:
    """What `system` sent under `external_id`: two queries. `at`: as the hub had it at a moment, four queries at the most.

    Raises NotFound: no such record, or not yet; and Erased."""
    row = (
        SourceRecord.objects.select_related("system")
        .filter(system__code=system, external_id=external_id)
        .exclude(system__kind="steward")
        .first()
    )
    if row is None:
        raise NotFound(f"System {system!r} has no record with this id.")
    held, customer = (row, row.customer_id) if at is None else _at(row, at)
    older = SourceRecordVersion.objects.filter(source_record=row, version__lt=held.version).order_by("-version")
    versions = [
        SourceVersion(
            v.version, v.received_at, v.replaced_at, v.source_updated_at, v.deleted, v.salt is None, v.canonical
        )
        for v in older[:_MOST_VERSIONS]
    ]
    return SourceDetail(row, held, customer, versions)


def _at(row: SourceRecord, at: datetime) -> tuple[SourceRecord | SourceRecordVersion, UUID | None]:
    """The version that the hub had at a moment, and whose the record was. A version counts until it was replaced."""
    held = SourceRecordVersion.objects.filter(source_record=row, replaced_at__gt=at).order_by("version").first() or row
    if held.version == 1 and held.received_at > at:
        said = f"The hub did not have this record yet; it came at {held.received_at.isoformat()}."
        raise NotFound(said, [FieldError("as_of", "before_first_version", said)])
    if isinstance(held, SourceRecordVersion) and held.salt is None:
        said = f"What the record held at that time, its version {held.version}, was erased by law."
        raise Erased(said, [FieldError("as_of", "erased", said)])
    stay = Membership.objects.filter(Q(until__isnull=True) | Q(until__gt=at), source_record=row, since__lte=at)
    return held, stay.values_list("customer_id", flat=True).first()


def customers_of(keys: Sequence[Key]) -> dict[Key, UUID]:
    """The customer behind each of some (system code, external id) that the hub knows: one query. A key that its system has given up, and
    given to nobody since, stands for the record that had it last."""
    codes, ids = [k[0] for k in keys], [k[1] for k in keys]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT y.code, w.external_id, s.customer_id FROM unnest(%s::text[], %s::text[]) AS w(code, external_id)"
            " JOIN system y ON y.code = w.code LEFT JOIN link l ON l.system_id = y.id AND l.external_id = w.external_id"
            " JOIN source_record s ON s.id = coalesce(l.source_record_id, (SELECT k.source_record_id FROM renamed_key k"
            "  WHERE k.system_id = y.id AND k.before = w.external_id ORDER BY k.renamed_at DESC, k.id DESC LIMIT 1))"
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
