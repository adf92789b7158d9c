"""What is kept of requests and answers: enough to understand them, nothing that must not stay."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.connectors.contract import KEPT_TEXT
from apps.connectors.redact import GONE, MASK, Redactor, cut, mask


@pytest.mark.parametrize(
    "name",
    [
        "tax_id", "TaxId__c", "taxNumber", "VAT", "vat_id", "vatnumber", "UstIdVatNo", "national_id", "NationalIdentifier",
        "ssn", "SSN__c", "social_security_number", "birth_date", "PersonBirthdate", "DOB", "dateOfBirth", "IBAN", "Iban__c",
        "bank_account", "accountNumber", "account-no", "card_number", "passport", "passportNo",
    ],
)  # fmt: skip
def test_a_sensitive_value_keeps_its_last_two_characters(name: str):
    assert Redactor().value({name: "DE123456789"}) == {name: f"{MASK}89"}
    assert Redactor().value({"a": [{name: 123456789}]}) == {"a": [{name: f"{MASK}89"}]}
    assert Redactor().value({name: None}) == {name: None}
    assert Redactor().value({name: "1234"}) == {name: MASK}
    assert Redactor().value({name: {"value": "DE1", "x": [1]}}) == {name: MASK}


@pytest.mark.parametrize(
    "name",
    [
        "name",
        "business_name",
        "private",
        "innovation",
        "city",
        "status",
        "credit_limit",
        "id",
        "taxi",
        "session",
        "lessness",
    ],
)
def test_other_names_stay(name: str):
    assert Redactor().value({name: "DE123456789"}) == {name: "DE123456789"}


@pytest.mark.parametrize(
    "name", ["password", "client_secret", "access_token", "Authorization", "apiKey", "Set-Cookie", "token"]
)
def test_a_credential_goes_whole(name: str):
    assert Redactor().value({name: "abcdefgh"}) == {name: GONE}


def test_names_of_a_connection_are_sensitive_too():
    redactor = Redactor(["Shoe size", "meta.code"])
    assert redactor.value({"shoe_size": "444444", "meta": {"code": "abcdef"}}) == {
        "shoe_size": f"{MASK}44",
        "meta": {"code": f"{MASK}ef"},
    }


def test_what_was_sent_is_masked_wherever_the_answer_quotes_it():
    redactor = Redactor()
    asked = {"tax_id": "DE123456789", "city": "Bonn"}
    hidden = redactor.hidden(asked)
    assert hidden == {"DE123456789"}
    answer = json.dumps({"error": "DE123456789 is no tax id in Bonn"})
    assert redactor.text(answer, hidden) == f'{{"error":"{MASK}89 is no tax id in Bonn"}}'
    assert redactor.text("<p>DE123456789</p>", hidden) == f"<p>{MASK}89</p>"
    assert "DE123456789" not in redactor.request("POST", "/a", asked) and "Bonn" in redactor.request(
        "POST", "/a", asked
    )


def test_credentials_go_wherever_they_stand():
    redactor = Redactor(credentials=["s3cret-token", "abc"])
    text = redactor.text('{"echo": "Bearer s3cret-token", "other": "abc", "basic": "czNjcmV0LXRva2Vu"}')
    assert "s3cret" not in text and "czNjcmV0LXRva2Vu" not in text and "abc" in text


def test_long_texts_are_cut_and_everything_fits_a_database():
    text = Redactor().text("x" * 10_000)
    assert len(text) <= KEPT_TEXT and text.endswith("(cut)")
    assert cut("a\x00b\ud800", 100) == "a\\u0000b\\ud800"
    assert len(cut("\x00" * 10_000, 100)) <= 100


def test_very_deep_values_break_nothing():
    deep = "[" * 900 + "]" * 900
    assert "…" in Redactor().text(deep)
    value = {"tax_id": "DE123456789"}
    for _ in range(500):
        value = {"a": value}
    redactor = Redactor()
    assert "DE123456789" not in json.dumps(redactor.value(value))
    assert redactor.hidden(value) == set()


def test_a_mask_shows_nothing_of_a_short_value():
    assert [mask(value) for value in ("", "1", "1234", "12345")] == [MASK, MASK, MASK, f"{MASK}45"]


values = st.recursive(
    st.none() | st.booleans() | st.text() | st.integers(),
    lambda part: st.lists(part) | st.dictionaries(st.text(), part),
)


@given(values, st.text(min_size=6))
def test_no_value_breaks_it_and_the_value_stays(value, secret):
    before = json.dumps(value)
    redactor = Redactor(["x"], [secret])
    redactor.value(value)
    redactor.hidden(value)
    assert len(redactor.text(before, {"zzzzzz"})) <= KEPT_TEXT
    assert json.dumps(value) == before
