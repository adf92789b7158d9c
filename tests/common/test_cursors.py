"""Cursors: what one list gave out it takes back, and nothing else."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.common import cursors
from apps.common.errors import Rejected
from apps.common.ids import uuid7


@given(
    st.lists(
        st.text(max_size=8) | st.integers() | st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=3
    )
)
def test_a_cursor_comes_back_as_it_was(parts: list[Any]) -> None:
    assert cursors.decode(cursors.encode(parts), *map(type, parts)) == parts


@given(st.text(max_size=60))
def test_any_other_text_is_rejected(text: str) -> None:
    with pytest.raises(Rejected):
        cursors.decode(text, str, str, str)


def test_the_kinds_have_to_fit() -> None:
    cursor = cursors.encode([1, "a"])
    for kinds in ((int,), (str, int), (int, str, str), ()):
        with pytest.raises(Rejected):
            cursors.decode(cursor, *kinds)


def test_an_id_is_read_back() -> None:
    id_ = uuid7()
    assert cursors.decode_uuid(cursors.encode([str(id_)])) == id_
    with pytest.raises(Rejected):
        cursors.decode_uuid(cursors.encode(["x"]))
