"""From levels to weight: Fellegi–Sunter with further classes, "related but different".

For each comparison level, m is the share of true pairs that show it, u of random pairs, r of pairs that are related but
not the same: one r for each class (a household, an office, companies of one site or group). A pair's weight in bits:
    prior + Σ log2(m/u) − log2(1 + Σ over classes (odds of the class · Π (r/u))),
that is the log odds of "the same" against all others (Fellegi and Sunter 1969; latent classes more). A missing
comparison adds nothing.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from apps.matching.comparison_levels import COMPARISONS
from apps.matching.comparisons import Flags, compare, flags_of
from apps.matching.comparisons_columns import Levels, Longs, numbered
from apps.matching.encoded import Encoded
from apps.matching.parameters import Model
from apps.matching.rarity import Doubles, rarity_bits

Floats = npt.NDArray[np.float32]
_COLUMNS = np.arange(len(COMPARISONS))


class Scores(NamedTuple):
    """Per pair: weight in bits with prior, probability, level per comparison, flags (VETO, FORCED)."""

    weight: Floats
    probability: Floats
    levels: Levels
    flags: Flags

    def where(self, chosen: Longs) -> "Scores":
        """Return the scores of some pairs, by place."""
        return Scores(self.weight[chosen], self.probability[chosen], self.levels[chosen], self.flags[chosen])


def score_rows(table: Encoded, left: Longs, right: Longs, model: Model) -> Scores:
    """Compare and weigh pairs of rows of one feature table."""
    return weigh_rows(table, left, right, compare(table, left, right), model)


def weigh_rows(table: Encoded, left: Longs, right: Longs, levels: Levels, model: Model) -> Scores:
    """Weigh pairs of rows that were compared. Pairs with an organisation are judged as organisations."""
    organization = table.organizations()
    part = (organization[left] | organization[right]).astype(np.int64)
    rarity = rarity_bits(table, (left, right), levels, part, model)
    return weigh(levels, part, sum(rarity.values(), np.zeros(len(left))), model)


def weigh(levels: Levels, part: npt.NDArray[np.int64], rarity: Doubles, model: Model) -> Scores:
    """Return the scores of compared pairs; part: 0 persons, 1 organisations; rarity: bits of term frequency.

    Pairs that show the same levels are summed up once: there are far fewer ways to agree than pairs."""
    patterns, own = numbered(packed(levels, part))
    shown, of_part = unpacked(patterns, levels.shape[1])
    places = of_part[:, None], _COLUMNS[None, :], shown
    support = model.prior[of_part] + model.bits[places].sum(axis=1)
    related = model.related_prior[of_part].copy()
    for place in range(related.shape[1]):
        related[:, place] += model.related_bits[of_part[:, None], place, _COLUMNS[None, :], shown].sum(axis=1)
    kinship = np.logaddexp2.reduce(related, axis=1)
    weight = (support[own] + rarity - np.logaddexp2(0.0, kinship[own] + rarity)).astype(np.float32)
    probability = (1.0 / (1.0 + np.exp2(-np.clip(weight, -60, 60)))).astype(np.float32)
    standing, outweighed = (flags_of(shown.astype(np.int8), lifted=lifted) for lifted in (False, True))
    flags = np.where(weight >= model.thresholds.outweigh, outweighed[own], standing[own])
    return Scores(weight, probability, levels, flags)


def packed(levels: Levels, head: npt.NDArray[np.int64]) -> Longs:
    """Return one number for the levels of each pair, and for what stands before them (0 or more, 15 bits)."""
    code = head.astype(np.int64)
    for place in range(levels.shape[1]):
        code = (code << 4) | levels[:, place]
    return code


def unpacked(codes: Longs, comparisons: int) -> tuple[Longs, Longs]:
    """Return levels and head of such numbers."""
    shifts = 4 * np.arange(comparisons - 1, -1, -1)
    return (codes[:, None] >> shifts) & 15, codes >> (4 * comparisons)
