"""Phone numbers: the quick way and libphonenumber give one answer."""

import re

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.customers.canonical_phones import phone, phones


@pytest.mark.parametrize(
    ("text", "country", "value", "ext"),
    [
        ("+445355040297", None, "+445355040297", ""),
        ("0044 20 7946 0000", "DE", "+442079460000", ""),
        ("+44 (0)20 7946 0000", "DE", "+442079460000", ""),
        ("+39 (0)6 6982 1234", "DE", "+390669821234", ""),
        ("020 7946 0000", "GB", "+442079460000", ""),
        ("(212) 555-0100", "US", "+12125550100", ""),
        ("1-212-555-0100", "US", "+12125550100", ""),
        ("011 49 30 123456", "US", "+4930123456", ""),
        ("1-800-FLOWERS", "US", "+18003569377", ""),
        ("06 6982 1234", "IT", "+390669821234", ""),
        ("030 / 1234567", "DE", "+49301234567", ""),
        ("8 (495) 123-45-67", "RU", "+74951234567", ""),
        ("011 15-1234-5678", "AR", "+5491112345678", ""),
        ("+441234567890;ext=558", None, "+441234567890", "558"),
        ("+1 212 555 0100 x 12", None, "+12125550100", "12"),
        ("030 1234567 Durchwahl 12", "DE", "+49301234567", "12"),
        ("٠٣٠١٢٣٤٥٦٧", "DE", "+49301234567", ""),
        ("tel:+49-30-1234567", None, "+49301234567", ""),
    ],
)
def test_numbers_in_e164(text, country, value, ext):
    assert phone(text, country) == (value, ext, True)


@pytest.mark.parametrize(
    ("text", "country", "digits"),
    [
        ("12", "DE", "12"),
        ("030 1234567", None, "0301234567"),
        ("+999 123 456", None, "999123456"),
        ("555-0100", "US", "5550100"),
        ("unknown", "DE", ""),
        ("1" * 40, "DE", "1" * 40),
    ],
)
def test_what_cannot_be_a_number_keeps_its_digits(text, country, digits):
    assert phone(text, country) == (digits, "", False)


def test_several_numbers_in_one_value():
    assert [(piece, found.value) for piece, found in phones("030 1234567 / 0171 1234567", "DE")] == [
        ("030 1234567", "+49301234567"),
        ("0171 1234567", "+491711234567"),
    ]
    assert [found.value for _, found in phones("030 / 1234567", "DE")] == ["+49301234567"]
    assert phones("n/a", "DE") == []


@given(
    st.from_regex(r"(\+|00)?[0-9]{2,3}[ ./-]?(\(0\) ?)?[0-9]{2,5}[ .-]?[0-9]{3,8}", fullmatch=True),
    st.sampled_from(
        ["US", "GB", "DE", "FR", "IT", "ES", "NL", "PL", "SE", "RU", "AT", "CH", "HU", "MX", "AR", "BR", "JP", "AU"]
    ),
)
def test_the_quick_way_agrees_with_libphonenumber(text, country):
    value, _, valid = phone(text, country)
    abroad = re.match(r"(?:\+|00)(?!39|378)", text) is not None
    if "(0)" in text and not abroad:
        return
    plain = text.replace("(0)", "") if abroad else text
    try:
        number = phonenumbers.parse("+" + plain[2:] if plain.startswith("00") else plain, country)
    except phonenumbers.NumberParseException:
        assert not valid
        return
    possible = phonenumbers.is_possible_number_with_reason(number) == phonenumbers.ValidationResult.IS_POSSIBLE
    assert valid == possible
    if valid:
        assert value == phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
