"""How right clusters and weights are, against the truth or against people's verdicts: pure arithmetic over columns.

Pairwise: pairs of records in one cluster against pairs of one entity. B-cubed: mean over records (Bagga and Baldwin 1998).
Intervals are percentile bootstraps over entities: as many entities as there are are drawn again and again, with replacement; a pair
counts half for the entity of each of its records.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from apps.matching.comparison_levels import COMPARISONS, LEVELS, VETO
from apps.matching.comparisons_columns import Levels, Longs

Doubles = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
RESAMPLES: Final = 200
BANDS: Final = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.98, 0.99, 0.999, 1.0)
"""Edges of the bands of probability in which expected and actual shares are compared."""


class Share(NamedTuple):
    """A figure with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Quality:
    """Precision, recall and F1 of one kind of counting."""

    precision: Share
    recall: Share
    f1: Share

    def to_dict(self) -> dict[str, Any]:
        """Plain data that JSON can hold."""
        return {name: share._asdict() for name, share in vars(self).items()}


class _Sums(NamedTuple):
    """Numbers by entity: what is right of what was found, what was found, what is right of the truth, the truth."""

    right: npt.NDArray[Any]
    found: npt.NDArray[Any]
    recalled: npt.NDArray[Any]
    true: npt.NDArray[Any]


def codes(values: Sequence[Hashable]) -> Longs:
    """Return a number for each distinct value."""
    places: dict[Hashable, int] = {}
    return np.array([places.setdefault(value, len(places)) for value in values], np.int64)


def clusters_against(entity: Longs, cluster: Longs, *, resamples: int = RESAMPLES, seed: int = 1) -> dict[str, Quality]:
    """Judge clusters by entities, both as one small number a record: `pairs` and `b_cubed`."""
    in_entity, in_cluster = np.bincount(entity), np.bincount(cluster)
    _, group, together = np.unique(entity * len(in_cluster) + cluster, return_inverse=True, return_counts=True)
    both = together[group]
    right = np.bincount(entity, (both - 1) / 2)
    pairs = _Sums(
        right,
        np.bincount(entity, (in_cluster[cluster] - 1) / 2),
        right,
        np.bincount(entity, (in_entity[entity] - 1) / 2),
    )
    records = np.bincount(entity).astype(np.float64)
    b_cubed = _Sums(
        np.bincount(entity, both / in_cluster[cluster]), records, np.bincount(entity, both / in_entity[entity]), records
    )
    return {
        "pairs": _quality(pairs, resamples=resamples, seed=seed),
        "b_cubed": _quality(b_cubed, resamples=resamples, seed=seed),
    }


def pairs_against(same: Bools, found: Bools, *, resamples: int = RESAMPLES, seed: int = 1) -> Quality:
    """Judge which pairs were found by whether they are one customer; the interval is drawn over pairs."""
    right = (same & found).astype(np.float64)
    return _quality(
        _Sums(right, found.astype(np.float64), right, same.astype(np.float64)), resamples=resamples, seed=seed
    )


def _quality(sums: _Sums, *, resamples: int, seed: int) -> Quality:
    rng, size = np.random.default_rng(seed), len(sums.true)
    whole = _figures(_Sums(*(one.sum() for one in sums)))
    drawn = []
    for _ in range(resamples if size else 0):
        times = np.bincount(rng.integers(size, size=size), minlength=size)
        drawn.append(_figures(_Sums(*((times * one).sum() for one in sums))))
    ends = np.percentile(drawn, [2.5, 97.5], axis=0) if drawn else np.array([whole, whole])
    return Quality(*(Share(*(round(float(x), 4) for x in three)) for three in zip(whole, *ends, strict=True)))


def _figures(sums: _Sums) -> tuple[float, float, float]:
    """Precision, recall, F1; where nothing was found nothing is wrong, and where there is nothing to find nothing is missed."""
    right, found, recalled, true = (float(one) for one in sums)
    precision, recall = (right / found if found else 1.0), (recalled / true if true else 1.0)
    return precision, recall, 2 * precision * recall / (precision + recall) if precision + recall else 0.0


# ── weights ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def curve(same: Bools, weight: npt.NDArray[Any], flags: npt.NDArray[Any], true: int) -> list[dict[str, float]]:
    """Precision and recall of the pairs at or above each half bit; `same`: which pairs are one customer, `true`: how many such
    pairs there are in all, those that were never compared among them. Vetoed pairs are joined at no weight."""
    free = (flags & VETO) == 0
    bits, hit = weight[free].astype(np.float64), same[free]
    steps = np.arange(-3.0, 16.5, 0.5)
    found = []
    for step in steps.tolist():
        joined = bits >= step
        right, count = int((hit & joined).sum()), int(joined.sum())
        found.append({
            "weight": step, "probability": round(float(1 / (1 + 2.0**-step)), 5), "pairs": count,
            "precision": round(right / count, 5) if count else 1.0, "recall": round(right / true, 5) if true else 1.0,
        })  # fmt: skip
    return found


def calibration(same: Bools, probability: npt.NDArray[Any], flags: npt.NDArray[Any]) -> list[dict[str, float]]:
    """What share of the pairs of each band of probability should be one customer, and what share is; vetoed pairs left out."""
    free = (flags & VETO) == 0
    expected, actual = probability[free].astype(np.float64), same[free]
    band = np.clip(np.searchsorted(BANDS, expected, "right") - 1, 0, len(BANDS) - 2)
    return [
        {
            "from": BANDS[place], "to": BANDS[place + 1], "pairs": int(inside.sum()),
            "expected": round(float(expected[inside].mean()), 5), "actual": round(float(actual[inside].mean()), 5),
        }
        for place in range(len(BANDS) - 1)
        if (inside := band == place).any()
    ]  # fmt: skip


def confusion(missed: Levels, wrong: Levels) -> list[dict[str, Any]]:
    """How often pairs that were missed, and pairs that were joined wrongly, show each level of each comparison."""
    found = []
    for place, comparison in enumerate(COMPARISONS):
        names = ("not compared", *(level for level, _ in LEVELS[comparison]))
        counts = [np.bincount(levels[:, place], minlength=len(names)) for levels in (missed, wrong)]
        found += [
            {"comparison": comparison, "level": name, "missed": int(one), "wrong": int(other)}
            for name, one, other in zip(names, *counts, strict=True)
            if one or other
        ]
    return found


# ── pairs of groups ─────────────────────────────────────────────────────────────────────────────────────────────────
def pairs_within(group: Longs, row: Longs | None = None) -> tuple[Longs, Longs]:
    """Return every pair (low < high) of rows that share a group; group and row run side by side, row is 0 … n-1 where not given.

    A pair comes as often as it shares groups."""
    row = np.arange(len(group)) if row is None else row
    order = np.lexsort((row, group))
    group, row = group[order], row[order]
    start = np.flatnonzero(np.r_[True, group[1:] != group[:-1]]) if len(group) else np.zeros(0, np.int64)
    size = np.diff(np.r_[start, len(group)])
    low, high = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for members in np.unique(size[size > 1]).tolist():
        blocks = row[start[size == members][:, None] + np.arange(members)]
        one, other = np.triu_indices(members, 1)
        low.append(blocks[:, one].ravel())
        high.append(blocks[:, other].ravel())
    return np.concatenate(low), np.concatenate(high)


def packed(low: Longs, high: Longs) -> Longs:
    """Return one number for each pair of rows."""
    return np.asarray((low << 32) | high)


def mapping_of(quality: Mapping[str, Quality]) -> dict[str, Any]:
    """Plain data of both kinds of counting."""
    return {name: one.to_dict() for name, one in quality.items()}
