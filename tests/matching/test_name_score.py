"""The score of whole names alone: kinds of difference, and what holds for any name."""

import tomllib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.matching.name_score import WEIGHTS, Kind, name_score

GROUPS = tomllib.loads((Path(__file__).parents[1] / "cases" / "names.toml").read_text(encoding="utf-8"))["group"]
CASES = [
    pytest.param(group["kind"], left, right, group["match"], id=f"{group['difference']}: {left} | {right}")
    for group in GROUPS
    for left, right in group["pairs"]
]
KINDS: tuple[Kind, ...] = ("person", "organization")


def one(kind: Kind, left: str, right: str) -> float:
    return float(name_score(kind, [left], [right])[0])


@pytest.mark.parametrize(("kind", "left", "right", "match"), CASES)
def test_the_score_speaks_for_or_against(kind: Kind, left: str, right: str, match: bool) -> None:
    assert (one(kind, left, right) >= 0.5) is match
    assert one(kind, left, right) == one(kind, right, left)


def test_every_group_of_cases_is_well_formed() -> None:
    for group in GROUPS:
        assert set(group) == {"kind", "difference", "match", "pairs"}
        assert group["kind"] in KINDS
        assert all(len(pair) == 2 for pair in group["pairs"])


@pytest.mark.parametrize(
    ("kind", "left", "better", "worse"),
    [
        ("person", "Ingrid Halvorsen", "Ingrid Halvorsen", "Inga Halvorsen"),
        ("person", "Jonathan Fairweather", "J. Fairweather", "K. Fairweather"),
        ("person", "Jonathan Fairweather", "Jonathan Fairwether", "Jonathan Farmer"),
        ("person", "Anna Luise Overbeck", "Anna Overbeck", "Overbeck"),
        ("organization", "Brightwater Foods Inc", "Brightwater Foods Corp", "Brightwater Foods GmbH"),
        ("organization", "Brightwater Foods", "Brightwater Foods Ltd", "Brightwater Foods Trading"),
        ("organization", "Harbourside Fund II", "Harbourside Fund III", "Harbourside Trust IV"),
        ("organization", "Harbourside Fund 2", "Harbourside Fund 2", "Harbourside Fund"),
    ],
)
def test_what_is_nearer_scores_higher(kind: Kind, left: str, better: str, worse: str) -> None:
    assert one(kind, left, better) > one(kind, left, worse)


def test_pairs_do_not_depend_on_their_neighbours() -> None:
    for kind in KINDS:
        pairs = [pair for group in GROUPS if group["kind"] == kind for pair in group["pairs"]]
        left, right = zip(*pairs, strict=True)
        alone = [one(kind, *pair) for pair in pairs]
        np.testing.assert_array_equal(name_score(kind, left, right), alone)
        np.testing.assert_array_equal(name_score(kind, left * 2, right * 2), alone * 2)


def test_without_a_name_there_is_no_score() -> None:
    for kind in KINDS:
        assert one(kind, "", "") == 0
        assert one(kind, "Overbeck", "") == 0
        assert one(kind, "n/a", "unknown") == 0
        assert name_score(kind, [], []).tolist() == []


def test_the_best_of_several_names_of_a_company_counts() -> None:
    trading = one("organization", "Halworth Ltd t/a The Copper Kettle", "Copper Kettle")
    assert trading > 0.9 > one("organization", "Halworth Ltd", "Copper Kettle")


def test_wrong_input_says_what_is_wrong() -> None:
    with pytest.raises(ValueError, match="person or organization"):
        name_score("animal", ["a"], ["b"])  # type: ignore[arg-type]  # what a caller without a type checker may write
    with pytest.raises(ValueError, match="2 names against 1"):
        name_score("person", ["a", "b"], ["c"])


def test_every_weight_is_used_and_no_likeness_counts_against() -> None:
    for weights in WEIGHTS.values():
        assert {name for name, weight in weights.items() if weight > 0} <= {
            "start", "same", "whole_same", "whole_alike", "whole_acronym",
        }  # fmt: skip


WORDS = (
    *("anna", "al", "bin", "de", "Müller-Lyer", "Абдул", "abd", "王小明", "van", "J.", "o'", "din"),
    *("Ltd", "GmbH", "OOO", "3", "III", "v", "x", "forty", "&", "+", "-", "t/a", "("),
)
NAMES = st.text(max_size=40) | st.lists(st.sampled_from(WORDS), max_size=14).map(" ".join)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(KINDS), NAMES, NAMES)
def test_any_two_names_have_one_score(kind: Kind, left: str, right: str) -> None:
    score = one(kind, left, right)
    assert 0 <= score <= 1
    assert score == one(kind, right, left)
    if score > 0:
        assert one(kind, left, left) >= 0.5
