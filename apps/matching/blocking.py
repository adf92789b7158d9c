"""Blocking keys: two records are compared when they share one.

Each kind of key says which values must agree. Where one value alone is too frequent (a common name, a switchboard),
kinds that join it with a second value still bring its records together, so an oversized key can be left out for all.
Keys are made column by column: one set of functions for one record, for a batch and for a file.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from apps.matching.blocking_kinds import (
    ACRONYM,
    ADDRESS,
    BIRTH_CITY,
    BIRTH_POSTCODE,
    COMPANY,
    COMPANY_CITY,
    COMPANY_POSTCODE,
    COMPANY_WORDS,
    DIGITS,
    DOMAIN,
    EMAIL,
    FAMILY_ADDRESS,
    FAMILY_POSTCODE,
    FAMILY_YEAR,
    GIVEN_POSTCODE,
    HOUSE_STREET,
    IDENTIFIER,
    INITIAL_CITY,
    LETTER_STREET,
    MAILBOX,
    NAME,
    NAME_BIRTH,
    NAME_CITY,
    NAME_PHONE,
    PHONE,
)
from apps.matching.blocking_values import Rows, Values, dense, first, joined, listed
from apps.matching.comparisons_columns import Bools, Column
from apps.matching.encoded import Encoded
from apps.matching.encoded_parts import before, company_words, identifiers_of, mails_of
from apps.matching.hashing import Words, either_way, hash_letters, hash_texts, mixed, together
from apps.matching.letters import Texts, as_array, beginnings
from apps.matching.names import nickname_root
from apps.matching.sounds import skeletons, sounds
from apps.matching.standardise_addresses import QUARTERS
from apps.matching.standardise_contacts import free_domains
from apps.matching.standardise_text_columns import among
from apps.matching.words import put_together

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
    for some in parts_of_keys(table):
        yield from some()


def parts_of_keys(table: Encoded) -> list[Callable[[], Iterator[tuple[int, Values]]]]:
    """Return what makes the keys, in two parts that may be made side by side: no key of one is a key of the other."""
    organization, places = table.organizations(), _places(table)

    def people_and_contacts() -> Iterator[tuple[int, Values]]:
        yield from _contacts(table, places)
        yield from ((ADDRESS, values) for values in _at_home(places, organization))
        if not organization.all():
            yield from ((kind, values.where(~organization)) for kind, values in _people(table, places))

    def companies() -> Iterator[tuple[int, Values]]:
        if organization.any():
            yield from ((kind, values.where(organization)) for kind, values in _companies(table, places))

    return [people_and_contacts, companies]


def _at_home(places: "_Places", organization: Bools) -> Iterator[Values]:
    """House, street and place; of an organisation the city will do, where the post code is not known."""
    yield places.of(places.house, places.street, places.postcode).where(~organization)
    yield places.of(places.house, places.street, places.postcode_or_city()).where(organization)


def _contacts(table: Encoded, places: "_Places") -> Iterator[tuple[int, Values]]:
    mails, phones, identifiers = (table.column(name) for name in ("email", "phone", "identifier"))
    yield EMAIL, listed(mails, hash_texts(mails.texts))
    yield PHONE, listed(phones, hash_texts(pc.utf8_slice_codeunits(phones.array, -8)))
    numbers = identifiers_of(table)
    schemes = hash_texts(numbers.schemes)
    yield IDENTIFIER, listed(identifiers, together(schemes, hash_texts(numbers.values)))
    digits = listed(identifiers, together(schemes, hash_letters(numbers.values)))
    yield DIGITS, digits.by(_letters_of_names(table))
    yield DIGITS, joined(digits, places.of(places.postcode))


def _letters_of_names(table: Encoded) -> Words:
    """The first letter of each record's family or company name, as it sounds; 1 where it has none."""
    found = np.ones(table.num_rows, np.uint64)
    for name in ("family", "company"):
        column = table.column(name)
        spoken = as_array(beginnings(column.array, 4)).dictionary_encode()
        letters = first(column, hash_texts(beginnings(skeletons(spoken.dictionary), 1))[spoken.indices.to_numpy()])
        found = np.where(letters > 0, letters, found)
    return found


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
    for name, spoken in (("house", list), ("street", street_cores), ("postcode", list), ("city", skeletons)):
        column = table.column(f"address_{name}")
        parts.append(np.append(hash_texts(spoken(column.texts.tolist())), np.uint64(0))[column.spread()[2]])
    return _Places(row, *parts)


def street_cores(streets: Sequence[str]) -> Texts:
    """Return the skeleton of the longest word of each street's name: what remains when type or quarter are left out or misspelt."""
    return skeletons([_longest(street.split()) for street in streets])


def _longest(words: list[str]) -> str:
    return max([word for word in words if word not in QUARTERS] or words, key=len, default="")


def _people(table: Encoded, places: _Places) -> Iterator[tuple[int, Values]]:
    given, family, birth = (table.column(name) for name in ("given", "family", "birth"))
    givens, families, births = given.texts.tolist(), family.texts.tolist(), birth.texts.tolist()
    given_roots = [nickname_root(text) for text in givens]
    given_sounds, family_sounds = sounds(given_roots), sounds(families)
    said = skeletons(given_roots, given_sounds)
    alone = np.fromiter((len(text) < 2 for text in givens), np.bool_, len(givens))  # an initial stands for itself
    spoken = first(given, np.where(alone, hash_texts(givens), hash_texts(said)))
    initial = np.maximum(first(given, hash_texts(text[:1] for text in givens)), np.uint64(1))  # none is one, too
    bones = skeletons(families, family_sounds)
    families_by_sound = hash_texts(bones)
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
    letters = hash_texts(beginnings(bones, 1)), hash_texts(beginnings(said, 1))
    initials = listed(family, letters[0], most=2).by(np.maximum(first(given, letters[1]), np.uint64(1)), either_way)
    yield LETTER_STREET, joined(initials, streets)
    yield BIRTH_POSTCODE, postcodes.by(born)
    yield BIRTH_CITY, cities.by(born)
    roots = first(given, hash_texts(given_sounds))
    yield NAME, dense(first(family, hash_texts(family_sounds))).by(roots, either_way)
    phone, email, domain = (table.column(name) for name in ("phone", "email", "domain"))
    yield NAME_PHONE, joined(initials, listed(phone, hash_texts(pc.utf8_slice_codeunits(phone.array, -4))))
    mails = mails_of(table)
    own = (mails.mailbox_length > 5) & ~mails.role
    yield MAILBOX, listed(email, np.where(own, hash_texts(mails.mailboxes), np.uint64(0)))
    owner = np.maximum(first(family, families_by_sound), np.uint64(1))
    yield DOMAIN, listed(domain, hash_texts(domain.texts)).by(owner).by(initial)


def _companies(table: Encoded, places: _Places) -> Iterator[tuple[int, Values]]:
    domain, company = table.column("domain"), table.column("company")
    yield DOMAIN, listed(domain, hash_texts(domain.array))
    yield COMPANY, listed(domain, hash_texts(_begin_of_sound(_labels(domain.array))))
    words = company_words(table)
    yield COMPANY, listed(company, hash_texts(_begin_of_sound(put_together(words, words.array))))
    short = np.fromiter((len(text) < 4 for text in words.texts.tolist()), np.bool_, len(words.texts))
    spoken = np.where(short, hash_texts(words.texts), hash_texts(skeletons(words.texts)))
    nth = [np.append(spoken, np.uint64(0))[words.nth(place)] for place in range(3)]
    for one, other in ((0, 1), (0, 2), (1, 2)):
        both = np.where((nth[one] > 0) & (nth[other] > 0), either_way(nth[one], nth[other]), np.uint64(0))
        yield COMPANY_WORDS, listed(company, both)
    leading, second = (listed(company, nth[place]) for place in (0, 1))
    cities = places.of(places.city)
    yield COMPANY_CITY, joined(leading, cities)
    yield COMPANY_CITY, joined(second, cities)
    yield COMPANY_POSTCODE, joined(leading, places.of(places.postcode))
    acronyms = listed(company, hash_letters(_acronyms(words)))
    yield ACRONYM, joined(acronyms, places.of(places.postcode_or_city()))
    streets = places.of(places.house, places.street)
    yield HOUSE_STREET, joined(leading, streets)
    yield HOUSE_STREET, joined(second, streets)


def _begin_of_sound(words: Texts) -> Texts:
    return beginnings(sounds(words), 14)


def _labels(domains: pa.StringArray) -> pa.StringArray:
    """What companies' domains are called; '' for those of mail providers."""
    called = pc.replace_substring(before(domains, "."), "-", "")
    return pc.if_else(pa.array(among(domains, free_domains())), "", called)


def _acronyms(words: Column) -> pa.StringArray:
    """Of each name the first letters of several words, or the letters of one short word; one alone is none."""
    whole, letters = put_together(words, words.array), put_together(words, beginnings(words.array, 1))
    whole = pc.if_else(pc.less(pc.utf8_length(whole), 6), whole, "")
    found = pc.if_else(pa.array(words.size > 1), letters, whole)
    return pc.if_else(pc.greater(pc.utf8_length(found), 1), found, "")
