"""What has grown old, as it was counted last, and what is about to run out."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from django.db import connection
from django.utils import timezone

from apps.common.errors import NotFound
from apps.customers.models import Customer, StaleAttribute
from apps.customers.systems import steward_system

MOST_EXPIRING = 200


@dataclass(frozen=True, slots=True)
class Old:
    """A customer whose value has grown old; `id` is what the counted id stands for today. `since`: None, its age is not known."""

    id: UUID
    name: str
    since: datetime | None


@dataclass(frozen=True, slots=True)
class Expiring:
    """A pin, or an ignored value (`ignored`), that runs out: from then on the sources decide again."""

    customer: UUID
    name: str
    attribute: str
    ignored: bool
    actor: str
    reason: str
    expires_at: datetime


def stale_attributes() -> list[StaleAttribute]:
    """Every attribute that has an age in the policy, as it was counted last: one query."""
    return list(StaleAttribute.objects.order_by("attribute"))


def oldest(attribute: str) -> tuple[StaleAttribute, list[Old]]:
    """The customers whose value of one attribute is oldest, as counted last: two queries. Raises NotFound."""
    row = StaleAttribute.objects.filter(attribute=attribute).first()
    if row is None:
        raise NotFound("No age is said, or counted yet, for this attribute.")
    told = [(UUID(id_), since) for id_, since in row.oldest]
    found = {
        id_: (after or id_, name or "")
        for id_, after, name in Customer.objects.filter(id__in=[id_ for id_, _ in told]).values_list(
            "id", "replaced_by", "name"
        )
    }
    return row, [
        Old(found[id_][0], found[id_][1], datetime.fromisoformat(since) if since else None)
        for id_, since in told
        if id_ in found
    ]


_EXPIRING = """
SELECT s.customer_id, coalesce(c.name, ''), said.key, part.key = 'ignored', said.value ->> 'actor', said.value ->> 'reason',
  (said.value ->> 'expires_at')::timestamptz AS ends
FROM source_record s JOIN customer c ON c.id = s.customer_id, LATERAL jsonb_each(s.canonical) AS part, LATERAL jsonb_each(part.value) AS said
WHERE s.system_id = %s AND part.key IN ('pins', 'ignored') AND said.value ->> 'expires_at' <= %s
ORDER BY ends, s.customer_id, said.key LIMIT %s
"""


def expiring(within: timedelta) -> Sequence[Expiring]:
    """What stewards have said until a day that comes `within` this time, the first to run out first, MOST_EXPIRING at the most: one query
    over their records."""
    until = (timezone.now() + within).astimezone(UTC).isoformat(timespec="microseconds")
    with connection.cursor() as cursor:
        cursor.execute(_EXPIRING, (steward_system().id, until, MOST_EXPIRING))
        return [Expiring(*row) for row in cursor.fetchall()]
