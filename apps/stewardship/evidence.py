"""Why records are one customer, or are not: scored pairs of a customer's records with their explanation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection

from apps.matching import candidates, engine
from apps.matching.engine import Explanation
from apps.matching.model import active_model
from apps.stewardship.overview import Side

MOST_PAIRS = 25
_EDGES = (
    "SELECT e.record_a_id, e.record_b_id, e.weight, e.probability, e.flags, e.model_version, e.scored_at,"
    " ya.code, a.external_id, a.customer_id, ca.name, yb.code, b.external_id, b.customer_id, cb.name,"
    " j.verdict, j.origin, j.actor, j.reason"
    " FROM edge e JOIN source_record a ON a.id = e.record_a_id JOIN system ya ON ya.id = a.system_id"
    " JOIN source_record b ON b.id = e.record_b_id JOIN system yb ON yb.id = b.system_id"
    " LEFT JOIN customer ca ON ca.id = a.customer_id LEFT JOIN customer cb ON cb.id = b.customer_id"
    " LEFT JOIN judgement j ON (j.record_a_id, j.record_b_id) = (e.record_a_id, e.record_b_id)"
    " AND j.superseded_at IS NULL"
    " WHERE e.superseded_at IS NULL AND (e.record_a_id = ANY(%(r)s) OR e.record_b_id = ANY(%(r)s))"
    " ORDER BY e.weight DESC, e.id LIMIT %(n)s"
)


@dataclass(frozen=True, slots=True)
class Pair:
    """A scored pair. `inside`: both records belong to the customer; `why_not`: why it was not joined unasked."""

    sides: tuple[Side, Side]
    weight: float
    probability: float
    model_version: int
    scored_at: datetime
    inside: bool
    verdict: str | None
    verdict_by: str | None
    verdict_reason: str | None
    explanation: Explanation | None = None
    why_not: str = ""


def pairs_of(customer: UUID, records: Sequence[UUID]) -> list[Pair]:
    """Live pairs that touch a customer's records, strongest first, MOST_PAIRS at most, explained by today's model."""
    if not records:
        return []
    with connection.cursor() as cursor:
        cursor.execute(_EDGES, {"r": list(records), "n": MOST_PAIRS})
        rows = cursor.fetchall()
    model = active_model().model
    ids, table = candidates.features_of(sorted({r for row in rows for r in row[:2]}))
    features = dict(zip(ids, table.to_pylist(), strict=True))
    return [_pair(row, customer, features, model) for row in rows]


def _pair(
    row: tuple[Any, ...], customer: UUID, features: Mapping[UUID, Mapping[str, Any]], model: engine.Model
) -> Pair:
    sides = (Side(row[0], *row[7:11]), Side(row[1], *row[11:15]))
    both = [features.get(side.record) for side in sides]
    explained = engine.explain(both[0], both[1], model) if both[0] and both[1] else None
    return Pair(
        sides=sides,
        weight=row[2],
        probability=row[3],
        model_version=row[5],
        scored_at=row[6],
        inside=all(s.customer == customer for s in sides),
        verdict=row[15],
        verdict_by=row[17] if row[16] == "person" else None,
        verdict_reason=row[18],
        explanation=explained,
        why_not=engine.why_not_automatic(row[2], row[4], model),
    )
