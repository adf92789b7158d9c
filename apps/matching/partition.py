"""A whole file's pairs to clusters: the pairs fall into components, and each is decided by itself."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from apps.matching.clusters import Pair
from apps.matching.comparison_levels import FORCED, VETO
from apps.matching.decide import Component, Doubt, decide
from apps.matching.parameters import Thresholds

Longs = npt.NDArray[np.int64]


def connected(size: int, a: Longs, b: Longs) -> Longs:
    """Return for each of `size` records the smallest record reachable over the pairs (hooking and pointer jumping)."""
    label = np.arange(size)
    while len(a):
        low, high = np.minimum(label[a], label[b]), np.maximum(label[a], label[b])
        np.minimum.at(label, high, low)
        while True:
            jumped = label[label]
            if (jumped == label).all():
                break
            label = jumped
        open_ = label[a] != label[b]
        a, b = a[open_], b[open_]
    return label


def partition_file(
    n: int,
    a: npt.ArrayLike,
    b: npt.ArrayLike,
    weight: npt.ArrayLike,
    flags: npt.ArrayLike,
    thresholds: Thresholds,
    *,
    systems: Sequence[int] | None = None,
    distinct_systems: frozenset[int] = frozenset(),
    must: Sequence[Pair] = (),
    cannot: Sequence[Pair] = (),
) -> tuple[Longs, list[Doubt]]:
    """Decide all records 0 … n-1 of a file; place in the file stands for the id. Returns labels and doubts.

    The same as `decide` on everything at once, since records of different components never touch.
    """
    left, right, bits, flag = (np.asarray(values) for values in (a, b, weight, flags))
    low, high = np.minimum(left, right).astype(np.int64), np.maximum(left, right).astype(np.int64)
    verdicts = np.array([*must, *cannot], np.int64).reshape(-1, 2)
    bound = (bits >= thresholds.review) | ((flag & FORCED) > 0)
    root = connected(n, np.r_[low[bound], verdicts[:, 0]], np.r_[high[bound], verdicts[:, 1]])
    inside = root[low] == root[high]
    low, high, bits, flag = low[inside], high[inside], bits[inside], flag[inside]
    sizes = np.bincount(root, minlength=n)
    label = np.arange(n)
    doubts: list[Doubt] = []
    free = _free_pairs(low, high, bits, flag, root, sizes, thresholds, bool(distinct_systems), verdicts)
    label[high[free]] = low[free]
    rest = np.setdiff1d(np.flatnonzero(sizes > 1), root[low[free]])
    order = np.lexsort((high, low, root[low]))
    low, high, bits, flag = low[order], high[order], bits[order], flag[order]
    roots = root[low]
    members = np.argsort(root, kind="stable")
    starts = np.searchsorted(root[members], rest)
    edge_from, edge_to = np.searchsorted(roots, rest), np.searchsorted(roots, rest, side="right")
    by_root = _verdicts_by_root(root, must), _verdicts_by_root(root, cannot)
    for place, head in enumerate(rest.tolist()):
        ids = members[starts[place] : starts[place] + sizes[head]]
        span = slice(edge_from[place], edge_to[place])
        verdict = [
            [(int(np.searchsorted(ids, one)), int(np.searchsorted(ids, other))) for one, other in pairs.get(head, ())] for pairs in by_root
        ]
        component = Component(
            ids=[str(record) for record in ids.tolist()],
            systems=[systems[record] for record in ids.tolist()] if systems else [0] * len(ids),
            distinct_systems=distinct_systems,
            a=np.searchsorted(ids, low[span]).tolist(),
            b=np.searchsorted(ids, high[span]).tolist(),
            weight=bits[span].tolist(),
            flags=flag[span].tolist(),
            must=verdict[0],
            cannot=verdict[1],
        )
        decision = decide(component, thresholds)
        label[ids] = ids[decision.label]
        doubts += [doubt._replace(a=int(ids[doubt.a]), b=int(ids[doubt.b])) for doubt in decision.doubts]
    return label, doubts


def _free_pairs(
    low: Longs,
    high: Longs,
    bits: npt.NDArray[np.float32],
    flag: npt.NDArray[np.int16],
    root: Longs,
    sizes: Longs,
    thresholds: Thresholds,
    bound_systems: bool,  # noqa: FBT001
    verdicts: Longs,
) -> npt.NDArray[np.bool_]:
    """Tell which edges are a whole component of two records that joins without any rule but the threshold."""
    if bound_systems:
        return np.zeros(len(low), np.bool_)
    spoken = np.zeros(len(root), np.bool_)
    spoken[verdicts.ravel()] = True
    strong = (bits >= thresholds.automatic) | ((flag & FORCED) > 0)
    return np.asarray((sizes[root[low]] == 2) & strong & ((flag & VETO) == 0) & ~spoken[low] & ~spoken[high])


def _verdicts_by_root(root: Longs, pairs: Sequence[Pair]) -> dict[int, list[Pair]]:
    found: dict[int, list[Pair]] = {}
    for a, b in pairs:
        found.setdefault(int(root[a]), []).append((a, b))
    return found
