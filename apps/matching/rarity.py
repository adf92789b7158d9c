"""Term frequency: agreeing on Smith says less than agreeing on a rare name.

For a value whose share f is known, u of the level "same" is replaced by f, so the weight changes by log2(u / f) bits.
"""

from collections.abc import Mapping
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from apps.matching.comparison_levels import COMPARISONS, level_number
from apps.matching.comparisons_columns import Levels, Longs, Texts, column
from apps.matching.parameters import PARTS, Model

_FEATURE: Final[Mapping[str, str]] = {"given_name": "given", "family_name": "family", "company_name": "company"}
_RAREST: Final = 1e-5  # a name seen once in a large hub is not taken for rarer than this
Doubles = npt.NDArray[np.float64]


def rarity_bits(
    table: pa.Table, pair: tuple[Longs, Longs], levels: Levels, part: npt.NDArray[np.int64], model: Model
) -> dict[str, Doubles]:
    """Return, per comparison with frequencies, the bits each pair's agreement gains or loses; 0 without agreement."""
    left, right = pair
    found = {}
    for comparison, frequencies in model.frequencies.items():
        same = np.flatnonzero(levels[:, COMPARISONS.index(comparison)] == level_number(comparison, "same"))
        if not frequencies or not len(same):
            continue
        values = _agreed(table, comparison, left[same], right[same])
        share = np.array([frequencies.get(value, 0.0) for value in values.tolist()])
        usual = np.array([model.parts[name].levels[comparison].get("same", (1.0, 1.0, 1.0))[1] for name in PARTS])
        bits = np.zeros(len(levels))
        bits[same] = np.where(share > 0, np.log2(usual[part[same]] / np.maximum(share, _RAREST)), 0.0)
        found[comparison] = bits
    return found


def _agreed(table: pa.Table, comparison: str, left: Longs, right: Longs) -> Texts:
    """Return the first name both records bear.

    Where given and family name are crossed nobody knows which is which: of what each record calls so the last in the
    alphabet is taken, whichever side it stands on.
    """
    names = column(table.column(_FEATURE[comparison]))
    texts = np.append(names.texts, "")  # NONE picks the last
    first = names.nth(0)
    one, other = texts[first[left]], texts[first[right]]
    return np.where(np.asarray(one > other, np.bool_), one, other)
