"""Candidate pairs of a file against itself."""

from itertools import combinations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from apps.matching.blocking import Keys
from apps.matching.pairs import candidate_pairs


@given(st.sets(st.tuples(st.integers(0, 9), st.integers(-3, 3))), st.integers(2, 6))
def test_every_pair_under_a_key_that_is_not_oversized(known: set[tuple[int, int]], cap: int) -> None:
    keys = Keys(
        np.array([row for row, _ in known], np.int32),
        np.array([key for _, key in known], np.int64),
        np.zeros(len(known), np.int8),
    )
    expected = set()
    for key in {key for _, key in known}:
        rows = sorted(row for row, own in known if own == key)
        if len(rows) <= cap:
            expected.update(combinations(rows, 2))
    low, high = candidate_pairs(keys, cap)
    assert list(zip(low.tolist(), high.tolist(), strict=True)) == sorted(expected)
