"""Words in paths, queries, headers and bodies; places in answers; forms."""

from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.connectors.systems.rest.pointers import ABSENT, at, first, folded, pointer, wrapped
from apps.connectors.systems.rest.templates import NoValue, form, in_body, in_header, in_path, in_query, words_of

text = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)


@given(text.filter(lambda value: value not in (".", "..")))
def test_a_word_in_a_path_is_one_step_whatever_it_holds(value: str):
    path = in_path("/a/{external_id}/b.json", {"external_id": value})
    assert path.isascii() and path.count("/") == 3
    parts = urlsplit(f"https://example.org{path}")
    assert (parts.netloc, parts.query, parts.fragment) == ("example.org", "", "")
    assert unquote(parts.path) == f"/a/{value}/b.json"


@pytest.mark.parametrize("value", [".", "..", "", None])
def test_what_cannot_be_a_step(value):
    with pytest.raises(NoValue, match="external_id"):
        in_path("/a/{external_id}", {"external_id": value})


@given(st.dictionaries(st.sampled_from(["hub_key", "limit", "cursor.x"]), text))
def test_a_query_says_what_is_known_and_leaves_out_the_rest(words):
    query = in_query({"$filter": "key eq '{hub_key}'", "n": "{limit}", "x": "{cursor.x}", "fixed": 1}, words)
    wanted = [("n", words.get("limit")), ("x", words.get("cursor.x")), ("fixed", "1")]
    key = [("$filter", f"key eq '{words['hub_key']}'")] if "hub_key" in words else []
    assert parse_qsl(query, keep_blank_values=True) == key + [(name, value) for name, value in wanted if value]


@given(text)
def test_a_header_is_one_line(value: str):
    found = in_header("W {etag}", {"etag": value})
    assert found.startswith("W ") and len(found) == len(value) + 2
    found.encode("latin-1")
    assert not set(found) & {chr(code) for code in (*range(32), 127)}


def test_bodies_keep_types():
    words = {"losers": ["a", "b"], "hub_key": "k", "limit": 5, "etag": None}
    body = {
        "ids": "{losers}",
        "n": "{limit}",
        "deep": {"x": ["{hub_key}", "key {hub_key}"]},
        "flag": True,
        "brace": "{Not a word}",
    }
    assert in_body(body, words) == {
        "ids": ["a", "b"], "n": 5, "deep": {"x": ["k", "key k"]}, "flag": True, "brace": "{Not a word}",
    }  # fmt: skip
    with pytest.raises(NoValue):
        in_body({"x": "{etag}"}, words)
    assert words_of(body) == {"losers", "limit", "hub_key"}


def test_a_word_in_a_value_is_not_filled_in_again():
    assert in_body("{hub_key}-{etag}", {"hub_key": "{etag}", "etag": "secret"}) == "{etag}-secret"
    assert in_path("/{hub_key}", {"hub_key": "{etag}", "etag": "secret"}) == "/%7Betag%7D"


def test_forms():
    body = {"a": "x y&z", "b": {"c": None, "d": {"e": True}}, "f": ["1", {"g": 2.5}], "h": {}, "i j": "ü"}
    assert form(body) == b"a=x+y%26z&b[c]=&b[d][e]=true&f[0]=1&f[1][g]=2.5&i+j=%C3%BC"
    assert form({"a": "\ud800"}) == b"a=%3F"


@pytest.mark.parametrize(
    ("place", "found"),
    [
        ("", "whole"),
        ("/a", {"b": [1, {"c": 2}], "x/y": 3}),
        ("/a/b/0", 1),
        ("/a/b/1/c", 2),
        ("/a/b/*", 1),
        ("/a/*/0", 1),
        ("/a/x~1y", 3),
        ("/a/b/2", ABSENT),
        ("/a/b/-1", ABSENT),
        ("/a/b/x", ABSENT),
        ("/a/b/0/c", ABSENT),
        ("/none", ABSENT),
        ("/e/*", ABSENT),
        ("/n", None),
    ],
)
def test_places(place: str, found):
    value = {"a": {"b": [1, {"c": 2}], "x/y": 3}, "e": [], "n": None}
    assert at(value, pointer(place)) == (value if found == "whole" else found)


def test_the_first_place_that_has_something():
    places = [pointer("/n"), pointer("/b"), pointer("/a")]
    assert first({"n": None, "a": 1}, places) == 1
    assert first({"b": False, "a": 1}, places) is False
    assert first({}, places) is ABSENT


def test_objects_in_one_another():
    assert wrapped({"a": 1}, pointer("/contact/x")) == {"contact": {"x": {"a": 1}}}
    assert wrapped({"a": 1}, ()) == {"a": 1}
    base = {"m": {"a": 1}, "x": 1}
    assert folded(base, {"m": {"b": 2}, "x": {"y": 1}}) == {"m": {"a": 1, "b": 2}, "x": {"y": 1}}
    assert base == {"m": {"a": 1}, "x": 1}


def test_a_pointer_begins_with_a_slash():
    with pytest.raises(ValueError, match="Id"):
        pointer("Id")
