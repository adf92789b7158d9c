"""What waits for a second person is about customers as they are today: it is closed when one of them is gone."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from django.db import connection, transaction

from apps.common.ids import array


def close_merges(requests: Iterable[UUID]) -> None:
    """Open requests to merge a customer that has just gone into another. The caller holds the locks of its records and of the customer,
    so nobody asks for another one meanwhile, and nobody decides."""
    ids = list(requests)
    if ids:
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE change_request SET state = 'closed', decided_at = clock_timestamp() WHERE id IN"
                " (SELECT id FROM change_request WHERE id = ANY(%s::uuid[]) AND state = 'open' ORDER BY id FOR UPDATE)",
                (array(ids),),
            )


# Holds of customers that are gone, or whose request is decided; then requests for nothing: no hold that waits, no customers that stand.
_HOLDS = """
UPDATE hold SET state = 'closed', decided_at = clock_timestamp() WHERE id IN (
  SELECT h.id FROM hold h JOIN customer c ON c.id = h.customer_id JOIN change_request r ON r.id = h.change_request_id
  WHERE h.state IN ('open', 'rejected') AND (NOT c.active OR (h.state = 'open' AND r.state <> 'open')) ORDER BY h.id FOR UPDATE OF h)
RETURNING customer_id
"""
_REQUESTS = """
UPDATE change_request SET state = 'closed', decided_at = clock_timestamp() WHERE id IN (
  SELECT r.id FROM change_request r WHERE r.state = 'open' AND r.kind IN ('hold', 'merge')
  AND NOT EXISTS (SELECT 1 FROM hold h WHERE h.change_request_id = r.id AND h.state = 'open')
  AND NOT EXISTS (SELECT 1 FROM merge_request m WHERE m.change_request_id = r.id
    AND NOT EXISTS (SELECT 1 FROM unnest(m.customers) n(id) LEFT JOIN customer c ON c.id = n.id WHERE c.active IS NOT TRUE))
  ORDER BY r.id FOR UPDATE OF r)
RETURNING id
"""


@transaction.atomic
def close_stale() -> tuple[Sequence[UUID], int]:
    """Closes every approval that waits for something that is not there any more. Returns the customers whose holds were closed, to be
    built again, and how many requests were closed."""
    with connection.cursor() as cursor:
        cursor.execute(_HOLDS)
        customers = sorted({row[0] for row in cursor.fetchall()})
        cursor.execute(_REQUESTS)
        return customers, cursor.rowcount
