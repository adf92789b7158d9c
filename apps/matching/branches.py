"""The branch of a join: all that one join of a customer's tree brought in on one side."""

from collections.abc import Iterable
from uuid import UUID

from apps.common.errors import Conflict
from apps.customers.models import Membership
from apps.matching.came_together import Stay, joinings
from apps.matching.queries_joins import joins_of


def branch(*, customer: UUID, out: UUID, of: UUID) -> list[UUID]:
    """The records that the join of the records `out` and `of` brought into a customer on the side of `out`.

    Of a join by evidence they are the group that `out` was in when the two groups were joined. A person's word was said of customers, and
    ties each of their records: there it is all that was one with `out` before it was one with `of`.

    Raises Conflict: by what is known today these two join nothing of this customer (any more)."""
    why = joins_of([customer])[customer]
    for join in why.joins:
        if {join.a.id, join.b.id} == {out, of}:
            if join.why == "person":
                return _before((record.id for record in why.records), out, of)
            return [why.records[place].id for place in (join.one if join.a.id == out else join.other)]
    raise Conflict(
        "These two records join nothing of this customer as it is today; look again at how it came together."
    )


def _before(records: Iterable[UUID], out: UUID, of: UUID) -> list[UUID]:
    """What was one with `out` when it became one with `of`."""
    stays: dict[UUID, list[Stay]] = {}
    rows = Membership.objects.filter(source_record__in=list(records)).order_by("source_record", "since")
    for row in rows:
        stay = Stay(row.customer_id, row.since, row.until, row.correlation_id, undone=False)
        stays.setdefault(row.source_record_id, []).append(stay)
    for joining in joinings(stays):
        side = {record: group for group in joining.groups for record in group}
        if out in side and of in side and side[out] is not side[of]:
            return list(side[out])
    return [out]
