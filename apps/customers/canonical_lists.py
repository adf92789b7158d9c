"""Addresses, contact points, identifiers and names: lists of typed objects, built from flat fields and from lists in JSON."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from apps.common.pointers import shown
from apps.customers.canonical_contacts import emails
from apps.customers.canonical_entries import STANDING, add_once, objects, one_of, standing, text_of
from apps.customers.canonical_fields import PLAIN
from apps.customers.canonical_identifiers import KINDS as IDENTIFIER_KINDS
from apps.customers.canonical_identifiers import TELLING, identifier
from apps.customers.canonical_phones import phones
from apps.customers.canonical_places import country_code
from apps.customers.canonical_text import Notes

# Parts of an address: name in the object -> flat name, greatest length in characters.
ADDRESS_PARTS: Final = {
    "line1": ("address_line1", 300),
    "line2": ("address_line2", 300),
    "city": ("city", 100),
    "region": ("region", 100),
    "postal_code": ("postal_code", 20),
    "country": ("country", 100),
}
CONTACT_KINDS: Final = {"email": 254, "phone": 50}
IDENTIFIER_LENGTH: Final = 64
NAME_KINDS: Final = ("legal", "trading", "former", "birth", "alias")
"""What a name may be: the one in the register, the one in the street, one that was, a person's at birth, any other."""
NAME_LENGTH: Final = 200
# List name -> the flat names it speaks for.
LISTS: Final = {
    "addresses": tuple(flat for flat, _ in ADDRESS_PARTS.values()),
    "contact_points": tuple(CONTACT_KINDS),
    "identifiers": TELLING,
    "names": (),
}
_TYPE: Final = re.compile(r"[a-z][a-z0-9_-]{0,29}", re.ASCII)
_ADDRESS_KEYS: Final = frozenset({"type", *ADDRESS_PARTS, *STANDING})
_CONTACT_KEYS: Final = frozenset({"type", "value", "received", "valid", "ext", *STANDING})
_IDENTIFIER_KEYS: Final = frozenset({"type", "value", "received", "country", *STANDING})
_NAME_KEYS: Final = frozenset({"type", "value", *STANDING})
_NOTHING: Final[Mapping[str, Any]] = {}

Json = dict[str, Any]


def flat_address(given: Mapping[str, str], country: str | None) -> Json | None:
    """The postal address of a flat record, or None when no part is given; `country` is already a code."""
    address: Json = {"type": "postal"}
    for part, (flat, _) in ADDRESS_PARTS.items():
        value = country if part == "country" else given.get(flat)
        if value:
            address[part] = value
    return address if len(address) > 1 else None


def flat_contacts(given: Mapping[str, str], country: str | None, notes: Notes) -> list[Json]:
    """Contact points of the flat fields `email` and `phone`; several in one value become several points."""
    points: list[Json] = []
    text = given.get("email")
    if text:
        add_emails(points, text, "email", notes)
    text = given.get("phone")
    if text:
        add_phones(points, text, country, "phone", notes)
    return points


def add_emails(points: list[Json], text: str, where: str, notes: Notes, told: Mapping[str, Any] = _NOTHING) -> None:
    for received, value, valid in emails(text):
        if not valid:
            notes.warn(
                where, "invalid_email", f"{shown(received)} is not a well-formed e-mail address; it is kept as it is."
            )
        point: Json = {"type": "email", "value": value, "valid": valid}
        if received != value:
            point["received"] = received
        add_once(points, {**point, **told})


def add_phones(
    points: list[Json], text: str, country: str | None, where: str, notes: Notes, told: Mapping[str, Any] = _NOTHING
) -> None:
    found = phones(text, country)
    if not found:
        notes.warn(
            where,
            "invalid_phone",
            f"{shown(text)} holds no digit and is left out; write a phone number as +4930123456.",
        )
    for received, number in found:
        if not number.valid:
            notes.warn(where, "invalid_phone", f"{shown(received)} is no possible phone number; its digits are kept.")
        point: Json = {"type": "phone", "value": number.value, "valid": number.valid}
        if number.ext:
            point["ext"] = number.ext
        if received != number.value:
            point["received"] = received
        add_once(points, {**point, **told})


def flat_identifiers(given: Mapping[str, str], country: str | None, notes: Notes) -> list[Json]:
    """Identifiers of the flat fields named after their types."""
    found: list[Json] = []
    for kind in TELLING:
        text = given.get(kind)
        if text:
            add_identifier(found, identifier_of(kind, text, country), kind, notes)
    return found


def identifier_of(kind: str, text: str, country: str | None) -> Json | None:
    """The object for one identifier, or None when the text holds neither letter nor digit."""
    parsed = identifier(kind, text, country)
    if parsed is None:
        return None
    item: Json = {"type": kind, "value": parsed.value, "country": parsed.country, "verified": parsed.verified}
    if text != parsed.value:
        item["received"] = text
    return item


def add_identifier(
    found: list[Json], item: Json | None, where: str, notes: Notes, told: Mapping[str, Any] = _NOTHING
) -> None:
    if item is None:
        notes.warn(where, "invalid_identifier", "The value holds neither letter nor digit and is left out.")
    else:
        add_once(found, {**item, **told})


def read_addresses(value: object, country: str | None, notes: Notes, unknown: Json) -> list[Json]:
    """Addresses of a JSON list, each with a type ("postal" by default) and tidied parts."""
    addresses: list[Json] = []
    for where, entry in objects(value, "addresses", _ADDRESS_KEYS, notes, unknown):
        kind = text_of(entry.get("type"), f"{where}/type", 30, notes)
        kind = "postal" if kind == "" else kind and kind.lower()
        if kind is None:
            continue
        if not _TYPE.fullmatch(kind):
            notes.problem(
                f"{where}/type", "unknown_value", f"{shown(kind)} is not an address type; write for example postal."
            )
            continue
        address: Json = {"type": kind}
        for part, (_, limit) in ADDRESS_PARTS.items():
            text = text_of(entry.get(part), f"{where}/{part}", limit, notes)
            if text and part == "country":
                text = known_country(text, f"{where}/country", notes)
            if text:
                address[part] = text
        if len(address) == 1:
            continue
        address.update(standing(entry, where, address.get("country") or country, notes))
        if address not in addresses:
            addresses.append(address)
    return addresses


def read_contacts(value: object, points: list[Json], country: str | None, notes: Notes, unknown: Json) -> None:
    """Adds the contact points of a JSON list; `received` is read again where given, else `value`."""
    for where, entry in objects(value, "contact_points", _CONTACT_KEYS, notes, unknown):
        kind = one_of(entry.get("type"), f"{where}/type", tuple(CONTACT_KINDS), notes)
        if kind is None:
            continue
        text = text_of(entry.get("received") or entry.get("value"), f"{where}/value", CONTACT_KINDS[kind], notes)
        if text == "":
            notes.problem(f"{where}/value", "missing", "A contact point needs a value.")
        if not text:
            continue
        told = standing(entry, where, country, notes)
        if kind == "email":
            add_emails(points, text, f"{where}/value", notes, told)
            continue
        ext = text_of(entry.get("ext"), f"{where}/ext", 8, notes) or ""
        if ext and (not ext.isascii() or not ext.isdigit()):
            notes.problem(f"{where}/ext", "unknown_value", f"{shown(ext)} is not an extension; write digits only.")
        elif ext and not entry.get("received"):
            text = f"{text};ext={ext}"
        add_phones(points, text, country, f"{where}/value", notes, told)


def read_identifiers(value: object, found: list[Json], country: str | None, notes: Notes, unknown: Json) -> None:
    """Adds the identifiers of a JSON list; one without a country of its own is read in the record's country."""
    for where, entry in objects(value, "identifiers", _IDENTIFIER_KEYS, notes, unknown):
        kind = one_of(entry.get("type"), f"{where}/type", IDENTIFIER_KINDS, notes)
        if kind is None:
            continue
        own = text_of(entry.get("country"), f"{where}/country", 100, notes)
        if own:
            own = known_country(own, f"{where}/country", notes)
        text = text_of(entry.get("received") or entry.get("value"), f"{where}/value", IDENTIFIER_LENGTH, notes)
        if text == "":
            notes.problem(f"{where}/value", "missing", "An identifier needs a value.")
        if text:
            told = standing(entry, where, own or country, notes, checked=True)
            add_identifier(found, identifier_of(kind, text, own or country), f"{where}/value", notes, told)


def read_names(value: object, country: str | None, notes: Notes, unknown: Json) -> list[Json]:
    """Names of a JSON list, each of one of NAME_KINDS."""
    names: list[Json] = []
    for where, entry in objects(value, "names", _NAME_KEYS, notes, unknown):
        kind = one_of(entry.get("type"), f"{where}/type", NAME_KINDS, notes)
        text = text_of(entry.get("value"), f"{where}/value", NAME_LENGTH, notes)
        if text == "":
            notes.problem(f"{where}/value", "missing", "A name needs a value.")
        if kind and text:
            add_once(names, {"type": kind, "value": text, **standing(entry, where, country, notes)})
    return names


def main_name(canonical: Mapping[str, Any]) -> Json:
    """What a record whose only names stand in the list is called: {field: value} of the one in the register, else of the first; never of one
    that was. {} where it says its name, or says that it has none."""
    if any(name in canonical for name in PLAIN) or not set(PLAIN).isdisjoint(canonical.get("empty", ())):
        return {}
    called = [n for n in canonical.get("names", ()) if n["type"] not in ("former", "birth") and "valid_to" not in n]
    field = "organization_name" if canonical.get("kind") == "organization" else "name"
    return {field: min(called, key=lambda n: n["type"] != "legal")["value"]} if called else {}


def known_country(text: str, where: str, notes: Notes) -> str | None:
    """The code of a country, or None with a problem noted."""
    code = country_code(text)
    if code is None:
        notes.problem(
            where,
            "unknown_value",
            f"{shown(text)} is not a known country; write its ISO 3166 code (DE) or its name in a major language.",
        )
    return code
