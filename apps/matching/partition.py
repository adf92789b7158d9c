"""A whole file's pairs to clusters: the pairs fall into components, and each is decided by itself."""

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from apps.matching.clusters import Pair
from apps.matching.comparison_levels import FORCED, VETO
from apps.matching.decide import WORTH_A_QUESTION, Component, Doubt, decide
from apps.matching.parameters import Thresholds
from apps.matching.side_by_side import HERE, Beside

Longs = npt.NDArray[np.int64]
MANY: Final = 5_000
"""Components from which it pays to decide them on two cores."""


class Pairs(NamedTuple):
    """Scored pairs of records of a file; low < high."""

    low: Longs
    high: Longs
    weight: npt.NDArray[np.float64]
    flags: npt.NDArray[np.int16]

    def where(self, chosen: npt.NDArray[Any]) -> "Pairs":
        """Return some of the pairs, by mask or by place."""
        return Pairs(*(values[chosen] for values in self))


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
    *,
    weight: npt.ArrayLike,
    flags: npt.ArrayLike,
    thresholds: Thresholds,
    systems: Sequence[int] | None = None,
    distinct_systems: frozenset[int] = frozenset(),
    must: Sequence[Pair] = (),
    cannot: Sequence[Pair] = (),
    beside: Beside = HERE,
) -> tuple[Longs, list[Doubt]]:
    """Decide all records 0 … n-1 of a file; place in the file stands for the id. Returns labels and doubts.

    The same as `decide` on everything at once, since records of different components never touch. `beside`: who decides half of the
    components.
    """
    left, right = np.asarray(a, np.int64), np.asarray(b, np.int64)
    low, high = np.minimum(left, right), np.maximum(left, right)
    pairs = Pairs(low, high, np.asarray(weight, np.float64), np.asarray(flags, np.int16))
    verdicts = np.array([*must, *cannot], np.int64).reshape(-1, 2)
    root = _roots(n, pairs, verdicts, thresholds)
    pairs = pairs.where(root[pairs.low] == root[pairs.high])
    sizes = np.bincount(root, minlength=n)
    label = np.arange(n)
    doubts: list[Doubt] = []
    if not distinct_systems:
        complete = _complete(pairs, root, sizes, verdicts, thresholds)
        label = np.where(complete[root], root, label)
        sizes[complete] = 0
    whole = Component(
        ids=range(n),
        systems=systems or np.zeros(n, np.int8).tolist(),
        distinct_systems=distinct_systems,
        a=(), b=(), weight=(), flags=(), must=must, cannot=cannot,
    )  # fmt: skip
    heads = np.flatnonzero(sizes > 1)
    mine, others = np.array_split(heads, 2) if len(heads) >= MANY else (heads, heads[:0])
    elsewhere = (beside if len(others) else HERE).ask(_decided, others, root, pairs, whole, thresholds)
    for ids, own, doubtful in (_decided(mine, root, pairs, whole, thresholds), elsewhere()):
        label[ids] = own
        doubts += doubtful
    return label, doubts


def _decided(
    heads: Longs, root: Longs, pairs: Pairs, whole: Component, thresholds: Thresholds
) -> tuple[Longs, Longs, list[Doubt]]:
    """Return the records of some components, the label of each, and the doubts."""
    records, labels, doubts = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)], list[Doubt]()
    for ids, component in _components(heads, root, pairs, whole):
        decision = decide(component, thresholds)
        records.append(ids)
        labels.append(ids[decision.label])
        doubts += [doubt._replace(a=int(ids[doubt.a]), b=int(ids[doubt.b])) for doubt in decision.doubts]
    return np.concatenate(records), np.concatenate(labels), doubts


def _roots(n: int, pairs: Pairs, verdicts: Longs, thresholds: Thresholds) -> Longs:
    """Return each record's component, by its smallest record."""
    bound = (pairs.weight >= thresholds.review) | ((pairs.flags & FORCED) > 0)
    return connected(n, np.r_[pairs.low[bound], verdicts[:, 0]], np.r_[pairs.high[bound], verdicts[:, 1]])


def _complete(
    pairs: Pairs, root: Longs, sizes: Longs, verdicts: Longs, thresholds: Thresholds
) -> npt.NDArray[np.bool_]:
    """Tell which components (by root) join by the threshold alone: each of their pairs is strong, so none is too weak a bridge for the
    others, and nothing speaks against one."""
    spoken = np.zeros(len(root), np.bool_)
    spoken[root[verdicts.ravel()]] = True
    of = root[pairs.low]
    strong = pairs.weight >= max(thresholds.automatic, WORTH_A_QUESTION)
    strong |= (sizes[of] == 2) & ((pairs.weight >= thresholds.automatic) | ((pairs.flags & FORCED) > 0))
    strong &= (pairs.flags & VETO) == 0
    joined = np.bincount(of[strong], minlength=len(root))
    fits = (sizes > 1) & (sizes <= thresholds.cluster_cap) & ~spoken
    return np.asarray(fits & (joined == sizes * (sizes - 1) // 2))


def _components(heads: Longs, root: Longs, pairs: Pairs, whole: Component) -> Iterator[tuple[Longs, Component]]:
    """Yield records (places in the file) and component of each head; `whole` holds systems and verdicts of the file."""
    pairs = pairs.where(np.lexsort((pairs.high, pairs.low, root[pairs.low])))
    members = np.argsort(root, kind="stable")
    owner, edge_owner = root[members], root[pairs.low]
    ends = [np.searchsorted(where, heads, side) for where in (owner, edge_owner) for side in ("left", "right")]
    place = np.empty(len(root), np.int64)
    place[members] = np.arange(len(root)) - np.searchsorted(owner, owner)
    a, b, weight, flags = (
        place[pairs.low].tolist(),
        place[pairs.high].tolist(),
        pairs.weight.tolist(),
        pairs.flags.tolist(),
    )
    must, cannot = (_by_root(root, place, verdicts) for verdicts in (whole.must, whole.cannot))
    for head, first, last, edge, end in zip(*(values.tolist() for values in (heads, *ends)), strict=True):
        ids = members[first:last]
        yield (
            ids,
            Component(
                ids=range(last - first),
                systems=[whole.systems[record] for record in ids.tolist()],
                distinct_systems=whole.distinct_systems,
                a=a[edge:end], b=b[edge:end], weight=weight[edge:end], flags=flags[edge:end],
                must=must.get(head, ()), cannot=cannot.get(head, ()),
            ),
        )  # fmt: skip


def _by_root(root: Longs, place: Longs, verdicts: Sequence[Pair]) -> dict[int, list[Pair]]:
    found: dict[int, list[Pair]] = {}
    for a, b in verdicts:
        found.setdefault(int(root[a]), []).append((int(place[a]), int(place[b])))
    return found
