"""Term frequency: agreeing on Smith says less than agreeing on a rare name.

For a value whose share f is known, u of the level "same" is replaced by f, so the weight changes by log2(u / f) bits.
Shares of a country are written "gr|georgios"; those of names that are not listed stand under "" ("gr|").
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from apps.matching.comparison_levels import COMPARISONS, level_number
from apps.matching.comparisons_columns import NONE, Column, Ints, Levels, Longs, Texts, numbered
from apps.matching.encoded import Encoded
from apps.matching.encoded_parts import company_words
from apps.matching.parameters import PARTS, Model

FEATURE: Final[Mapping[str, str]] = {"given_name": "given", "family_name": "family", "company_name": "company"}
_RAREST: Final = 1e-8  # no name is taken for rarer than this
_CROSSED: Final[Mapping[str, tuple[str, ...]]] = {"given_name": ("family_name",), "family_name": ("given_name",)}
Doubles = npt.NDArray[np.float64]


def rarity_bits(
    table: Encoded, pair: tuple[Longs, Longs], levels: Levels, part: npt.NDArray[np.int64], model: Model
) -> dict[str, Doubles]:
    """Return, per comparison with frequencies, the bits each pair's agreement gains or loses; 0 without agreement."""
    left, right = pair
    found = {}
    if "country" in model.frequencies:
        found["country"] = _country_bits(table, left, right, model.frequencies["country"])
    for comparison in FEATURE.keys() & model.frequencies.keys():
        same = np.flatnonzero(levels[:, COMPARISONS.index(comparison)] == level_number(comparison, "same"))
        if not model.frequencies[comparison] or not len(same):
            continue
        named = names_of_pairs(table, comparison, left[same], right[same])
        share = shares_of(table, named, model.frequencies, comparison)[0]
        for other in _CROSSED.get(comparison, ()):  # a name that stands in the wrong column is no rare one
            crossed = shares_of(table, named, model.frequencies, other)[0]
            share = np.where(share > 0, np.maximum(share, crossed), share)
        usual = np.array([model.parts[name].levels[comparison].get("same", (1.0, 1.0, 1.0))[1] for name in PARTS])
        bits = np.zeros(len(levels))
        bits[same] = np.where(share > 0, np.log2(usual[part[same]] / np.maximum(share, _RAREST)), 0.0)
        found[comparison] = bits
    return found


class Named(NamedTuple):
    """Names by code of their column, and for each the country it is borne in (NONE: not known, or two)."""

    column: Column
    name: Longs
    country: Longs


def names_of_pairs(table: Encoded, comparison: str, left: Longs, right: Longs) -> Named:
    """Return the first name that both records of each pair bear.

    Where given and family name are crossed nobody knows which is which: of what each record calls so the last in the
    alphabet is taken, whichever side it stands on."""
    names, countries = table.column(FEATURE[comparison]), home(table)
    texts, first = np.append(names.texts, ""), names.nth(0)  # NONE picks the last
    one, other = first[left], first[right]
    differ = np.flatnonzero(one != other)
    last = np.asarray(texts[one[differ]] > texts[other[differ]], np.bool_)
    name = one.astype(np.int64)
    name[differ] = np.where(last, other[differ], one[differ])
    country = np.where(countries.codes[left] == countries.codes[right], countries.codes[left], NONE)
    return Named(names, name, country.astype(np.int64))


def shares_of(
    table: Encoded, named: Named, frequencies: Mapping[str, Mapping[str, float]], comparison: str
) -> tuple[Doubles, npt.NDArray[np.bool_]]:
    """Return how frequent each name is: in its country, where names are known for that country; and whether it is so rare that it is
    not listed. A company's name that is not listed is as frequent as its words together, where those are known."""
    listed, words = (frequencies.get(name, {}) for name in (comparison, "company_word"))
    texts, countries = np.append(named.column.texts, ""), home(table).texts
    distinct, place = numbered((named.country + 1 << 32) | (named.name + 1))
    where, what = (distinct >> 32) - 1, (distinct & 0xFFFFFFFF) - 1
    prefixes = np.array([*(f"{text}|" if f"{text}|" in listed else "" for text in countries.tolist()), ""], np.object_)
    homes = prefixes[where]
    found = list(map(listed.get, (homes + texts[what]).tolist()))
    rare = np.array([share is None for share in found], np.bool_)
    usual = {prefix: listed.get(prefix, 0.0) for prefix in set(prefixes.tolist())}
    shares = np.array(
        [usual[prefix] if share is None else share for prefix, share in zip(homes.tolist(), found, strict=True)]
    )
    unlisted = np.flatnonzero(rare & (what != NONE))
    if comparison == "company_name" and words and len(unlisted):
        shares[unlisted] *= _together(company_words(table), what[unlisted], where[unlisted], prefixes, words)
    return shares[place], rare[place]


def _together(spelt: Column, names: Longs, homes: Longs, prefixes: Texts, words: Mapping[str, float]) -> Doubles:
    """Return how much more often each name is met than one that is one rare word: by what its words are met apart from one another."""
    name, _, codes = spelt._replace(start=spelt.start[names], size=spelt.size[names]).spread()
    distinct, place = numbered((homes[name] + 1 << 32) | codes)
    home_of, word = prefixes[(distinct >> 32) - 1], spelt.texts[distinct & 0xFFFFFFFF]
    rarest = np.array([words.get(prefix, 1.0) for prefix in prefixes.tolist()])
    found = map(words.get, (home_of + word).tolist(), rarest[(distinct >> 32) - 1].tolist())
    bits = np.log2(np.fromiter(found, np.float64, len(distinct)))
    return np.asarray(np.exp2(np.bincount(name, bits[place], len(names))) / rarest[homes])


def _country_bits(table: Encoded, left: Longs, right: Longs, shares: Mapping[str, float]) -> Doubles:
    """Return what it says that both are of one country: in a small one there are fewer strangers to be mistaken for."""
    country = home(table)
    known = np.array([shares.get(text, 0.0) for text in country.texts.tolist()] + [0.0])
    usual = np.log2(shares[""] / np.where(known > 0, known, shares[""]))
    return np.where(country.codes[left] == country.codes[right], usual[country.codes[left]], 0.0)


class Home(NamedTuple):
    """The country of each record's first address with one, by code (NONE: not known)."""

    codes: Ints
    texts: Texts


def home(table: Encoded) -> Home:
    """Return the country of each record."""
    column = table.column("address_country")
    return Home(column.nth(0), column.texts)
