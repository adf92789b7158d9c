"""Release: what an initial load kept quiet is told from now on. The planner then works out what each target lacks."""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from django.db import connection

from apps.common.act import Act
from apps.common.errors import Conflict
from apps.customers.refresh import refresh

BATCH = 250
_TURNS = 3
"""Times a customer is tried whose records are being moved by somebody else."""


@dataclass(slots=True)
class Released:
    """`done`: customers released; `left`: those that others were changing all the while, for the next call."""

    done: int = 0
    left: int = 0


_UNRELEASED = """
SELECT c.id FROM customer c WHERE c.active AND NOT c.released AND c.id > %(after)s
  AND (%(run)s::uuid IS NULL OR EXISTS (SELECT 1 FROM source_record s WHERE s.customer_id = c.id AND s.run_id = %(run)s))
  AND (%(system)s::int IS NULL OR EXISTS (SELECT 1 FROM source_record s WHERE s.customer_id = c.id AND s.system_id = %(system)s))
ORDER BY c.id LIMIT %(limit)s
"""
_FIRST = UUID(int=0)


def unreleased(
    *, run: UUID | None = None, system: int | None = None, after: UUID = _FIRST, limit: int | None = None
) -> list[UUID]:
    """Customers nobody was told of yet, in the order of their ids: those of one run, of one system, or all."""
    with connection.cursor() as cursor:
        cursor.execute(_UNRELEASED, {"after": after, "run": run, "system": system, "limit": limit})
        return [row[0] for row in cursor.fetchall()]


def release(
    *,
    act: Act,
    run: UUID | None = None,
    system: int | None = None,
    on_progress: Callable[[Released], None] | None = None,
) -> Released:
    """Releases customers in transactions of BATCH; broken off, the next call goes on with what is left.

    What others change at the same moment is tried again at the end."""
    told, late, after = Released(), list[UUID](), _FIRST
    while batch := unreleased(run=run, system=system, after=after, limit=BATCH):
        after = batch[-1]
        late += _some(batch, act, told)
        if on_progress is not None:
            on_progress(told)
    for _ in range(_TURNS):
        late = [id_ for id_ in late if _some([id_], act, told)]
    told.left = len(late)
    return told


def _some(customers: list[UUID], act: Act, told: Released) -> list[UUID]:
    """Releases a batch; returns the customers of one that had to be left alone."""
    try:
        told.done += len(refresh(customers, act=act, releases=True))
    except Conflict:
        return customers
    return []
