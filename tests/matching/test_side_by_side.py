"""Tasks done by copies of this process, and edit distances of many pairs."""

import os
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
from apps.matching.side_by_side import beside
from tests.matching.given import MODEL, canonicals


class Hub:
    """Something both sides know."""

    def __init__(self) -> None:
        self.kept: list[int] = []


def _kept(hub: Hub, number: int) -> tuple[list[int], int]:
    hub.kept.append(number)
    return hub.kept, os.getpid()


def _fails(error: Exception) -> int:
    raise error


def _gives_what_cannot_be_sent() -> object:
    return lambda: None


def test_a_copy_keeps_what_it_makes_and_this_process_does_not_see_it() -> None:
    hub = Hub()
    with beside(hub, cores=2) as other:
        assert [other.ask(_kept, hub, n)()[0] for n in range(3)] == [[0], [0, 1], [0, 1, 2]]
        asked = other.ask(_kept, hub, 3)
        assert hub.kept == []
        assert asked()[1] != os.getpid()


def test_with_one_core_work_is_done_here_when_its_answer_is_asked_for() -> None:
    hub = Hub()
    with beside(hub, cores=1) as other:
        asked = other.ask(_kept, hub, 7)
        assert hub.kept == []
        assert asked() == ([7], os.getpid())
    assert hub.kept == [7]


def test_what_is_known_is_not_sent() -> None:
    """Nor what holds it: the copy puts its own in the place."""
    hub = Hub()
    with beside(hub, cores=2) as other:
        other.ask(_kept, hub, 1)()
        hub.kept.append(9)
        assert other.ask(_first, {"hub": (hub,)})() == [1]


def _first(given: dict[str, tuple[Hub]]) -> list[int]:
    return given["hub"][0].kept


@pytest.mark.parametrize("cores", [1, 2])
def test_what_goes_wrong_is_raised_and_the_copy_goes_on(cores: int) -> None:
    with beside(None, cores) as other:
        with pytest.raises(ValueError, match="no digits"):
            other.ask(_fails, ValueError("no digits"))()
        assert other.ask(int, 1)() == 1


def test_a_copy_that_dies_is_told() -> None:
    with beside(None, 2) as other, pytest.raises(RuntimeError, match="without an answer"):
        other.ask(os._exit, 3)()


def test_the_copy_ends_with_the_work() -> None:
    with beside(None, 2) as other:
        process = other.ask(os.getpid)()
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)


def test_an_answer_that_cannot_be_sent_says_so() -> None:
    with beside(None, 2) as other, pytest.raises((TypeError, AttributeError, PicklingError)):
        other.ask(_gives_what_cannot_be_sent)()


@given(st.lists(canonicals, min_size=2, max_size=6))
def test_one_core_and_several_find_the_same(records: list[dict[str, object]]) -> None:
    table = engine.standardise(records)
    known = Encoded(table)
    one = pairs_of(Encoded(table), MODEL)
    low, high = np.triu_indices(len(records), 1)
    with beside(known, cores=2) as other:
        several, levels = pairs_of(known, MODEL, other), compare(known, low, high, other)
    assert one.low.tolist() == several.low.tolist()
    assert one.high.tolist() == several.high.tolist()
    assert one.blocks == several.blocks
    assert levels.tolist() == compare(Encoded(table), low, high).tolist()


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
