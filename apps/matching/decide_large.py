"""Components larger than the cap: cut along their weakest edges until every piece can be decided.

The pieces depend on the component alone, neither on the order of its records' arrival nor on today's membership."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from apps.matching.decide import Component, Decision, Doubt, decide
from apps.matching.parameters import Thresholds

STEP = 2.0
"""Bits by which the bar is raised at a time."""


def decide_capped(component: Component, thresholds: Thresholds) -> Decision:
    """`decide`, for a component of any size. Pairs cut although they reach the automatic threshold become doubts."""
    if len(component.ids) <= thresholds.component_cap:
        return decide(component, thresholds)
    label = list(range(len(component.ids)))
    doubts: list[Doubt] = []
    piece_of: dict[int, int] = {}
    for number, places in enumerate(_pieces(component, thresholds)):
        piece_of.update(dict.fromkeys(places, number))
        if len(places) > 1:
            decision = decide(_part(component, places), thresholds)
            for at, own in enumerate(decision.label):
                label[places[at]] = places[own]
            doubts += [d._replace(a=places[d.a], b=places[d.b]) for d in decision.doubts]
    return Decision(label, doubts + _cut(component, piece_of, thresholds))


def _pieces(component: Component, thresholds: Thresholds) -> list[list[int]]:
    """Connected places, in order of their first; only a piece of nothing but verdicts is cut through those."""
    done: list[list[int]] = []
    waiting = [(list(range(len(component.ids))), thresholds.review)]
    while waiting:
        places, bar = waiting.pop()
        if len(places) <= thresholds.component_cap:
            done.append(places)
            continue
        heaviest = max(component.weight, default=bar)
        for piece in _connected(component, places, bar):
            if len(piece) <= thresholds.component_cap or bar > heaviest:
                size = thresholds.component_cap
                done += [piece[at : at + size] for at in range(0, len(piece), size)]
            else:
                waiting.append((piece, bar + STEP))
    return sorted(done)


def _connected(component: Component, places: Sequence[int], bar: float) -> list[list[int]]:
    parent = {p: p for p in places}

    def find(p: int) -> int:
        while parent[p] != p:
            parent[p] = parent[parent[p]]
            p = parent[p]
        return p

    strong = [(a, b) for a, b, w in zip(component.a, component.b, component.weight, strict=True) if w >= bar]
    for a, b in (*strong, *component.must):
        if a in parent and b in parent:
            one, other = sorted((find(a), find(b)))
            parent[other] = one
    grouped: dict[int, list[int]] = defaultdict(list)
    for p in places:
        grouped[find(p)].append(p)
    return list(grouped.values())


def _part(component: Component, places: Sequence[int]) -> Component:
    row = {p: at for at, p in enumerate(places)}
    inside = [i for i, a in enumerate(component.a) if a in row and component.b[i] in row]
    return replace(
        component,
        ids=[component.ids[p] for p in places],
        systems=[component.systems[p] for p in places],
        a=[row[component.a[i]] for i in inside],
        b=[row[component.b[i]] for i in inside],
        weight=[component.weight[i] for i in inside],
        flags=[component.flags[i] for i in inside],
        must=[(row[a], row[b]) for a, b in component.must if a in row and b in row],
        cannot=[(row[a], row[b]) for a, b in component.cannot if a in row and b in row],
        vetoes=[(row[a], row[b]) for a, b in component.vetoes if a in row and b in row],
    )


def _cut(component: Component, piece_of: dict[int, int], thresholds: Thresholds) -> list[Doubt]:
    """The heaviest automatic pair between any two pieces."""
    best: dict[tuple[int, int], tuple[float, int, int]] = {}
    for a, b, weight in zip(component.a, component.b, component.weight, strict=True):
        between = tuple(sorted((piece_of[a], piece_of[b])))
        if between[0] != between[1] and weight >= thresholds.automatic:
            key = (between[0], between[1])
            best[key] = max(best.get(key, (weight, a, b)), (weight, a, b), key=lambda x: (x[0], -x[1], -x[2]))
    return [
        Doubt(
            a, b, weight, "size_cap", f"Too many records hang together ({len(component.ids)}); the chain was cut here."
        )
        for weight, a, b in (best[key] for key in sorted(best))
    ]
