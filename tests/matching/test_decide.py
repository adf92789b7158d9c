"""decide: the partition of a component under verdicts, vetoes, margin and safeguards."""

from collections import Counter
from dataclasses import replace
from random import Random
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from apps.matching.comparison_levels import FORCED, VETO
from apps.matching.decide import REASONS, Component, Decision, decide
from apps.matching.partition import connected
from tests.matching.given import LIMITS, components

Edge = tuple[int, int, float] | tuple[int, int, float, int]


def component(size: int, *edges: Edge, **more: Any) -> Component:
    plain = [(*edge, 0)[:4] for edge in edges]
    known: dict[str, Any] = {
        "systems": [0] * size,
        "distinct_systems": frozenset(),
        "a": [edge[0] for edge in plain],
        "b": [edge[1] for edge in plain],
        "weight": [edge[2] for edge in plain],
        "flags": [edge[3] for edge in plain],
    }
    return Component(ids=[f"{record:03d}" for record in range(size)], **{**known, **more})


def reasons(decision: Decision) -> list[tuple[int, int, str]]:
    return [(doubt.a, doubt.b, doubt.reason) for doubt in decision.doubts]


def test_one_record_stands_alone() -> None:
    assert decide(component(1), LIMITS) == Decision([0], [])


def test_two_records_join_ask_or_stay_apart() -> None:
    assert decide(component(2, (0, 1, 3.0)), LIMITS).label == [0, 0]
    asked = decide(component(2, (0, 1, 1.0)), LIMITS)
    assert (asked.label, reasons(asked)) == ([0, 1], [(0, 1, "review_band")])
    assert decide(component(2, (0, 1, 0.9)), LIMITS) == Decision([0, 1], [])
    assert decide(component(2), LIMITS) == Decision([0, 1], [])


def test_a_chain_of_strong_links_joins() -> None:
    assert decide(component(3, (0, 1, 9.0), (1, 2, 4.0)), LIMITS).label == [0, 0, 0]


def test_a_veto_keeps_clusters_apart_and_asks() -> None:
    decision = decide(component(3, (0, 1, 9.0), (1, 2, 4.0), (0, 2, 8.0, VETO)), LIMITS)
    assert decision.label == [0, 0, 2]
    assert reasons(decision) == [(0, 2, "veto")]


def test_one_confirmed_identifier_joins_whatever_the_weight() -> None:
    assert decide(component(2, (0, 1, -2.0, FORCED)), LIMITS).label == [0, 0]
    vetoed = decide(component(2, (0, 1, -2.0, FORCED | VETO)), LIMITS)
    assert (vetoed.label, reasons(vetoed)) == ([0, 1], [(0, 1, "veto")])


def test_a_record_that_fits_two_that_cannot_be_one_stays_apart_from_both() -> None:
    decision = decide(component(3, (0, 1, 6.0), (1, 2, 5.0), (0, 2, 2.0, VETO)), LIMITS)
    assert decision.label == [0, 1, 2]
    assert reasons(decision) == [(0, 1, "ambiguous"), (1, 2, "ambiguous")]


def test_a_clearly_better_candidate_wins() -> None:
    assert decide(component(3, (0, 1, 9.0), (1, 2, 4.0), (0, 2, 2.0, VETO)), LIMITS).label == [0, 0, 2]


def test_two_candidates_of_a_system_without_duplicates_are_a_matter_of_margin() -> None:
    found = component(3, (0, 1, 6.0), (1, 2, 5.0), systems=[7, 8, 7], distinct_systems=frozenset({7}))
    assert reasons(decide(found, LIMITS)) == [(0, 1, "margin"), (1, 2, "margin")]
    far = replace(found, weight=[9.0, 5.0])
    assert decide(far, LIMITS).label == [0, 0, 2]
    assert reasons(decide(far, LIMITS)) == [(1, 2, "distinct_source")]


def test_what_a_person_said_stands() -> None:
    assert decide(component(2, (0, 1, 9.0), cannot=[(0, 1)]), LIMITS) == Decision([0, 1], [])
    assert decide(component(2, must=[(0, 1)]), LIMITS).label == [0, 0]
    assert decide(component(2, (0, 1, 5.0, VETO), must=[(1, 0)]), LIMITS).label == [0, 0]


def test_not_the_same_holds_for_the_whole_cluster() -> None:
    decision = decide(component(3, (0, 1, 9.0), (1, 2, 9.0), (0, 2, 2.0), cannot=[(0, 2)], must=[(0, 1)]), LIMITS)
    assert decision == Decision([0, 0, 2], [])


def test_verdicts_that_contradict_are_a_doubt() -> None:
    decision = decide(component(3, must=[(0, 1), (1, 2)], cannot=[(0, 2)]), LIMITS)
    assert decision.label == [0, 0, 2]
    assert reasons(decision) == [(1, 2, "verdict_conflict")]


def test_two_groups_on_one_weak_pair_are_split() -> None:
    groups = [(0, 1, 9.0), (2, 3, 9.0), (1, 2, 4.0)]
    decision = decide(component(4, *groups), LIMITS)
    assert decision.label == [0, 0, 2, 2]
    assert reasons(decision) == [(1, 2, "weak_bridge")]
    assert decide(component(4, *groups, (0, 3, 3.5)), LIMITS).label == [0, 0, 0, 0], "two pairs hold"
    assert decide(component(4, (0, 1, 9.0), (2, 3, 9.0), (1, 2, 7.5)), LIMITS).label == [0, 0, 0, 0], (
        "a strong pair holds"
    )
    assert decide(component(4, *groups, must=[(0, 3)]), LIMITS).label == [0, 0, 0, 0], "a person's word holds"


def test_a_group_is_joined_by_what_all_its_pairs_say() -> None:
    pair, best = (0, 1, 12.0), (1, 2, 5.0)
    assert decide(component(3, pair, best, (0, 2, 5.0)), LIMITS).label == [0, 0, 0]
    assert decide(component(3, pair, best, (0, 2, 0.0)), LIMITS).label == [0, 0, 0], "7/10 of 2.5 and 3/10 of 5: 3.25"
    held = decide(component(3, pair, best, (0, 2, -1.0)), LIMITS)
    assert (held.label, reasons(held)) == ([0, 0, 2], [(1, 2, "weak_bridge")]), "7/10 of 2 and 3/10 of 5: 2.9"
    unknown = [(0, 1, 12.0), (0, 2, 12.0), (0, 3, 12.0), (1, 2, 12.0), (1, 3, 12.0), (2, 3, 12.0), (3, 4, 4.0)]
    assert decide(component(5, *unknown), LIMITS).label == [0, 0, 0, 0, 4], "four records, of which one is known to fit"
    assert decide(component(5, *unknown[:-1], (3, 4, 5.0)), LIMITS).label == [0, 0, 0, 0, 0]


def test_pairs_that_speak_against_outweigh_one_weak_link() -> None:
    decision = decide(component(3, (0, 1, 9.0), (1, 2, 3.5), (0, 2, -3.0)), LIMITS)
    assert decision.label == [0, 0, 2]
    assert reasons(decision) == [(1, 2, "weak_bridge")]


def test_no_cluster_grows_over_its_cap() -> None:
    limits = replace(LIMITS, cluster_cap=3)
    star = [(0, other, 10.0 - other) for other in range(1, 5)]
    decision = decide(component(5, *star), limits)
    assert max(Counter(decision.label).values()) == 3
    assert {reason for _, _, reason in reasons(decision)} == {"size_cap"}


def test_numpy_columns_are_met_too() -> None:
    found = component(3, (0, 1, 9.0), (1, 2, 4.0))
    arrays = replace(
        found,
        a=np.array(found.a),
        b=np.array(found.b),
        weight=np.array(found.weight, np.float32),
        flags=np.array(found.flags),
    )
    assert decide(arrays, LIMITS) == decide(found, LIMITS)


def test_every_reason_has_a_sentence() -> None:
    for sentence in REASONS.values():
        assert sentence.format(weight=1.0, cap=2).endswith(".")


@given(components(), st.randoms(use_true_random=False))
def test_the_order_of_edges_and_verdicts_does_not_matter(found: Component, rng: Random) -> None:
    order = list(range(len(found.a)))
    rng.shuffle(order)
    must, cannot = [*found.must], [*found.cannot]
    rng.shuffle(must)
    rng.shuffle(cannot)
    shuffled = replace(
        found,
        a=[found.a[place] for place in order],
        b=[found.b[place] for place in order],
        weight=[found.weight[place] for place in order],
        flags=[found.flags[place] for place in order],
        must=must,
        cannot=cannot,
    )
    assert decide(shuffled, LIMITS) == decide(found, LIMITS)


@given(components())
def test_verdicts_hold_and_vetoes_are_never_joined_by_the_machine(found: Component) -> None:
    label = decide(found, LIMITS).label
    for a, b in found.cannot:
        assert label[a] != label[b]
    if not found.cannot:
        for a, b in found.must:
            assert label[a] == label[b]
    if not found.must:
        for a, b, flag in zip(found.a, found.b, found.flags, strict=True):
            assert not (flag & VETO and label[a] == label[b])
        bound = [(label[r], s) for r, s in enumerate(found.systems) if s in found.distinct_systems]
        assert len(bound) == len(set(bound))


@given(components())
def test_labels_are_the_smallest_member_and_doubts_lie_between_clusters(found: Component) -> None:
    decision = decide(found, LIMITS)
    for record, label in enumerate(decision.label):
        assert label <= record
        assert decision.label[label] == label
    pairs = {tuple(sorted((decision.label[d.a], decision.label[d.b]))) for d in decision.doubts}
    assert len(pairs) == len(decision.doubts)
    assert all(one != other for one, other in pairs)
    assert all(doubt.reason in REASONS and doubt.sentence for doubt in decision.doubts)


@given(components(), components())
def test_records_of_another_component_change_nothing(one: Component, other: Component) -> None:
    size = len(one.ids)
    shift = [(a + size, b + size) for a, b in other.must], [(a + size, b + size) for a, b in other.cannot]
    both = Component(
        ids=[*one.ids, *(f"9{record}" for record in other.ids)],
        systems=[*one.systems, *other.systems],
        distinct_systems=one.distinct_systems | other.distinct_systems,
        a=[*one.a, *(a + size for a in other.a)],
        b=[*one.b, *(b + size for b in other.b)],
        weight=[*one.weight, *other.weight],
        flags=[*one.flags, *other.flags],
        must=[*one.must, *shift[0]],
        cannot=[*one.cannot, *shift[1]],
    )
    alike = replace(one, distinct_systems=both.distinct_systems), replace(other, distinct_systems=both.distinct_systems)
    expected = decide(alike[0], LIMITS).label + [label + size for label in decide(alike[1], LIMITS).label]
    assert decide(both, LIMITS).label == expected


@given(components(), st.floats(3.0, 9.0))
def test_what_is_joined_hangs_together_by_pairs_of_the_threshold_or_more(found: Component, automatic: float) -> None:
    """So a higher threshold only ever joins what pairs of that weight reach. It may join other records than a lower one does: groups are
    judged by all their pairs, and a record that is not taken in no longer speaks against the next."""
    free = replace(found, must=(), cannot=(), flags=[0] * len(found.a), distinct_systems=frozenset())
    label = decide(free, replace(LIMITS, automatic=automatic, review=-5.0, keep=-5.0, bridge=automatic)).label
    strong = [
        (a, b)
        for a, b, weight in zip(found.a, found.b, found.weight, strict=True)
        if weight >= automatic and label[a] == label[b]
    ]
    reached = connected(len(label), *(np.array([pair[side] for pair in strong], np.int64) for side in (0, 1)))
    assert reached.tolist() == label
