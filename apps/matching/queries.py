"""Asking who a record may be, without storing anything: search before create, and the look-up of other systems."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import numpy as np
from django.db import connection

from apps.matching import candidates, engine
from apps.matching.engine import FORCED, VETO, Explanation
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
class _Near:
    record: UUID
    customer: UUID
    system: str
    external_id: str
    weight: float
    probability: float
    flags: int
    row: int


def find_matches(canonical: Mapping[str, Any], *, limit: int = 10, explain: bool = True) -> list[Candidate]:
    """The customers a canonical record may be, best first, one entry a customer. Nothing is stored; six queries."""
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
    least = model.thresholds.keep - _WEAK_BITS
    worth = [i for i in np.argsort(-scores.weight, kind="stable").tolist() if scores.weight[i] >= least]
    homes = _homes([ids[i] for i in worth])
    best: dict[UUID, _Near] = {}
    for i in worth:
        if ids[i] not in homes:
            continue
        customer, system, external_id = homes[ids[i]]
        near = _Near(
            ids[i],
            customer,
            system,
            external_id,
            float(scores.weight[i]),
            float(scores.probability[i]),
            int(scores.flags[i]),
            i,
        )
        best.setdefault(customer, near)
    chosen = list(best.values())[:limit]
    told = _explained(asked, features, chosen[: _MOST_EXPLAINED if explain else 0], model)
    told += [None] * (len(chosen) - len(told))
    names = _names([n.customer for n in chosen])
    return [
        _candidate(near, names, why, model) for near, why in zip(chosen, told, strict=True) if near.customer in names
    ]


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
            (list(keys), cap + 1),
        )
        holders: dict[int, list[UUID]] = defaultdict(list)
        for key, record in cursor.fetchall():
            holders[key].append(record)
    return sorted({record for held in holders.values() if len(held) <= cap for record in held})


def _homes(records: Sequence[UUID]) -> dict[UUID, tuple[UUID, str, str]]:
    """Record -> (customer, system code, external id), for records that belong to a customer."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT s.id, s.customer_id, y.code, s.external_id FROM source_record s JOIN system y ON y.id = s.system_id"
            " WHERE s.id = ANY(%s) AND s.customer_id IS NOT NULL AND y.kind <> 'steward'",
            (list(records),),
        )
        return {row[0]: row[1:] for row in cursor.fetchall()}


def _names(customers: Sequence[UUID]) -> dict[UUID, tuple[str | None, str]]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, name, kind FROM customer WHERE id = ANY(%s)", (list(customers),))
        return {id_: (name, kind) for id_, name, kind in cursor.fetchall()}


def _explained(asked: Any, features: Any, chosen: Sequence[_Near], model: Model) -> list[Explanation | None]:
    if not chosen:
        return []
    left = asked.to_pylist()[0]
    rights = features.take([near.row for near in chosen]).to_pylist()
    return [engine.explain(left, right, model) for right in rights]


def _candidate(
    near: _Near, names: Mapping[UUID, tuple[str | None, str]], why: Explanation | None, model: Model
) -> Candidate:
    name, kind = names[near.customer]
    return Candidate(
        customer=near.customer, name=name, kind=kind, record=near.record, system=near.system,
        external_id=near.external_id,
        weight=round(near.weight, 2), probability=round(near.probability, 6), grade=grade(near.weight, near.flags,
        model.thresholds),
        why_not=engine.why_not_automatic(near.weight, near.flags, model), explanation=why,
    )  # fmt: skip
