"""What the pipeline left behind: received records whose turn has come, and decisions that have to be taken again."""

from collections import defaultdict
from uuid import UUID

from django.db import connection, transaction

from apps.common.act import Act
from apps.common.errors import Retryable
from apps.common.ids import array
from apps.common.jsontext import storable
from apps.customers.canonical import Problem
from apps.customers.models import System
from apps.customers.set_aside import Aside, set_aside
from apps.matching.activation import queue_some
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
            if queue_some():
                continue
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


# The rows are locked in the order of their ids, as everywhere: two processes that wait do so in a line, not in a ring.
_FAILED = """
WITH failed AS (
  SELECT s.id, f.error, s.state = 'received' AND s.attempts >= %s AS spent
  FROM source_record s JOIN unnest(%s::uuid[], %s::text[]) AS f (id, error) ON f.id = s.id ORDER BY s.id FOR UPDATE OF s
)
UPDATE source_record s SET last_error = f.error, state = CASE WHEN f.spent THEN 'quarantined' ELSE s.state END,
  due_at = CASE WHEN f.spent THEN NULL ELSE s.due_at END
FROM failed f WHERE s.id = f.id
RETURNING f.spent, s.system_id, s.external_id, s.raw, s.run_id, s.correlation_id, f.error
"""


def _give_up(failed: dict[UUID, str]) -> None:
    """After MAX_ATTEMPTS a record is quarantined with what was said of it; before that it waits for its next turn."""
    records = array(failed)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_FAILED, (MAX_ATTEMPTS, records, [storable(error)[:2000] for error in failed.values()]))
        spent = [row[1:] for row in cursor.fetchall() if row[0]]
        cursor.execute(
            "DELETE FROM redo WHERE source_record_id = ANY(%s::uuid[]) AND attempts >= %s", (records, MAX_ATTEMPTS)
        )
        systems = System.objects.in_bulk({row[0] for row in spent})
        set_aside([
            Aside(
                systems[system], raw, [Problem("record", "cannot_be_matched", error)],
                external_id=external_id, run_id=run_id, correlation_id=correlation_id,
            )
            for system, external_id, raw, run_id, correlation_id, error in spent
        ])  # fmt: skip
