"""Poll and sweep: what changed in a target since we last looked, and what is gone there though nobody said so.

The cursor is kept in the transaction that keeps the records, so nothing is skipped; what is read twice changes nothing."""

import logging
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from apps.common.act import Act
from apps.common.errors import Retryable
from apps.common.ids import uuid7
from apps.common.jsontext import json_text, json_value
from apps.connectors import circuit, inbound
from apps.connectors.backoff import Next
from apps.connectors.contract import Can, FarRecord, Page
from apps.connectors.inbound import Door, Intake, Item
from apps.connectors.planning_cursor import forward, overlapping
from apps.connectors.targets import POLL_SECONDS, SWEEP_SECONDS, Target, targets
from apps.customers.models import System
from apps.matching import doubts

logger = logging.getLogger(__name__)
PAGE = 250
TURN_SECONDS = 20.0
"""A target with much to tell goes on with its next turn, so that it keeps nobody else waiting."""


def item_of(target: Target, record: FarRecord) -> Item:
    """A far record as an item at the door: its native values, and what the adapter knows of it where the mapping does not say."""
    known: dict[str, Any] = {"record_id": record.external_id}
    if record.deleted:
        known["deleted"] = True
    if record.changed_at and not record.deleted:
        known["source_updated_at"] = record.changed_at
    columns = target.mapping.columns
    if record.values:
        known = {n: v for n, v in known.items() if n not in columns}
    else:  # only missed there: nothing stands in the columns the mapping reads, so what is known is put into them
        known = {columns[n][0] if n in columns else n: v for n, v in known.items()}
    values = {**record.values, **known}
    return Item(values, json_text(dict(record.values)))


def take_in_far(
    target: Target, records: Sequence[FarRecord], *, correlation_id: UUID, cursor: Mapping[str, Any] | None = None,
    read_at: datetime | None = None,
) -> Intake:  # fmt: skip
    """Takes records of a target in. `cursor`: how far was read, kept with them."""
    act = Act(f"poll:{target.name}", "poll", correlation_id=correlation_id)
    door = Door(System.objects.get(id=target.system), target.mapping, read_at=read_at)

    def also(_: Intake) -> None:
        _note_far(target, records)
        _doubt_merges(target, records)
        if cursor is not None:
            _keep_cursor(target, cursor)

    intake = inbound.keep(door=door, items=[item_of(target, r) for r in records], act=act, also=also)
    inbound.finish(intake, act=act)
    return intake


def take_in_later(target: Target, records: Sequence[FarRecord], *, correlation_id: UUID) -> None:
    """The same once the transaction is over; records that cannot be taken in then come with the next poll."""

    def take_in() -> None:
        try:
            take_in_far(target, records, correlation_id=correlation_id)
        except Exception:  # the caller's transaction is written already; it must not look undone
            logger.exception("%d records of %s could not be taken in", len(records), target.name)

    transaction.on_commit(take_in)


def _note_far(target: Target, records: Sequence[FarRecord]) -> None:
    """What links say of the records there: version stamps, and what the far side deleted or merged by itself."""
    told = [
        {"i": r.external_id, "e": r.etag, "d": r.deleted, "m": r.merged_into or ""}
        for r in sorted(records, key=lambda r: r.external_id)
    ]
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE link l SET etag = coalesce(r.e, l.etag),"
            " merged_into = CASE WHEN r.d AND r.m <> '' THEN r.m ELSE l.merged_into END,"
            " disposition = CASE WHEN r.d AND l.disposition <> 'merged' THEN 'gone'"
            "   WHEN NOT r.d AND l.disposition = 'gone' THEN 'there' ELSE l.disposition END"
            " FROM jsonb_to_recordset(%s::jsonb) AS r(i text, e text, d boolean, m text)"
            " WHERE l.system_id = %s AND l.external_id = r.i AND (r.d OR r.e IS NOT NULL OR l.disposition = 'gone')",
            (json_text(told), target.system),
        )


def _doubt_merges(target: Target, records: Sequence[FarRecord]) -> None:
    """What the far side has made one and the hub knows as two customers is for a person to decide."""
    merged = {r.external_id: r.merged_into for r in records if r.merged_into}
    if not merged:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT l.external_id, coalesce(s.follows_id, s.id) FROM link l JOIN source_record s ON s.id = l.source_record_id"
            " WHERE l.system_id = %s AND l.external_id = ANY(%s)",
            (target.system, [*merged, *merged.values()]),
        )
        record = dict(cursor.fetchall())
    doubts.merged_there([(record[a], record[b]) for a, b in merged.items() if record.keys() >= {a, b}])


def _keep_cursor(target: Target, cursor_value: Mapping[str, Any]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            'UPDATE connection SET "cursor" = jsonb_set("cursor", \'{changes}\', %s::jsonb) WHERE id = %s',
            (json_text(dict(cursor_value)), target.id),
        )


def claim_due(kind: str) -> list[UUID]:
    """Connections whose turn it is to be polled (`poll`) or swept (`sweep`), each claimed by moving its next turn ahead."""
    column, standard = {"poll": ("poll_due_at", POLL_SECONDS), "sweep": ("sweep_due_at", SWEEP_SECONDS)}[kind]
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE connection SET {column} = clock_timestamp() + interval '1 second' * coalesce("
            f" (settings #>> '{{document,connection,{kind}_seconds}}')::float8, %s) WHERE id IN (SELECT id FROM connection"
            f" WHERE adapter <> 'webhook' AND mode <> 'paused' AND coalesce({column} <= clock_timestamp(), true)"
            " ORDER BY id FOR UPDATE SKIP LOCKED) RETURNING id",
            (standard,),
        )
        return [row[0] for row in cursor.fetchall()]


def poll(target: Target) -> int:
    """Reads what changed since the cursor, page by page; returns how many records came in."""
    if Can.CHANGES not in target.adapter.can:
        return 0
    taken, asked = 0, None
    ends = time.monotonic() + TURN_SECONDS
    while True:
        read_at, known = _clock(), _cursor(target, "changes")
        asked = asked if asked is not None else overlapping(known, now=read_at, seconds=target.overlap)
        page = target.adapter.changes(asked, limit=PAGE, timeout=target.timeout)
        if not _read_well(target, page):
            break
        asked, kept = dict(page.cursor), forward(known, page.cursor)
        if page.records:
            take_in_far(target, page.records, correlation_id=uuid7(), cursor=kept, read_at=read_at)
        elif kept:
            _keep_cursor(target, kept)
        taken += len(page.records)
        if not page.more:
            break
        if time.monotonic() > ends:
            _go_on_at_once(target)
            break
    return taken


def _go_on_at_once(target: Target) -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE connection SET poll_due_at = clock_timestamp() WHERE id = %s", (target.id,))


def begin_here(target: Target) -> None:
    """The target's records are known already (they came as files): what changes from now on is polled."""
    while True:
        page = target.adapter.changes(_cursor(target, "changes"), limit=PAGE * 8, timeout=target.timeout)
        if not _read_well(target, page):
            raise Retryable(f"{target.name} could not be read: {page.answer.detail}")
        _keep_cursor(target, page.cursor)
        if not page.more:
            return


def _cursor(target: Target, name: str) -> dict[str, Any]:
    with connection.cursor() as cursor:
        cursor.execute('SELECT "cursor" -> %s FROM connection WHERE id = %s', (name, target.id))
        row = cursor.fetchone()
    found = row[0] if row else None
    if isinstance(found, str):
        found = json_value(found)
    return dict(found or {})


def _read_well(target: Target, page: Page) -> bool:
    """Reads count for the breaker as writes do: a target that cannot be read is as ill as one that cannot be written."""
    if page.answer.trouble is None:
        return True
    hold = page.answer.retry_after or 0.0
    circuit.note([(target.id, page.answer.trouble, page.answer.detail, Next("waiting", hold, holds=hold > 0))])
    logger.warning("%s could not be read: %s %s", target.name, page.answer.trouble, page.answer.detail)
    return False


def sweep(target: Target) -> list[str]:
    """Compares the ids there with the links here; records that are gone, or were merged there, come in as deleted. Returns their ids.

    Only links older than the sweep count, and only a list that was read to its end."""
    if Can.LIST not in target.adapter.can:
        return []
    began = _clock()
    there: dict[str, FarRecord] = {}
    cursor: Mapping[str, Any] = {}
    while True:
        page = target.adapter.list(cursor, limit=PAGE * 4, timeout=target.timeout)
        if not _read_well(target, page):
            return []
        there.update((r.external_id, r) for r in page.records)
        cursor = page.cursor
        if not page.more:
            break
    gone = [
        there.get(i, FarRecord(i, deleted=True)) for i in _linked(target, began) if i not in there or there[i].deleted
    ]
    for start in range(0, len(gone), PAGE):
        take_in_far(target, gone[start : start + PAGE], correlation_id=uuid7())
    return [r.external_id for r in gone]


def _clock() -> Any:
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        return cursor.fetchone()[0]


def _linked(target: Target, before: Any) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT l.external_id FROM link l JOIN source_record s ON s.id = l.source_record_id WHERE l.system_id = %s"
            " AND l.created_at < %s AND l.disposition IN ('there', 'deactivated') AND NOT s.deleted ORDER BY 1",
            (target.system, before),
        )
        return [row[0] for row in cursor.fetchall()]


def run_due() -> int:
    """Polls and sweeps every target whose turn it is; returns how many records came in. One target's trouble stops no other."""
    found = targets()
    done = 0
    for kind, work in (("poll", poll), ("sweep", lambda t: len(sweep(t)))):
        for id_ in claim_due(kind):
            target = found.get(id_)
            if target is None or target.error:
                continue
            try:
                done += work(target)
            except Exception:  # a task boundary: the next turn comes by itself
                logger.exception("%s of %s failed", kind, target.name)
    return done
