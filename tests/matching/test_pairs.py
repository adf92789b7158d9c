"""Candidate pairs of a file against itself."""

from collections import Counter
from itertools import combinations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from apps.matching.blocking import COMPANY_CITY, COMPANY_WORDS, EMAIL, WEAK, Keys, kind_of
from apps.matching.pairs import candidate_pairs

NUMBERS = st.builds(
    lambda number, kind: (number << 5) | kind, st.integers(-2, 2), st.sampled_from((EMAIL, COMPANY_WORDS, COMPANY_CITY))
)


@given(st.sets(st.tuples(st.integers(0, 9), NUMBERS)), st.integers(2, 6))
def test_every_pair_under_a_key_that_is_not_oversized_or_under_two_weak_ones(
    known: set[tuple[int, int]], cap: int
) -> None:
    keys = Keys(
        np.array([row for row, _ in known], np.int32),
        np.array([key for _, key in known], np.int64),
        np.zeros(len(known), np.int8),
    )
    times = Counter[tuple[int, int]]()
    for key in {key for _, key in known}:
        rows = sorted(row for row, own in known if own == key)
        if len(rows) <= cap:
            times.update(dict.fromkeys(combinations(rows, 2), 1 if kind_of(key) in WEAK else 2))
    expected = {pair for pair, seen in times.items() if seen > 1}
    low, high = candidate_pairs(keys, cap)
    assert list(zip(low.tolist(), high.tolist(), strict=True)) == sorted(expected)
