"""Blocking keys: two records are compared when they share one.

Each kind of key says which values must agree. Where one value alone is too frequent (a common name, a switchboard),
kinds that join it with a second value still bring its records together, so an oversized key can be left out for all.
"""

from collections.abc import Iterator
from functools import lru_cache
from hashlib import blake2b
from itertools import combinations
from typing import Final, NamedTuple

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
(EMAIL, PHONE, IDENTIFIER, MAILBOX, DOMAIN, NAME, NAME_CITY, FAMILY_YEAR, NAME_BIRTH, FAMILY_POSTCODE, FAMILY_ADDRESS,
 BIRTH_POSTCODE, COMPANY, COMPANY_WORDS, COMPANY_CITY, COMPANY_POSTCODE, ACRONYM, ADDRESS, NAME_PHONE, HOUSE_STREET, BIRTH_CITY, INITIAL_CITY) = range(len(KINDS))  # fmt: skip

Key = tuple[int, str]


class Keys(NamedTuple):
    """Keys of many records: record's row, signed 64-bit hash of (kind, value), kind. Distinct per record."""

    row: npt.NDArray[np.int32]
    key: npt.NDArray[np.int64]
    kind: npt.NDArray[np.int8]


def hash_key(kind: int, value: str) -> int:
    """Return the stable signed 64-bit hash of a key (BLAKE2b over kind and value)."""
    return int.from_bytes(_digest(f"{kind}|{value}".encode()), "big", signed=True)


def _digest(key: bytes) -> bytes:
    return blake2b(key, digest_size=8).digest()


def blocking_keys(table: pa.Table, generic: frozenset[str] = frozenset()) -> Keys:
    """Return each record's keys. Values in `generic` (written kind|value) make no key: they are shared by strangers."""
    rows: list[int] = []
    keys: list[bytes] = []
    kinds: list[int] = []
    for row, record in enumerate(features.rows(table)):
        for kind, value in dict.fromkeys(keys_of(record)):
            text = f"{kind}|{value}"
            if text not in generic:
                rows.append(row)
                keys.append(_digest(text.encode()))
                kinds.append(kind)
    hashes = np.frombuffer(b"".join(keys), ">i8").astype(np.int64)
    return Keys(np.array(rows, np.int32), hashes, np.array(kinds, np.int8))


def keys_of(record: features.Row) -> Iterator[Key]:
    """Yield (kind, value) of one record's keys; a key may come twice."""
    (kind, given, family, _, company, _, birth, emails, phones, domains, identifiers,
     houses, streets, _, postcodes, cities, _) = record  # fmt: skip
    for email in emails:
        yield EMAIL, email
    for phone in phones:
        yield PHONE, phone[-8:]
    for identifier in identifiers:
        scheme, _, _, value = identifier.split("|", 3)
        yield IDENTIFIER, scheme + value
    places = list(zip(houses, map(street_core, streets), postcodes, map(skeleton, cities), strict=True))
    if kind == "o":
        yield from _company(company, domains, places)
    elif given or family:
        yield from _person(given, family, birth, emails, phones, domains, places)
    elif birth:
        yield from ((BIRTH_POSTCODE, birth + place[2]) for place in places if place[2])


@lru_cache(maxsize=100_000)
def street_core(street: str) -> str:
    """Return the sound of the longest word of a street's name: what remains when the type is left out or misspelt."""
    parts = street.split()
    return skeleton(max(parts, key=len)) if parts else ""


def _person(
    given: list[str],
    family: list[str],
    birth: str,
    emails: list[str],
    phones: list[str],
    domains: list[str],
    places: list[tuple[str, str, str, str]],
) -> Iterator[Key]:
    first = given[0] if given else ""
    first_sound = skeleton(nickname_root(first)) if len(first) > 1 else first
    initial = first[:1]
    full_birth = birth and birth[4:] != "-00-00"
    if full_birth and first_sound:
        yield NAME_BIRTH, birth + first_sound
    last_sounds = dict.fromkeys(skeleton(name) for name in family[:2])
    for last in last_sounds or {"": None}:
        pair = "|".join(sorted((first_sound, last)))
        if first_sound and last:
            for phone in phones:
                yield NAME_PHONE, pair[:3] + phone[-4:]
        if full_birth and last:
            yield NAME_BIRTH, birth + last
        if birth and last:
            yield FAMILY_YEAR, last + initial + birth[:4]
        for house, street, postcode, city in places:
            if city and last:
                yield NAME_CITY, f"{pair}|{city}"
                yield INITIAL_CITY, f"{last}|{initial}|{city}"
            if postcode and last:
                yield FAMILY_POSTCODE, last + postcode
            if house and street and last:
                yield FAMILY_ADDRESS, f"{last}|{house}|{street}"
    if first and family:
        yield NAME, "|".join(sorted((sound(nickname_root(first)), sound(family[0]))))
    if full_birth:
        yield from ((BIRTH_POSTCODE, birth + place[2]) for place in places if place[2])
        yield from ((BIRTH_CITY, birth + place[3]) for place in places if place[3])
    for place in places:
        if place[0] and place[1] and place[2]:
            yield ADDRESS, "|".join(place[:3])
    for email in emails:
        local = email.partition("@")[0]
        if len(local) > 5 and not role_mailbox(local):
            yield MAILBOX, local
    for domain in domains:
        yield DOMAIN, f"{domain}|{next(iter(last_sounds), '')}"


def _company(names: list[str], domains: list[str], places: list[tuple[str, str, str, str]]) -> Iterator[Key]:
    for domain in domains:
        yield DOMAIN, domain
        if not free_provider(domain):
            yield COMPANY, sound(domain.partition(".")[0].replace("-", ""))[:14]
    for name in names:
        tokens = name.split()
        yield COMPANY, sound("".join(tokens))[:14]
        sounds = [skeleton(token) if len(token) > 3 else token for token in tokens[:4]]
        for pair in combinations(sounds[:3], 2):
            yield COMPANY_WORDS, "|".join(sorted(pair))
        initials = "".join(sorted(token[0] for token in tokens))
        acronym = initials if len(tokens) > 1 else "".join(sorted(tokens[0])) if len(tokens[0]) < 6 else ""
        for house, street, postcode, city in places:
            if city:
                yield from ((COMPANY_CITY, f"{word}|{city}") for word in sounds[:2])
            if postcode:
                yield COMPANY_POSTCODE, f"{sounds[0]}|{postcode}"
            if len(acronym) > 1 and (city or postcode):
                yield ACRONYM, f"{acronym}|{postcode or city}"
            if house and street and (postcode or city):
                yield ADDRESS, f"{house}|{street}|{postcode or city}"
            if house and street:
                yield HOUSE_STREET, f"{house}|{street}"
    if not names:
        yield from ((ADDRESS, "|".join((*place[:2], place[2] or place[3]))) for place in places if place[0] and place[1])
