"""Keys of calls and the answers they got: the table behind the header `Idempotency-Key`.

A row without a status is a call at work. Its process may have died: after a while the next caller with the same key and
the same call takes the row over, in the statement that looks, and by its new id the first one is shut out."""

from uuid import UUID

from django.conf import settings
from django.db import connection

from apps.common.api.idempotency import Answer, Call, Known
from apps.common.ids import uuid7
from apps.connectors.models import IdempotencyKey

DEAD_AFTER_SECONDS = 60
"""Longer than a call takes, whose statements end after ten seconds each. One that did take longer would find its claim void."""

_CLAIM = """
INSERT INTO idempotency_key AS held (id, caller, key, request_digest, headers, correlation_id, created_at)
VALUES (%s, %s, %s, %s, '{}', %s, clock_timestamp())
ON CONFLICT (caller, key) DO UPDATE
  SET id = excluded.id, correlation_id = excluded.correlation_id, created_at = excluded.created_at
  WHERE held.status IS NULL AND held.request_digest = excluded.request_digest
    AND held.created_at < clock_timestamp() - %s * interval '1 second'
RETURNING id
"""


class KeyTable:
    """`apps.common.api.idempotency.Keys` on the table idempotency_key."""

    def claim(self, call: Call) -> UUID | Known:
        """The id under which this call is ours to do, or what its key stands for already."""
        while True:
            with connection.cursor() as cursor:
                given = (uuid7(), call.caller, call.key, call.digest, call.correlation_id, DEAD_AFTER_SECONDS)
                cursor.execute(_CLAIM, given)
                mine = cursor.fetchone()
            if mine:
                claim: UUID = mine[0]
                return claim
            row = IdempotencyKey.objects.filter(caller=call.caller, key=call.key).first()
            if row is not None:  # else it was dropped this moment, and is free again
                return Known(bytes(row.request_digest), _answer(row))

    def keep(self, claim: UUID, answer: Answer) -> None:
        """Writes down what was answered; nothing when the claim was taken over."""
        IdempotencyKey.objects.filter(id=claim, status__isnull=True).update(
            status=answer.status, answer=answer.body, headers=dict(answer.headers)
        )

    def drop(self, claim: UUID) -> None:
        """Frees the key: the call had no effect that its caller could count on, and may be done anew."""
        IdempotencyKey.objects.filter(id=claim, status__isnull=True).delete()


def _answer(row: IdempotencyKey) -> Answer | None:
    if row.status is None:
        return None
    return Answer(row.status, bytes(row.answer or b""), row.headers)


def prune() -> int:
    """Forgets keys older than settings.IDEMPOTENCY_HOURS; returns how many."""
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM idempotency_key WHERE created_at < clock_timestamp() - %s * interval '1 hour'",
            (settings.IDEMPOTENCY_HOURS,),
        )
        forgotten: int = cursor.rowcount
    return forgotten
