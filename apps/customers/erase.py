"""The right to be forgotten, for what has happened: history loses its values and keeps its facts."""

from dataclasses import dataclass
from uuid import UUID

from django.db import connection, transaction

from apps.common.act import Act
from apps.common.errors import FieldError, NotFound, Rejected
from apps.common.ids import uuid7
from apps.common.jsontext import json_value
from apps.customers.models import Customer


@dataclass(frozen=True, slots=True)
class Erased:
    """`id`: of the row in `erasure`, which says who and why; `rows`: how many were emptied, by table."""

    id: UUID
    rows: dict[str, int]


@transaction.atomic
def erase_history(*, customer: UUID, act: Act) -> Erased:
    """Empties the history of a customer and of the ids that were merged into it: snapshots, bodies of events, earlier versions of its
    source records and what of them was set aside. When, by whom and why something happened stays, and so do its digests: the audit verifies
    before and after. What the customer is today is no history and is not touched.

    Raises NotFound (no such customer), Rejected (no reason)."""
    if not act.reason.strip():
        raise Rejected("Say why it is erased.", [FieldError("/reason", "missing", "Say why it is erased.")])
    if not Customer.objects.filter(id=customer).exists():
        raise NotFound("There is no such customer.")
    id_ = uuid7()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT erase_subject(%s, %s, %s, %s, %s)::text",
            (customer, id_, act.actor, act.reason, act.correlation_id),
        )
        return Erased(id_, json_value(cursor.fetchone()[0]))
