"""What is one thing written twice, and what is not."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.customers.survivorship_likeness import alike, gathered

BERLIN = {"type": "postal", "city": "Berlin", "postal_code": "10115", "country": "DE"}


def place(line: str, **other: Any) -> dict[str, Any]:
    told = {**BERLIN, "line1": line, **other}
    return {name: value for name, value in told.items() if value is not None}


def entry(type_: str, value: str, **told: Any) -> dict[str, Any]:
    return {"type": type_, "value": value, **told}


@pytest.mark.parametrize(
    ("attribute", "one", "other"),
    [
        ("addresses", place("Hauptstraße 5"), place("Hauptstr. 5")),
        ("addresses", place("Hauptstraße 5 a"), place("HAUPTSTRASSE 5A")),
        ("addresses", place("Hauptstraße 5"), place("Haupt Str 5", city="Berlin-Mitte")),
        ("addresses", place("10 Downing Street"), place("Downing St 10")),
        ("addresses", place("221b Baker Street"), place("221 B Baker St")),
        ("addresses", place("5th Avenue 12", line2="Suite 7"), place("Suite 7, 5th Ave 12")),
        ("addresses", place("Rua São José 9"), place("Rua Sao Jose 9", postal_code=None, country=None)),
        ("addresses", place("Königsallee 3"), place("Koenigsalle 3", postal_code="10 115")),
        ("addresses", place("Torweg 1", postal_code=None), place("Torweg 1", postal_code=None, country=None)),
        ("contact_points", entry("phone", "+49301234567", valid=True), entry("phone", "0301234567", valid=False)),
        ("identifiers", entry("tax_id", "DE136695976", country="DE"), entry("tax_id", "136695976", country=None)),
        (
            "identifiers",
            entry("registration_number", "HRB 123", country="DE"),
            entry("registration_number", "HRB123", country=None),
        ),
        ("names", entry("trading", "Adler Bau"), entry("trading", "ADLER-BAU")),
        ("names", entry("legal", "Müller Maschinenbau GmbH"), entry("legal", "Mueller Maschinenbau GmbH")),
    ],
)
def test_one_thing(attribute: str, one: dict[str, Any], other: dict[str, Any]) -> None:
    assert alike(attribute, one, other)
    assert alike(attribute, other, one)


@pytest.mark.parametrize(
    ("attribute", "one", "other"),
    [
        ("addresses", place("Hauptstraße 5"), place("Hauptstraße 5a")),
        ("addresses", place("Hauptstraße 5"), place("Hauptstraße 5", type="billing")),
        ("addresses", place("Hauptstraße 5"), place("Hauptstraße 5", postal_code="10117")),
        ("addresses", place("Hauptstraße 5"), place("Hauptstraße 5", country="AT")),
        ("addresses", place("Hauptstraße 5"), place("Nebenstraße 5")),
        ("addresses", place("Main Street 5"), place("Main Road 5")),
        ("addresses", place("East Street 5"), place("West Street 5")),
        ("addresses", place("Oststraße 5"), place("Weststraße 5")),
        ("addresses", place("Bergstraße 5"), place("Burgstraße 5")),
        ("addresses", place("Ringweg 5"), place("Ringweg 5", line2="3. Stock")),
        ("addresses", place("Ringweg 5", postal_code=None), place("Ringweg 5", postal_code=None, city="Bonn")),
        ("addresses", place("5"), place("5")),
        ("contact_points", entry("phone", "+49301234567", valid=True), entry("phone", "+4930234567", valid=True)),
        ("contact_points", entry("phone", "+49301234567", valid=True), entry("phone", "234567", valid=False)),
        ("contact_points", entry("email", "a@x.example", valid=True), entry("email", "a@y.example", valid=False)),
        ("identifiers", entry("tax_id", "136695976", country="DE"), entry("tax_id", "136695976", country="AT")),
        ("identifiers", entry("tax_id", "136695976", country="DE"), entry("lei", "136695976", country="DE")),
        ("names", entry("trading", "Fonds 3"), entry("trading", "Fonds 4")),
        ("names", entry("trading", "Adler Bau"), entry("former", "Adler Bau")),
        ("names", entry("legal", "Adler Bau GmbH"), entry("legal", "Falke Bau GmbH")),
        ("names", entry("legal", "Bergbau GmbH"), entry("legal", "Burgbau GmbH")),
    ],
)  # fmt: skip
def test_two_things(attribute: str, one: dict[str, Any], other: dict[str, Any]) -> None:
    assert not alike(attribute, one, other)
    assert not alike(attribute, other, one)


PARTS = {
    "addresses": st.builds(
        place, st.sampled_from(["Hauptstr. 5", "Hauptstraße 5", "Haupt Str 5", "Hauptstr. 5a", "Ring 5", "5 Rg", ""]),
        city=st.sampled_from(["Berlin", "Brln", "Bonn"]), postal_code=st.sampled_from([None, "1", "2"]), country=st.sampled_from([None, "DE", "AT"]),
    ),
    "contact_points": st.builds(
        entry, st.sampled_from(["phone", "email"]), st.sampled_from(["+49301234567", "0301234567", "1234567", "234567", "a@x"]), valid=st.booleans(),
    ),
    "identifiers": st.builds(
        entry, st.just("tax_id"), st.sampled_from(["DE123456", "123456", "AT123456", "1", "DE1", "DE"]), country=st.sampled_from([None, "DE", "AT"]),
    ),
    "names": st.builds(
        entry, st.sampled_from(["legal", "former"]), st.sampled_from(["Adler Bau GmbH", "ADLER BAU GMBH", "Adler Baus GmbH", "Fonds 3", "Fonds 4"]),
    ),
}  # fmt: skip


@pytest.mark.parametrize("attribute", PARTS)
@given(data=st.data())
def test_what_is_gathered_is_what_hangs_together(attribute: str, data: st.DataObject) -> None:
    """The same groups as by comparing each with each, whatever short cuts are taken; each named by its first."""
    parts = data.draw(st.lists(PARTS[attribute], max_size=7))
    group = list(range(len(parts)))
    for _ in parts:
        for a, one in enumerate(parts):
            for b, other in enumerate(parts):
                if alike(attribute, one, other):
                    group[a] = group[b] = min(group[a], group[b])
    assert gathered(attribute, parts) == group
