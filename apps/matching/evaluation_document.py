"""Evaluations put together: of a file's records against the truth, of clusters alone, of a model against people's verdicts."""

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from apps.matching.comparison_levels import FORCED, VETO
from apps.matching.comparisons import compare
from apps.matching.comparisons_columns import Levels, Longs
from apps.matching.encoded import Encoded
from apps.matching.evaluation import (
    Bools,
    calibration,
    clusters_against,
    confusion,
    curve,
    mapping_of,
    packed,
    pairs_against,
    pairs_within,
)
from apps.matching.evaluation_keys import keys_of_pairs
from apps.matching.frequencies import generic_values
from apps.matching.parameters import Thresholds
from apps.matching.resolving import Resolved
from apps.matching.scoring import Scores

UNKNOWN: Final = -1
_MOST: Final = 100_000
"""Of more missed or wrong pairs so many are drawn, to say what they look like."""


def of_clusters(entity: Longs, cluster: Longs) -> dict[str, Any]:
    """Judge clusters; both are numbers by record, UNKNOWN where the truth does not know a record: it is left out."""
    known = entity != UNKNOWN
    one, other = (np.unique(numbers[known], return_inverse=True)[1] for numbers in (entity, cluster))
    sizes = np.bincount(other) if len(other) else np.zeros(1, np.int64)
    return {
        "records": int(known.sum()),
        "not_in_the_truth": int((~known).sum()),
        "entities": len(np.unique(one)),
        "clusters": int((sizes > 0).sum()),
        "largest": int(sizes.max()),
        "quality": mapping_of(clusters_against(one, other)),
    }


def of_file(records: Encoded, found: Resolved, entity: Longs) -> dict[str, Any]:
    """Judge a resolved file: clusters, weights, fields and keys."""
    records = records.without(generic_values(records))
    known = np.flatnonzero(entity != UNKNOWN)
    low, high = (known[side] for side in pairs_within(entity[known]))
    missed = found.label[low] != found.label[high]
    one, other = (known[side] for side in pairs_within(found.label[known]))
    wrong = entity[one] != entity[other]
    judged = (entity[found.low] != UNKNOWN) & (entity[found.high] != UNKNOWN)
    scores = found.scores.where(np.flatnonzero(judged))
    same = entity[found.low[judged]] == entity[found.high[judged]]
    keys = keys_of_pairs(records, low, high, found.model)
    never = np.zeros(len(low), np.bool_)
    never[keys.pop("never")] = True
    weighed = np.isin(packed(low, high), packed(found.low, found.high))
    reasons = {"never_met": never, "too_light_to_keep": ~never & ~weighed, "kept_apart": ~never & weighed}
    return {
        **of_clusters(entity, found.label),
        "true_pairs": len(low),
        "missed": {"pairs": int(missed.sum()), **{why: int((missed & its).sum()) for why, its in reasons.items()}},
        "wrong": {"pairs": int(wrong.sum())},
        **_of_weights(same, scores, len(low), found.model.thresholds),
        "confusion": confusion(
            _levels(records, low[missed], high[missed]), _levels(records, one[wrong], other[wrong])
        ),
        "keys": keys,
    }  # fmt: skip


def of_verdicts(same: Bools, scores: Scores, met: Bools, thresholds: Thresholds) -> dict[str, Any]:
    """Judge a model by pairs with a person's verdict; `met`: which of them share a key. Clusters obey verdicts, so weights are
    judged: what the model would do with these pairs if nobody had said anything."""
    free, forced = (scores.flags & VETO) == 0, (scores.flags & FORCED) > 0
    joined = np.asarray(free & ((scores.weight >= thresholds.automatic) | forced))
    return {
        "verdicts": len(same),
        "matches": int(same.sum()),
        "quality": {"pairs": pairs_against(same, joined).to_dict()},
        **_of_weights(same, scores, int(same.sum()), thresholds),
        "confusion": confusion(scores.levels[same & ~joined], scores.levels[~same & joined]),
        "keys": {"true": int(same.sum()), "never_met": int((same & ~met).sum()), "kinds": []},
    }


def _of_weights(same: Bools, scores: Scores, true: int, thresholds: Thresholds) -> dict[str, Any]:
    return {
        "automatic_from": {
            "weight": round(thresholds.automatic, 3),
            "probability": round(1.0 / (1.0 + 2.0**-thresholds.automatic), 5),
        },
        "curve": curve(same, scores.weight, scores.flags, true),
        "calibration": calibration(same, scores.probability, scores.flags),
    }


def _levels(records: Encoded, low: Longs, high: Longs) -> Levels:
    """Levels of pairs, of _MOST drawn by chance where there are more."""
    chosen: npt.NDArray[Any] = np.arange(len(low))
    if len(chosen) > _MOST:
        chosen = np.random.default_rng(1).choice(chosen, _MOST, replace=False)
    return compare(records, low[chosen], high[chosen])
