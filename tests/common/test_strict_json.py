"""JSON as the hub accepts it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.common.strict_json import JsonProblem, strict_json, unstorable


@pytest.mark.parametrize(
    ("text", "code", "pointer"),
    [
        ("", "bad_json", ""),
        ("{", "bad_json", ""),
        ('{"a": 1} x', "bad_json", ""),
        (b'{"a": "\xff"}', "not_utf8", ""),
        ('{"a": 1}'.encode("utf-16"), "not_utf8", ""),
        ('{"a": 1, "b": {"c~/": 1, "c~/": 2}}', "duplicate_key", "/b/c~0~1"),
        ('[1, {"a": [0, NaN]}]', "number_not_finite", "/1/a/1"),
        ('{"a": -Infinity}', "number_not_finite", "/a"),
        ('{"a": 1e400}', "number_not_finite", "/a"),
        ('{"a": ' + "9" * 5000 + "}", "number_too_long", ""),
        ("[" * 33 + "]" * 33, "too_deep", ""),
        ("[" * 100_000, "too_deep", ""),
        ('{"a":' * 100_000, "too_deep", ""),
        (json.dumps(dict.fromkeys(map(str, range(5001)))), "too_many_keys", ""),
    ],
    ids=lambda value: f"{value[:30]!r}-{len(value)}",
)
def test_what_is_refused(text, code, pointer):
    with pytest.raises(JsonProblem) as caught:
        strict_json(text)
    assert (caught.value.code, caught.value.pointer) == (code, pointer)
    assert caught.value.detail.endswith(".") and caught.value.detail.isprintable()


def test_what_is_accepted():
    assert strict_json(b'\xef\xbb\xbf{"a": [1, 2.5, null, "\\u0000\\ud800"]}') == {"a": [1, 2.5, None, "\0\ud800"]}
    assert strict_json("[" * 32 + "]" * 32)
    assert strict_json('"' + "{[" * 100 + '"') == "{[" * 100
    assert strict_json("[[1]]", max_depth=2) == [[1]]


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
        max_leaves=20,
    )
)
def test_json_within_bounds_comes_back_as_it_was(value):
    assert strict_json(json.dumps(value)) == value


@given(st.binary() | st.text() | st.text(st.sampled_from('{}[]",:\\0n1 ')))
def test_nothing_but_a_json_problem_is_raised(text):
    try:
        strict_json(text)
    except JsonProblem as problem:
        assert problem.detail


def test_what_no_column_can_hold_is_found_with_its_place():
    assert unstorable({"a": ["x", {"b": "ä"}]}) is None
    assert unstorable({"a": ["x", {"b/c": "\0"}]}) == "/a/1/b~1c"
    assert unstorable({"a": {"\ud800": 1}}) == "/a/\\ud800"
