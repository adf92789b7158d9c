"""What customer ids stand for: an id that was given once stands for a customer for ever."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from apps.common.errors import Conflict, NotFound, Rejected
from apps.customers.models import Customer


def standing(ids: Iterable[UUID]) -> dict[UUID, UUID]:
    """Each id -> the id of the active customer that it stands for today; itself where it is one. One query: a retired id is one hop
    from its successor, whatever was merged since. Raises NotFound for an id that was never given."""
    asked = list(dict.fromkeys(ids))
    rows = Customer.objects.filter(id__in=asked).values_list("id", "active", "replaced_by")
    found = {id_: after if after is not None and not active else id_ for id_, active, after in rows}
    unknown = [id_ for id_ in asked if id_ not in found]
    if unknown:
        raise NotFound(f"There is no customer {unknown[0]}.")
    return {id_: found[id_] for id_ in asked}


def different(ids: Sequence[UUID]) -> list[UUID]:
    """The customers that some ids stand for today, each once, in the order asked: what is said of an old id is said of its successor.

    Raises NotFound, Conflict (two of them are one customer already) and Rejected (fewer than two)."""
    seen: dict[UUID, UUID] = {}
    for asked, stands in standing(ids).items():
        if stands in seen:
            gone, there = (asked, stands) if asked != stands else (seen[stands], stands)
            raise Conflict(f"{gone} was merged into {there} already: they are one customer.")
        seen[stands] = asked
    if len(seen) < 2:
        raise Rejected("It needs two different customers.")
    return list(seen)
