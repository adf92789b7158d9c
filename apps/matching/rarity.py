"""Term frequency: agreeing on Smith says less than agreeing on a rare name.

For a value whose share f is known, u of the level "same" is replaced by f, so the weight changes by log2(u / f) bits.
Shares of a country are written "gr|georgios"; those of names that are not listed stand under "" ("gr|").
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from apps.matching.comparison_levels import COMPARISONS, level_number
from apps.matching.comparisons_columns import NONE, Ints, Levels, Longs, Texts
from apps.matching.encoded import Encoded
from apps.matching.parameters import PARTS, Model

FEATURE: Final[Mapping[str, str]] = {"given_name": "given", "family_name": "family", "company_name": "company"}
_RAREST: Final = 1e-5  # a name seen once in a large hub is not taken for rarer than this
Doubles = npt.NDArray[np.float64]


def rarity_bits(
    table: Encoded, pair: tuple[Longs, Longs], levels: Levels, part: npt.NDArray[np.int64], model: Model
) -> dict[str, Doubles]:
    """Return, per comparison with frequencies, the bits each pair's agreement gains or loses; 0 without agreement."""
    left, right = pair
    found = {}
    for comparison, frequencies in model.frequencies.items():
        same = np.flatnonzero(levels[:, COMPARISONS.index(comparison)] == level_number(comparison, "same"))
        if not frequencies or not len(same):
            continue
        share = _shares(table, comparison, left[same], right[same], frequencies)
        usual = np.array([model.parts[name].levels[comparison].get("same", (1.0, 1.0, 1.0))[1] for name in PARTS])
        bits = np.zeros(len(levels))
        bits[same] = np.where(share > 0, np.log2(usual[part[same]] / np.maximum(share, _RAREST)), 0.0)
        found[comparison] = bits
    return found


def _shares(table: Encoded, comparison: str, left: Longs, right: Longs, frequencies: Mapping[str, float]) -> Doubles:
    """Return how frequent the first name is that both records bear: in the country of both, where it is known for that country.

    Where given and family name are crossed nobody knows which is which: of what each record calls so the last in the
    alphabet is taken, whichever side it stands on."""
    names, countries = table.column(FEATURE[comparison]), home(table)
    texts, first = np.append(names.texts, ""), names.nth(0)  # NONE picks the last
    one, other = first[left], first[right]
    swap = np.asarray(texts[one] > texts[other], np.bool_)
    name = np.where(swap, one, other).astype(np.int64) % len(texts)
    country = np.where(countries.codes[left] == countries.codes[right], countries.codes[left], NONE).astype(np.int64)
    distinct, place = np.unique((country + 1 << 32) | name, return_inverse=True)
    known = {key.partition("|")[0] for key in frequencies if "|" in key}
    shares = []
    for code in distinct.tolist():
        where, what = (code >> 32) - 1, texts[code & 0xFFFFFFFF]
        prefix = f"{countries.texts[where]}|" if where != NONE and countries.texts[where] in known else ""
        shares.append(frequencies.get(prefix + what, frequencies.get(prefix, 0.0)))
    return np.array(shares)[place]


class Home(NamedTuple):
    """The country of each record's first address with one, by code (NONE: not known)."""

    codes: Ints
    texts: Texts


def home(table: Encoded) -> Home:
    """Return the country of each record."""
    column = table.column("address_country")
    return Home(column.nth(0), column.texts)
