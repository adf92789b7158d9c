"""Quality checks of one record: what fails, what it takes of trust, and what scores are made of it."""

import tomllib
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.common.errors import Rejected
from apps.customers.quality import of_record
from apps.customers.survivorship import survive
from apps.customers.survivorship_members import Member
from apps.customers.survivorship_policy import SurvivorshipPolicy, parse_survivorship
from apps.policies.active import shipped

DAY = date(2024, 6, 1)
MOMENT = datetime(2024, 6, 1, tzinfo=UTC)


def policy(checks: str, more: str = "") -> SurvivorshipPolicy:
    return parse_survivorship(tomllib.loads(f'default = ["trust"]\n{more}\n{checks}'))


def check(text: str) -> str:
    return f'[[quality.checks]]\ncode = "it"\n{text}\n'


def codes(text: str, canonical: dict[str, Any], changed: date | None = DAY) -> list[str]:
    rules = policy(check(text))
    return [one.code for checks in of_record(canonical, rules.quality, changed).failed.values() for one in checks]


@pytest.mark.parametrize(
    ("text", "canonical", "fails"),
    [
        ('attribute = "currency"\npattern = "[A-Z]{3}"', {"currency": "EUR"}, False),
        ('attribute = "currency"\npattern = "[A-Z]{3}"', {"currency": "EURO"}, True),
        ('attribute = "currency"\npattern = "[A-Z]{3}"', {}, False),
        ('attribute = "currency"\npattern = "a|[A-Z]{3}"', {"currency": "xa"}, True),
        ('attribute = "contact_points"\ntype = "email"\npattern = "[^@]+@[^@]+"',
         {"contact_points": [{"type": "phone", "value": "1"}, {"type": "email", "value": "a@b"}]}, False),
        ('attribute = "contact_points"\ntype = "email"\npattern = "[^@]+@[^@]+"',
         {"contact_points": [{"type": "email", "value": "a@b"}, {"type": "email", "value": "ab"}]}, True),
        ('attribute = "addresses"\npart = "postal_code"\npattern = "[0-9]{5}"', {"addresses": [{"city": "Bonn"}]}, False),
        ('attribute = "addresses"\npart = "postal_code"\npattern = "[0-9]{5}"', {"addresses": [{"postal_code": "1"}]}, True),
        ('attribute = "identifiers"\ncheck_digit = true', {"identifiers": [{"type": "tax_id", "value": "1", "verified": False}]}, True),
        ('attribute = "identifiers"\ncheck_digit = true', {"identifiers": [{"type": "duns", "value": "1", "verified": None}]}, False),
        ('attribute = "status"\none_of = ["active", "closed"]', {"status": "Active"}, False),
        ('attribute = "status"\none_of = ["active", "closed"]', {"status": "gone"}, True),
        ('attribute = "birth_date"\nholds = "kind is person"', {"kind": "organization", "birth_date": "1980-01-01"}, True),
        ('attribute = "payment_terms"\nholds = "country in (DE, AT)"', {"payment_terms": "NET30", "addresses": [{"country": "DE"}]}, False),
        ('attribute = "payment_terms"\nholds = "country in (DE, AT)"', {"payment_terms": "NET30"}, True),
        ('attribute = "credit_limit"\nleast = 0\nmost = 1000', {"credit_limit": "1000.00"}, False),
        ('attribute = "credit_limit"\nleast = 0\nmost = 1000', {"credit_limit": "1000.01"}, True),
        ('attribute = "credit_limit"\nleast = 0', {"credit_limit": "-5"}, True),
        ('attribute = "birth_date"\nleast = "1900-01-01"\nmost = "changed"', {"birth_date": "2024-06-01"}, False),
        ('attribute = "birth_date"\nleast = "1900-01-01"\nmost = "changed"', {"birth_date": "2024-06-02"}, True),
        ('attribute = "birth_date"\nleast = "1900-01-01"\nmost = "changed"', {"birth_date": "1899-12-31"}, True),
        ('attribute = "extra.tier"\none_of = ["gold"]', {"extra": {"tier": "tin"}}, True),
    ],
)  # fmt: skip
def test_each_kind_of_check(text: str, canonical: dict[str, Any], fails: bool) -> None:
    assert codes(text, canonical) == (["it"] if fails else [])


def test_an_upper_bound_of_the_change_waits_for_a_source_that_tells_it() -> None:
    assert codes('attribute = "birth_date"\nmost = "changed"', {"birth_date": "2990-01-01"}, None) == []


def member(name: str, trust: int, **canonical: Any) -> Member:
    return Member(name, name, "crm", name, trust, MOMENT, {"kind": "person", **canonical})


def test_a_failed_check_lowers_trust_and_drops_nothing() -> None:
    """80 less half of it is 40, so the other wins; where nobody else has a value, it stands."""
    rules = policy(check('attribute = "currency"\npattern = "[A-Z]{3}"\nlowers = 50'))
    bad, good = member("bad", 80, currency="euro"), member("good", 45, currency="USD")
    assert survive([bad, good], rules, MOMENT).values["currency"] == "USD"
    assert survive([bad], rules, MOMENT).values["currency"] == "euro"
    mild = policy(check('attribute = "currency"\npattern = "[A-Z]{3}"\nlowers = 40'))
    assert survive([bad, good], mild, MOMENT).values["currency"] == "euro"


def test_trust_does_not_fall_below_the_reserve() -> None:
    rules = policy(check('attribute = "currency"\npattern = "[A-Z]{3}"\nlowers = 100'), "[quality]\nreserve = 50")
    bad = member("bad", 80, currency="euro")
    assert survive([bad, member("good", 45, currency="USD")], rules, MOMENT).values["currency"] == "euro"
    assert survive([bad, member("good", 55, currency="USD")], rules, MOMENT).values["currency"] == "USD"


def test_of_a_group_a_failed_check_of_any_attribute_counts() -> None:
    rules = policy(
        check('attribute = "family_name"\npattern = "[A-Z].*"\nlowers = 90'),
        '[groups]\nperson_name = ["given_name", "family_name"]',
    )
    loud, good = (
        member("loud", 90, given_name="Eva", family_name="lang"),
        member("good", 50, given_name="Ewa", family_name="Lang"),
    )
    values = survive([loud, good], rules, MOMENT).values
    assert (values["given_name"], values["family_name"]) == ("Ewa", "Lang")


def test_scores() -> None:
    """A value that fails an error and a warning: 100 less 60 %, less 25 % of the rest is 30; the record's is the mean."""
    rules = policy(
        check('attribute = "currency"\npattern = "[A-Z]{3}"\nseverity = "error"')
        + '[[quality.checks]]\ncode = "other"\nattribute = "currency"\none_of = ["EUR"]\n'
    )
    found = of_record({"kind": "person", "currency": "x", "status": "active"}, rules.quality, DAY)
    assert found.scores == {"currency": 30.0, "status": 100.0}
    assert found.score == 65.0
    assert [one.code for one in found.failed["currency"]] == ["it", "other"]
    own = policy(check('attribute = "currency"\npattern = "[A-Z]{3}"'), "[quality.severities]\nwarning = 10")
    assert of_record({"currency": "x"}, own.quality, DAY).score == 90.0
    assert of_record({"kind": "person"}, own.quality, DAY).score is None


@pytest.mark.parametrize(
    ("text", "where", "code"),
    [
        ('attribute = "colour"\npattern = "x"', "/quality/checks/0/attribute", "unknown_attribute"),
        ('attribute = "currency"\npattern = "("', "/quality/checks/0/pattern", "bad_pattern"),
        ('attribute = "currency"', "/quality/checks/0", "required"),
        ('attribute = "currency"\npattern = "x"\none_of = ["x"]', "/quality/checks/0", "repeated"),
        ('attribute = "currency"\nholds = "kind is"', "/quality/checks/0/holds", "bad_condition"),
        ('attribute = "currency"\none_of = "EUR"', "/quality/checks/0/one_of", "wrong_type"),
        ('attribute = "currency"\ncheck_digit = true', "/quality/checks/0/check_digit", "unknown_value"),
        ('attribute = "currency"\nleast = "changed"', "/quality/checks/0/least", "unknown_value"),
        ('attribute = "currency"\npattern = "x"\nseverity = "fatal"', "/quality/checks/0/severity", "unknown_value"),
        ('attribute = "currency"\npattern = "x"\nlowers = 101', "/quality/checks/0/lowers", "out_of_range"),
        ('attribute = "currency"\npattern = "x"\ntype = "email"', "/quality/checks/0", "never_used"),
        ('attribute = "currency"\npattern = "x"\ncolour = 1', "/quality/checks/0/colour", "unknown_field"),
    ],
)
def test_a_mistake_in_a_check_is_told_with_its_place(text: str, where: str, code: str) -> None:
    with pytest.raises(Rejected) as caught:
        policy(check(text))
    assert (where, code) in [(field.field, field.code) for field in caught.value.fields]


def test_a_code_stands_once() -> None:
    one = check('attribute = "currency"\npattern = "x"\nlowers = 5')
    with pytest.raises(Rejected) as caught:
        policy(one + one, "[quality.penalties]\nit = 5")
    assert {field.field for field in caught.value.fields} == {"/quality/checks/1/code", "/quality/penalties/it"}


def test_the_shipped_checks_take_no_trust() -> None:
    """Out of the box they make scores; what wins is another matter, and a policy's own."""
    quality = parse_survivorship(shipped("survivorship")).quality
    assert quality.checks
    assert quality.percents == {}


@given(st.text(max_size=50), st.sampled_from(["[a-z]+", "(a+)+b", ".*", "[^@]+@.+"]))
def test_a_pattern_never_raises_and_scores_stay_between_0_and_100(text: str, pattern: str) -> None:
    rules = policy(check(f'attribute = "status"\npattern = "{pattern}"\nseverity = "error"'))
    found = of_record({"status": text or "x"}, rules.quality, DAY)
    assert found.score in (40.0, 100.0)


def test_a_pattern_that_would_take_for_ever_elsewhere_takes_none() -> None:
    """Backtracking would need 2 ** 5,000 steps."""
    assert codes('attribute = "status"\npattern = "(a+)+b"', {"status": "a" * 5_000}) == ["it"]
