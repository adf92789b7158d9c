"""Identifiers: compact, read in their country, checked, never rejected."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.customers import canonical_identifiers as identifiers
from apps.customers.canonical_identifiers import KINDS, identifier


@pytest.mark.parametrize(
    ("kind", "text", "country", "expected"),
    [
        ("tax_id", "DE 136 695 976", "DE", ("136695976", "DE", True)),
        ("tax_id", "136695976", "DE", ("136695976", "DE", True)),
        ("tax_id", "DE136695976", None, ("136695976", "DE", True)),
        ("tax_id", "DE136695976", "GB", ("136695976", "DE", True)),
        ("tax_id", "DE136695977", "DE", ("136695977", "DE", False)),
        ("tax_id", "EL094259216", "GR", ("094259216", "GR", True)),
        ("tax_id", "ATU13585627", "AT", ("U13585627", "AT", True)),
        ("tax_id", "FR 40 303 265 045", "FR", ("40303265045", "FR", True)),
        ("tax_id", "RSSMRA80A01H501U", "IT", ("RSSMRA80A01H501U", "IT", True)),
        ("tax_id", "CHE-107.787.577 IVA", "CH", ("CHE107787577", "CH", True)),
        ("tax_id", "91-1144442", "US", ("911144442", "US", True)),
        ("tax_id", "12345", "AQ", ("12345", "AQ", None)),
        ("tax_id", "12345", None, ("12345", None, None)),
        ("national_id", "44051401359", "PL", ("44051401359", "PL", True)),
        ("national_id", "131052-308T", "FI", ("131052308T", "FI", True)),
        ("national_id", "QQ123456C", "GB", ("QQ123456C", "GB", None)),
        ("lei", "5299 00T8 BM49 AURS DO55", "DE", ("529900T8BM49AURSDO55", None, True)),
        ("lei", "529900T8BM49AURSDO56", None, ("529900T8BM49AURSDO56", None, False)),
        ("duns", "12-345-6789", "US", ("123456789", None, None)),
        ("duns", "1234", None, ("1234", None, False)),
        ("iban", "de89 3704 0044 0532 0130 00", "FR", ("DE89370400440532013000", "DE", True)),
        ("iban", "DE89370400440532013001", "DE", ("DE89370400440532013001", "DE", False)),
        ("iban", "532013000", "DE", ("532013000", None, False)),
        ("registration_number", "732 829 320", "FR", ("732829320", "FR", True)),
        ("registration_number", "HRB 12345", "DE", ("HRB12345", "DE", None)),
        ("tax_id", "１３６６９５９７６", "DE", ("136695976", "DE", True)),
    ],
)
def test_identifiers_in_standard_form(kind, text, country, expected):
    assert identifier(kind, text, country) == expected


def test_a_value_without_letters_and_digits_is_no_identifier():
    assert identifier("tax_id", "-/-", "DE") is None


@pytest.mark.parametrize("kind", ["tax_id", "national_id", "registration_number"])
def test_every_listed_scheme_exists_and_takes_anything(kind):
    for names in identifiers._schemes(kind).values():
        for name in names:
            for text in ("", "1", "ABC", "12345678901234567890", "Ä-1"):
                assert isinstance(identifiers._scheme(name).is_valid(text), bool)


@given(
    st.sampled_from(KINDS),
    st.text(max_size=25) | st.from_regex(r"[A-Z]{0,2}[0-9 .-]{4,14}[A-Z]?", fullmatch=True),
    st.sampled_from([None, "DE", "FR", "IT", "ES", "GB", "US", "PL", "NL", "SE", "CH", "RU", "XK", "BE", "FI"]),
)
def test_identifiers_never_raise_and_are_compact(kind, text, country):
    found = identifier(kind, text, country)
    if found is None:
        return
    assert found.value and found.value == identifiers.compact(found.value)
