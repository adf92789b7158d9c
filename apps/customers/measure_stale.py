"""Counts the customers whose values have grown old, attribute by attribute, by what the survivorship policy calls stale."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from heapq import heappush, heapreplace
from typing import Final
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone

from apps.customers.golden import Standing, read_customers, read_members
from apps.customers.models import StaleAttribute
from apps.customers.survivorship_age import Aged, aged, facts
from apps.customers.survivorship_members import Member, value_of
from apps.customers.survivorship_policy import SurvivorshipPolicy
from apps.policies.active import Active, active_ones

KEPT: Final = 500
"""Customers named for each attribute, the oldest first."""
_CHUNK: Final = 500
_LOCK: Final = 0x57A1E
_UNKNOWN: Final = datetime.min.replace(tzinfo=UTC)


@dataclass(slots=True)
class _Count:
    """`oldest`: a heap with the youngest of those that are kept on top; of two of one moment the smaller id counts as older."""

    held: int = 0
    stale: int = 0
    unknown: int = 0
    oldest: list[tuple[float, int]] = field(default_factory=list)

    def add(self, customer: UUID, found: Aged) -> None:
        self.held += 1
        if not found.stale:
            return
        self.stale += 1
        self.unknown += found.since is None
        entry = (-(found.since or _UNKNOWN).timestamp() if found.since else float("inf"), -customer.int)
        if len(self.oldest) < KEPT:
            heappush(self.oldest, entry)
        elif entry > self.oldest[0]:
            heapreplace(self.oldest, entry)

    def listed(self) -> list[list[str | None]]:
        return [
            [str(UUID(int=-key)), None if age == float("inf") else datetime.fromtimestamp(-age, UTC).isoformat()]
            for age, key in sorted(self.oldest, reverse=True)
        ]


def measure_stale() -> list[StaleAttribute]:
    """Looks at every customer and keeps the result in the place of the last one; without an attribute in `[stale]` nothing is looked
    at. Reads in chunks: memory does not grow with the hub."""
    (policy,) = active_ones("survivorship")
    now = timezone.now()
    counts = {name: _Count() for name in policy.rules.stale}
    if counts:
        for standing, members in _customers():
            _look(standing, members, policy.rules, counts, now)
    rows = [_row(name, one, policy, now) for name, one in sorted(counts.items())]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
        StaleAttribute.objects.all().delete()
        StaleAttribute.objects.bulk_create(rows)
    return rows


def _look(
    standing: Standing, members: Sequence[Member], policy: SurvivorshipPolicy, counts: dict[str, _Count], now: datetime
) -> None:
    """One customer. What a Hold keeps waits for a person already and is not counted."""
    names = [n for n in counts if n not in standing.held and value_of(standing.values, n) not in (None, "", [])]
    if names:
        of = facts(standing.values, standing.lineage, members, policy)
        for name in names:
            counts[name].add(standing.id, aged(of, name, policy.stale[name], now))


def _row(name: str, one: _Count, policy: Active, now: datetime) -> StaleAttribute:
    rule = policy.rules.stale[name]
    return StaleAttribute(
        attribute=name, days=rule.days, clock=rule.clock, held=one.held, stale=one.stale, unknown=one.unknown, oldest=one.listed(),
        policy_hash=policy.hash, measured_at=now,
    )  # fmt: skip


def _customers() -> Iterator[tuple[Standing, list[Member]]]:
    """Every active customer with its records, in the order of ids: one that comes meanwhile is found with the next measuring."""
    after = UUID(int=0)
    while True:
        with connection.cursor() as cursor:
            cursor.execute("SELECT id FROM customer WHERE id > %s AND active ORDER BY id LIMIT %s", (after, _CHUNK))
            ids = [row[0] for row in cursor.fetchall()]
        if not ids:
            return
        members: dict[UUID, list[Member]] = {}
        for row in read_members(customers=ids):
            if row.customer is not None:
                members.setdefault(row.customer, []).append(row.member)
        for id_, standing in read_customers(ids).items():
            if standing.active and id_ in members:
                yield standing, members[id_]
        after = ids[-1]
