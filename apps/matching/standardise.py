"""Canonical records to features: every value is brought to the form in which two writings of it are equal.

Each kind of value has a function cached by value, so a value met again costs a look-up.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from apps.customers.canonical_identifiers import TELLING
from apps.matching import features
from apps.matching.features import MOST_VALUES
from apps.matching.standardise_addresses import Address, address
from apps.matching.standardise_contacts import birth, free_provider, identifier, mail, phone_digits, registrable
from apps.matching.standardise_names import MOST_NAMES, CompanyName, PersonName, company_name, person_name

Canonical = Mapping[str, Any]
_NOBODY = PersonName((), (), "")
_NO_COMPANY = CompanyName((), "")


def _text(record: Mapping[str, Any], key: str) -> str:
    value = record.get(key)
    return value if isinstance(value, str) else "" if value is None else str(value)


def _some(values: list[str]) -> list[str]:
    """Each value once, '' left out, the first eight."""
    return [value for value in dict.fromkeys(values) if value][:MOST_VALUES]


def standardise(record: Canonical) -> features.Row:
    """Return the features of one canonical record."""
    addresses = _addresses(record)
    contacts: Sequence[Mapping[str, Any]] = record.get("contact_points") or ()
    mails = [mail(_text(point, "value")) for point in contacts if point.get("type") == "email"]
    phones = [phone_digits(_text(point, "value")) for point in contacts if point.get("type") == "phone"]
    site = registrable(_text(record, "website"))
    domains = [site if not free_provider(site) else "", *(one.company_domain for one in mails)]
    identifiers = [
        identifier(_text(item, "type"), _text(item, "country"), _text(item, "value"), verified=item.get("verified"))
        for item in record.get("identifiers") or ()
        if item.get("type") in TELLING
    ]
    if record.get("kind") == "organization":
        kind, person, company = "o", _NOBODY, _company(record)
    else:
        kind, company = "p", _NO_COMPANY
        person = person_name(*(_text(record, key) for key in ("given_name", "family_name", "name")))
    parts = list(zip(*addresses, strict=True)) if addresses else [()] * len(Address._fields)
    return features.Row(
        kind,
        *person,
        *company,
        birth(_text(record, "birth_date")),
        _some([one.address for one in mails]),
        _some(phones),
        _some(domains),
        _some(identifiers),
        *parts,
    )


def _company(record: Canonical) -> CompanyName:
    """The company's name, and the others it goes or went by: two records share one of them as they share the first."""
    city = _text((record.get("addresses") or ({},))[0], "city")
    main = company_name(_text(record, "organization_name") or _text(record, "name"), city)
    others = record.get("names")
    if not others:
        return main
    found = [main, *(company_name(_text(item, "value"), city) for item in others)]
    names = dict.fromkeys(name for one in found for name in one.names)
    return CompanyName(tuple(names)[:MOST_NAMES], next((one.form for one in found if one.form), ""))


def _addresses(record: Canonical) -> list[Address]:
    found = [
        address(*(_text(item, key) for key in ("line1", "line2", "city", "postal_code", "country")))
        for item in (record.get("addresses") or ())
    ]
    return [one for one in dict.fromkeys(found) if any(one)][:MOST_VALUES]
