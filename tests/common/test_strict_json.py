"""JSON by the hub's rules: bounded, finite, every key once; and what no column can hold is found."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.common.strict_json import MAX_DEPTH, MAX_KEYS, JsonProblem, strict_json, unstorable

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(JSON)
def test_what_json_writes_is_read(value: Any) -> None:
    text = json.dumps(value)
    assert strict_json(text) == json.loads(text)
    assert strict_json(text.encode()) == json.loads(text)


@pytest.mark.parametrize(
    ("text", "code", "pointer"),
    [
        ("{", "bad_json", ""),
        ("", "bad_json", ""),
        ('{"a":1,"a":2}', "duplicate_key", "/a"),
        ('{"x":[{"a~/b":1,"a~/b":2}]}', "duplicate_key", "/x/0/a~0~1b"),
        ('{"a":NaN}', "number_not_finite", "/a"),
        ("[1,-Infinity]", "number_not_finite", "/1"),
        ('{"a":1e400}', "number_not_finite", "/a"),
        ("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1), "too_deep", ""),
        ("9" * 5_000, "number_too_long", ""),
        (json.dumps({str(n): n for n in range(MAX_KEYS + 1)}), "too_many_keys", ""),
    ],
    ids=lambda value: str(value)[:20],
)
def test_what_is_refused_is_named_and_located(text: str, code: str, pointer: str) -> None:
    with pytest.raises(JsonProblem) as caught:
        strict_json(text)
    assert (caught.value.code, caught.value.pointer) == (code, pointer)


@pytest.mark.parametrize("body", [b"\xff", b"\xfe\xff\x00{", b'{"a":"\xc3"}'])
def test_only_utf8_is_read(body: bytes) -> None:
    with pytest.raises(JsonProblem, match="UTF-8"):
        strict_json(body)


def test_a_byte_order_mark_is_no_content() -> None:
    assert strict_json(b"\xef\xbb\xbf{}") == {}


def test_depth_counts_brackets_outside_strings_only() -> None:
    assert strict_json(json.dumps(["[" * 100, '\\"' * 10 + "{" * 100])) is not None


@pytest.mark.parametrize(
    ("value", "pointer"),
    [
        ({"a": ["x", "b\ud800"]}, "/a/1"), ({"k\x00": 1}, "/k\\u0000"), ("\x00", ""), (["ok", {"a/b": "\udfff"}], "/1/a~1b"),
        ({"a": "ü😀"}, None), (5, None), (None, None), ([], None),
    ],
    ids=lambda value: ascii(value)[:20],
)  # fmt: skip
def test_what_no_column_holds_is_found(value: Any, pointer: str | None) -> None:
    assert unstorable(value) == pointer


@given(JSON)
def test_what_is_storable_can_be_encoded(value: Any) -> None:
    text = json.dumps(value, ensure_ascii=False)
    if unstorable(value) is None:
        assert "\\u0000" not in text.replace("\\\\", "")
        text.encode()
