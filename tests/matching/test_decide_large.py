"""A component over the cap is cut where it is weakest, always in the same way."""

from dataclasses import replace
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from apps.matching.decide import Component
from apps.matching.decide_large import decide_capped
from apps.matching.parameters import Model

THRESHOLDS = replace(Model.load_default().thresholds, component_cap=4)


def chain(weights: list[float], order: list[int] | None = None) -> Component:
    """Records in a row, each tied to the next by one edge."""
    n = len(weights) + 1
    edges = [(at, at + 1, weight) for at, weight in enumerate(weights)]
    edges = [edges[i] for i in order] if order else edges
    return Component(
        ids=[f"{i:03}" for i in range(n)], systems=[1] * n, distinct_systems=frozenset(),
        a=[e[0] for e in edges], b=[e[1] for e in edges], weight=[e[2] for e in edges], flags=[0] * len(edges),
    )  # fmt: skip


def test_it_is_cut_at_the_weakest_link_and_says_so() -> None:
    decision = decide_capped(chain([20, 20, 20, 4, 20, 20, 20]), THRESHOLDS)
    assert decision.label[:4] == [decision.label[0]] * 4
    assert decision.label[4:] == [decision.label[4]] * 4
    assert decision.label[0] != decision.label[4]
    assert [(d.a, d.b, d.reason) for d in decision.doubts if d.reason == "size_cap"] == [(3, 4, "size_cap")]


def test_no_piece_is_larger_than_the_cap_even_where_all_links_are_alike() -> None:
    decision = decide_capped(chain([20.0] * 20), THRESHOLDS)
    sizes = [decision.label.count(label) for label in set(decision.label)]
    assert max(sizes) <= THRESHOLDS.component_cap


@given(st.lists(st.floats(-2, 30), min_size=5, max_size=14), st.randoms(use_true_random=False))
def test_the_order_of_edges_does_not_matter(weights: list[float], rng: Random) -> None:
    order = list(range(len(weights)))
    rng.shuffle(order)
    assert decide_capped(chain(weights, order), THRESHOLDS).label == decide_capped(chain(weights), THRESHOLDS).label
