"""Keys in, candidate pairs out: the indexed table of blocking keys.

A record's keys are committed before anybody searches with them. So of two records that arrive at the same time, the one whose
keys were committed last finds the other: no pair is missed, and no lock is needed (docs/decisions/0001)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import pyarrow as pa
from django.db import connection, transaction

from apps.common.ids import array as id_array
from apps.common.plans import never_whole_tables
from apps.common.rowset import rowset
from apps.matching import engine
from apps.matching.blocking import kind_of
from apps.matching.parameters import Model


@dataclass(frozen=True, slots=True)
class Block:
    """The records under one key; `oversized`: more than the cap, so the key links nobody."""

    key: int
    records: tuple[UUID, ...]
    oversized: bool


_COLUMNS = {"source_record_id": "uuid", "features": "text", "keys": "bigint[]"}


@transaction.atomic(savepoint=False)
def index(records: Mapping[UUID, Mapping[str, Any]], model: Model) -> None:
    """Stores features and keys of `records` (id -> canonical); keys they no longer have are taken away."""
    if not records:
        return
    prepared = dict(zip(records, engine.prepare(list(records.values()), model), strict=True))
    with connection.cursor() as cursor:
        before = _keys_of(prepared)
        freed = _take_away(
            [(key, id_) for id_, keys in before.items() for key in set(keys).difference(prepared[id_].keys)]
        )
        rows = rowset(
            "incoming_match", _COLUMNS, [(id_, prepared[id_].features, prepared[id_].keys) for id_ in sorted(prepared)]
        )
        cursor.execute(
            f"INSERT INTO blocking_key (key, source_record_id) SELECT unnest(keys), source_record_id FROM {rows.source}"  # noqa: S608 - text of our own
            " ORDER BY 1" + (" ON CONFLICT DO NOTHING" if before else ""),
            rows.params,
        )
        cursor.execute(
            "INSERT INTO match_record (source_record_id, features, keys, features_version)"  # noqa: S608 - text of our own
            f" SELECT source_record_id, features, keys, %s FROM {rows.source} ON CONFLICT (source_record_id)"
            " DO UPDATE SET features = excluded.features, keys = excluded.keys, features_version = excluded.features_version",
            (engine.FEATURES_VERSION, *rows.params),
        )
    if freed:
        _revive(freed, model.thresholds.block_cap)


def _keys_of(records: Iterable[UUID]) -> dict[UUID, list[int]]:
    """The keys that records have now; those that were never keyed are missing."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT source_record_id, keys FROM match_record WHERE source_record_id = ANY(%s::uuid[])",
            (id_array(records),),
        )
        return dict(cursor.fetchall())


# OFFSET 0 makes each row be looked up by itself, in the index: a planner that takes the table for empty, as it does of one that was
# counted while it was, would rather go through the whole table and look for each of its rows in the list.
_TAKE_AWAY = (
    "DELETE FROM blocking_key WHERE ctid = ANY(ARRAY(SELECT b.ctid FROM unnest(%s::bigint[], %s::uuid[]) AS gone(key, record),"
    " LATERAL (SELECT ctid FROM blocking_key k WHERE k.key = gone.key AND k.source_record_id = gone.record OFFSET 0) b))"
)


def _take_away(gone: Sequence[tuple[int, UUID]]) -> list[int]:
    """Removes keys of records; returns those keys."""
    keys = [key for key, _ in gone]
    if gone:
        with never_whole_tables(), connection.cursor() as cursor:
            cursor.execute(_TAKE_AWAY, (id_array(keys), id_array(record for _, record in gone)))
    return sorted(set(keys))


def _revive(keys: Sequence[int], cap: int) -> None:
    """A key that fell back to the cap links again: its records are looked at once more."""
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM oversized_key o WHERE o.key = ANY(%s)"
            " AND (SELECT count(*) FROM (SELECT 1 FROM blocking_key b WHERE b.key = o.key LIMIT %s) x) <= %s RETURNING o.key",
            (list(keys), cap + 1, cap),
        )
        revived = [row[0] for row in cursor.fetchall()]
    if revived:
        redo_holders(revived, "a key links again")


_REDO = (
    "INSERT INTO redo (source_record_id, reason, due_at, attempts) SELECT DISTINCT {records}, %s, clock_timestamp(), 0 {found}"
    " ON CONFLICT (source_record_id) DO NOTHING"
)
_REDO_HOLDERS = _REDO.format(records="source_record_id", found="FROM blocking_key WHERE key = ANY(%s)")
_REDO_MEMBERS = _REDO.format(
    records="id", found="FROM source_record WHERE customer_id = ANY(%s::uuid[]) AND follows_id IS NULL"
)


def redo_holders(keys: Sequence[int], reason: str) -> None:
    """Every record under `keys` goes into the redo queue."""
    with connection.cursor() as cursor:
        cursor.execute(_REDO_HOLDERS, (reason, list(keys)))


def redo_members(customers: Sequence[UUID], reason: str) -> None:
    """Every record of `customers` goes into the redo queue, but those that follow another."""
    with connection.cursor() as cursor:
        cursor.execute(_REDO_MEMBERS, (reason, id_array(customers)))


_HOLDERS = "SELECT key, array_agg(source_record_id) FROM blocking_key WHERE key = ANY(%s::bigint[]) GROUP BY key HAVING count(*) > 1"
_SOME_HOLDERS = (
    "SELECT k.key, array_agg(b.source_record_id) FROM unnest(%s::bigint[]) AS k(key),"
    " LATERAL (SELECT source_record_id FROM blocking_key WHERE key = k.key LIMIT %s) b GROUP BY k.key"
)


def blocks(keys: Sequence[int], cap: int) -> list[Block]:
    """The blocks with two records or more among `keys`.

    One scan of the index reads them all. Of a key known to be oversized no more than cap + 1 holders are read; any other has
    few more than the cap at the most: whoever sees it grow beyond notes it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT key FROM oversized_key WHERE key = ANY(%s::bigint[])", (id_array(keys),))
        noted = {row[0] for row in cursor.fetchall()}
        cursor.execute(_HOLDERS, (id_array([key for key in keys if key not in noted] if noted else keys),))
        rows = cursor.fetchall()
        if noted:
            cursor.execute(_SOME_HOLDERS, (id_array(noted), cap + 1))
            rows += cursor.fetchall()
    return [Block(key, tuple(records), len(records) > cap) for key, records in rows]


def pairs_for(records: Sequence[UUID], model: Model) -> list[tuple[UUID, UUID]]:
    """Every pair (a < b), once, of one of `records` with anybody who shares a key that is not oversized, or two weak ones.

    A key seen to be oversized for the first time puts all its records into the redo queue, so that pairs it had joined before
    are judged again: the result does not depend on who came first."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT unnest(keys) FROM match_record WHERE source_record_id = ANY(%s::uuid[])",
            (id_array(records),),
        )
        keys = [row[0] for row in cursor.fetchall() if kind_of(row[0]) not in model.keys.off]
    asking = set(records)
    near: dict[UUID, set[UUID]] = {}
    once: dict[UUID, set[UUID]] = {}  # by a weak key, so far
    oversized = []
    for block in blocks(keys, model.thresholds.block_cap):
        if block.oversized:
            oversized.append(block.key)
            continue
        weak = kind_of(block.key) in model.keys.weak
        for a in block.records:
            if a not in asking:
                continue
            if weak:
                before = once.setdefault(a, set())
                near.setdefault(a, set()).update(before.intersection(block.records))
                before.update(block.records)
            else:
                near.setdefault(a, set()).update(block.records)
    if oversized:
        _note_oversized(oversized)
    pairs = []
    for a, others in near.items():
        for b in others:
            if a.int < b.int:
                pairs.append((a, b))
            elif a.int > b.int and b not in near:  # of two that ask, the smaller one gives the pair
                pairs.append((b, a))
    return pairs


def _note_oversized(keys: Sequence[int]) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO oversized_key (key, seen_at) SELECT k, clock_timestamp() FROM unnest(%s::bigint[]) k ORDER BY k"
            " ON CONFLICT DO NOTHING RETURNING key",
            (list(keys),),
        )
        new = [row[0] for row in cursor.fetchall()]
        if new:
            redo_holders(new, "a key became oversized")


def clock() -> datetime:
    """The database's time."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        now: datetime = cursor.fetchone()[0]
    return now


def versions_of(records: Iterable[UUID]) -> dict[UUID, int]:
    """The versions of source records as they are committed now."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, version FROM source_record WHERE id = ANY(%s::uuid[])", (id_array(records),))
        return dict(cursor.fetchall())


def features_of(records: Iterable[UUID]) -> tuple[list[UUID], pa.Table]:
    """Stored features of `records`, and the ids in the order of the rows."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT source_record_id, features FROM match_record WHERE source_record_id = ANY(%s::uuid[]) ORDER BY source_record_id",
            (id_array(records),),
        )
        rows = cursor.fetchall()
    return [row[0] for row in rows], engine.from_json([row[1] for row in rows])
