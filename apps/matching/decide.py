"""Who is one customer: a pure function of a component, the records that scored pairs or verdicts hang together.

Rules, in this order:
1. A person's verdicts stand. "Same" joins, "not the same" keeps whole clusters apart; where they contradict one another
   "not the same" stands and the other becomes a doubt.
2. Pairs with one confirmed identifier join, then pairs from the automatic threshold, the heaviest first, ties by place.
3. A join is refused where two records of the clusters are vetoed, by evidence or by policy, or stand in one system declared distinct, where the
   cluster would grow over its cap, or where all pairs between the two clusters together weigh less than a pair must: their
   mean counts for seven tenths, the best of them for three. A chain of links is weaker than its best link.
4. A cluster that fits two others, which cannot be one, with weights nearer than the margin stays apart from both.
5. A cluster of four or more that hangs on one weak pair between two groups is split there.
Every refusal, and the best pair of two clusters in the review band, becomes a doubt with its reason.

The result depends on the records' order in `ids` and on nothing else: neither the order of edges nor records of other
components change it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from apps.matching.clusters import Clusters, Pair, weak_bridge
from apps.matching.comparison_levels import FORCED, VETO
from apps.matching.parameters import Thresholds


@dataclass(frozen=True)
class Component:
    """Records in the order of their ids, and what is known of their pairs; a < b are places, each pair at most once.

    systems: each record's system; distinct_systems: systems of which no two records are one customer; must, cannot:
    persons' verdicts as pairs of places; vetoes: pairs that a rule of the policy keeps apart.
    """

    ids: Sequence[object]
    systems: Sequence[int]
    distinct_systems: frozenset[int]
    a: Sequence[int]
    b: Sequence[int]
    weight: Sequence[float]
    flags: Sequence[int]
    must: Sequence[Pair] = ()
    cannot: Sequence[Pair] = ()
    vetoes: Sequence[Pair] = ()


class Doubt(NamedTuple):
    """A pair of records (places) that a person should look at, with the reason and a sentence."""

    a: int
    b: int
    weight: float | None
    reason: str
    sentence: str


@dataclass(frozen=True)
class Decision:
    """label: for each record the smallest place in its cluster; doubts: at most one per pair of clusters."""

    label: list[int]
    doubts: list[Doubt] = field(default_factory=list)


REASONS = {
    "verdict_conflict": "A person said these are the same, but other verdicts say they are not.",
    "veto": "They look alike ({weight:.1f} bits), but there is hard evidence that they are different.",
    "policy_veto": "They look alike ({weight:.1f} bits), but a rule of the policy stands against it.",
    "distinct_source": "They look alike ({weight:.1f} bits), but a system without duplicates would have two of them.",
    "size_cap": "They look alike ({weight:.1f} bits), but the customer would have more than {cap} records.",
    "ambiguous": "It fits this one ({weight:.1f} bits) nearly as well as another, and those two cannot be the same.",
    "margin": "It fits this one ({weight:.1f} bits) nearly as well as another of a system without duplicates.",
    "weak_bridge": "This pair ({weight:.1f} bits) alone does not hold two groups of records together.",
    "review_band": "They may be the same ({weight:.1f} bits), which is not enough to join them without asking.",
}
WORTH_A_QUESTION: Final = 1.0
"""Bits that the pairs between two groups weigh at least, however low the threshold."""
_BEST, _UNKNOWN = 0.3, 0.5
"""What the best pair between two groups counts for beside their mean, and how much of that mean a pair weighs that nobody kept or
compared. Of 2,230 joins of groups by a best pair of 6 to 8 bits, in a generated file of 100,000 records, 98.5 % were right where the mean
was as high, and 96.5 % where it was lower."""
_ROUNDING: Final = 1e-9
_RANK = {reason: rank for rank, reason in enumerate(REASONS)}


class _Edge(NamedTuple):
    forced: bool
    weight: float
    a: int
    b: int
    veto: bool


def decide(component: Component, thresholds: Thresholds) -> Decision:
    """Partition a component; see the rules above."""
    size = len(component.ids)
    if size == 1:
        return Decision([0])
    edges = _edges(component)
    if not _bound(component) and not any(map(_vetoed, edges)) and not _systems_clash(component):
        if size == 2:
            return _decide_two(edges, thresholds)
        clusters = Clusters(size)
        refused = _join_freely(clusters, edges, thresholds)
    else:
        clusters = Clusters(size)
        refused = _join(clusters, component, edges, thresholds)
    if size >= 4:
        refused += _split(clusters, component, edges, thresholds)
    return Decision(clusters.labels(), _doubts(clusters, edges, refused, thresholds))


def _bound(component: Component) -> bool:
    """Whether persons or the policy have said something about any pair."""
    return bool(component.must or component.cannot or component.vetoes)


def _vetoed(edge: _Edge) -> bool:
    return edge.veto


def _edges(component: Component) -> list[_Edge]:
    """Return the edges, the strongest first: forced ones, then by weight, ties by place."""
    found = [
        _Edge(not flag & FORCED, -weight, a, b, flag & VETO > 0)
        for a, b, weight, flag in zip(
            *map(_plain, (component.a, component.b, component.weight, component.flags)), strict=True
        )
    ]
    found.sort()
    return [_Edge(not late, -weight, a, b, veto) for late, weight, a, b, veto in found]


def _plain(values: Sequence[float]) -> list[float]:
    """Return a list of Python numbers; numpy arrays are met here too."""
    return values.tolist() if hasattr(values, "tolist") else list(values)


def _systems_clash(component: Component) -> bool:
    if not component.distinct_systems:
        return False
    bound = [system for system in component.systems if system in component.distinct_systems]
    return len(bound) > len(set(bound))


def _decide_two(edges: list[_Edge], thresholds: Thresholds) -> Decision:
    if edges and (edges[0].forced or edges[0].weight >= thresholds.automatic):
        return Decision([0, 0])
    if edges and edges[0].weight >= thresholds.review:
        return Decision([0, 1], [_doubt("review_band", edges[0], thresholds)])
    return Decision([0, 1])


def _doubt(reason: str, edge: _Edge, thresholds: Thresholds) -> Doubt:
    return Doubt(
        edge.a, edge.b, edge.weight, reason, REASONS[reason].format(weight=edge.weight, cap=thresholds.cluster_cap)
    )


def _join_freely(clusters: Clusters, edges: list[_Edge], thresholds: Thresholds) -> list[Doubt]:
    """Join where no pair is vetoed, no verdict given and no system distinct."""
    refused = []
    near: Near | None = None
    for edge in edges:
        if not edge.forced and edge.weight < thresholds.automatic:
            break
        one, other = clusters.of[edge.a], clusters.of[edge.b]
        if one == other:
            continue
        if near is None and len(edges) > 1:
            near = _near(clusters, edges)
        reason = _too_weak(clusters, near or {}, edge, thresholds)
        if reason:
            refused.append(_doubt(reason, edge, thresholds))
        else:
            clusters.join(one, other)
    return refused


Near = dict[int, list[tuple[int, _Edge]]]


def _near(clusters: Clusters, edges: list[_Edge]) -> Near:
    """Return each record's edges, with the record at the other end."""
    near: Near = {record: [] for record in range(len(clusters.of))}
    for edge in edges:
        near[edge.a].append((edge.b, edge))
        near[edge.b].append((edge.a, edge))
    return near


def _too_weak(clusters: Clusters, near: Near, edge: _Edge, thresholds: Thresholds) -> str:
    """Return why the clusters of an edge's records cannot be held together by it, or ''."""
    one, other = clusters.members[clusters.of[edge.a]], clusters.members[clusters.of[edge.b]]
    size = len(one) + len(other)
    if size > thresholds.cluster_cap:
        return "size_cap"
    if edge.forced or size < 3 or not near:
        return ""
    smaller, away = (one, clusters.of[edge.b]) if len(one) < len(other) else (other, clusters.of[edge.a])
    known = sorted(found.weight for record in smaller for end, found in near[record] if clusters.of[end] == away)
    share = len(known) / (len(one) * len(other))
    mean = sum(known) / len(known) * (share + _UNKNOWN * (1.0 - share))
    together = mean + _BEST * (edge.weight - mean)
    return "weak_bridge" if together < max(thresholds.automatic, WORTH_A_QUESTION) - _ROUNDING else ""


def _join(clusters: Clusters, component: Component, edges: list[_Edge], thresholds: Thresholds) -> list[Doubt]:
    """Join with all rules: persons' verdicts, vetoes, distinct systems, rivals."""
    refused = _obey(clusters, component)
    for edge in edges:
        if edge.veto:
            clusters.part(edge.a, edge.b, "veto")
    for a, b in component.vetoes:
        clusters.part(a, b, "policy_veto")
    clusters.hold_systems(component.systems, component.distinct_systems)
    near = _near(clusters, edges)
    for edge in edges:
        if not edge.forced and edge.weight < thresholds.automatic:
            break
        one, other = clusters.of[edge.a], clusters.of[edge.b]
        reason = "" if one == other else clusters.kept_apart(one, other)
        if one == other or reason in {"cannot", "ambiguous", "margin"}:
            continue
        reason = ("veto" if edge.veto else reason) or _too_weak(clusters, near, edge, thresholds)
        if reason:
            refused.append(_doubt(reason, edge, thresholds))
        elif not edge.forced and (rivals := _rivals(clusters, near, edge, thresholds)):
            refused += _stay_apart(clusters, edge, rivals, thresholds)
        else:
            clusters.join(one, other)
    return refused


def _obey(clusters: Clusters, component: Component) -> list[Doubt]:
    """Apply persons' verdicts; return those that contradict."""
    refused = []
    for a, b in component.cannot:
        clusters.part(a, b, "cannot")
    for a, b in sorted((min(pair), max(pair)) for pair in component.must):
        one, other = clusters.of[a], clusters.of[b]
        if one != other and clusters.kept_apart(one, other) == "cannot":
            refused.append(Doubt(a, b, None, "verdict_conflict", REASONS["verdict_conflict"]))
        elif one != other:
            clusters.join(one, other)
    return refused


def _rivals(clusters: Clusters, near: Near, edge: _Edge, thresholds: Thresholds) -> list[tuple[_Edge, str]]:
    """Return edges nearly as strong from either cluster to a third that the other cannot be one with, and why not."""
    found = []
    one, other = clusters.of[edge.a], clusters.of[edge.b]
    least = max(edge.weight - thresholds.margin, thresholds.automatic)
    for home, away in ((one, other), (other, one)):
        for member in clusters.members[home]:
            for end, rival in near[member]:
                third = clusters.of[end]
                if third in (home, away) or rival.veto or (rival.weight < least and not rival.forced):
                    continue
                reason = clusters.kept_apart(away, third)
                if reason and not clusters.kept_apart(home, third):
                    found.append((rival, "margin" if reason in ("distinct_source", "margin") else "ambiguous"))
    return found


def _stay_apart(
    clusters: Clusters, edge: _Edge, rivals: list[tuple[_Edge, str]], thresholds: Thresholds
) -> list[Doubt]:
    """Keep the cluster apart from all it fits."""
    reason = "margin" if all(why == "margin" for _, why in rivals) else "ambiguous"
    doubts = []
    for apart in (edge, *(rival for rival, _ in rivals)):
        clusters.part(apart.a, apart.b, reason)
        doubts.append(_doubt(reason, apart, thresholds))
    return doubts


def _split(clusters: Clusters, component: Component, edges: list[_Edge], thresholds: Thresholds) -> list[Doubt]:
    """Split clusters at their weak bridges, the weakest first, until none is left."""
    firm = {(min(pair), max(pair)) for pair in component.must}
    firm |= {(edge.a, edge.b) for edge in edges if edge.forced}
    support: dict[int, dict[Pair, float]] = {}
    for a, b in firm:
        if clusters.of[a] == clusters.of[b]:
            support.setdefault(clusters.of[a], {})[a, b] = float("inf")
    for edge in edges:
        if edge.weight >= thresholds.review and not edge.veto and clusters.of[edge.a] == clusters.of[edge.b]:
            support.setdefault(clusters.of[edge.a], {}).setdefault((edge.a, edge.b), edge.weight)
    waiting = sorted(cluster for cluster in support if len(clusters.members[cluster]) >= 4)
    found = []
    while waiting:
        cluster = waiting.pop()
        bridge = weak_bridge(clusters.members[cluster], support[cluster], thresholds.bridge)
        if bridge:
            pair, part = bridge
            weight = support[cluster].pop(pair)
            fresh = clusters.split(cluster, part)
            inside = set(part)
            support[fresh] = {pair: weight for pair, weight in support[cluster].items() if pair[0] in inside}
            support[cluster] = {pair: weight for pair, weight in support[cluster].items() if pair[0] not in inside}
            found.append(
                _doubt("weak_bridge", _Edge(forced=False, weight=weight, a=pair[0], b=pair[1], veto=False), thresholds)
            )
            waiting += [part for part in (cluster, fresh) if len(clusters.members[part]) >= 4]
    return found


def _doubts(clusters: Clusters, edges: list[_Edge], refused: list[Doubt], thresholds: Thresholds) -> list[Doubt]:
    """Return one doubt per pair of clusters: refusals, then the best pair under review; none where a person decided."""
    found: dict[Pair, Doubt] = {}
    of = clusters.of
    for doubt in sorted(refused, key=lambda doubt: (_RANK[doubt.reason], -(doubt.weight or 0.0), doubt.a, doubt.b)):
        one, other = of[doubt.a], of[doubt.b]
        if one != other and (doubt.reason == "verdict_conflict" or clusters.kept_apart(one, other) != "cannot"):
            found.setdefault((min(one, other), max(one, other)), doubt)
    for edge in edges:
        if edge.weight < thresholds.review and not edge.forced:
            continue
        one, other = of[edge.a], of[edge.b]
        if (
            one != other
            and not edge.veto
            and (min(one, other), max(one, other)) not in found
            and not clusters.kept_apart(one, other)
        ):
            found[min(one, other), max(one, other)] = _doubt("review_band", edge, thresholds)
    return sorted(found.values())
