"""Receive: a batch of one system's records becomes, or changes, its source records. Nothing is matched here.

Same content: nothing happens. An older source version never overwrites a newer one. A deletion is a version too."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from django.db import connection, transaction

from apps.common import seal
from apps.common.act import Act
from apps.common.ids import array, uuid7
from apps.common.jsontext import json_text, json_value
from apps.common.rowset import Rowset, rowset

LEASE_SECONDS = 60
Merge = Callable[[Mapping[str, Any]], tuple[dict[str, Any], bytes]]
"""From the stored canonical form to (what it becomes, its digest): how a patch or a deletion is laid over it."""


@dataclass(slots=True)
class Incoming:
    """One record as it arrived. `raw`: as received, JSON text. `canonical`: what a new record would be; `merge`: what becomes of a
    record that is there already, where that is not the same."""

    external_id: str
    raw: str
    canonical: dict[str, Any]
    content_digest: bytes
    source_updated_at: datetime | None = None
    deleted: bool = False
    merge: Merge | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """`outcome`: created, changed, deleted, unchanged, or stale (an older version than the one kept).

    `record` is None for the deletion of a record nobody has. `follows`: it is never matched by itself."""

    record: UUID | None
    external_id: str
    outcome: str
    follows: UUID | None = None


@dataclass(slots=True)
class _Stored:
    id: UUID
    external_id: str
    digest: bytes
    version: int
    newest_source_at: datetime | None
    deleted: bool
    canonical: str
    follows: UUID | None


def receive(*, system_id: int, records: Sequence[Incoming], act: Act, lease: bool = True) -> list[Outcome]:
    """Upserts up to some hundred records of one system; outcomes stand in the order of `records`.

    Several versions of one record in a batch are taken one after the other. `lease`: the caller goes on to match them at once,
    so the sweep leaves them alone for a minute. Raises the database's error for a batch that holds an impossible record."""
    outcomes: list[Outcome | None] = [None] * len(records)
    left = list(range(len(records)))
    with transaction.atomic(savepoint=False):
        while left:
            wave: dict[str, int] = {}
            later = []
            for i in left:
                if records[i].external_id in wave:
                    later.append(i)
                else:
                    wave[records[i].external_id] = i
            for i, outcome in _receive_wave(system_id, [(i, records[i]) for i in wave.values()], act, lease=lease):
                outcomes[i] = outcome
            left = later
    return [o for o in outcomes if o is not None]


def _receive_wave(
    system_id: int, wave: Sequence[tuple[int, Incoming]], act: Act, *, lease: bool
) -> list[tuple[int, Outcome]]:
    done: list[tuple[int, Outcome]] = []
    pending = list(wave)
    while pending:
        stored = _stored(system_id, [r.external_id for _, r in pending])
        fresh: list[tuple[int, Incoming]] = []
        changed: list[tuple[Incoming, _Stored]] = []
        confirmed: list[tuple[UUID, datetime]] = []
        for i, record in pending:
            known = stored.get(record.external_id)
            if known is None and record.deleted:
                done.append((i, Outcome(None, record.external_id, "unchanged")))
                continue
            if known is None:
                fresh.append((i, record))
                continue
            outcome = _judge(record, known)
            if outcome in ("changed", "deleted"):
                changed.append((record, known))
            elif outcome == "unchanged" and _is_newer(record.source_updated_at, known.newest_source_at):
                confirmed.append((known.id, cast("datetime", record.source_updated_at)))
            done.append((i, Outcome(known.id, record.external_id, outcome, known.follows)))
        if changed:
            _change(changed, act, lease=lease)
        if confirmed:
            _confirm(confirmed)
        ids = _insert(system_id, [r for _, r in fresh], act, lease=lease) if fresh else {}
        done += [(i, Outcome(ids[r.external_id], r.external_id, "created")) for i, r in fresh if r.external_id in ids]
        pending = [(i, r) for i, r in fresh if r.external_id not in ids]
    return done


def _stored(system_id: int, external_ids: Sequence[str]) -> dict[str, _Stored]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, external_id, content_digest, version, greatest(newest_source_at, source_updated_at), deleted, canonical::text,"
            " follows_id"
            " FROM source_record WHERE system_id = %s AND external_id = ANY(%s) ORDER BY id FOR NO KEY UPDATE",
            (system_id, list(external_ids)),
        )
        return {row[1]: _Stored(*row) for row in cursor.fetchall()}


def _judge(record: Incoming, known: _Stored) -> str:
    if record.source_updated_at and known.newest_source_at and record.source_updated_at < known.newest_source_at:
        return "stale"
    if record.merge is not None:
        record.canonical, record.content_digest = record.merge(json_value(known.canonical))
    if record.content_digest == bytes(known.digest):
        return "unchanged"
    return "deleted" if record.deleted and not known.deleted else "changed"


def _is_newer(told: datetime | None, known: datetime | None) -> bool:
    return told is not None and (known is None or told > known)


def _confirm(confirmed: Sequence[tuple[UUID, datetime]]) -> None:
    """The same content at a later source time: nothing changes, but a version from in between is stale from now on."""
    told = json_text([{"i": record.hex, "t": moment.isoformat()} for record, moment in confirmed])
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE source_record s SET newest_source_at = c.t FROM jsonb_to_recordset(%s::jsonb) AS c(i uuid, t timestamptz)"
            " WHERE s.id = c.i",
            (told,),
        )


_COLUMNS = {
    "id": "uuid", "external_id": "text", "kind": "text", "raw": "text", "raw_salt": "bytea", "raw_digest": "bytea",
    "canonical": "jsonb", "content_digest": "bytea", "source_updated_at": "timestamptz", "deleted": "boolean",
    "other_id": "uuid",
}  # fmt: skip
_ROW = ", ".join(name for name in _COLUMNS if name != "other_id")


def _arrived(records: Sequence[tuple[UUID, Incoming]]) -> Rowset:
    """`other_id`: for the row that is written beside the record, its link or the version it replaces."""
    rows = []
    for id_, r in records:
        salt = seal.new_salt()
        digest = seal.digest(r.external_id.encode(), salt, r.raw.encode())
        rows.append(
            (id_, r.external_id, r.canonical["kind"], r.raw, seal.bytes_text(salt), seal.bytes_text(digest), json_text(r.canonical),
             seal.bytes_text(r.content_digest), r.source_updated_at, r.deleted, uuid7())
        )  # fmt: skip
    return rowset("incoming_record", _COLUMNS, rows)


def _insert(system_id: int, records: Sequence[Incoming], act: Act, *, lease: bool) -> dict[str, UUID]:
    """New source records with their links; a record that somebody else inserted meanwhile is missing from the answer."""
    rows = _arrived([(uuid7(), r) for r in records])
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO source_record ({_ROW}, system_id, version, received_at, changed_at, state, due_at, attempts, last_error,"
            " customer_active, correlation_id, run_id, quiet)"
            f" SELECT {_ROW}, %s, 1, now(), now(), 'received', now() + %s * interval '1 second', 0, '', true, %s, %s, %s"
            f" FROM {rows.source} ORDER BY external_id"  # one order for all: no two inserts wait for each other
            " ON CONFLICT (system_id, external_id) DO NOTHING RETURNING external_id, id",
            (system_id, LEASE_SECONDS if lease else 0, act.correlation_id, act.run_id, act.quiet, *rows.params),
        )
        ids: dict[str, UUID] = dict(cursor.fetchall())
        cursor.execute(
            "INSERT INTO link (id, system_id, external_id, source_record_id, state, created_at)"
            f" SELECT other_id, %s, external_id, id, 'active', now() FROM {rows.source} WHERE id = ANY(%s::uuid[])"
            " ON CONFLICT (system_id, external_id) DO NOTHING",
            (system_id, *rows.params, array(ids.values())),
        )
    return ids


def _change(changes: Sequence[tuple[Incoming, _Stored]], act: Act, *, lease: bool) -> None:
    """The version that is replaced is kept whole; the record takes the new one and goes back to the start of the pipeline."""
    rows = _arrived([(known.id, record) for record, known in changes])
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO source_record_version (id, source_record_id, version, raw, canonical, content_digest, source_updated_at,"
            " received_at, replaced_at, deleted, salt, digest)"
            " SELECT i.other_id, s.id, s.version, s.raw, s.canonical, s.content_digest, s.source_updated_at, s.received_at,"
            " clock_timestamp(), s.deleted, s.raw_salt, s.raw_digest"
            f" FROM source_record s JOIN {rows.source} ON i.id = s.id",
            rows.params,
        )
        cursor.execute(
            "UPDATE source_record s SET kind = i.kind, raw = i.raw, raw_salt = i.raw_salt, raw_digest = i.raw_digest,"
            " canonical = i.canonical, content_digest = i.content_digest, deleted = i.deleted, version = s.version + 1,"
            " source_updated_at = coalesce(i.source_updated_at, s.source_updated_at), received_at = now(), changed_at = now(),"
            " state = 'received', due_at = now() + %s * interval '1 second', attempts = 0, last_error = '',"
            " correlation_id = %s, run_id = %s, quiet = %s"
            f" FROM {rows.source} WHERE s.id = i.id",
            (LEASE_SECONDS if lease else 0, act.correlation_id, act.run_id, act.quiet, *rows.params),
        )
