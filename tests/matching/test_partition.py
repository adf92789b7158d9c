"""partition_file: a whole file decided component by component, the same as all at once."""

from itertools import combinations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from apps.matching.decide import Component, decide
from apps.matching.partition import connected, partition_file
from tests.matching.given import LIMITS, components


@given(components(largest=14))
def test_the_file_decided_in_parts_equals_the_whole(found: Component) -> None:
    label, doubts = partition_file(
        len(found.ids), found.a, found.b,
        weight=found.weight, flags=found.flags, thresholds=LIMITS,
        systems=found.systems, distinct_systems=found.distinct_systems, must=found.must, cannot=found.cannot,
    )  # fmt: skip
    whole = decide(found, LIMITS)
    assert label.tolist() == whole.label
    assert sorted(doubts) == sorted(whole.doubts)


@given(
    st.integers(1, 30).flatmap(
        lambda n: st.tuples(st.just(n), st.lists(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1))))
    )
)
def test_connected_agrees_with_walking(case: tuple[int, list[tuple[int, int]]]) -> None:
    size, pairs = case
    near: dict[int, set[int]] = {record: {record} for record in range(size)}
    for a, b in pairs:
        near[a].add(b)
        near[b].add(a)
    expected = []
    for record in range(size):
        reached, waiting = {record}, [record]
        while waiting:
            fresh = near[waiting.pop()] - reached
            reached |= fresh
            waiting += fresh
        expected.append(min(reached))
    a, b = (np.array([pair[side] for pair in pairs], np.int64) for side in (0, 1))
    assert connected(size, a, b).tolist() == expected


def test_a_file_without_pairs_is_all_singles() -> None:
    label, doubts = partition_file(3, [], [], weight=[], flags=[], thresholds=LIMITS)
    assert (label.tolist(), doubts) == ([0, 1, 2], [])
    assert partition_file(0, [], [], weight=[], flags=[], thresholds=LIMITS)[0].tolist() == []


def test_the_sides_of_a_pair_do_not_matter() -> None:
    one, _ = partition_file(3, [2, 1], [0, 0], weight=[5.0, 4.0], flags=[0, 0], thresholds=LIMITS)
    other, _ = partition_file(3, [0, 0], [2, 1], weight=[5.0, 4.0], flags=[0, 0], thresholds=LIMITS)
    assert one.tolist() == other.tolist() == [0, 0, 0]


@given(
    st.lists(
        st.integers(2, 6).flatmap(
            lambda n: st.lists(st.floats(-4.0, 12.0), min_size=n * (n - 1) // 2, max_size=n * (n - 1) // 2)
        ),
        min_size=1, max_size=4,
    ),
    st.booleans(),
)  # fmt: skip
def test_groups_of_which_all_pairs_are_known_equal_the_whole(groups: list[list[float]], strong: bool) -> None:
    a, b, weight, size = list[int](), list[int](), list[float](), 0
    for weights in groups:
        records = next(n for n in range(2, 7) if n * (n - 1) // 2 == len(weights))
        for (one, other), own in zip(combinations(range(records), 2), weights, strict=True):
            a.append(size + one)
            b.append(size + other)
            weight.append(abs(own) + LIMITS.automatic if strong else own)
        size += records
    flags = [0] * len(a)
    label, doubts = partition_file(size, a, b, weight=weight, flags=flags, thresholds=LIMITS)
    whole = decide(
        Component(ids=range(size), systems=[0] * size, distinct_systems=frozenset(), a=a, b=b, weight=weight, flags=flags, must=(), cannot=()),
        LIMITS,
    )  # fmt: skip
    assert label.tolist() == whole.label
    assert sorted(doubts) == sorted(whole.doubts)
