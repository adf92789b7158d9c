"""The sealer: what happened is bound into a chain of hashes, some seconds later and without touching a row.

Nothing in the way of a write knows of it: no trigger, no column. It looks for rows by their *place* (the time in a UUIDv7, a moment or a
number, in microseconds or as it is) from the place up to which everything is settled. A row may be committed later than one with a higher
place, so that place is not the highest one sealed but the beginning of the oldest transaction that was open when the sealer looked, less
MARGIN for ids that were made before their transaction began and for clocks that differ: whatever was not visible then lies above it."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from time import monotonic
from typing import Any, Final
from uuid import UUID

from django.db import connection, transaction

from apps.events.models import SealCursor
from apps.events.sealed import LEAF, SETTINGS, Sealed, leaf

BATCH: Final = 1_000
CHUNK: Final = 25_000
"""Rows of one transaction."""
MARGIN: Final = 60_000_000
"""Microseconds."""
LOCK: Final = 0x5EA1
GENESIS: Final = bytes(32)
"""What stands for the root before the first seal."""


@dataclass(frozen=True, slots=True)
class Sealing:
    """What a run has done. `behind`: it stopped with work left; `busy`: another sealer was at it."""

    rows: int = 0
    seals: int = 0
    behind: bool = False
    busy: bool = False


def seal(*, tables: Sequence[Sealed], seconds: float = 5.0) -> Sealing:
    """Seals what has no seal yet, for `seconds`; each chunk is a transaction, so a killed run loses none but its last."""
    end, rows, seals = monotonic() + seconds, 0, 0
    waiting = list(tables)
    while waiting:
        if monotonic() > end:
            return Sealing(rows, seals, behind=True)
        left = []
        for one in waiting:
            done = _chunk(one)
            if done is None:
                return Sealing(rows, seals, busy=True)
            rows, seals = rows + done[0], seals + done[1]
            if done[0] == CHUNK:
                left.append(one)
        waiting = left
    return Sealing(rows, seals)


@transaction.atomic
def _chunk(one: Sealed) -> tuple[int, int] | None:
    """Rows and seals; None while another sealer is at work."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", (LOCK,))
        if not cursor.fetchone()[0]:
            return None
        prepare(cursor)
        oldest = _oldest_transaction(cursor)
        mark = SealCursor.objects.get_or_create(aspect=one.name)[0]
        low = mark.place
        columns = columns_of(cursor, one)
        batches = _fresh(cursor, one, columns, low, known_ids(cursor, one, low))
        rows = sum(batch[1] for batch in batches)
        places = [one.place_of(batch[3], batch[4]) for batch in batches]
        if batches:
            _append(cursor, one, columns, batches, places)
        _settle(cursor, mark, one, oldest, low, places, full=rows == CHUNK)
    return rows, len(batches)


def prepare(cursor: Any) -> None:
    """The settings of this transaction under which rows are made to text, and planned by what there is."""
    for setting in SETTINGS.split(";"):
        cursor.execute(setting)
    cursor.execute("SET LOCAL plan_cache_mode = 'force_custom_plan'")
    cursor.execute("SET LOCAL jit = off")


def _oldest_transaction(cursor: Any) -> int:
    """When the oldest transaction began that is open now, in microseconds; now, if there is none. Asked before anything is read."""
    cursor.execute(
        "SELECT (extract(epoch FROM least(clock_timestamp(), min(xact_start))) * 1000000)::bigint FROM pg_stat_activity"
        " WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
    )
    return int(cursor.fetchone()[0])


def _settle(
    cursor: Any, mark: SealCursor, one: Sealed, oldest: int, low: int, places: Sequence[int], *, full: bool
) -> None:
    """What the next run may take for settled. Whatever this one could not see was written by a transaction that began at `oldest` or later:
    its ids and moments are not older; and its numbers were given after every mark that is older, so they are higher."""
    if one.order == "number":
        cursor.execute("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint")
        seen = max([low, *places, *(number for _, number in mark.marks)])
        place = max([low, *(number for at, number in mark.marks if at <= oldest)])
        mark.marks = [m for m in mark.marks if m[0] > oldest] + [[int(cursor.fetchone()[0]), seen]]
    else:
        place = min(oldest - MARGIN, max(places)) if full else oldest - MARGIN
    mark.place = max(mark.place, place)
    mark.save(update_fields=("place", "marks"))


def columns_of(cursor: Any, one: Sealed) -> list[str]:
    """What a digest covers today; a seal keeps the list it was made with, so a column that comes later does no harm to it."""
    if one.columns:
        return list(one.columns)
    cursor.execute(
        "SELECT attname::text FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped"
        " AND attname <> ALL(%s) ORDER BY attnum",
        (one.table, [one.key, *one.later, *one.erased]),
    )
    return [name for (name,) in cursor.fetchall()]


def known_ids(cursor: Any, one: Sealed, low: int) -> str:
    """Ids that have a seal and may have a place from `low` on, as the text of an array."""
    cursor.execute("SELECT leaves FROM seal WHERE aspect = %s AND newest >= %s", (one.name, low))
    ids: list[str] = []
    for (leaves,) in cursor:
        text = bytes(leaves).hex()
        ids += [text[at : at + 32] for at in range(0, len(text), 2 * LEAF)]
    return "{" + ",".join(ids) + "}"


_Batch = tuple[int, int, UUID, UUID, int | None, bytes]
"""Number, count, first and last id, highest place, leaves."""


def _fresh(cursor: Any, one: Sealed, columns: Sequence[str], low: int, known: str) -> list[_Batch]:
    """Rows without a seal from `low` on, the lowest places first, CHUNK of them at the most, in batches."""
    cursor.execute(
        "SELECT n / %s AS batch, count(*), (array_agg(id ORDER BY id))[1], (array_agg(id ORDER BY id DESC))[1], max(place),"
        " string_agg(uuid_send(id) || digest, ''::bytea ORDER BY id) FROM (SELECT *, row_number() OVER () - 1 AS n FROM ("
        f"SELECT {one.id} AS id, {one.place or 'NULL::bigint'} AS place, {leaf(columns)} AS digest FROM {one.table} t"
        f" WHERE t.{one.by} >= {one.compared} AND ({one.when}) AND ({one.id}) <> ALL(%s::uuid[])"
        f" ORDER BY t.{one.by}, t.{one.key} LIMIT %s) fresh) numbered GROUP BY 1 ORDER BY 1",
        (BATCH, one.bound(low), known, CHUNK),
    )
    return [tuple(row) for row in cursor.fetchall()]


def _append(cursor: Any, one: Sealed, columns: list[str], batches: Sequence[_Batch], places: Sequence[int]) -> None:
    cursor.execute(
        "SELECT sequence, root, clock_timestamp() FROM (SELECT 1) x LEFT JOIN (SELECT sequence, root FROM seal ORDER BY sequence DESC"
        " LIMIT 1) s ON true"
    )
    sequence, previous, now = cursor.fetchone()
    sequence, previous = sequence or 0, bytes(previous or GENESIS)
    with cursor.copy(
        "COPY seal (sequence, aspect, columns, first, last, count, newest, leaves, previous, root, sealed_at) FROM STDIN"
    ) as copy:
        for (_, count, first, last, _, leaves), place in zip(batches, places, strict=True):
            sequence += 1
            head = header(Head(sequence, one.name, columns, first, last, count, place, now))
            root = root_of(previous, head, bytes(leaves))
            copy.write_row((sequence, one.name, columns, first, last, count, place, bytes(leaves), previous, root, now))
            previous = root


@dataclass(frozen=True, slots=True)
class Head:
    """All that a seal says beside its leaves."""

    sequence: int
    aspect: str
    columns: Sequence[str]
    first: UUID
    last: UUID
    count: int
    newest: int
    at: datetime


def header(head: Head) -> bytes:
    """A head in the one form that is hashed."""
    moment = head.at.astimezone(UTC).isoformat(timespec="microseconds")
    ends = [str(head.first), str(head.last)]
    told = [head.sequence, head.aspect, list(head.columns), *ends, head.count, head.newest, moment]
    return json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode()


def root_of(previous: bytes, head: bytes, leaves: bytes) -> bytes:
    """32 bytes: sha256(root before ‖ sha256(header) ‖ sha256(leaves))."""
    return hashlib.sha256(previous + hashlib.sha256(head).digest() + hashlib.sha256(leaves).digest()).digest()


@dataclass(frozen=True, slots=True)
class Backlog:
    """Rows without a seal, and how many seconds the oldest seal run is ago: of tables where something waits."""

    rows: int
    oldest: float | None


def backlog(*, tables: Sequence[Sealed]) -> Backlog:
    """How many rows wait for the sealer, and for how many seconds the oldest of them (of those whose place is a moment)."""
    total, oldest = 0, None
    places: Mapping[str, int] = dict(SealCursor.objects.values_list("aspect", "place"))
    with connection.cursor() as cursor:
        for one in tables:
            low = places.get(one.name, 0)
            place = one.place or "NULL::bigint"
            cursor.execute(
                f"SELECT count(*), (array_agg({one.id} ORDER BY t.{one.by}))[1], min({place}),"
                " (extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
                f" FROM {one.table} t WHERE t.{one.by} >= {one.compared} AND ({one.when}) AND ({one.id}) <> ALL(%s::uuid[])",
                (one.bound(low), known_ids(cursor, one, low)),
            )
            count, first, lowest, now = cursor.fetchone()
            total += count
            if count and one.order != "number":
                age = max(0.0, (now - one.place_of(first, lowest)) / 1e6)
                oldest = age if oldest is None else max(oldest, age)
    return Backlog(total, oldest)
