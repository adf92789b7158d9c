"""How much too much may have been joined: told of every run, for a threshold that is too low shows here first."""

from typing import Final, NamedTuple

import numpy as np

from apps.matching.comparison_levels import VETO
from apps.matching.comparisons_columns import Longs
from apps.matching.scoring import Scores


class OverLink(NamedTuple):
    """`joins`: records joined to another or to a group, one less than each cluster has; `wrong`: the share of them that is expected to
    be wrong, by each record's best pair within its cluster; `contradicted`: clusters with a pair inside that speaks against them."""

    joins: int
    wrong: float
    contradicted: int


NOTHING_JOINED: Final = OverLink(0, 0.0, 0)


def over_link(label: Longs, low: Longs, high: Longs, scores: Scores) -> OverLink:
    """Return the measure of clusters (`label`: the smallest record of each record's cluster) and the scored pairs that are kept."""
    size = np.bincount(label, minlength=len(label))
    joins = len(label) - int((size > 0).sum())
    inside = np.flatnonzero(label[low] == label[high])
    best = np.zeros(len(label), np.float64)
    for side in (low, high):
        np.maximum.at(best, side[inside], scores.probability[inside])
    joined = np.flatnonzero(size[label] > 1)
    share = 1.0 - 1.0 / size[label[joined]]  # of n records that were joined, n - 1 joins
    wrong = float(((1.0 - best[joined]) * share).sum()) / max(1, joins)
    against = (scores.weight[inside] < 0) | ((scores.flags[inside] & VETO) > 0)
    return OverLink(joins, round(wrong, 5), len(np.unique(label[low[inside[against]]])))
