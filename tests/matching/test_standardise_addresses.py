"""Addresses taken apart."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.matching.standardise_addresses import address


@pytest.mark.parametrize(
    ("line1", "line2", "expected"),
    [
        ("12 High Street", "", ("12", "high st", "")),
        ("Gießstraße 18", "", ("18", "giessstr", "")),
        ("4 Davis Place Suite 47", "", ("4", "davis pl", "47")),
        ("163 Ferguson Ct", "Flat 22", ("163", "ferguson ct", "22")),
        ("4D avis Place", "", ("4", "avis pl", "d")),
        ("293-B Peachtree Rd.", "", ("293", "peachtree rd", "b")),
        ("61Glover Terrace", "", ("61", "glover ter", "")),
        ("3rd St.", "", ("", "3 st", "")),
        ("P.O. Box 1134", "", ("1134", "po box", "")),
        ("Apt 45", "Christophstrasse 9", ("9", "christophstr", "45")),
        ("1529 Piedmont Ave. near Monroe Dr.", "", ("1529", "piedmont av", "")),
        ("854 Seventh Ave.", "", ("854", "7 av", "")),
        ("854 7th Ave", "", ("854", "7 av", "")),
        ("2355 Peachtree Rd.  Peachtree Battle Shopping Center", "", ("2355", "peachtree rd", "")),
        ("2355 Peachtree Rd. NE", "", ("2355", "peachtree rd northeast", "")),
        ("143 Porter Drive", "", ("143", "porter dr", "")),
        ("11 Officer Crescent", "", ("11", "officer cr", "")),
        ("23", "", ("23", "", "")),
        ("", "", ("", "", "")),
    ],
)
def test_lines(line1: str, line2: str, expected: tuple[str, ...]) -> None:
    found = address(line1, line2, "", "", "")
    assert (found.house, found.street, found.unit) == expected


def test_a_street_in_the_city_column_is_put_right() -> None:
    swapped = address("Leipzig", "", "Henkstraße 228", "39063", "DE")
    assert swapped == address("Henkstraße 228", "", "Leipzig", "39063", "DE")


@pytest.mark.parametrize(
    ("one", "other"),
    [("Munich", "München"), ("Rome", "Roma"), ("St. Agnes", "Saint Agnes"), ("W. Hollywood", "West Hollywood")],
    ids=str,
)
def test_cities_in_several_languages(one: str, other: str) -> None:
    assert address("", "", one, "", "").city == address("", "", other, "", "").city


def test_postcodes() -> None:
    assert address("", "", "", "DR25 2GB", "GB").postcode == "dr252gb"
    assert address("", "", "", "94110-1234", "US").postcode == "94110"
    assert address("", "", "", "SE-656 38", "SE").postcode == "65638"


@given(st.text(), st.text(), st.text(), st.text())
def test_any_text_is_read(line1: str, line2: str, city: str, postcode: str) -> None:
    address(line1, line2, city, postcode, "GB")
