"""Clusters that grow by joining and know which others they must stay apart from."""

from collections.abc import Collection, Mapping, Sequence
from typing import Final

Pair = tuple[int, int]
_STRENGTH: Final = {"cannot": 0, "veto": 1, "policy_veto": 2, "ambiguous": 3, "margin": 4}


class Clusters:
    """A partition of records 0 … n-1. `of` gives each record's cluster, `members` each cluster's records."""

    def __init__(self, size: int) -> None:
        self.of = list(range(size))
        self.members: dict[int, list[int]] = {record: [record] for record in range(size)}
        self._apart: dict[int, dict[int, str]] = {}
        self._systems: dict[int, set[int]] = {}

    def labels(self) -> list[int]:
        """Return for each record the smallest record of its cluster."""
        smallest = {cluster: min(records) for cluster, records in self.members.items()}
        return [smallest[cluster] for cluster in self.of]

    def part(self, a: int, b: int, reason: str) -> None:
        """Keep the clusters of two records apart; of several reasons the strongest stands. One cluster stays one."""
        one, other = self.of[a], self.of[b]
        if one != other:
            self._note(one, other, reason)
            self._note(other, one, reason)

    def _note(self, one: int, other: int, reason: str) -> None:
        known = self._apart.setdefault(one, {})
        if other not in known or _STRENGTH[reason] < _STRENGTH[known[other]]:
            known[other] = reason

    def hold_systems(self, systems: Sequence[int], distinct: Collection[int]) -> None:
        """Let no cluster take two records of a distinct system (those a person joined stay)."""
        for record, system in enumerate(systems):
            if system in distinct:
                self._systems.setdefault(self.of[record], set()).add(system)

    def kept_apart(self, one: int, other: int) -> str:
        """Return why two clusters cannot be joined, or ''."""
        reason = self._apart.get(one, {}).get(other, "")
        if not reason and self._systems and self._systems.get(one, set()) & self._systems.get(other, set()):
            return "distinct_source"
        return reason

    def join(self, one: int, other: int) -> None:
        """Make one cluster of two; it stays apart from all that either stays apart from."""
        if len(self.members[one]) < len(self.members[other]):
            one, other = other, one
        for record in self.members[other]:
            self.of[record] = one
        self.members[one] += self.members.pop(other)
        for third, reason in self._apart.pop(other, {}).items():
            self._apart[third].pop(other)
            if third != one:
                self._note(one, third, reason)
                self._note(third, one, reason)
        if other in self._systems:
            self._systems.setdefault(one, set()).update(self._systems.pop(other))

    def split(self, cluster: int, part: Collection[int]) -> int:
        """Give the records of `part` a cluster of their own and return it; both stay apart from what the whole did."""
        fresh = max(len(self.of), *self.members) + 1
        inside = set(part)
        self.members[fresh] = sorted(inside)
        self.members[cluster] = sorted(set(self.members[cluster]) - inside)
        for record in inside:
            self.of[record] = fresh
        for third, reason in list(self._apart.get(cluster, {}).items()):
            self._note(fresh, third, reason)
            self._note(third, fresh, reason)
        return fresh


def weak_bridge(records: Sequence[int], support: Mapping[Pair, float], enough: float) -> tuple[Pair, list[int]] | None:
    """Return the weakest edge below `enough` whose loss leaves two parts of two records or more, and the part beyond.

    `support` holds the edges within the records. None where there is no such edge. Bridges by Tarjan's low points.
    """
    near: dict[int, list[int]] = {record: [] for record in sorted(records)}
    for a, b in sorted(support):
        near[a].append(b)
        near[b].append(a)
    order: dict[int, int] = {}
    low: dict[int, int] = {}
    parent: dict[int, int] = {}
    sequence: list[int] = []
    root = min(records)
    stack = [(root, iter(near[root]))]
    order[root] = low[root] = 0
    sequence.append(root)
    size = dict.fromkeys(near, 1)
    best: tuple[float, Pair, int] | None = None
    while stack:
        record, rest = stack[-1]
        following = next(rest, None)
        if following is not None:
            if following not in order:
                parent[following] = record
                order[following] = low[following] = len(sequence)
                sequence.append(following)
                stack.append((following, iter(near[following])))
            elif parent.get(record) != following:
                low[record] = min(low[record], order[following])
            continue
        stack.pop()
        if record == root:
            continue
        above = parent[record]
        low[above] = min(low[above], low[record])
        size[above] += size[record]
        pair = (min(above, record), max(above, record))
        lone = low[record] > order[above] and min(size[record], len(records) - size[record]) >= 2
        if lone and support[pair] < enough and (best is None or (support[pair], pair) < best[:2]):
            best = (support[pair], pair, record)
    if best is None:
        return None
    first = order[best[2]]
    return best[1], sorted(sequence[first : first + size[best[2]]])
