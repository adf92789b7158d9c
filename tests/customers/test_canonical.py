"""The canonical form: what goes in, what comes out, and that nothing breaks it."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.customers.canonical import (
    FLAT_FIELDS,
    LIST_FIELDS,
    MAX_LENGTH,
    content_digest,
    country_of,
    parse,
    patch,
)
from tests.customers.canonical_case import PERSON, canonical, problems


def test_a_flat_record_in_standard_form():
    parsed = parse(PERSON)
    assert parsed.problems == () and parsed.warnings == () and parsed.unknown == {}
    assert parsed.external_id == "C-17" and parsed.deleted is False
    assert parsed.source_updated_at == datetime(2025, 1, 31, 12, 45, tzinfo=UTC)
    assert parsed.canonical == {
        "kind": "person",
        "given_name": "Zoë",
        "family_name": "Müller Lüdenscheidt",
        "birth_date": "1980-04-03",
        "website": "https://www.example.org/Zoe",
        "currency": "EUR",
        "language": "de",
        "credit_limit": "1200.50",
        "status": "active",
        "addresses": [
            {"type": "postal", "line1": "Hauptstraße 1", "city": "Berlin", "postal_code": "10115", "country": "DE"}
        ],
        "contact_points": [
            {"type": "email", "value": "zoe.mueller@example.org", "valid": True, "received": "Zoe.Mueller@Example.ORG"},
            {"type": "phone", "value": "+49301234567", "valid": True, "received": "030 / 1234567"},
        ],
        "identifiers": [
            {"type": "tax_id", "value": "136695976", "country": "DE", "verified": True, "received": "DE 136 695 976"}
        ],
    }


def test_absent_empty_and_value_are_three_things():
    found = canonical(email=None, phone="", city="   ", name="Ann")
    assert found["empty"] == ["city", "email", "phone"]
    assert "given_name" not in found["empty"] and "given_name" not in found


def test_every_problem_of_a_record_is_reported_with_its_field():
    item = {
        "email": "a\0b@example.org",
        "given_name": "\ud800",
        "family_name": "bell\x07",
        "name": "x" * 201,
        "birth_date": "1990-02-30",
        "status": "sleeping",
        "kind": "robot",
        "country": "Narnia",
        "currency": "Taler",
        "language": "Sindarin",
        "credit_limit": "-5",
        "website": "javascript:alert(1)",
        "deleted": "perhaps",
        "source_updated_at": "yesterday",
        "city": ["Berlin"],
        "region": True,
    }
    assert sorted(problems(item)) == [
        ("birth_date", "impossible_date"),
        ("city", "wrong_type"),
        ("country", "unknown_value"),
        ("credit_limit", "out_of_range"),
        ("currency", "unknown_value"),
        ("deleted", "unknown_value"),
        ("email", "nul_byte"),
        ("family_name", "control_character"),
        ("given_name", "lone_surrogate"),
        ("kind", "unknown_value"),
        ("language", "unknown_value"),
        ("name", "too_long"),
        ("record_id", "missing"),
        ("region", "wrong_type"),
        ("source_updated_at", "impossible_date"),
        ("status", "unknown_value"),
        ("website", "unknown_value"),
    ]
    for problem in parse(item).problems:
        assert problem.pointer == f"/{problem.field}"
        assert problem.detail.endswith(".") and problem.detail.isprintable()


@pytest.mark.parametrize("name", [name for name in FLAT_FIELDS if name != "deleted"])
def test_a_value_of_the_greatest_length_is_never_too_long_and_one_more_always_is(name):
    limit = MAX_LENGTH[name]
    assert (name, "too_long") not in problems({"record_id": "1", name: "7" * limit})
    if name != "source_updated_at":
        assert (name, "too_long") in problems({"record_id": "1", name: "7" * (limit + 1)})


def test_text_is_composed_trimmed_and_freed_of_hidden_characters():
    item = {"record_id": "1", "kind": "person", "given_name": "Jose\u0301", "family_name": "\u202eO\u200b'Neil\ufeff"}
    parsed = parse(item)
    assert parsed.canonical["given_name"] == "José"
    assert parsed.canonical["family_name"] == "O'Neil"
    assert [(one.field, one.code) for one in parsed.warnings] == [("family_name", "hidden_characters")]


def test_joiners_that_spell_words_are_kept():
    assert canonical(family_name="می\u200cخواهم")["family_name"] == "می\u200cخواهم"


def test_the_systems_own_id_is_kept_as_it_is():
    assert parse({"record_id": " A  1/ß "}).external_id == "A  1/ß"
    assert parse({"record_id": 42}).external_id == "42"
    assert parse({"record_id": 42.0}).external_id == "42"
    assert problems({"record_id": True, "kind": "person"}) == [("record_id", "wrong_type")]
    assert problems({"record_id": "a\nb", "kind": "person"}) == []
    assert problems({"record_id": "a\0b", "kind": "person"}) == [("record_id", "nul_byte")]


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"organization_name": "Acme"}, "organization"),
        ({"name": "Müller & Söhne"}, "organization"),
        ({"name": "Acme Trading S.p.A."}, "organization"),
        ({"name": "ООО Ромашка"}, "organization"),
        ({"name": "トヨタ株式会社"}, "organization"),
        ({"name": "Anna Schmidt"}, "person"),
        ({"given_name": "Anna", "organization_name": "Acme"}, "person"),
        ({"given_name": "Anna", "lei": "529900T8BM49AURSDO55"}, "organization"),
        ({"birth_date": "1990-01-01"}, "person"),
        ({"email": "a@example.org"}, "person"),
        ({"identifiers": [{"type": "duns", "value": "123456789"}]}, "organization"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_missing_kind_is_inferred_with_a_warning(fields, kind):
    parsed = parse({"record_id": "1", **fields})
    assert parsed.canonical["kind"] == kind
    assert [warning.code for warning in parsed.warnings] == ["kind_inferred"]


def test_a_time_ahead_of_the_clock_is_a_warning_and_kept():
    ahead = datetime.now(UTC) + timedelta(hours=1)
    parsed = parse({**PERSON, "source_updated_at": ahead.isoformat()})
    assert parsed.source_updated_at == ahead
    assert [warning.code for warning in parsed.warnings] == ["future_timestamp"]


STORED = parse(
    {
        **PERSON,
        "contact_points": [{"type": "email", "value": "second@example.org"}],
        "addresses": [{"type": "billing", "city": "Hamburg", "country": "DE"}],
        "name": None,
    }
).canonical


def changed(stored: dict[str, Any] = STORED, **fields: Any) -> dict[str, Any]:
    change = parse({"record_id": "C-17", **fields}, patch=True, default_country=country_of(stored))
    assert change.problems == ()
    return patch(stored, change)


def test_a_change_of_nothing_changes_nothing():
    before = json.dumps(STORED)
    assert changed() == STORED
    assert json.dumps(STORED) == before


def test_a_change_replaces_values_and_keeps_the_rest():
    after = changed(city="Potsdam", phone="0331 123456", status="closed", name="Zoë M.")
    assert after["addresses"][0] == {**STORED["addresses"][0], "city": "Potsdam"}
    assert after["addresses"][1] == STORED["addresses"][1]
    assert [point["value"] for point in after["contact_points"]] == [
        "zoe.mueller@example.org", "second@example.org", "+49331123456"
    ]  # fmt: skip
    assert after["status"] == "closed" and after["given_name"] == "Zoë"
    assert "empty" not in after


def test_a_change_empties_what_is_null():
    after = changed(email=None, city="", birth_date=None, tax_id=None)
    assert after["empty"] == ["birth_date", "email", "name", "tax_id"]
    assert "city" not in after["addresses"][0] and after["addresses"][1]["city"] == "Hamburg"
    assert [point["type"] for point in after["contact_points"]] == ["phone"]
    assert "identifiers" not in after and "birth_date" not in after


def test_a_list_in_a_change_replaces_the_list():
    after = changed(addresses=[{"city": "Rom", "country": "IT"}], contact_points=[])
    assert after["addresses"] == [{"type": "postal", "city": "Rom", "country": "IT"}]
    assert "contact_points" not in after and {"email", "phone"} <= set(after["empty"])
    assert "replaces" not in after


def test_patching_the_whole_of_a_record_gives_that_record():
    other = parse({**PERSON, "given_name": "Max", "city": None})
    everything = {name: "" for name in FLAT_FIELDS if name not in {"kind", "record_id", "deleted", "source_updated_at"}}
    whole = {**everything, **PERSON, "given_name": "Max", "city": None}
    after = patch(STORED, parse({**whole, "addresses": [], "contact_points": []}, patch=True))
    assert after["given_name"] == other.canonical["given_name"]
    assert "city" in after["empty"]


def test_the_digest_sees_content_and_not_the_order_of_keys():
    one = parse(PERSON).canonical
    other = parse(dict(reversed(PERSON.items()))).canonical
    assert content_digest(one, deleted=False) == content_digest(dict(reversed(other.items())), deleted=False)
    assert len(content_digest(one, deleted=False)) == 16
    assert content_digest(one, deleted=False) != content_digest(one, deleted=True)
    assert content_digest(one, deleted=False) != content_digest({**one, "status": "closed"}, deleted=False)


scalars = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30)
    | st.text(st.characters(codec=None, categories=["Cc", "Cf", "Cs", "L", "N", "Z"]), max_size=10)
    | st.sampled_from(["DE", "de", "1980-01-31", "1/2/1990", "+49 30 12345", "a@b.de", "b2b", "1.2", "x\0", "\ud800"])
)  # fmt: skip
anything = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
)
names = st.sampled_from([*FLAT_FIELDS, *LIST_FIELDS, "fax"])
entries = st.lists(
    st.dictionaries(
        st.sampled_from(["type", "value", "received", "country", "city", "line1", "ext", "valid", "verified", "x"]),
        scalars | st.sampled_from(["email", "phone", "tax_id", "national_id", "lei", "postal", "US", "FR"]),
    ),
    max_size=4,
)
items = st.dictionaries(names, anything | entries, max_size=12)


@given(items, st.none() | st.text(max_size=5), st.booleans())
def test_nothing_makes_parse_raise(item, country, is_patch):
    parsed = parse(item, default_country=country, patch=is_patch, declared_extra={"fax": "number"})
    content_digest(parsed.canonical, parsed.deleted)
    for problem in (*parsed.problems, *parsed.warnings):
        assert (problem.field + problem.detail).isprintable()
    if is_patch:
        patch(STORED, parsed)


fields = st.fixed_dictionaries(
    {"record_id": st.just("1")},
    optional={
        **{
            name: st.text(max_size=40)
            for name in ("name", "given_name", "city", "address_line1", "payment_terms", "region")
        },
        "kind": st.sampled_from(["person", "Company", ""]),
        "email": st.emails() | st.text(max_size=20),
        "phone": st.from_regex(r"\+?[0-9 ()/.-]{3,20}(x[0-9]{1,4})?", fullmatch=True) | st.text(max_size=15),
        "country": st.sampled_from(["DE", "United States", "España", "UK", "RU", "IT", "AR", ""]),
        "birth_date": st.dates().map(str),
        "website": st.from_regex(r"(https?://)?[A-Za-z0-9.-]{1,20}(/[A-Za-z]*)?", fullmatch=True),
        "credit_limit": st.decimals(0, 10**9, places=2).map(str) | st.floats(0, 1e9),
        **{name: st.text(max_size=20) for name in ("tax_id", "national_id", "lei", "duns", "registration_number")},
        "currency": st.sampled_from(["EUR", "usd", ""]),
        "language": st.sampled_from(["de", "en_us", "French"]),
        "contact_points": entries,
        "identifiers": entries,
        "addresses": entries,
    },
)


@given(fields, st.sampled_from([None, "US", "DE"]))
def test_the_canonical_form_parses_to_itself(item, country):
    first = parse(item, default_country=country)
    if first.problems:
        return
    again = parse({"record_id": "1", **json.loads(json.dumps(first.canonical))}, default_country=country)
    assert again.problems == () and again.unknown == {}
    assert again.canonical == first.canonical


@given(fields, st.randoms())
def test_the_order_of_fields_does_not_matter(item, random):
    shuffled = list(item.items())
    random.shuffle(shuffled)
    one, other = parse(item), parse(dict(shuffled))
    assert content_digest(one.canonical, deleted=False) == content_digest(other.canonical, deleted=False)


@given(fields, fields)
def test_a_change_applied_twice_is_the_change_applied_once(item, change):
    stored = parse(item).canonical
    parsed = parse(change, patch=True, default_country=country_of(stored))
    once = patch(stored, parsed)
    assert patch(once, parsed) == once
