"""People's verdicts on pairs of the hub's records, as labels and as what a model is judged by."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

import numpy as np
import pyarrow as pa
from django.db import connection

from apps.common.ids import array
from apps.matching import candidates, engine
from apps.matching.blocking import kind_of
from apps.matching.blocking_kinds import KeyRules
from apps.matching.labels import Bools, Labels, labels_from
from apps.matching.model import active_model
from apps.matching.parameters import Thresholds
from apps.matching.scoring import Scores

Pair = tuple[UUID, UUID]
_VERDICTS = (
    "SELECT j.record_a_id, j.record_b_id, j.verdict = 'match' FROM judgement j"
    " JOIN match_record a ON a.source_record_id = j.record_a_id JOIN match_record b ON b.source_record_id = j.record_b_id"
    " WHERE j.superseded_at IS NULL AND j.origin = 'person' AND j.verdict IN ('match', 'no_match') ORDER BY 1, 2"
)


def verdicts() -> dict[Pair, bool]:
    """Every pair on which a person's verdict stands, and whether it is a match."""
    with connection.cursor() as cursor:
        cursor.execute(_VERDICTS)
        return {(a, b): same for a, b, same in cursor.fetchall()}


def labels_among(told: Mapping[Pair, bool], ids: list[UUID]) -> Labels:
    """The verdicts on pairs of `ids`, as labels of their places."""
    place = {id_: at for at, id_ in enumerate(ids)}
    rows = [(place[a], place[b], same) for (a, b), same in told.items() if a in place and b in place]
    pairs = sorted((min(a, b), max(a, b), same) for a, b, same in rows)
    return labels_from(pairs, pa.array([str(id_) for id_ in ids], pa.string()))


@dataclass(frozen=True)
class Judged:
    """Pairs with a verdict, scored by the model in force: `same`, scores, `met`: share a key, all in one order."""

    same: Bools
    scores: Scores
    met: Bools
    thresholds: Thresholds
    model_version: int


def judged() -> Judged:
    """Score the pairs on which people gave a verdict, as though nobody had said anything."""
    told, model = verdicts(), active_model()
    ids, table = candidates.features_of({record for pair in told for record in pair})
    place = {id_: at for at, id_ in enumerate(ids)}
    left = np.array([place[a] for a, _ in told], np.int64)
    right = np.array([place[b] for _, b in told], np.int64)
    keys = _usable_keys(ids)
    met = np.array([_meet(keys[a], keys[b], model.model.keys) for a, b in told], np.bool_)
    scores = engine.score(table, table, left, right, model.model)
    return Judged(np.array(list(told.values()), np.bool_), scores, met, model.model.thresholds, model.version)


def _usable_keys(ids: list[UUID]) -> dict[UUID, set[int]]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT source_record_id, ARRAY(SELECT k FROM unnest(keys) k WHERE NOT EXISTS"
            " (SELECT 1 FROM oversized_key o WHERE o.key = k)) FROM match_record WHERE source_record_id = ANY(%s::uuid[])",
            (array(ids),),
        )
        return {record: set(keys) for record, keys in cursor.fetchall()}


def _meet(one: set[int], other: set[int], rules: KeyRules) -> bool:
    """One key is enough, of the weak kinds two."""
    counted = Counter(kind_of(key) in rules.weak for key in one & other if kind_of(key) not in rules.off)
    return counted[False] > 0 or counted[True] > 1
