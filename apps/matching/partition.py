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

    def where(self, chosen: npt.NDArray[Any] | slice) -> "Pairs":
        """Return some of the pairs, by mask, by place or from one to another."""
        return Pairs(self.low[chosen], self.high[chosen], self.weight[chosen], self.flags[chosen])


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
        ids=range(n), systems=systems or (), distinct_systems=distinct_systems, a=(), b=(), weight=(), flags=(),
        must=must, cannot=cannot,
    )  # fmt: skip
    left_over = _Open.of(root, sizes, pairs)
    heads = np.flatnonzero(sizes > 1)
    middle = int(heads[len(heads) // 2]) if len(heads) >= MANY else n
    ask = (beside if middle < n else HERE).ask
    others = ask(_decided, left_over.between(middle, n), whole, thresholds)
    for ids, own, doubtful in (_decided(left_over.between(0, middle), whole, thresholds), others()):
        label[ids] = own
        doubts += doubtful
    return label, doubts


class _Open(NamedTuple):
    """Components that have to be walked, by their smallest record: their records and their pairs, with the component of each."""

    members: Longs
    owner: Longs
    pairs: Pairs
    edge_owner: Longs

    @classmethod
    def of(cls, root: Longs, sizes: Longs, pairs: Pairs) -> "_Open":
        members = np.flatnonzero(sizes[root] > 1)
        members = members[np.argsort(root[members], kind="stable")]
        pairs = pairs.where(sizes[root[pairs.low]] > 1)
        pairs = pairs.where(np.lexsort((pairs.high, pairs.low, root[pairs.low])))
        return cls(members, root[members], pairs, root[pairs.low])

    def between(self, first: int, end: int) -> "_Open":
        """The components from `first` to before `end`."""
        records, edges = (slice(*np.searchsorted(own, (first, end))) for own in (self.owner, self.edge_owner))
        return _Open(self.members[records], self.owner[records], self.pairs.where(edges), self.edge_owner[edges])


def _decided(some: _Open, whole: Component, thresholds: Thresholds) -> tuple[Longs, Longs, list[Doubt]]:
    """Return the records of some components, the label of each, and the doubts."""
    records, labels, doubts = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)], list[Doubt]()
    for ids, component in _components(some, whole):
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


def _components(some: _Open, whole: Component) -> Iterator[tuple[Longs, Component]]:
    """Yield records (places in the file) and component of each; `whole` holds systems and verdicts of the file."""
    members, owner, pairs, edge_owner = some
    heads = np.unique(owner)
    ends = [np.searchsorted(where, heads, side) for where in (owner, edge_owner) for side in ("left", "right")]
    place, root = np.empty(len(whole.ids), np.int64), np.full(len(whole.ids), -1)
    place[members] = np.arange(len(members)) - np.searchsorted(owner, owner)
    root[members] = owner
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
                systems=[whole.systems[record] for record in ids.tolist()] if whole.systems else [0] * (last - first),
                distinct_systems=whole.distinct_systems,
                a=a[edge:end], b=b[edge:end], weight=weight[edge:end], flags=flags[edge:end],
                must=must.get(head, ()), cannot=cannot.get(head, ()),
            ),
        )  # fmt: skip


def _by_root(root: Longs, place: Longs, verdicts: Sequence[Pair]) -> dict[int, list[Pair]]:
    found: dict[int, list[Pair]] = {}
    for a, b in verdicts:
        if root[a] >= 0:
            found.setdefault(int(root[a]), []).append((int(place[a]), int(place[b])))
    return found
