"""Weights of the shipped model on labelled pairs, as relations and outcomes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.matching import engine
from tests.matching.given import CASES, MODEL, canonical, canonicals, scores, verdict


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_shipped_model(case: dict[str, dict[str, str]]) -> None:
    found, expected = verdict(canonical(**case["left"]), canonical(**case["right"])), str(case["expect"])
    assert found != expected[4:] if expected.startswith("not_") else found == expected


def weight(left: dict[str, str], right: dict[str, str]) -> float:
    return float(scores(canonical(**left), canonical(**right)).weight[0])


ANN = {
    "given_name": "Annika",
    "family_name": "Brandvold",
    "city": "Bergen",
    "country": "NO",
    "birth_date": "1971-06-09",
}


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        ({}, {"given_name": "Anika"}),
        ({"given_name": "Anika"}, {"given_name": "A."}),
        ({"given_name": "A."}, {"given_name": "Oskar"}),
        ({}, {"family_name": "Brandwold"}),
        ({"family_name": "Brandwold"}, {"family_name": "Hauge"}),
        ({}, {"birth_date": "1971-06-19"}),
        ({"birth_date": "1971-06-19"}, {"birth_date": "1944-12-01"}),
        ({}, {"city": "Oslo"}),
    ],
)
def test_the_better_agreement_weighs_more(better: dict[str, str], worse: dict[str, str]) -> None:
    assert weight(ANN, {**ANN, **better}) > weight(ANN, {**ANN, **worse})


def test_a_rare_name_weighs_more_than_a_frequent_one() -> None:
    smith, rare = ({"given_name": "Keith", "family_name": family} for family in ("Smith", "Quistervoort"))
    assert weight(rare, rare) > weight(smith, smith) + 3


def test_probability_is_the_odds_of_the_weight() -> None:
    found = scores(canonical(**ANN), canonical(**ANN))
    assert found.probability[0] == pytest.approx(1 / (1 + 2 ** -float(found.weight[0])), rel=1e-4)


@given(canonicals, canonicals)
def test_sides_do_not_matter(left: dict[str, object], right: dict[str, object]) -> None:
    one, other = scores(left, right), scores(right, left)
    assert one.levels.tolist() == other.levels.tolist()
    assert one.flags.tolist() == other.flags.tolist()
    assert one.weight[0] == pytest.approx(other.weight[0], abs=1e-5)


@given(st.lists(canonicals, min_size=2, max_size=6), st.data())
def test_a_pair_scores_alone_as_in_a_batch(records: list[dict[str, object]], data: st.DataObject) -> None:
    rows = st.integers(0, len(records) - 1)
    pairs = data.draw(st.lists(st.tuples(rows, rows), min_size=1, max_size=8))
    table = engine.standardise(records)
    left, right = (np.array([pair[side] for pair in pairs]) for side in (0, 1))
    together = engine.score(table, table, left, right, MODEL)
    parted = engine.score(table, table.slice(0), left, right, MODEL)
    assert parted.weight.tolist() == together.weight.tolist()
    for place, (a, b) in enumerate(pairs):
        alone = scores(records[a], records[b])
        assert alone.levels[0].tolist() == together.levels[place].tolist()
        assert alone.flags[0] == together.flags[place]
        assert alone.weight[0] == together.weight[place]


def test_no_pairs_no_scores() -> None:
    table = engine.standardise([canonical(**ANN)])
    nothing = engine.score(table, table, np.array([], int), np.array([], int), MODEL)
    assert len(nothing.weight) == len(nothing.flags) == 0


def test_records_without_values_are_far_from_one() -> None:
    assert verdict({"kind": "person"}, {"kind": "person"}) == "apart"
