"""Clusters and the search for the bridge that holds two groups."""

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from apps.matching.clusters import Clusters, Pair, weak_bridge


def test_what_is_kept_apart_stays_apart_after_joining() -> None:
    clusters = Clusters(4)
    clusters.part(0, 1, "veto")
    clusters.join(clusters.of[0], clusters.of[2])
    clusters.join(clusters.of[1], clusters.of[3])
    assert clusters.kept_apart(clusters.of[2], clusters.of[3]) == "veto"
    clusters.part(2, 3, "cannot")
    assert clusters.kept_apart(clusters.of[0], clusters.of[1]) == "cannot"
    assert clusters.labels() == [0, 1, 0, 1]


def test_the_strongest_reason_stands() -> None:
    clusters = Clusters(2)
    clusters.part(0, 1, "cannot")
    clusters.part(0, 1, "margin")
    assert clusters.kept_apart(0, 1) == "cannot"


def test_a_split_part_keeps_away_from_what_the_whole_did() -> None:
    clusters = Clusters(4)
    clusters.part(0, 3, "cannot")
    for record in (1, 2):
        clusters.join(clusters.of[0], clusters.of[record])
    fresh = clusters.split(clusters.of[0], [1, 2])
    assert clusters.labels() == [0, 1, 1, 3]
    assert clusters.kept_apart(fresh, clusters.of[3]) == "cannot"


def test_systems_go_with_their_clusters() -> None:
    clusters = Clusters(3)
    clusters.hold_systems([5, 6, 5], {5})
    clusters.join(0, 1)
    assert clusters.kept_apart(clusters.of[1], 2) == "distinct_source"


def _parts(records: list[int], pairs: set[Pair]) -> list[set[int]]:
    left, parts = set(records), []
    while left:
        reached = {min(left)}
        while fresh := {b for a, b in (*pairs, *((b, a) for a, b in pairs)) if a in reached} - reached:
            reached |= fresh
        parts.append(reached)
        left -= reached
    return parts


@given(st.integers(2, 8), st.data())
def test_the_bridge_found_is_the_weakest_of_all(size: int, data: st.DataObject) -> None:
    records = list(range(size))
    tree = {(data.draw(st.integers(0, record - 1)), record) for record in range(1, size)}
    more = data.draw(st.sets(st.sampled_from([*combinations(records, 2)]), max_size=3))
    support = {pair: float(data.draw(st.integers(1, 9))) for pair in sorted(tree | more)}
    candidates = []
    for pair, weight in support.items():
        parts = _parts(records, set(support) - {pair})
        if len(parts) == 2 and min(map(len, parts)) >= 2 and weight < 7:
            candidates.append((weight, pair, parts))
    found = weak_bridge(records, support, 7.0)
    if not candidates:
        assert found is None
    else:
        _, pair, parts = min(candidates, key=lambda one: one[:2])
        assert found is not None
        assert found[0] == pair
        assert set(found[1]) in parts
