"""The canonical form of a customer record: what every system's record becomes before anything else looks at it.

`parse` takes one record with flat names (files, API) or with lists of addresses, contact points, identifiers and names (API,
NDJSON) and returns the canonical dict, all problems (any: the record is quarantined) and all warnings (it goes on).

The canonical dict, keys without value left out:

    kind, name, given_name, family_name, organization_name, birth_date, website, currency, language, payment_terms,
    credit_limit, status: text in standard form
    addresses: [{type, line1, line2, city, region, postal_code, country}]
    contact_points: [{type: email|phone, value, valid, received?, ext?}]
    identifiers: [{type, value, country|None, verified|None, received?}]
    names: [{type: legal|trading|former|birth|alias, value}]
        each entry of these lists may have valid_from, valid_to (first and last day, YYYY-MM-DD), preferred (true: its system takes it
        first) and verified (somebody made sure of it or found it wrong; of an identifier the hub says so itself)
    extra: {name: value}, only attributes declared by the caller
    empty: sorted flat names that the source says are empty (null and "" mean this; an absent field means: not known);
           a declared attribute stands here as "extra.<name>"

The canonical dict is itself a record that `parse` takes, and parses to itself.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, Final

from apps.common.jsontext import json_text
from apps.common.pointers import shown
from apps.customers.canonical_fields import EXTRA_TYPES, FLAT_FIELDS, LIST_FIELDS, MAX_LENGTH, PLAIN, SINGLE
from apps.customers.canonical_lists import ADDRESS_PARTS, main_name
from apps.customers.canonical_record import Parsed, Reading, present
from apps.customers.canonical_text import Problem

__all__ = [
    "EXTRA_TYPES",
    "FLAT_FIELDS",
    "LIST_FIELDS",
    "MAX_LENGTH",
    "Parsed",
    "Problem",
    "content_digest",
    "country_of",
    "parse",
    "patch",
    "unknown_field_problems",
]

_NO_EXTRA: Final[Mapping[str, str]] = {}
# One encoder for all: making one costs as much as encoding a small record. Lone surrogates cannot break ASCII output.

Json = dict[str, Any]


def parse(
    item: Mapping[str, Any],
    *,
    default_country: str | None = None,
    patch: bool = False,
    declared_extra: Mapping[str, str] = _NO_EXTRA,
) -> Parsed:
    """One record in canonical form; never raises, whatever the values are.

    `default_country` is where national numbers are read when the record names no country. With `patch` the record is a
    change for `patch()`: no kind is inferred, and lists given as a whole are named under "replaces". `declared_extra`
    maps the name of each extension attribute to its type (EXTRA_TYPES). Undeclared fields are returned in `unknown`,
    each under its path ("fax", "addresses/0/floor").
    """
    return Reading(item, default_country, declared_extra, is_patch=patch).parsed()


def patch(stored: Json, change: Parsed) -> Json:
    """The stored canonical record after a change: what the change leaves out stays, null empties, a value replaces.

    Flat address fields change their part of the first postal address; `email`, `phone` and each identifier replace all
    stored ones of that kind; a list given as a list replaces the stored list. Neither argument is changed. Parse the
    change with `default_country=country_of(stored)`, so that national numbers are read where the customer lives.
    """
    new = change.canonical
    whole = frozenset(new.get("replaces", ()))
    gone = frozenset(new.get("empty", ()))
    known = stored
    if "names" in whole:  # a name that was taken from the list goes with it
        known = {k: v for k, v in stored.items() if main_name(_unnamed(stored)).get(k) != v}
    result: Json = {key: known[key] for key in ("kind", *SINGLE) if key in known and key not in gone}
    result.update({key: new[key] for key in ("kind", *SINGLE) if key in new})
    addresses = _listed(new, "addresses") if "addresses" in whole else _patched_addresses(stored, new, gone)
    changed: Json = {"addresses": addresses}
    for name in ("contact_points", "identifiers", "names"):
        kinds = gone | {entry["type"] for entry in new.get(name, ())}
        kept = [] if name in whole else [entry for entry in _listed(stored, name) if entry["type"] not in kinds]
        changed[name] = kept + _listed(new, name)
    changed["extra"] = {
        name: value for name, value in stored.get("extra", {}).items() if f"extra.{name}" not in gone
    } | new.get("extra", {})
    result.update({name: value for name, value in changed.items() if value})
    empty = (gone | set(stored.get("empty", ()))) - present(result)
    if empty:
        result["empty"] = sorted(empty)
    return result | main_name(result)


def _unnamed(canonical: Json) -> Json:
    return {name: value for name, value in canonical.items() if name not in PLAIN}


def _listed(canonical: Json, name: str) -> list[Json]:
    return [dict(entry) for entry in canonical.get(name, ())]


def _patched_addresses(stored: Json, new: Json, gone: frozenset[str]) -> list[Json]:
    addresses = _listed(stored, "addresses")
    change = next(iter(_listed(new, "addresses")), {"type": "postal"})
    at = next((at for at, address in enumerate(addresses) if address["type"] == "postal"), len(addresses))
    before = addresses[at] if at < len(addresses) else {}
    removed = {part for part, (flat, _) in ADDRESS_PARTS.items() if flat in gone}
    kept = {part: value for part, value in before.items() if part not in removed}
    merged = kept | change
    addresses[at : at + 1] = [merged] if len(merged) > 1 else []
    return addresses


def country_of(canonical: Json) -> str | None:
    """The country in which the record's national numbers are read: that of its first address with one."""
    return next((entry["country"] for entry in canonical.get("addresses", ()) if "country" in entry), None)


def content_digest(canonical: Json, deleted: bool) -> bytes:  # noqa: FBT001  (the two are one content)
    """16 bytes that are equal for equal content, whatever the order of keys."""
    body = f"{json_text(canonical)}{int(deleted)}".encode()
    return hashlib.blake2b(body, digest_size=16).digest()


def unknown_field_problems(parsed: Parsed) -> tuple[Problem, ...]:
    """A problem for every undeclared field, with the nearest known name; for doors that refuse such fields."""
    known = (*FLAT_FIELDS, *LIST_FIELDS)
    problems = []
    for where in parsed.unknown:
        near = get_close_matches(where.lower(), known, n=1)
        hint = f"did you mean {near[0]}?" if near else "declare it as an extension field or leave it out."
        problems.append(Problem(where, "unknown_field", f"{shown(where)} is not a field known here; {hint}"))
    return tuple(problems)
