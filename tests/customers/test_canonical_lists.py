"""Lists, deletions, unknown and declared fields in the canonical form."""

from typing import Any

import pytest

from apps.customers.canonical import (
    parse,
    patch,
    unknown_field_problems,
)
from tests.customers.canonical_case import PERSON, canonical, problems


def test_a_bare_deletion_needs_nothing_but_its_id():
    parsed = parse({"record_id": "1", "deleted": True})
    assert parsed.deleted and parsed.canonical == {} and not parsed.problems and not parsed.warnings


def test_doubtful_contacts_and_identifiers_are_kept_and_marked():
    parsed = parse({**PERSON, "email": "nobody@@example", "phone": "12", "tax_id": "DE136695977"})
    assert not parsed.problems
    assert [(one.field, one.code) for one in parsed.warnings] == [
        ("email", "invalid_email"),
        ("phone", "invalid_phone"),
    ]
    email, phone = parsed.canonical["contact_points"]
    assert email == {"type": "email", "value": "nobody@@example", "valid": False}
    assert phone == {"type": "phone", "value": "12", "valid": False}
    assert parsed.canonical["identifiers"][0]["verified"] is False


def test_several_addresses_in_one_value_become_several_contact_points():
    points = canonical(email="a@example.org; b@example.org", phone="+49 30 1234567, +49 30 7654321")["contact_points"]
    assert [point["value"] for point in points] == [
        "a@example.org", "b@example.org", "+49301234567", "+49307654321"
    ]  # fmt: skip


def test_lists_in_json_stand_beside_flat_fields():
    parsed = parse(
        {
            "record_id": "1",
            "kind": "organization",
            "email": "info@example.org",
            "addresses": [{"type": "Billing", "city": "Wien", "country": "Austria"}, {"line1": " ", "city": None}],
            "contact_points": [
                {"type": "email", "value": "INFO@example.org"},
                {"type": "phone", "value": "01 5123456", "ext": "12"},
            ],
            "identifiers": [
                {"type": "lei", "value": "5299 00T8BM49AURSDO55"},
                {"type": "duns", "value": "12-345-6789"},
            ],
        }
    )
    assert parsed.problems == ()
    assert parsed.canonical["addresses"] == [{"type": "billing", "city": "Wien", "country": "AT"}]
    assert parsed.canonical["contact_points"] == [
        {"type": "email", "value": "info@example.org", "valid": True},
        {"type": "phone", "value": "+4315123456", "valid": True, "ext": "12", "received": "01 5123456;ext=12"},
    ]
    assert [(one["value"], one["verified"]) for one in parsed.canonical["identifiers"]] == [
        ("529900T8BM49AURSDO55", True),
        ("123456789", None),
    ]


def test_what_is_wrong_in_a_list_is_named_by_its_place():
    item = {
        "record_id": "1",
        "kind": "person",
        "addresses": ["Berlin", {"country": "Narnia"}, {"city": 7.5}],
        "contact_points": [{"type": "fax", "value": "1"}, {"type": "email"}, {"value": "x"}],
        "identifiers": {"type": "lei"},
    }
    assert problems(item) == [
        ("addresses/0", "wrong_type"),
        ("addresses/1/country", "unknown_value"),
        ("addresses/2/city", "wrong_type"),
        ("contact_points/0/type", "unknown_value"),
        ("contact_points/1/value", "missing"),
        ("contact_points/2/type", "missing"),
        ("identifiers", "wrong_type"),
    ]
    assert problems({"record_id": "1", "kind": "person", "addresses": [{}] * 201}) == [("addresses", "too_many")]


def test_unknown_fields_are_handed_back_by_path():
    parsed = parse({"record_id": "1", "kind": "person", "e-mail": "x", "addresses": [{"floor": 3}], "a/b": 1})
    assert parsed.unknown == {"e-mail": "x", "a~1b": 1, "addresses/0/floor": 3}
    found = unknown_field_problems(parsed)
    assert [problem.code for problem in found] == ["unknown_field"] * 3
    assert "did you mean email?" in found[0].detail


def test_declared_extension_attributes_are_typed():
    declared = {"segment": "text", "score": "number", "since": "date", "vip": "boolean"}
    item = {"record_id": "1", "kind": "person", "segment": " A ", "score": "1.250", "since": "31/12/2020", "vip": "yes"}
    parsed = parse({**item, "extra": {"other": 1}}, declared_extra=declared, default_country="Germany")
    assert parsed.canonical["extra"] == {"segment": "A", "score": 1250, "since": "2020-12-31", "vip": True}
    assert parsed.unknown == {"extra/other": 1}
    bad = {"record_id": "1", "kind": "person", "extra": {"score": "many", "since": "x", "vip": "?", "segment": []}}
    assert problems(bad, declared_extra=declared) == [
        ("extra/score", "wrong_type"),
        ("extra/since", "impossible_date"),
        ("extra/vip", "unknown_value"),
        ("extra/segment", "wrong_type"),
    ]
    empty = parse({"record_id": "1", "kind": "person", "segment": None}, declared_extra=declared)
    assert empty.canonical == {"kind": "person", "empty": ["extra.segment"]}


def test_the_country_of_the_record_decides_how_national_values_are_read():
    us = {"record_id": "1", "kind": "person", "birth_date": "02/03/1980", "phone": "(212) 555-0100", "country": "USA"}
    assert parse(us).canonical["birth_date"] == "1980-02-03"
    assert parse(us).canonical["contact_points"][0]["value"] == "+12125550100"
    del us["country"]
    assert parse(us).canonical["birth_date"] == "1980-03-02"
    assert parse(us, default_country="US").canonical["birth_date"] == "1980-02-03"
    listed = parse({**us, "addresses": [{"city": "New York", "country": "US"}]}, default_country="DE")
    assert listed.canonical["birth_date"] == "1980-02-03"


PLACE = {"line1": "Markt 1", "city": "Ulm", "country": "DE"}


def test_entries_say_how_long_and_how_surely_they_hold():
    told = {"valid_from": "01.02.2020", "valid_to": "2024-12-31T00:00:00", "preferred": "yes", "verified": 0}
    found = canonical(
        addresses=[{**PLACE, **told}],
        contact_points=[{"type": "email", "value": "a@example.org", "preferred": False, "verified": True}],
        identifiers=[{"type": "duns", "value": "123456789", "verified": False, "valid_to": "9999-12-31"}],
    )
    assert found["addresses"] == [
        {"type": "postal", **PLACE, "valid_from": "2020-02-01", "valid_to": "2024-12-31", "preferred": True, "verified": False}
    ]  # fmt: skip
    assert found["contact_points"] == [{"type": "email", "value": "a@example.org", "valid": True, "verified": True}]
    assert found["identifiers"] == [{"type": "duns", "value": "123456789", "country": None, "verified": None}]


def test_an_entry_of_the_list_adds_its_days_to_the_same_flat_value():
    points = canonical(
        email="a@example.org", contact_points=[{"type": "email", "value": "A@example.org", "valid_to": "2024-05-01"}]
    )
    assert points["contact_points"] == [
        {"type": "email", "value": "a@example.org", "valid": True, "valid_to": "2024-05-01"}
    ]


@pytest.mark.parametrize(
    ("told", "where", "code"),
    [
        ({"valid_from": "soon"}, "valid_from", "impossible_date"),
        ({"valid_to": 2024}, "valid_to", "impossible_date"),
        ({"valid_from": "2024-02-01", "valid_to": "2024-01-31"}, "valid_to", "out_of_range"),
        ({"preferred": "perhaps"}, "preferred", "unknown_value"),
        ({"verified": []}, "verified", "unknown_value"),
    ],
)
def test_an_entry_that_makes_no_sense_is_named(told, where, code):
    for name, entry in (
        ("addresses", PLACE),
        ("contact_points", {"type": "email", "value": "a@example.org"}),
        ("names", {"type": "alias", "value": "A"}),
    ):
        assert problems({**PERSON, name: [{**entry, **told}]}) == [(f"{name}/0/{where}", code)]


def test_names_are_a_list_of_their_own():
    firm = {"record_id": "1", "kind": "organization"}
    names = [
        {"type": "Trading", "value": " Adler  Bau "}, {"type": "former", "value": "Falke GmbH", "valid_to": "2020-01-01"},
        {"type": "legal", "value": "Adler Bau GmbH"}, {"type": "legal", "value": "Adler Bau GmbH"},
    ]  # fmt: skip
    parsed = parse({**firm, "names": names})
    assert not parsed.problems
    assert parsed.canonical["organization_name"] == "Adler Bau GmbH"
    assert parsed.canonical["names"] == [
        {"type": "trading", "value": "Adler Bau"}, {"type": "former", "value": "Falke GmbH", "valid_to": "2020-01-01"},
        {"type": "legal", "value": "Adler Bau GmbH"},
    ]  # fmt: skip
    assert parse({"record_id": "1", **parsed.canonical}).canonical == parsed.canonical
    assert "organization_name" not in parse({**firm, "names": names[1:2]}).canonical
    assert parse({**firm, "organization_name": "Adler", "names": names}).canonical["organization_name"] == "Adler"


def test_a_name_without_type_or_value_is_named():
    names = [{"type": "nick", "value": "A"}, {"value": "A"}, {"type": "legal"}, {"type": "legal", "value": "A" * 201}]
    assert problems({"record_id": "1", "kind": "organization", "names": names}) == [
        ("names/0/type", "unknown_value"), ("names/1/type", "missing"), ("names/2/value", "missing"), ("names/3/value", "too_long"),
    ]  # fmt: skip


FIRM = {
    "record_id": "1",
    "kind": "organization",
    "names": [{"type": "alias", "value": "Adler"}, {"type": "legal", "value": "Adler Bau GmbH"}],
}


def patched(stored: dict[str, Any], **change: Any) -> dict[str, Any]:
    found = patch(stored, parse({"record_id": "1", **change}, patch=True))
    assert parse({"record_id": "1", **found}).canonical == found, "what is stored is a record that is read as itself"
    return found


def test_a_name_that_was_taken_from_the_list_goes_with_it():
    stored = parse(FIRM).canonical
    assert stored["organization_name"] == "Adler Bau GmbH"
    assert (
        patched(stored, names=[{"type": "legal", "value": "Falke Bau GmbH"}])["organization_name"] == "Falke Bau GmbH"
    )
    assert "organization_name" not in patched(stored, names=[])
    assert patched(stored, website="https://adler.example")["organization_name"] == "Adler Bau GmbH"


def test_a_name_that_the_record_says_stays_and_so_does_that_it_has_none():
    stored = parse({**FIRM, "organization_name": "Adler"}).canonical
    assert patched(stored, names=[{"type": "legal", "value": "Falke Bau GmbH"}])["organization_name"] == "Adler"
    unnamed = patched(stored, organization_name=None)
    assert (unnamed.get("organization_name"), unnamed["empty"]) == (None, ["organization_name"])
    assert "organization_name" not in patched(unnamed, names=FIRM["names"])
    assert (
        patched(parse({"record_id": "1", "kind": "organization"}).canonical, names=FIRM["names"])["organization_name"]
        == "Adler Bau GmbH"
    )
