"""The threshold for joining without asking, chosen by labels for a wished precision, and what held-out labels say of it.

Labels tell how right the pairs of each weight are, whichever were labelled; how many pairs have each weight is known from all of
them. So labels correct the odds, all by one factor (logistic regression with nothing but an intercept; Platt 1999), and the corrected
odds of all scored pairs give the threshold.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from apps.matching.comparison_levels import FORCED, VETO
from apps.matching.labels import LEAST, Bools, Labels
from apps.matching.parameters import Thresholds
from apps.matching.scoring import Scores
from apps.matching.training import for_precision

Doubles = npt.NDArray[np.float64]
_BELIEF: Final = 0.3
"""How far learned odds are believed to be off before a label is seen: the standard deviation, in bits. A hundred labels near the
threshold tell the odds to about 0.7 bits, a thousand to 0.2: a few labels move the threshold little."""
_NO_BELIEF: Final = 10.0
_CLEARLY: Final = 3.0
"""Standard errors."""
_LN2: Final = float(np.log(2.0))
_MOST_BITS: Final = 40.0
_Z: Final = 1.96


@dataclass(frozen=True)
class AtWeight:
    """What joining from a weight on would do to labelled pairs: how many it joins, how many of those are right, precision with
    its 95 % interval (Wilson), and recall."""

    weight: float
    probability: float
    joined: int
    right: int
    precision: float
    low: float
    high: float
    recall: float
    chosen: bool = False


@dataclass(frozen=True)
class Advice:
    """Thresholds chosen by the labels that were learned from, and what the held-out ones say, by threshold.

    correction: bits that labels add to every weight; chooses: there were labels enough to choose a threshold."""

    thresholds: Thresholds
    correction: float
    learned_from: int
    held_out: int
    by_weight: Sequence[AtWeight]
    warnings: Sequence[str]
    chooses: bool

    def to_dict(self) -> dict[str, Any]:
        """Plain data that JSON can hold."""
        return asdict(self)


def advise(labels: Labels, of_labels: Scores, scores: Scores, thresholds: Thresholds, precision: float) -> Advice:
    """Choose the threshold from which `precision` of what is joined is right; `of_labels`: the labelled pairs' scores in their
    order, `scores`: of all pairs worth keeping."""
    learn, chosen, warnings = ~labels.held_out, thresholds, []
    correction, chooses = 0.0, len(labels.low) >= LEAST
    if not chooses:
        warnings.append(
            f"Only {len(labels.low)} labels can be used; the threshold stays as it is until there are {LEAST} or more."
        )
    else:
        plain = learn & ((of_labels.flags & (VETO | FORCED)) == 0)
        correction = corrected_by(of_labels.weight[plain], labels.same[plain])
        corrected = scores._replace(probability=_probability(scores.weight + correction).astype(np.float32))
        bits = for_precision(thresholds, corrected, precision).automatic - correction
        chosen = thresholds.automatic_from(float(_probability(np.array(bits))))
    held = np.flatnonzero(labels.held_out)
    told = by_weight(labels.same[held], of_labels.where(held), chosen.automatic if chooses else None)
    return Advice(chosen, round(correction, 3), int(learn.sum()), len(held), told, warnings, chooses)


def corrected_by(weight: npt.NDArray[Any], same: Bools) -> float:
    """Return the bits by which labelled pairs' weights are best corrected; 0 without labels. Labels that clearly contradict what is
    believed before are believed alone."""
    alone, error = _fitted(weight, same, _NO_BELIEF)
    return alone if abs(alone) > _CLEARLY * error else _fitted(weight, same, _BELIEF)[0]


def _fitted(weight: npt.NDArray[Any], same: Bools, belief: float) -> tuple[float, float]:
    """Return the correction in bits (Newton's method) and its standard error; `belief` is how far off it is thought to be."""
    bits, error = 0.0, belief
    for _ in range(50):
        p = _probability(weight.astype(np.float64) + bits)
        slope = float(same.sum() - p.sum()) * _LN2 - bits / belief**2
        error = (float((p * (1 - p)).sum()) * _LN2**2 + belief**-2) ** -0.5
        step = slope * error**2
        bits += step
        if abs(step) < 1e-9:
            break
    return bits, error


def _probability(bits: npt.NDArray[Any]) -> Doubles:
    return np.asarray(1.0 / (1.0 + np.exp2(-np.clip(bits, -_MOST_BITS, _MOST_BITS))), np.float64)


def by_weight(same: Bools, scores: Scores, automatic: float | None) -> list[AtWeight]:
    """Precision and recall of labelled pairs from each whole weight on, and from the one that was chosen."""
    free, forced = (scores.flags & VETO) == 0, (scores.flags & FORCED) > 0
    own = None if automatic is None else round(automatic, 2)
    found = []
    for weight in sorted({*np.arange(-3.0, 13.0).tolist(), *(() if own is None else (own,))}):
        joined = free & ((scores.weight >= weight) | forced)
        right, count = int((same & joined).sum()), int(joined.sum())
        low, high = wilson(right, count)
        one = AtWeight(
            weight, round(1.0 / (1.0 + 2.0**-weight), 4), count, right, round(right / count, 4) if count else 1.0,
            low, high, round(right / max(1, int(same.sum())), 4),
        )  # fmt: skip
        found.append(replace(one, chosen=weight == own))
    return found


def wilson(right: int, count: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson 1927); 0 to 1 of nothing."""
    if not count:
        return 0.0, 1.0
    share, more = right / count, _Z * _Z / count
    middle, width = share + more / 2, _Z * float(np.sqrt(share * (1 - share) / count + more / (4 * count)))
    return round(max(0.0, (middle - width) / (1 + more)), 4), round(min(1.0, (middle + width) / (1 + more)), 4)
