"""Tasks done by copies of this process, and edit distances of many pairs."""

import os
from functools import partial
from pickle import PicklingError

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rapidfuzz.distance import OSA

from apps.matching import engine
from apps.matching.comparisons import compare
from apps.matching.comparisons_columns import as_texts
from apps.matching.comparisons_edits import Outlines, within
from apps.matching.encoded import Encoded
from apps.matching.pairs import pairs_of
from apps.matching.side_by_side import side_by_side
from tests.matching.given import MODEL, canonicals


def _fails(error: Exception) -> int:
    raise error


def _numbered(number: int) -> tuple[int, int]:
    return number, os.getpid()


def test_answers_come_in_order_and_from_other_processes() -> None:
    found = side_by_side([partial(_numbered, n) for n in range(3)], cores=2)
    assert [n for n, _ in found] == [0, 1, 2]
    assert [pid == os.getpid() for _, pid in found] == [True, False, False]
    assert {pid for _, pid in side_by_side([partial(_numbered, 1)] * 2, cores=1)} == {os.getpid()}
    assert side_by_side([], cores=2) == []


@pytest.mark.parametrize("place", [0, 1])
def test_what_goes_wrong_in_a_task_is_raised(place: int) -> None:
    tasks = [partial(int, 1), partial(int, 1)]
    tasks[place] = partial(_fails, ValueError("no digits"))
    with pytest.raises(ValueError, match="no digits"):
        side_by_side(tasks, cores=2)


def test_a_copy_that_dies_is_told() -> None:
    with pytest.raises(RuntimeError, match="without an answer"):
        side_by_side([partial(int, 1), partial(os._exit, 3)], cores=2)


@given(st.lists(canonicals, min_size=2, max_size=6))
def test_one_core_and_several_find_the_same(records: list[dict[str, object]]) -> None:
    table = engine.standardise(records)
    one, several = (pairs_of(Encoded(table), MODEL, cores) for cores in (1, 2))
    assert one.low.tolist() == several.low.tolist()
    assert one.high.tolist() == several.high.tolist()
    assert one.blocks == several.blocks
    low, high = np.triu_indices(len(records), 1)
    levels = [compare(Encoded(table), low, high, cores).tolist() for cores in (1, 2)]
    assert levels[0] == levels[1]


@given(st.lists(st.text("ab@.1é", max_size=9), min_size=2, max_size=60), st.integers(1, 3))
def test_near_texts_are_found_among_many(texts: list[str], most: int) -> None:
    texts = [*texts, *(f"filler{n}" for n in range(40))]
    a, b = (side.astype(np.int32) for side in np.triu_indices(len(texts), 1))
    repeat = 1 + 2_000 // len(a)
    a, b = np.tile(a, repeat), np.tile(b, repeat)
    places, distances = within(Outlines(as_texts(texts)), a, b, most)
    wanted = [OSA.distance(texts[i], texts[j]) for i, j in zip(a.tolist(), b.tolist(), strict=True)]
    assert dict(zip(places.tolist(), distances.tolist(), strict=True)) == {
        place: distance for place, distance in enumerate(wanted) if distance <= most
    }


def test_an_answer_that_cannot_be_sent_says_so() -> None:
    with pytest.raises((TypeError, AttributeError, PicklingError)):
        side_by_side([partial(int, 1), lambda: lambda: None], cores=2)  # type: ignore[list-item]  # an answer of another kind
