"""Blocking keys: two records are compared when they share one.

Each kind of key says which values must agree. Where one value alone is too frequent (a common name, a switchboard),
kinds that join it with a second value still bring its records together, so an oversized key can be left out for all.
Keys are made column by column: one set of functions for one record, for a batch and for a file.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import Final, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from apps.matching.blocking_values import Rows, Values, dense, first, joined, listed
from apps.matching.encoded import Encoded
from apps.matching.hashing import Words, either_way, hash_texts, mixed, together
from apps.matching.names import nickname_root
from apps.matching.standardise_addresses import QUARTERS
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
    "the same house number and street and the same first letter of a name",
    "the same digits of an identifier in another order",
    "a similar given name in the same post code",
)
EMAIL, PHONE, IDENTIFIER, MAILBOX, DOMAIN, NAME, NAME_CITY, FAMILY_YEAR, NAME_BIRTH, FAMILY_POSTCODE = range(10)
FAMILY_ADDRESS, BIRTH_POSTCODE, COMPANY, COMPANY_WORDS, COMPANY_CITY, COMPANY_POSTCODE, ACRONYM = range(10, 17)
ADDRESS, NAME_PHONE, HOUSE_STREET, BIRTH_CITY, INITIAL_CITY, LETTER_STREET, DIGITS, GIVEN_POSTCODE = range(
    17, len(KINDS)
)

WEAK: Final = frozenset((COMPANY_WORDS, COMPANY_CITY))
"""Kinds that strangers share too often: one such key alone brings nobody together, two of them do."""
_KIND_BITS: Final = 5

Number = TypeVar("Number", int, npt.NDArray[np.int64])
_BITS: Final = np.uint64(_KIND_BITS)


class Keys(NamedTuple):
    """Keys of many records: record's row, signed 64-bit number of (kind, value), kind. In the order of the rows, distinct in each."""

    row: npt.NDArray[np.int32]
    key: npt.NDArray[np.int64]
    kind: npt.NDArray[np.int8]


def kind_of(key: Number) -> Number:
    """Return the kind of a key, or the kinds of an array of keys."""
    return key & ((1 << _KIND_BITS) - 1)


def numbered(kind: int, values: Words) -> npt.NDArray[np.int64]:
    """Return keys of one kind: 59 bits of the value's number, then the kind."""
    return (mixed(values + np.uint64(kind + 1)) >> _BITS << _BITS | np.uint64(kind)).view(np.int64)


def blocking_keys(table: Encoded) -> Keys:
    """Return the keys of every record."""
    found = [(values.row, numbered(kind, values.hash)) for kind, values in by_kind(table)]
    row = np.concatenate([one for one, _ in found]).astype(np.int32)
    key = np.concatenate([one for _, one in found])
    order = np.lexsort((key, row))
    row, key = row[order], key[order]
    new = np.ones(len(key), np.bool_)
    new[1:] = (key[1:] != key[:-1]) | (row[1:] != row[:-1])
    return Keys(row[new], key[new], kind_of(key[new]).astype(np.int8))


def by_kind(table: Encoded) -> Iterator[tuple[int, Values]]:
    """Yield values for keys, by kind; a kind may come several times, and a value several times in one record."""
    mails, phones, identifiers = (table.column(name) for name in ("email", "phone", "identifier"))
    yield EMAIL, listed(mails, hash_texts(mails.texts))
    yield PHONE, listed(phones, hash_texts(text[-8:] for text in phones.texts.tolist()))
    parts = (text.split("|", 3) for text in identifiers.texts.tolist())
    numbers = [(scheme, value) for scheme, _, _, value in parts]
    yield IDENTIFIER, listed(identifiers, hash_texts(scheme + value for scheme, value in numbers))
    yield DIGITS, listed(identifiers, hash_texts(scheme + "".join(sorted(value)) for scheme, value in numbers))
    organization = table.organizations()
    places = _places(table)
    for kind, values in _people(table, places):
        yield kind, values.where(~organization)
    for kind, values in _companies(table, places):
        yield kind, values.where(organization)


class _Places(NamedTuple):
    """Addresses as keys see them: the record of each, and numbers of its parts, 0 where one is not known."""

    row: Rows
    house: Words
    street: Words
    postcode: Words
    city: Words

    def of(self, *parts: Words) -> Values:
        """Values of the addresses that have all of `parts`."""
        there = np.flatnonzero(np.logical_and.reduce([part > 0 for part in parts]))
        found = parts[0][there]
        for part in parts[1:]:
            found = together(found, part[there])
        return Values(self.row[there], found)

    def postcode_or_city(self) -> Words:
        """The post code, or the city where there is none."""
        return np.where(self.postcode > 0, self.postcode, self.city)


def _places(table: Encoded) -> _Places:
    row, parts = table.column("address_house").spread()[0], []
    for name, spoken in (("house", str), ("street", street_core), ("postcode", str), ("city", skeleton)):
        column = table.column(f"address_{name}")
        parts.append(np.append(hash_texts(map(spoken, column.texts.tolist())), np.uint64(0))[column.spread()[2]])
    return _Places(row, *parts)


@lru_cache(maxsize=100_000)
def street_core(street: str) -> str:
    """Return the sound of the longest word of a street's name: what remains when type or quarter are left out or misspelt."""
    parts = street.split()
    return skeleton(max([part for part in parts if part not in QUARTERS] or parts, key=len)) if parts else ""


def _people(table: Encoded, places: _Places) -> Iterator[tuple[int, Values]]:
    given, family, birth = (table.column(name) for name in ("given", "family", "birth"))
    givens, families, births = given.texts.tolist(), family.texts.tolist(), birth.texts.tolist()
    spokens = [_spoken(text) for text in givens]
    spoken = first(given, hash_texts(spokens))
    initial = np.maximum(first(given, hash_texts(text[:1] for text in givens)), np.uint64(1))  # none is one, too
    sounds = [skeleton(text) for text in families]
    families_by_sound = hash_texts(sounds)
    lasts = listed(family, families_by_sound, most=2)
    born = first(birth, hash_texts("" if text[4:] == "-00-00" else text for text in births))
    year = first(birth, hash_texts(text[:4] for text in births))
    pairs, initialled = lasts.by(spoken, either_way), lasts.by(initial)
    postcodes, cities = places.of(places.postcode), places.of(places.city)
    yield NAME_CITY, joined(pairs, cities)
    yield INITIAL_CITY, joined(initialled, cities)
    yield FAMILY_YEAR, initialled.by(year)
    yield NAME_BIRTH, dense(spoken).by(born)
    yield NAME_BIRTH, lasts.by(born)
    yield FAMILY_POSTCODE, joined(lasts, postcodes)
    streets = places.of(places.house, places.street)
    yield FAMILY_ADDRESS, joined(lasts, streets)
    yield GIVEN_POSTCODE, joined(dense(spoken), postcodes)
    letters = hash_texts(text[:1] for text in sounds), hash_texts(text[:1] for text in spokens)
    yield LETTER_STREET, joined(listed(family, letters[0], most=2), streets)
    yield LETTER_STREET, joined(dense(first(given, letters[1])), streets)
    yield BIRTH_POSTCODE, postcodes.by(born)
    yield BIRTH_CITY, cities.by(born)
    yield ADDRESS, places.of(places.house, places.street, places.postcode)
    roots = first(given, hash_texts(sound(nickname_root(text)) for text in givens))
    yield NAME, dense(first(family, hash_texts(map(sound, families)))).by(roots, either_way)
    initials = listed(family, letters[0], most=2).by(first(given, letters[1]), either_way)
    phone, email, domain = (table.column(name) for name in ("phone", "email", "domain"))
    yield NAME_PHONE, joined(initials, listed(phone, hash_texts(text[-4:] for text in phone.texts.tolist())))
    yield MAILBOX, listed(email, hash_texts(map(_mailbox, email.texts.tolist())))
    owner = np.maximum(first(family, families_by_sound), np.uint64(1))
    yield DOMAIN, listed(domain, hash_texts(domain.texts)).by(owner)


def _spoken(given: str) -> str:
    return skeleton(nickname_root(given)) if len(given) > 1 else given


def _mailbox(email: str) -> str:
    local = email.partition("@")[0]
    return local if len(local) > 5 and not role_mailbox(local) else ""


def _companies(table: Encoded, places: _Places) -> Iterator[tuple[int, Values]]:
    domain, company = table.column("domain"), table.column("company")
    domains, names = domain.texts.tolist(), [text.split() for text in company.texts.tolist()]
    yield DOMAIN, listed(domain, hash_texts(domains))
    yield COMPANY, listed(domain, hash_texts(map(_label, domains)))
    yield COMPANY, listed(company, hash_texts(sound("".join(words))[:14] for words in names))
    words = [[skeleton(word) if len(word) > 3 else word for word in name[:3]] for name in names]
    for one, other in ((0, 1), (0, 2), (1, 2)):
        yield COMPANY_WORDS, listed(company, hash_texts(_pair(parts, one, other) for parts in words))
    leading, second = (listed(company, hash_texts(_nth(parts, place) for parts in words)) for place in (0, 1))
    cities = places.of(places.city)
    yield COMPANY_CITY, joined(leading, cities)
    yield COMPANY_CITY, joined(second, cities)
    yield COMPANY_POSTCODE, joined(leading, places.of(places.postcode))
    somewhere = places.postcode_or_city()
    yield ACRONYM, joined(listed(company, hash_texts(map(_acronym, names))), places.of(somewhere))
    yield HOUSE_STREET, places.of(places.house, places.street)
    yield ADDRESS, places.of(places.house, places.street, somewhere)


def _label(domain: str) -> str:
    return "" if free_provider(domain) else sound(domain.partition(".")[0].replace("-", ""))[:14]


def _nth(parts: list[str], place: int) -> str:
    return parts[place] if len(parts) > place else ""


def _pair(parts: list[str], one: int, other: int) -> str:
    return "|".join(sorted((parts[one], parts[other]))) if len(parts) > other else ""


def _acronym(words: list[str]) -> str:
    """The first letters of several words, or the letters of one short word, in the order of the alphabet; one alone is none."""
    letters = [word[0] for word in words] if len(words) > 1 else words[0] if words and len(words[0]) < 6 else ""
    return "".join(sorted(letters)) if len(letters) > 1 else ""
