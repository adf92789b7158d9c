"""How much too much may have been joined."""

import numpy as np
import pytest

from apps.matching.comparison_levels import COMPARISONS, VETO
from apps.matching.over_link import over_link
from apps.matching.scoring import Scores


def scores(weight: list[float], flags: list[int] | None = None) -> Scores:
    bits = np.array(weight, np.float32)
    return Scores(
        bits, (1 / (1 + np.exp2(-bits))).astype(np.float32), np.zeros((len(bits), len(COMPARISONS)), np.int8),
        np.array(flags or [0] * len(bits), np.int16),
    )  # fmt: skip


def test_a_pair_is_expected_to_be_wrong_as_often_as_it_says() -> None:
    found = over_link(np.array([0, 0, 2]), np.array([0, 1]), np.array([1, 2]), scores([3.0, 12.0]))
    assert (found.joins, found.contradicted) == (1, 0)
    assert found.wrong == pytest.approx(1 / 9, abs=1e-5), "what is between two clusters says nothing"


def test_of_three_records_two_joined() -> None:
    """Each record counts by its best pair: 1 in 33 is wrong for two of them, 1 in 9 for the third."""
    found = over_link(np.array([0, 0, 0]), np.array([0, 1, 0]), np.array([1, 2, 2]), scores([5.0, 3.0, -1.0]))
    assert (found.joins, found.contradicted) == (2, 1)
    assert found.wrong == pytest.approx((1 / 33 + 1 / 33 + 1 / 9) * (2 / 3) / 2, abs=1e-5)


def test_a_veto_inside_speaks_against() -> None:
    assert over_link(np.array([0, 0]), np.array([0]), np.array([1]), scores([9.0], [VETO])).contradicted == 1


def test_no_record_and_no_pair() -> None:
    none = np.zeros(0, np.int64)
    assert over_link(none, none, none, scores([])) == (0, 0.0, 0)
    assert over_link(np.arange(3), none, none, scores([])) == (0, 0.0, 0)
