"""Doubts: pairs the machine would not decide. Opened, and closed as overtaken when the world has settled them."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db import connection

from apps.common.ids import array, uuid7
from apps.common.rowset import rowset

MERGED_THERE = "merged_there"
"""A system has made one of two records that the hub keeps apart: no decision of the machine takes this doubt back."""


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
    _settle_merged_there(within)
    pairs = {(min(d.a, d.b), max(d.a, d.b)): d for d in wanted}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, record_a_id, record_b_id, reason FROM doubt WHERE state = 'open' AND (record_a_id = ANY(%s::uuid[])"
            " OR record_b_id = ANY(%s::uuid[])) AND reason <> %s",
            (*(array(within),) * 2, MERGED_THERE),
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


def merged_there(pairs: Sequence[tuple[UUID, UUID]]) -> None:
    """A system has merged these records of its own. Where the hub knows them as two customers, a person has to say what they are;
    where a person has said so already, nothing is asked."""
    if not pairs:
        return
    rows = [(uuid7(), min(pair), max(pair)) for pair in sorted(pairs)]
    found = rowset("merged_there", {"id": "uuid", "a": "uuid", "b": "uuid"}, rows)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO doubt (id, record_a_id, record_b_id, reason, weight, sentence, state, opened_at)"  # noqa: S608 - text of our own
            " SELECT i.id, a.id, b.id, %s, NULL, 'Their own system has merged them; here they are two customers.', 'open', clock_timestamp()"
            f" FROM {found.source} JOIN source_record a ON a.id = i.a JOIN source_record b ON b.id = i.b"
            " WHERE a.customer_id <> b.customer_id"
            " AND NOT EXISTS (SELECT 1 FROM judgement j WHERE j.record_a_id = a.id AND j.record_b_id = b.id AND j.origin = 'person'"
            "  AND j.superseded_at IS NULL) ON CONFLICT (record_a_id, record_b_id) WHERE state = 'open' DO NOTHING",
            (MERGED_THERE, *found.params),
        )


def _settle_merged_there(within: Sequence[UUID]) -> None:
    """Closed once they are one customer, or a person has kept them apart."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE doubt d SET state = 'overtaken', closed_at = clock_timestamp() FROM source_record a, source_record b"
            " WHERE d.state = 'open' AND d.reason = %s AND a.id = d.record_a_id AND b.id = d.record_b_id"
            " AND (d.record_a_id = ANY(%s::uuid[]) OR d.record_b_id = ANY(%s::uuid[])) AND (a.customer_id = b.customer_id OR EXISTS ("
            "  SELECT 1 FROM judgement j WHERE j.record_a_id = a.id AND j.record_b_id = b.id AND j.origin = 'person' AND j.superseded_at IS NULL))",
            (MERGED_THERE, array(within), array(within)),
        )
