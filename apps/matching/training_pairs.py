"""What training looks at, of people and of companies: candidate pairs, pairs drawn at random, pairs with a verdict."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from apps.matching.comparisons import compare
from apps.matching.comparisons_columns import NONE, Levels, Longs
from apps.matching.encoded import Encoded
from apps.matching.labels import Labels
from apps.matching.parameters import PARTS
from apps.matching.rarity import home
from apps.matching.side_by_side import Beside

DRAWN: Final = 100_000
"""Random pairs of people, and as many of companies."""


class Compared(NamedTuple):
    """Pairs of rows and what they were compared to."""

    low: Longs
    high: Longs
    levels: Levels

    def where(self, chosen: npt.NDArray[np.bool_]) -> "Compared":
        return Compared(self.low[chosen], self.high[chosen], self.levels[chosen])


class Drawn(NamedTuple):
    """Pairs drawn at random, of how many records, of how many pairs there are, and how many pairs of different countries there are for
    each of those."""

    low: Longs
    high: Longs
    records: int
    pairs: float
    abroad: float


class Seen(NamedTuple):
    """Of one part (0 people, 1 companies): the candidate pairs, strangers and what they were compared to, and pairs by their verdict."""

    table: Encoded
    place: int
    candidates: Compared
    drawn: Drawn
    strangers: Levels
    verdicts: dict[bool, Compared]


def drawn(table: Encoded, seed: int) -> list[Drawn]:
    """Return strangers of each part."""
    organization = table.organizations()
    return [
        _drawn(table, np.flatnonzero(organization == (place == 1)), np.random.default_rng((seed, place)))
        for place in range(len(PARTS))
    ]


def seen(
    table: Encoded, candidates: Compared, strangers: Sequence[Drawn], labels: Labels, beside: Beside
) -> list[Seen]:
    """Return what each part is learned from; all that is not compared yet is compared at once. Labels that are held out are left out."""
    organization = table.organizations()
    labels = labels.where(~labels.held_out)
    low = np.concatenate([*(pairs.low for pairs in strangers), labels.low])
    high = np.concatenate([*(pairs.high for pairs in strangers), labels.high])
    *ends, _ = np.cumsum([0, *(len(pairs.low) for pairs in strangers), len(labels.low)]).tolist()
    levels = compare(table, low, high, beside)
    told = Compared(labels.low, labels.high, levels[ends[-1] :])
    return [
        Seen(
            table, place, candidates.where(_inside(organization, candidates, place)), pairs, levels[first:end],
            {same: told.where((labels.same == same) & _inside(organization, told, place)) for same in (True, False)},
        )
        for place, (pairs, (first, end)) in enumerate(zip(strangers, pairwise(ends), strict=True))
    ]  # fmt: skip


def _inside(organization: npt.NDArray[np.bool_], pairs: Compared, place: int) -> npt.NDArray[np.bool_]:
    wanted = organization == (place == 1)
    return np.asarray(wanted[pairs.low] & wanted[pairs.high])


def _drawn(table: Encoded, records: Longs, rng: np.random.Generator) -> Drawn:
    """Draw pairs within each country: names and places of one country agree by chance more often, and nearly all pairs that
    anybody asks about are of one country. A record whose country is not known is paired with any."""
    if len(records) < 2:
        return Drawn(records[:0], records[:0], len(records), 1.0, 0.0)
    country = home(table).codes[records]
    order = np.argsort(country, kind="stable")
    start = np.searchsorted(country[order], country)
    size = np.searchsorted(country[order], country, "right") - start
    size, start = np.where(country == NONE, len(records), size), np.where(country == NONE, 0, start)
    chosen = rng.choice(len(records), DRAWN, p=size / size.sum())
    other = order[start[chosen] + rng.integers(0, size[chosen])]
    one, other = records[chosen], records[other]
    apart = one != other
    pairs, every = max(1.0, float((size - 1).sum()) / 2), len(records) * (len(records) - 1) / 2
    low, high = np.minimum(one, other)[apart], np.maximum(one, other)[apart]
    return Drawn(low, high, len(records), pairs, max(0.0, every - pairs) / pairs)
