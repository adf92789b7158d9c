"""Emails, phones, domains, dates and identifiers to one form."""

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.matching import standardise_contacts as contacts
from apps.matching.standardise_contacts_columns import role_mailboxes


@pytest.mark.parametrize(
    ("value", "address", "domain"),
    [
        ("Bob.Smith+shop@GoogleMail.com", "bobsmith@gmail.com", ""),
        ("bob.smith@gmial.com", "bobsmith@gmail.com", ""),
        ("ebenand932yahoo.com", "ebenand932@yahoo.com", ""),
        ("info@shop.acme.co.uk", "info@shop.acme.co.uk", "acme.co.uk"),
        ("accounts@@acme.com", "accounts@acme.com", "acme.com"),
        ("noreply@acme.com", "", ""),
        ("@", "", ""),
        ("nonsense", "", ""),
        ("", "", ""),
    ],
)
def test_mail(value: str, address: str, domain: str) -> None:
    assert tuple(contacts.mail(value)) == (address, domain)


@pytest.mark.parametrize(
    "value",
    ["+44 892 674 6118", "0044 892 674 6118", "08926746118", "892-674-6118", "(892) 674-6118 x12", "+448926746118"],
    ids=str,
)
def test_writings_of_one_number_are_one(value: str) -> None:
    assert contacts.phone_digits(value) == "8926746118"


@pytest.mark.parametrize("value", ["", "12", "0000000000", "1234567890", "n/a", "+", "999999999"], ids=repr)
def test_placeholders_are_no_number(value: str) -> None:
    assert contacts.phone_digits(value) == ""


@pytest.mark.parametrize(
    ("value", "domain"),
    [
        ("https://www.shop.acme.co.uk/de?x=1", "acme.co.uk"),
        ("WWW.ACME.COM", "acme.com"),
        ("acme.com:8080/x", "acme.com"),
        ("acme", ""),
        ("", ""),
    ],
)
def test_registrable(value: str, domain: str) -> None:
    assert contacts.registrable(value) == domain


def test_role_mailboxes() -> None:
    assert role_mailboxes(pa.array(["info", "billing2", "anna"])).tolist() == [True, True, False]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("1980-05-04", "1980-05-04"),
        ("1980-01-01", ""),
        ("1954-01-01", "1954-00-00"),
        ("1900-01-01", ""),
        ("1962", "1962-00-00"),
        ("", ""),
    ],
    ids=str,
)
def test_birth(value: str, expected: str) -> None:
    assert contacts.birth(value) == expected


def test_identifier() -> None:
    assert contacts.identifier("tax_id", "DE", "DE 349 780 495", verified=True) == "tax_id|de|v|349780495"
    assert contacts.identifier("tax_id", "", "DE349780495", verified=None) == "tax_id|de|n|349780495"
    assert contacts.identifier("national_id", "US", "153-93-6297", verified=False) == "national_id|us|f|153936297"
    assert contacts.identifier("tax_id", "US", "000-00-0000", verified=True) == ""
    assert contacts.identifier("tax_id", "US", "123456789", verified=True) == ""
    assert contacts.identifier("tax_id", "US", "??", verified=None) == ""


@given(st.text())
def test_any_text_is_read(value: str) -> None:
    contacts.mail(value)
    contacts.registrable(value)
    digits = contacts.phone_digits(value)
    assert digits == "" or (digits.isdigit() and 6 <= len(digits) <= 10)
