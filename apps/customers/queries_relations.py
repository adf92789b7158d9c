"""Who a customer has to do with, though they are not one."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import connection

from apps.customers.models import Relation


@dataclass(frozen=True, slots=True)
class Related:
    """Another customer, how they are related (in words), and who said so."""

    customer: UUID
    name: str
    kind: str
    actor: str
    reason: str
    since: datetime


def related(customer: UUID) -> Sequence[Related]:
    """Live relations of its records to those of others, the newest first: one query. Those that are one customer by now are left out."""
    words = dict(Relation.Kind.choices)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT ON (c.id, r.kind) c.id, coalesce(c.name, ''), r.kind, r.actor, r.reason, r.since FROM source_record s"
            " JOIN LATERAL (SELECT a.record_b_id AS other, a.* FROM relation a WHERE a.record_a_id = s.id AND a.until IS NULL"
            "  UNION ALL SELECT b.record_a_id, b.* FROM relation b WHERE b.record_b_id = s.id AND b.until IS NULL) r ON true"
            " JOIN source_record o ON o.id = r.other"
            " JOIN customer c ON c.id = o.customer_id WHERE s.customer_id = %s AND c.id <> %s"
            " ORDER BY c.id, r.kind, r.since DESC",
            (customer, customer),
        )
        found = [Related(row[0], row[1], words[row[2]], *row[3:]) for row in cursor.fetchall()]
    return sorted(found, key=lambda one: one.since, reverse=True)
