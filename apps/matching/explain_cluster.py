"""Why records form the customers they form: which pair joined which two groups, in order, and what was refused."""

from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass
from typing import Any, Final

from apps.matching.clusters import Clusters, Pair
from apps.matching.comparison_levels import FORCED, VETO
from apps.matching.decide import Component, Doubt
from apps.matching.decide_large import decide_capped
from apps.matching.explain import Explanation
from apps.matching.parameters import Thresholds

_TELLING: Final = 1.0
"""Bits from which a finding is worth a word."""


@dataclass(frozen=True)
class Join:
    """A pair (places) that joined the groups `one` and `other`; weight: None for a person's word; why: person, identifier or weight."""

    a: int
    b: int
    weight: float | None
    why: str
    one: tuple[int, ...]
    other: tuple[int, ...]


@dataclass(frozen=True)
class Why:
    """`joins`: strongest first, as they were made; `refused`: pairs that would have joined more, each with its sentence."""

    joins: tuple[Join, ...]
    refused: tuple[Doubt, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain data that JSON can hold."""
        return {"joins": [asdict(join) for join in self.joins], "refused": [doubt._asdict() for doubt in self.refused]}


def explain_cluster(component: Component, thresholds: Thresholds, among: Collection[int] | None = None) -> Why:
    """Return the joins that make the clusters of a component, and every refusal.

    A join is the strongest pair between two groups that ended as one: persons' words first, then confirmed identifiers, then
    weights; ties by place. So a cluster of n records has n - 1 joins. `among`: only joins of these places with one another;
    what they form without the others, which may be several groups."""
    decision = decide_capped(component, thresholds)
    clusters, joins = Clusters(len(component.ids)), []
    for a, b, weight, why in _strongest_first(component, thresholds):
        one, other = clusters.of[a], clusters.of[b]
        if one == other or decision.label[a] != decision.label[b]:
            continue
        if among is not None and not (a in among and b in among):
            continue
        first, second = (tuple(sorted(clusters.members[cluster])) for cluster in (one, other))
        joins.append(Join(a, b, weight, why, first, second))
        clusters.join(one, other)
    return Why(tuple(joins), tuple(decision.doubts))


def _strongest_first(component: Component, thresholds: Thresholds) -> list[tuple[int, int, float | None, str]]:
    """Pairs that may join, in the order in which decisions take them."""
    edges = sorted(
        (not flag & FORCED, -float(weight), int(a), int(b))
        for a, b, weight, flag in zip(component.a, component.b, component.weight, component.flags, strict=True)
        if not flag & VETO and (flag & FORCED or weight >= thresholds.automatic)
    )
    said: list[Pair] = sorted((min(pair), max(pair)) for pair in component.must)
    return [
        *((a, b, None, "person") for a, b in said),
        *((a, b, -minus, "weight" if late else "identifier") for late, minus, a, b in edges),
    ]


def groups_of(why: Why, places: Collection[int]) -> tuple[tuple[int, ...], ...]:
    """Return what the joins make of `places`, each group in order; a place that nothing joined is a group of its own."""
    of: dict[int, tuple[int, ...]] = {place: (place,) for place in places}
    for join in why.joins:
        whole = tuple(sorted((*join.one, *join.other)))
        of.update(dict.fromkeys(whole, whole))
    return tuple(sorted(set(of.values())))


def findings(explanation: Explanation, most: int = 4) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the sentences that speak loudest for one customer and against, `most` of each at most, the heaviest first."""
    lines = sorted(explanation.lines, key=lambda line: -abs(line.bits))
    return (
        tuple(line.sentence for line in lines if line.bits >= _TELLING)[:most],
        tuple(line.sentence for line in lines if line.bits <= -_TELLING)[:most],
    )


def as_text(why: Why, called: Callable[[int], str]) -> list[str]:
    """Return one sentence a join, then one a refusal; `called` names the record at a place."""
    reasons = {"person": "a person said so", "identifier": "one confirmed identifier"}
    lines = []
    for join in why.joins:
        reason = reasons.get(join.why) or f"{join.weight:.1f} bits"
        groups = " and ".join(_group(group, called) for group in (join.one, join.other))
        pair = f" by {called(join.a)} and {called(join.b)}" if len(join.one) + len(join.other) > 2 else ""
        lines.append(f"{groups} were joined{pair}: {reason}.")
    lines += [f"{called(doubt.a)} and {called(doubt.b)} were kept apart. {doubt.sentence}" for doubt in why.refused]
    return lines


def _group(group: tuple[int, ...], called: Callable[[int], str]) -> str:
    return called(group[0]) if len(group) == 1 else f"({', '.join(map(called, group))})"
