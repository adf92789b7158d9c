"""The language of conditions: what it says, and what it says to those who write it wrong."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.customers.survivorship_conditions import DEEPEST, LONGEST, BadCondition, parse_condition

VALUES: dict[str, Any] = {
    "kind": "person", "country": "DE", "status": "in review", "credit_limit": "1200.00", "birth_date": "1980-02-29",
    "extra.vip": True, "extra.seats": 5, "extra.note": "true",
}  # fmt: skip

WORDS = (
    "kind",
    "is",
    "not",
    "in",
    "and",
    "or",
    "(",
    ")",
    ",",
    "<",
    "=",
    "!=",
    "DE",
    "5",
    "'x'",
    "true",
    "country",
    "known",
)


@pytest.mark.parametrize(
    "text",
    [
        "kind is person", "kind = person", "kind == 'person'", 'kind is "PERSON"', "kind is not organization",
        "kind != organization", "country in (AT, DE)", "country not in (AT, 'FR')", "not country is FR",
        "status is 'in review'", "credit_limit > 1000", "credit_limit >= 1200", "credit_limit <= 1200.00", "credit_limit < 1200.5",
        "birth_date < 1990-01-01", "birth_date >= '1980-02-29'", "extra.vip is true", "extra.vip is not false", "extra.seats = 5",
        "extra.seats in (4, 5)", "currency is unknown", "currency is not known", "kind is known", "currency is not EUR",
        "currency not in (EUR)", "not currency < 5", "not extra.note is true", "extra.note = 'true'", "not kind > 5",
        "kind is organization or country is DE and credit_limit > 1000",
        "(kind is organization or country is DE) and not (credit_limit > 9000 or birth_date > 1999-01-01)",
        "not not kind is person", "kind is person and country is DE or kind is organization",
    ],
)  # fmt: skip
def test_it_holds_and_its_contrary_does_not(text: str) -> None:
    assert parse_condition(text).holds(VALUES.get)
    assert not parse_condition(f"not ({text})").holds(VALUES.get)


def test_and_binds_closer_than_or() -> None:
    assert parse_condition("kind is person or kind is x and kind is y").holds(VALUES.get)
    assert not parse_condition("(kind is person or kind is x) and kind is y").holds(VALUES.get)


def test_it_names_what_it_asks_for() -> None:
    assert parse_condition("kind is a or country in (b) and not extra.vip is true").names == {
        "kind",
        "country",
        "extra.vip",
    }


@pytest.mark.parametrize(
    ("text", "column", "says"),
    [
        ("", 1, "The name of an attribute is needed"), ("kynd is person", 1, "did you mean kind?"), ("kind", 5, "a comparison is needed"),
        ("kind is", 8, "here the text ends"), ("kind is person and", 19, "here the text ends"), ("kind is person country", 16, "write and / or"),
        ("(kind is person", 16, ") is needed where the text ends"), ("kind is person)", 15, "is too much"), ("kind in DE", 9, "( is needed"),
        ("kind in ()", 10, "A value is needed"), ("kind in (DE AT)", 13, ") is needed where 'AT' stands"), ("kind ~ x", 6, "a comparison is needed"),
        ("kind is 'person", 9, "no partner"), ("addresses is x", 1, "is a list"), ("name is Ada", 1, "given_name"),
        ("kind is country", 9, "put it in quotes"), ("is is person", 1, "The name of an attribute"), ("kind < known", 8, "A value is needed"),
        ("kind = person; import os", 16, "is too much"), ("__import__('os')", 1, "is no attribute"), ("extra. is x", 1, "is no attribute"),
        ("kind is person and 'country' is DE", 20, "The name of an attribute"), ("kind not person", 6, "a comparison is needed"),
    ],
)  # fmt: skip
def test_what_is_wrong_and_where(text: str, column: int, says: str) -> None:
    with pytest.raises(BadCondition) as refused:
        parse_condition(text)
    assert says in refused.value.detail
    assert refused.value.column == column


def test_it_is_neither_long_nor_deep_without_end() -> None:
    with pytest.raises(BadCondition):
        parse_condition("kind is person or " * LONGEST + "kind is x")
    for deep in ("(" * (DEEPEST + 1) + "kind is x" + ")" * (DEEPEST + 1), "not " * (DEEPEST + 1) + "kind is x"):
        with pytest.raises(BadCondition, match="deep at most"):
            parse_condition(deep)


@given(st.text(max_size=60) | st.lists(st.sampled_from(WORDS)).map(" ".join))
def test_any_text_is_a_condition_or_is_refused_with_a_place(text: str) -> None:
    try:
        held = parse_condition(text).holds(VALUES.get)
    except BadCondition as error:
        assert 1 <= error.column <= len(text) + 1
    else:
        assert held in (True, False)
