"""Blocking keys: two records are compared when they share one.

Each kind of key says which values must agree. Where one value alone is too frequent (a common name, a switchboard),
kinds that join it with a second value still bring its records together, so an oversized key can be left out for all.
"""

from collections.abc import Iterator
from functools import lru_cache
from hashlib import blake2b
from itertools import combinations
from typing import Final, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from apps.matching import features
from apps.matching.names import nickname_root
from apps.matching.standardise_contacts import free_provider, role_mailbox
from apps.matching.text import skeleton, sound

# kind -> what two records share, as said to a steward
KINDS: Final = (
    "the same email",
    "the same phone number",
    "the same identifier",
    "the same name before the @ and the same family name",
    "the same web or mail domain",
    "the same full name",
    "a similar name in the same city",
    "a similar family name, first letter and birth year",
    "a similar name and the same birth date",
    "a similar family name in the same post code",
    "a similar family name at the same house number and street",
    "the same birth date and post code",
    "the same company name",
    "two similar words of the company name",
    "a similar word of the company name in the same city",
    "a similar word of the company name in the same post code",
    "the same initials of the company name in the same city or post code",
    "the same house number and street in the same city or post code",
    "a similar name and the same phone ending",
    "the same house number and street",
    "the same birth date in the same city",
    "a similar family name and the same initial in the same city",
)
EMAIL, PHONE, IDENTIFIER, MAILBOX, DOMAIN, NAME, NAME_CITY, FAMILY_YEAR, NAME_BIRTH, FAMILY_POSTCODE = range(10)
FAMILY_ADDRESS, BIRTH_POSTCODE, COMPANY, COMPANY_WORDS, COMPANY_CITY, COMPANY_POSTCODE, ACRONYM = range(10, 17)
ADDRESS, NAME_PHONE, HOUSE_STREET, BIRTH_CITY, INITIAL_CITY = range(17, len(KINDS))

WEAK: Final = frozenset((COMPANY_WORDS, COMPANY_CITY))
"""Kinds that strangers share too often: one such key alone brings nobody together, two of them do."""
_KIND_BITS: Final = 5

Key = tuple[int, str]
Number = TypeVar("Number", int, npt.NDArray[np.int64])


class Keys(NamedTuple):
    """Keys of many records: record's row, signed 64-bit hash of (kind, value), kind. Distinct per record."""

    row: npt.NDArray[np.int32]
    key: npt.NDArray[np.int64]
    kind: npt.NDArray[np.int8]


def hash_key(kind: int, value: str) -> int:
    """Return the stable signed 64-bit number of a key: 59 bits of BLAKE2b over kind and value, then the kind."""
    digest = blake2b(f"{kind}|{value}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True) >> _KIND_BITS << _KIND_BITS | kind


def kind_of(key: Number) -> Number:
    """Return the kind of a key, or the kinds of an array of keys."""
    return key & ((1 << _KIND_BITS) - 1)


def row_keys(record: features.Row, generic: frozenset[str] = frozenset()) -> list[int]:
    """Return one record's keys, each once. Values in `generic` (written kind|value) make no key: strangers share them."""
    distinct = dict.fromkeys(keys_of(record))
    return [hash_key(kind, value) for kind, value in distinct if not generic or f"{kind}|{value}" not in generic]


def blocking_keys(table: pa.Table, generic: frozenset[str] = frozenset()) -> Keys:
    """Return the keys of every row of a feature table, as `row_keys` makes them."""
    found = [row_keys(record, generic) for record in features.rows(table)]
    rows = np.repeat(np.arange(len(found), dtype=np.int32), [len(own) for own in found])
    keys = np.array([key for own in found for key in own], np.int64)
    return Keys(rows, keys, kind_of(keys).astype(np.int8))


class _Place(NamedTuple):
    """One address as keys see it: street and city by sound."""

    house: str
    street: str
    postcode: str
    city: str


def keys_of(record: features.Row) -> Iterator[Key]:
    """Yield (kind, value) of one record's keys; a key may come twice."""
    for email in record.email:
        yield EMAIL, email
    for phone in record.phone:
        yield PHONE, phone[-8:]
    for identifier in record.identifier:
        scheme, _, _, value = identifier.split("|", 3)
        yield IDENTIFIER, scheme + value
    columns = record.address_house, record.address_street, record.address_postcode, record.address_city
    places = [
        _Place(house, street_core(street), postcode, skeleton(city))
        for house, street, postcode, city in zip(*columns, strict=True)
    ]
    if record.kind == "o":
        yield from _company(record, places)
    else:
        yield from _person(record, places)


@lru_cache(maxsize=100_000)
def street_core(street: str) -> str:
    """Return the sound of the longest word of a street's name: what remains when the type is left out or misspelt."""
    parts = street.split()
    return skeleton(max(parts, key=len)) if parts else ""


def _person(record: features.Row, places: list[_Place]) -> Iterator[Key]:
    birth, first = record.birth, record.given[0] if record.given else ""
    full_birth = birth != "" and birth[4:] != "-00-00"
    spoken = skeleton(nickname_root(first)) if len(first) > 1 else first
    lasts = [*dict.fromkeys(skeleton(name) for name in record.family[:2])]
    for last in lasts:
        yield from _family(last, spoken, first[:1], record, places)
    if full_birth:
        yield from ((NAME_BIRTH, birth + name) for name in (spoken, *lasts) if name)
        yield from ((BIRTH_POSTCODE, birth + place.postcode) for place in places if place.postcode)
        yield from ((BIRTH_CITY, birth + place.city) for place in places if place.city)
    if first and record.family:
        yield NAME, "|".join(sorted((sound(nickname_root(first)), sound(record.family[0]))))
    for house, street, postcode, _ in places:
        if house and street and postcode:
            yield ADDRESS, f"{house}|{street}|{postcode}"
    for email in record.email:
        local = email.partition("@")[0]
        if len(local) > 5 and not role_mailbox(local):
            yield MAILBOX, local
    for domain in record.domain:
        yield DOMAIN, f"{domain}|{lasts[0] if lasts else ''}"


def _family(last: str, spoken: str, initial: str, record: features.Row, places: list[_Place]) -> Iterator[Key]:
    """Yield the keys of one family name (by sound) with a second value."""
    pair = "|".join(sorted((spoken, last)))
    if spoken:
        yield from ((NAME_PHONE, pair[:3] + phone[-4:]) for phone in record.phone)
    if record.birth:
        yield FAMILY_YEAR, last + initial + record.birth[:4]
    for house, street, postcode, city in places:
        if city:
            yield NAME_CITY, f"{pair}|{city}"
            yield INITIAL_CITY, f"{last}|{initial}|{city}"
        if postcode:
            yield FAMILY_POSTCODE, last + postcode
        if house and street:
            yield FAMILY_ADDRESS, f"{last}|{house}|{street}"


def _company(record: features.Row, places: list[_Place]) -> Iterator[Key]:
    for domain in record.domain:
        yield DOMAIN, domain
        if not free_provider(domain):
            yield COMPANY, sound(domain.partition(".")[0].replace("-", ""))[:14]
    for name in record.company:
        yield from _company_name(name.split(), places)
    for house, street, postcode, city in places:
        if house and street:
            yield HOUSE_STREET, f"{house}|{street}"
            if postcode or city:
                yield ADDRESS, f"{house}|{street}|{postcode or city}"


def _company_name(words: list[str], places: list[_Place]) -> Iterator[Key]:
    """Yield the keys of one company name, and of its words with a place."""
    yield COMPANY, sound("".join(words))[:14]
    sounds = [skeleton(word) if len(word) > 3 else word for word in words[:3]]
    yield from ((COMPANY_WORDS, "|".join(sorted(pair))) for pair in combinations(sounds, 2))
    letters = [word[0] for word in words] if len(words) > 1 else list(words[0]) if len(words[0]) < 6 else []
    acronym = "".join(sorted(letters))
    for _, _, postcode, city in places:
        if city:
            yield from ((COMPANY_CITY, f"{word}|{city}") for word in sounds[:2])
        if postcode:
            yield COMPANY_POSTCODE, f"{sounds[0]}|{postcode}"
        if len(acronym) > 1 and (city or postcode):
            yield ACRONYM, f"{acronym}|{postcode or city}"
