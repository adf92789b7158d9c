"""Doubts: pairs the machine would not decide. Opened, and closed as overtaken when the world has settled them."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db import connection

from apps.common.ids import array, uuid7


@dataclass(frozen=True, slots=True)
class NewDoubt:
    a: UUID
    b: UUID
    reason: str
    weight: float | None
    sentence: str


def bring(wanted: Sequence[NewDoubt], *, within: Sequence[UUID]) -> None:
    """The open doubts about the records `within` become exactly `wanted`. `within` holds whole components: a doubt that reaches out of
    one has lost what it was about."""
    if not within:
        return
    pairs = {(min(d.a, d.b), max(d.a, d.b)): d for d in wanted}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, record_a_id, record_b_id, reason FROM doubt WHERE state = 'open' AND (record_a_id = ANY(%s::uuid[])"
            " OR record_b_id = ANY(%s::uuid[]))",
            (array(within),) * 2,
        )
        standing = {(a, b): (id_, reason) for id_, a, b, reason in cursor.fetchall()}
        overtaken = [
            id_ for pair, (id_, reason) in standing.items() if pair not in pairs or pairs[pair].reason != reason
        ]
        if overtaken:
            cursor.execute(
                "UPDATE doubt SET state = 'overtaken', closed_at = clock_timestamp() WHERE id = ANY(%s)",
                (overtaken,),
            )
        new = [(pair, d) for pair, d in sorted(pairs.items()) if pair not in standing or standing[pair][1] != d.reason]
        if new:
            cursor.executemany(
                "INSERT INTO doubt (id, record_a_id, record_b_id, reason, weight, sentence, state, opened_at)"
                " VALUES (%s, %s, %s, %s, %s, %s, 'open', clock_timestamp())"
                " ON CONFLICT (record_a_id, record_b_id) WHERE state = 'open' DO NOTHING",
                [(uuid7(), a, b, d.reason, d.weight, d.sentence) for (a, b), d in new],
            )
