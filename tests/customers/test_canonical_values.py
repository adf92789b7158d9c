"""Dates, times, money, yes and no."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.customers.canonical_values import (
    Refusal,
    birth_date,
    kind,
    money,
    number,
    parse_date,
    status,
    timestamp,
    truth,
)


@pytest.mark.parametrize(
    ("text", "country", "expected"),
    [
        ("1980-04-03", None, "1980-04-03"),
        ("1980-04-03T00:00:00Z", None, "1980-04-03"),
        ("19800403", None, "1980-04-03"),
        ("1980/04/03", "US", "1980-04-03"),
        ("03.04.1980", "US", "1980-04-03"),
        ("3.4.1980", None, "1980-04-03"),
        ("03/04/1980", "GB", "1980-04-03"),
        ("04/03/1980", "US", "1980-04-03"),
        ("25/04/1980", "US", "1980-04-25"),
        ("04/25/1980", "GB", "1980-04-25"),
        ("29.02.2000", None, "2000-02-29"),
    ],
)
def test_dates_of_birth_are_read_as_the_country_writes_them(text, country, expected):
    assert birth_date(text, country) == expected


@pytest.mark.parametrize(
    "text",
    [
        "1990-02-30",
        "29.02.1900",
        "2023-13-45",
        "31/11/1990",
        "0000-00-00",
        "1849-12-31",
        "tomorrow",
        "12.05.80",
        "٣/٤/١٩٨٠",
        "",
    ],
)
def test_impossible_dates_are_refused(text):
    refusal = birth_date(text, None)
    assert isinstance(refusal, Refusal) and refusal.code == "impossible_date"


def test_a_date_of_birth_in_the_future_is_refused():
    future = (datetime.now(UTC) + timedelta(days=3)).date().isoformat()
    assert isinstance(birth_date(future, None), Refusal)


@given(st.dates(), st.sampled_from([None, "US", "DE"]))
def test_iso_dates_mean_the_same_everywhere(day, country):
    assert parse_date(day.isoformat(), country) == day


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2025-01-31T13:45:00Z", datetime(2025, 1, 31, 13, 45, tzinfo=UTC)),
        ("2025-01-31 13:45:00", datetime(2025, 1, 31, 13, 45, tzinfo=UTC)),
        ("2025-01-31T13:45:00.5+02:00", datetime(2025, 1, 31, 11, 45, 0, 500000, tzinfo=UTC)),
        ("2025-01-31", datetime(2025, 1, 31, tzinfo=UTC)),
        ("20250131134500", datetime(2025, 1, 31, 13, 45, tzinfo=UTC)),
        ("31.01.2025 13:45", datetime(2025, 1, 31, 13, 45, tzinfo=UTC)),
        ("31.01.2025", datetime(2025, 1, 31, tzinfo=UTC)),
        (1738331100, datetime(2025, 1, 31, 13, 45, tzinfo=UTC)),
        (1738331100000, datetime(2025, 1, 31, 13, 45, tzinfo=UTC)),
        ("1738331100", datetime(2025, 1, 31, 13, 45, tzinfo=UTC)),
        ("1738331100.0", datetime(2025, 1, 31, 13, 45, tzinfo=UTC)),
        (date(2025, 1, 31), datetime(2025, 1, 31, tzinfo=UTC)),
    ],
    ids=repr,
)
def test_moments_are_in_utc(value, expected):
    assert timestamp(value) == expected


@pytest.mark.parametrize(
    "value",
    [
        "soon",
        "2025-13-01",
        "0001-01-01T00:00:00+10:00",
        "32.01.2025 10:00",
        1e300,
        float("nan"),
        float("inf"),
        True,
        [],
        None,
    ],
    ids=repr,
)
def test_what_is_no_moment_is_refused(value):
    assert isinstance(timestamp(value), Refusal)


@pytest.mark.parametrize(
    ("value", "country", "expected"),
    [
        ("1200", None, "1200.00"),
        ("1200.5", "DE", "1200.50"),
        ("1,200.50", "DE", "1200.50"),
        ("1.200,50", "US", "1200.50"),
        ("1 200,50", None, "1200.50"),
        ("1'200.50", "CH", "1200.50"),
        ("1.200", "DE", "1200.00"),
        ("1.200", "US", "1.20"),
        ("1,200", "US", "1200.00"),
        ("1,200", "DE", "1.20"),
        ("1.200", None, "1.20"),
        ("1,200", None, "1200.00"),
        ("1200.500", "DE", "1200.50"),
        ("0.125", "DE", "0.13"),
        ("1.200.300", "US", "1200300.00"),
        (1.234, "DE", "1.23"),
        (1300, None, "1300.00"),
        (1e14, None, "100000000000000.00"),
        ("-0", None, "0.00"),
        (1e-300, None, "0.00"),
    ],
)
def test_amounts_are_read_as_the_country_writes_them(value, country, expected):
    assert money(value, country) == expected


@pytest.mark.parametrize(
    "value",
    [
        "-1",
        "1e15",
        "NaN",
        "inf",
        "1,2,3",
        "1.200,300.50",
        "12 EUR",
        "٣",
        10**15,
        10**5000,
        -(10**5000),
        float("nan"),
        float("inf"),
        True,
    ],
    ids=lambda value: f"{value.bit_length()} bits {value > 0}" if isinstance(value, int) else repr(value),
)
def test_what_is_no_amount_is_refused(value):
    assert isinstance(money(value, None), Refusal)


@given(st.decimals(0, 10**13, places=2), st.sampled_from([None, "DE", "US"]))
def test_an_amount_in_standard_form_stays_as_it_is(amount, country):
    assert money(str(amount), country) == f"{abs(amount):.2f}"


@given(st.text(max_size=20) | st.floats() | st.integers() | st.none())
def test_numbers_never_raise(value):
    assert isinstance(number(value, "DE"), int | float | Refusal)


def test_words_for_yes_and_no():
    assert [truth(word) for word in (True, 1, "YES", "true", "1")] == [True] * 5
    assert [truth(word) for word in (False, 0, "No", "f", "0")] == [False] * 5
    assert isinstance(truth(2), Refusal) and isinstance(truth("maybe"), Refusal) and isinstance(truth([]), Refusal)


def test_kinds_and_states_in_any_case():
    assert kind("Company") == "organization" and kind("PERSON") == "person"
    assert status("Blocked") == "blocked"
    refusal = status("asleep")
    assert isinstance(refusal, Refusal) and "prospect, active, blocked, inactive, closed" in refusal.detail
