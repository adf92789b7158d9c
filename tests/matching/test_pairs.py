"""Candidate pairs of a file against itself."""

from collections import Counter
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.matching import engine
from apps.matching.blocking import Keys, kind_of
from apps.matching.blocking_kinds import COMPANY_CITY, COMPANY_WORDS, EMAIL, KINDS
from apps.matching.encoded import Encoded
from apps.matching.pairs import candidate_pairs, pairs_of
from apps.matching.parameters import ModelError
from tests.matching.given import MODEL, canonical, canonicals

NUMBERS = st.builds(
    lambda number, kind: (number << 5) | kind, st.integers(-2, 2), st.sampled_from((EMAIL, COMPANY_WORDS, COMPANY_CITY))
)


WORDS = st.sampled_from(("strong", "weak", "off"))


def with_keys(words: dict[str, str], cap: int = 50) -> engine.Model:
    document = MODEL.to_dict()
    return engine.Model.from_dict(
        {**document, "keys": words, "thresholds": {**document["thresholds"], "block_cap": cap}}
    )


@given(
    st.sets(st.tuples(st.integers(0, 9), NUMBERS)),
    st.integers(2, 6),
    st.tuples(WORDS, WORDS, WORDS),
)
def test_every_pair_under_a_key_that_is_not_oversized_or_under_two_weak_ones(
    known: set[tuple[int, int]], cap: int, words: tuple[str, str, str]
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
            word = dict(zip((EMAIL, COMPANY_WORDS, COMPANY_CITY), words, strict=True))[kind_of(key)]
            times.update(dict.fromkeys(combinations(rows, 2), {"off": 0, "weak": 1, "strong": 2}[word]))
    expected = {pair for pair, seen in times.items() if seen > 1}
    told = dict(zip(("email", "company_words", "company_city"), words, strict=True))
    low, high = candidate_pairs(keys, with_keys(told, cap))
    assert list(zip(low.tolist(), high.tolist(), strict=True)) == sorted(expected)


@given(st.lists(canonicals, min_size=2, max_size=6), st.dictionaries(st.sampled_from(tuple(KINDS)), WORDS))
def test_a_table_and_its_stored_keys_give_the_same_pairs_by_any_rules(
    records: list[dict[str, object]], words: dict[str, str]
) -> None:
    table, model = engine.standardise(records), with_keys(words)
    found = pairs_of(Encoded(table), model)
    low, high = candidate_pairs(engine.blocking_keys(table, model), model)
    assert (found.low.tolist(), found.high.tolist()) == (low.tolist(), high.tolist())


def test_two_weak_keys_of_different_parts_bring_two_records_together() -> None:
    one = canonical(kind="organization", organization_name="Nordlicht", city="Kiel", country="DE", email="info@x-y.de")
    other = canonical(
        kind="organization", organization_name="Nordlicht", city="Kiel", country="DE", email="info@x-y.de"
    )
    table = engine.standardise([one, other])
    nothing = dict.fromkeys(KINDS, "off")
    assert len(pairs_of(Encoded(table), with_keys(nothing)).low) == 0
    assert len(pairs_of(Encoded(table), with_keys({**nothing, "email": "weak"})).low) == 0
    assert len(pairs_of(Encoded(table), with_keys({**nothing, "email": "weak", "company": "weak"})).low) == 1


def test_a_policy_that_names_no_kind_of_key_is_refused() -> None:
    assert with_keys({}).keys == MODEL.keys
    assert with_keys(MODEL.keys.to_dict()).hash == MODEL.hash
    with pytest.raises(ModelError, match=r"keys\.mail: there is no such kind of key; there are email, phone"):
        with_keys({"mail": "strong"})
    with pytest.raises(ModelError, match=r"keys\.email is strong, weak or off, not 'often'"):
        with_keys({"email": "often"})
