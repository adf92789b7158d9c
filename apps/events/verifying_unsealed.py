"""Rows without a seal: those that wait for one, and those that were put in behind the sealer's back."""

from typing import TYPE_CHECKING, Final
from uuid import UUID

from django.db import connection

from apps.events.models import SealCursor
from apps.events.sealed import LEAF, Sealed
from apps.events.sealing import known_ids

if TYPE_CHECKING:
    from apps.events.verifying import Report

PAGE: Final = 10_000


def look(report: "Report", one: Sealed) -> None:
    """Counts what is older than the settled place against what was sealed; names the rows where the count does not come out."""
    place = SealCursor.objects.filter(aspect=one.name).values_list("place", flat=True).first() or 0
    with connection.cursor() as cursor:
        bound = one.bound(place)
        cursor.execute(
            f"SELECT count(*) FILTER (WHERE t.{one.by} < {one.compared}), count(*) FILTER (WHERE t.{one.by} >= {one.compared}),"
            f" count(*) FILTER (WHERE t.{one.by} >= {one.compared} AND ({one.id}) = ANY(%s::uuid[]))"
            f" FROM {one.table} t WHERE {one.when}",
            (bound, bound, bound, known_ids(cursor, one, place)),
        )
        old, young, young_sealed = cursor.fetchone()
        cursor.execute("SELECT coalesce(sum(count), 0) FROM seal WHERE aspect = %s", (one.name,))
        sealed = int(cursor.fetchone()[0]) - report.missing[one.name]
    report.waiting += young - young_sealed
    if old != sealed - young_sealed:
        _name(report, one, place)


def _name(report: "Report", one: Sealed, place: int) -> None:
    """Goes through every row: this is only done where something is wrong."""
    sealed: set[bytes] = set()
    with connection.cursor() as cursor:
        cursor.execute("SELECT sequence, leaves FROM seal WHERE aspect = %s ORDER BY sequence", (one.name,))
        for sequence, leaves in cursor:
            ids = {bytes(leaves[at : at + 16]) for at in range(0, len(leaves), LEAF)}
            for twice in sealed & ids:
                report.found(
                    "sealed twice", one.table, _shown(one, twice), sequence, "an earlier seal has this row too"
                )
            sealed |= ids
    with connection.chunked_cursor() as stream:
        stream.execute(
            f"SELECT uuid_send({one.id}) FROM {one.table} t WHERE ({one.when}) AND t.{one.by} < {one.compared}",
            (one.bound(place),),
        )
        while rows := stream.fetchmany(PAGE):
            for (id_,) in rows:
                if bytes(id_) not in sealed:
                    said = "it is older than what the sealer has settled, and has no seal"
                    report.found("unsealed", one.table, _shown(one, bytes(id_)), None, f"{one.aspect}: {said}")


def _shown(one: Sealed, id_: bytes) -> str:
    return one.shown(UUID(bytes=id_))
