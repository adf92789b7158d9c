"""From levels to weight: Fellegi–Sunter with a third class, "related but different".

For each comparison level, m is the share of true pairs that show it, u of random pairs, r of pairs that are related but
not the same (a household, sister companies, colleagues). A pair's weight is, in bits,
    prior + Σ log2(m/u) − log2(1 + related · Π (r/u)),
that is the log odds of "the same" against both other classes (Fellegi and Sunter 1969; a latent class more).
A missing comparison adds nothing.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from apps.matching.comparison_levels import COMPARISONS, MOST_LEVELS, level_number
from apps.matching.comparisons import Flags, flags_of
from apps.matching.comparisons_columns import Levels
from apps.matching.parameters import PARTS, Model

Floats = npt.NDArray[np.float32]
_KIND = COMPARISONS.index("kind")
_COMPANY = COMPARISONS.index("company_name")


class Scores(NamedTuple):
    """Per pair: weight in bits with prior, probability, level per comparison, flags (VETO, FORCED)."""

    weight: Floats
    probability: Floats
    levels: Levels
    flags: Flags


def part_of(levels: Levels, organization: npt.NDArray[np.bool_]) -> npt.NDArray[np.int8]:
    """Return which table of parameters judges each pair: 0 persons, 1 organisations (also where one is a person)."""
    del levels
    return organization.astype(np.int8)


def weigh(levels: Levels, organization: npt.NDArray[np.bool_], model: Model) -> Scores:
    """Return the scores of compared pairs; `organization` tells which pairs hold an organisation."""
    part = organization.astype(np.int64)
    bits, related = model.bits, model.related_bits
    columns = np.arange(len(COMPARISONS))
    places = part[:, None], columns[None, :], levels.astype(np.int64)
    support = bits[places].sum(axis=1)
    kinship = related[places].sum(axis=1) + model.related_prior[part]
    weight = model.prior[part] + support - np.logaddexp2(0.0, kinship)
    weight = weight.astype(np.float32)
    probability = (1.0 / (1.0 + np.exp2(-np.clip(weight, -60, 60)))).astype(np.float32)
    return Scores(weight, probability, levels, flags_of(levels))


__all__ = ["MOST_LEVELS", "PARTS", "Floats", "Scores", "level_number", "weigh"]
