"""Asking who a record may be, without storing anything: search before create, and the look-up of other systems."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import numpy as np
import pyarrow as pa
from django.db import connection

from apps.common.ids import array
from apps.matching import candidates, engine
from apps.matching.engine import FORCED, VETO, Explanation, Scores
from apps.matching.explain import explain_scored
from apps.matching.model import active_model
from apps.matching.parameters import Model, Thresholds

GRADES = ("strong", "likely", "possible", "weak")
"""strong: the machine would join them; likely: it would ask a person; possible: it would keep the evidence."""
_MOST_EXPLAINED = 5
"""The best ones are explained; further down the reasons cost more time than they are worth."""
_WEAK_BITS = 4.0
"""How far below the threshold of kept evidence a pair is still told, as weak."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A customer the record may be, by the source record of theirs that is nearest to it. `weight` in bits.

    `why_not`: what keeps the machine from joining them without asking; empty for a strong one."""

    customer: UUID
    name: str | None
    kind: str
    record: UUID
    system: str
    external_id: str
    weight: float
    probability: float
    grade: str
    why_not: str
    explanation: Explanation | None


@dataclass(frozen=True, slots=True)
class _Home:
    """Where a source record belongs."""

    customer: UUID
    name: str | None
    kind: str
    system: str
    external_id: str


def find_matches(canonical: Mapping[str, Any], *, limit: int = 10, explain: bool = True) -> list[Candidate]:
    """The customers a canonical record may be, best first, one entry a customer. Nothing is stored; five queries."""
    model = active_model().model
    asked = engine.standardise([canonical])
    keys = engine.blocking_keys(asked, model)
    records = _sharing(keys.key.tolist(), model.thresholds.block_cap)
    if not records:
        return []
    ids, features = candidates.features_of(records)
    if not ids:
        return []
    scores = engine.score(asked, features, np.zeros(len(ids), np.int64), np.arange(len(ids)), model)
    chosen = _nearest(ids, scores, model.thresholds.keep - _WEAK_BITS, limit)
    told = _explained(asked, features, [row for row, _ in chosen[: _MOST_EXPLAINED if explain else 0]], scores, model)
    told += [None] * (len(chosen) - len(told))
    return [
        Candidate(
            customer=home.customer,
            name=home.name,
            kind=home.kind,
            record=ids[row],
            system=home.system,
            external_id=home.external_id,
            weight=round(float(scores.weight[row]), 2),
            probability=round(float(scores.probability[row]), 6),
            grade=grade(float(scores.weight[row]), int(scores.flags[row]), model.thresholds),
            why_not=engine.why_not_automatic(float(scores.weight[row]), int(scores.flags[row]), model),
            explanation=why,
        )
        for (row, home), why in zip(chosen, told, strict=True)
    ]


def _nearest(ids: Sequence[UUID], scores: Scores, least: float, limit: int) -> list[tuple[int, _Home]]:
    """Row and home of each customer's best record that weighs `least` bits or more, the heaviest first."""
    order = np.argsort(-scores.weight, kind="stable")
    worth = order[scores.weight[order] >= least].tolist()
    homes = _homes([ids[row] for row in worth]) if worth else {}
    best: dict[UUID, tuple[int, _Home]] = {}
    for row in worth:
        home = homes.get(ids[row])
        if home is not None:
            best.setdefault(home.customer, (row, home))
    return list(best.values())[:limit]


def _explained(
    asked: pa.Table, features: pa.Table, rows: Sequence[int], scores: Scores, model: Model
) -> list[Explanation | None]:
    """What speaks for and against the asked record being those of `rows`, by the scores they were given."""
    if not rows:
        return []
    table = pa.concat_tables([asked, features.take(rows)])
    pair = np.zeros(len(rows), np.int64), np.arange(1, len(rows) + 1)
    theirs = Scores(scores.weight[rows], scores.probability[rows], scores.levels[rows], scores.flags[rows])
    return [*explain_scored(table, pair, theirs, model)]


def grade(weight: float, flags: int, thresholds: Thresholds) -> str:
    """One of GRADES; hard evidence against caps it at possible."""
    if flags & VETO:
        return "possible" if weight >= thresholds.review else "weak"
    if flags & FORCED or weight >= thresholds.automatic:
        return "strong"
    if weight >= thresholds.review:
        return "likely"
    return "possible" if weight >= thresholds.keep else "weak"


def _sharing(keys: Sequence[int], cap: int) -> list[UUID]:
    """Records under any of `keys` that is not oversized; never more than cap + 1 rows of a key are read."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT k.key, b.source_record_id FROM unnest(%s::bigint[]) AS k(key),"
            " LATERAL (SELECT source_record_id FROM blocking_key WHERE key = k.key LIMIT %s) b",
            (array(keys), cap + 1),
        )
        holders: dict[int, list[UUID]] = defaultdict(list)
        for key, record in cursor.fetchall():
            holders[key].append(record)
    return sorted({record for held in holders.values() if len(held) <= cap for record in held})


def _homes(records: Sequence[UUID]) -> dict[UUID, _Home]:
    """Of each record that belongs to a customer."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT s.id, c.id, c.name, c.kind, y.code, s.external_id FROM source_record s"
            " JOIN system y ON y.id = s.system_id JOIN customer c ON c.id = s.customer_id"
            " WHERE s.id = ANY(%s::uuid[]) AND s.follows_id IS NULL",
            (array(records),),
        )
        return {row[0]: _Home(*row[1:]) for row in cursor.fetchall()}
