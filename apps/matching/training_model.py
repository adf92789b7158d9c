"""A whole model from records and verdicts: parameters, frequencies, generic values, thresholds; and what changes by it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from apps.matching.comparison_levels import COMPARISONS, FORCED, LEVELS, VETO
from apps.matching.comparisons import compare
from apps.matching.encoded import Encoded
from apps.matching.engine import keep
from apps.matching.frequencies import generic_values
from apps.matching.labels import NO_LABELS, Labels
from apps.matching.labels_threshold import Advice, advise
from apps.matching.pairs import pairs_of
from apps.matching.parameters import PARTS, Model
from apps.matching.scoring import score_rows, weigh_rows
from apps.matching.training import LEAST_RECORDS, PRECISION, Degenerate, Trained, for_precision, train

MOST_MOVED: Final = 10


@dataclass(frozen=True)
class Learned:
    """`expected_precision`: by the pairs' own probabilities, of those joined without asking; `advice`: what verdicts say."""

    model: Model
    trained: Trained
    records: int
    pairs: int
    joined: int
    expected_precision: float
    advice: Advice | None


def learn(records: Encoded, base: Model, labels: Labels = NO_LABELS, *, precision: float = PRECISION) -> Learned:
    """Learn a model from records with all their values; `base`: what is believed before, and the caps and margins that stay.

    Raises Degenerate where there is too little to learn from, or what was learned cannot be right."""
    if records.num_rows < LEAST_RECORDS:
        raise Degenerate(f"there are {records.num_rows:,} records; {LEAST_RECORDS:,} are the least to learn from")
    generic = generic_values(records)
    records = records.without(generic)
    found = pairs_of(records, base)
    levels = compare(records, found.low, found.high)
    trained = train(records, found.low, found.high, levels, base, labels=labels)
    if not trained.learned:
        raise Degenerate("too few records share a key with another; there is nothing to learn from")
    scores = weigh_rows(records, found.low, found.high, levels, trained.model)
    scores = scores.where(np.flatnonzero(keep(scores, trained.model)))
    advice, thresholds = None, for_precision(trained.model.thresholds, scores, precision)
    if len(labels.low):
        of_labels = score_rows(records, labels.low, labels.high, trained.model)
        advice = advise(labels, of_labels, scores, trained.model.thresholds, precision)
        thresholds = advice.thresholds if advice.chooses else thresholds
    document = trained.model.to_dict() | {
        "thresholds": dict(vars(thresholds)), "generic": {name: sorted(values) for name, values in generic.items()},
    }  # fmt: skip
    joined = ((scores.weight >= thresholds.automatic) | ((scores.flags & FORCED) > 0)) & ((scores.flags & VETO) == 0)
    bits = scores.weight[joined].astype(np.float64) + (advice.correction if advice else 0.0)
    expected = float((1.0 / (1.0 + np.exp2(-bits))).mean()) if len(bits) else 1.0
    return Learned(
        Model.from_dict(document),
        trained,
        records.num_rows,
        len(found.low),
        int(joined.sum()),
        round(expected, 5),
        advice,
    )


def changes(old: Model, new: Model) -> dict[str, Any]:
    """What is another in `new`: priors, thresholds, the levels whose weight moves most, generic values."""
    moved = [
        (float(new.bits[part, place, number] - old.bits[part, place, number]), part, comparison, level, (place, number))
        for part in range(len(PARTS))
        for place, comparison in enumerate(COMPARISONS)
        for number, (level, _) in enumerate(LEVELS[comparison], 1)
    ]
    moved.sort(key=lambda one: -abs(one[0]))
    before, after = vars(old.thresholds), vars(new.thresholds)
    return {
        "prior": {name: _both(old.parts[name].prior, new.parts[name].prior) for name in PARTS},
        "thresholds": {name: _both(before[name], after[name]) for name in after if before[name] != after[name]},
        "levels": [
            {
                "part": PARTS[part], "comparison": comparison, "level": level,
                **_both(float(old.bits[part, *at]), float(new.bits[part, *at])),
            }
            for change, part, comparison, level, at in moved[:MOST_MOVED]
            if abs(change) >= 0.005
        ],
        "generic": {
            name: {"values": len(values), "new": len(values - old.generic.get(name, frozenset())), "some": sorted(values)[:3]}
            for name, values in new.generic.items()
        },
    }  # fmt: skip


def _both(before: float, after: float) -> Mapping[str, float]:
    return {"from": round(before, 2), "to": round(after, 2)}
