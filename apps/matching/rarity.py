"""Term frequency: agreeing on Smith says less than agreeing on a rare name.

For a value whose share f is known, u of the level "same" is replaced by f, so the weight changes by log2(u / f) bits.
Shares of a country are written "gr|georgios"; those of names that are not listed stand under "" ("gr|").
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from apps.matching.comparison_levels import COMPARISONS, level_number
from apps.matching.comparisons_columns import NONE, Ints, Levels, Longs, Texts, numbered
from apps.matching.encoded import Encoded
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
        frequencies = model.frequencies[comparison]
        same = np.flatnonzero(levels[:, COMPARISONS.index(comparison)] == level_number(comparison, "same"))
        if not frequencies or not len(same):
            continue
        share, _ = shares_of(table, comparison, left[same], right[same], frequencies)
        for other in _CROSSED.get(comparison, ()):  # a name that stands in the wrong column is no rare one
            crossed, _ = shares_of(table, comparison, left[same], right[same], model.frequencies.get(other, {}))
            share = np.where(share > 0, np.maximum(share, crossed), share)
        usual = np.array([model.parts[name].levels[comparison].get("same", (1.0, 1.0, 1.0))[1] for name in PARTS])
        bits = np.zeros(len(levels))
        bits[same] = np.where(share > 0, np.log2(usual[part[same]] / np.maximum(share, _RAREST)), 0.0)
        found[comparison] = bits
    return found


def shares_of(
    table: Encoded, comparison: str, left: Longs, right: Longs, frequencies: Mapping[str, float]
) -> tuple[Doubles, npt.NDArray[np.bool_]]:
    """Return how frequent the first name is that both records bear: in the country of both, where it is known for that country; and
    whether it is so rare that it is not listed.

    Where given and family name are crossed nobody knows which is which: of what each record calls so the last in the
    alphabet is taken, whichever side it stands on."""
    names, countries = table.column(FEATURE[comparison]), home(table)
    texts, first = np.append(names.texts, ""), names.nth(0)  # NONE picks the last
    one, other = first[left], first[right]
    differ = np.flatnonzero(one != other)
    last = np.asarray(texts[one[differ]] > texts[other[differ]], np.bool_)
    name = one.astype(np.int64)
    name[differ] = np.where(last, other[differ], one[differ])
    name %= len(texts)
    country = np.where(countries.codes[left] == countries.codes[right], countries.codes[left], NONE).astype(np.int64)
    distinct, place = numbered((country + 1 << 32) | name)
    known = {key.partition("|")[0] for key in frequencies if "|" in key}
    shares, rare = [], []
    for code in distinct.tolist():
        where, what = (code >> 32) - 1, texts[code & 0xFFFFFFFF]
        prefix = f"{countries.texts[where]}|" if where != NONE and countries.texts[where] in known else ""
        rare.append(prefix + what not in frequencies)
        shares.append(frequencies.get(prefix + what, frequencies.get(prefix, 0.0)))
    return np.array(shares)[place], np.array(rare, np.bool_)[place]


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
