"""What the pipeline left behind: received records whose turn has come, and decisions that have to be taken again."""

from collections import defaultdict
from uuid import UUID

from django.db import connection, transaction

from apps.common import seal
from apps.common.act import Act
from apps.common.errors import Retryable
from apps.common.ids import uuid7
from apps.customers.models import Quarantine
from apps.matching.match import BATCH, match

MAX_ATTEMPTS = 5


def drain(*, most: int = 5_000) -> int:
    """Matches due records and works off the redo queue, `most` records at the most; returns how many were looked at.

    Safe to run any number of times side by side: a batch is claimed with a lease by the database's clock."""
    seen = 0
    while seen < most:
        claimed = _claim_received()
        redo = {} if claimed else _claim_redo()
        if not claimed and not redo:
            break
        for (correlation_id, run_id, quiet), records in claimed.items():
            _match(records, Act("hub:match", "swept", correlation_id=correlation_id, run_id=run_id, quiet=quiet))
            seen += len(records)
        for reason, records in redo.items():
            _match(records, Act("hub:match", reason))
            seen += len(records)
    return seen


def _claim_received() -> dict[tuple[UUID, UUID | None, bool], list[UUID]]:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "UPDATE source_record SET due_at = clock_timestamp() + interval '2 minutes', attempts = attempts + 1 WHERE id IN"
            " (SELECT id FROM source_record WHERE state = 'received' AND due_at <= clock_timestamp() ORDER BY due_at, id"
            "  LIMIT %s FOR UPDATE SKIP LOCKED) RETURNING id, correlation_id, run_id, quiet",
            (BATCH,),
        )
        claimed: dict[tuple[UUID, UUID | None, bool], list[UUID]] = defaultdict(list)
        for id_, correlation_id, run_id, quiet in sorted(cursor.fetchall()):
            claimed[correlation_id, run_id, quiet].append(id_)
    return claimed


def _claim_redo() -> dict[str, list[UUID]]:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "UPDATE redo SET due_at = clock_timestamp() + interval '2 minutes', attempts = attempts + 1 WHERE source_record_id IN"
            " (SELECT source_record_id FROM redo WHERE due_at <= clock_timestamp() ORDER BY due_at, source_record_id"
            "  LIMIT %s FOR UPDATE SKIP LOCKED) RETURNING source_record_id, reason",
            (BATCH,),
        )
        claimed: dict[str, list[UUID]] = defaultdict(list)
        for id_, reason in sorted(cursor.fetchall()):
            claimed[reason].append(id_)
    return claimed


def _match(records: list[UUID], act: Act) -> None:
    try:
        failed = match(records, act=act).failed
    except Retryable:
        return
    if failed:
        _give_up(failed)


def _give_up(failed: dict[UUID, str]) -> None:
    """After MAX_ATTEMPTS a record is quarantined with what was said of it; before that it waits for its next turn."""
    with transaction.atomic(), connection.cursor() as cursor:
        for record, error in sorted(failed.items()):
            cursor.execute("UPDATE source_record SET last_error = %s WHERE id = %s", (error[:2000], record))
            cursor.execute("DELETE FROM redo WHERE source_record_id = %s AND attempts >= %s", (record, MAX_ATTEMPTS))
            cursor.execute(
                "UPDATE source_record SET state = 'quarantined', due_at = NULL WHERE id = %s AND state = 'received' AND attempts >= %s"
                " RETURNING system_id, external_id, raw, run_id, correlation_id",
                (record, MAX_ATTEMPTS),
            )
            row = cursor.fetchone()
            if row:
                _quarantine(row, error)


def _quarantine(row: tuple[int, str, str, UUID | None, UUID], error: str) -> None:
    system_id, external_id, raw, run_id, correlation_id = row
    salt = seal.new_salt()
    Quarantine.objects.create(
        id=uuid7(), system_id=system_id, external_id=external_id, raw=raw, run_id=run_id, correlation_id=correlation_id,
        problems=[{"field": "record", "code": "cannot_be_matched", "detail": error}],
        salt=salt, digest=seal.digest(external_id.encode(), salt, (raw or "").encode()),
    )  # fmt: skip
