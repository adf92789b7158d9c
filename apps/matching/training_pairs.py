"""What training looks at, of people and of companies: candidate pairs, pairs drawn at random, pairs with a verdict."""

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
    """Pairs drawn at random: of how many there are, and how many pairs of different countries there are for each of those."""

    compared: Compared
    pairs: float
    abroad: float


class Seen(NamedTuple):
    """Of one part (0 people, 1 companies): the records, the candidate pairs, strangers, and pairs by their verdict."""

    table: Encoded
    place: int
    records: int
    candidates: Compared
    drawn: Drawn
    verdicts: dict[bool, Compared]


def seen(table: Encoded, candidates: Compared, labels: Labels, seed: int, beside: Beside) -> list[Seen]:
    """Return what each part is learned from; all that is not compared yet is compared at once. Labels that are held out are left out."""
    organization = table.organizations()
    records = [np.flatnonzero(organization == (place == 1)) for place in range(len(PARTS))]
    drawn = [_draw(table, own, np.random.default_rng((seed, place))) for place, own in enumerate(records)]
    labels = labels.where(~labels.held_out)
    low, high = (
        np.concatenate([*(pairs[side] for pairs, *_ in drawn), told])
        for side, told in enumerate((labels.low, labels.high))
    )
    compared = Compared(low, high, compare(table, low, high, beside))
    group = np.repeat(np.arange(len(PARTS) + 1), [*(len(pairs[0]) for pairs, *_ in drawn), len(labels.low)])
    told = compared.where(group == len(PARTS))
    return [
        Seen(
            table, place, len(own), candidates.where(_inside(organization, candidates, place)),
            Drawn(compared.where(group == place), pairs, abroad),
            {same: told.where((labels.same == same) & _inside(organization, told, place)) for same in (True, False)},
        )
        for place, (own, (_, pairs, abroad)) in enumerate(zip(records, drawn, strict=True))
    ]  # fmt: skip


def _inside(organization: npt.NDArray[np.bool_], pairs: Compared, place: int) -> npt.NDArray[np.bool_]:
    wanted = organization == (place == 1)
    return np.asarray(wanted[pairs.low] & wanted[pairs.high])


def _draw(table: Encoded, records: Longs, rng: np.random.Generator) -> tuple[tuple[Longs, Longs], float, float]:
    """Draw pairs within each country: names and places of one country agree by chance more often, and nearly all pairs that
    anybody asks about are of one country. A record whose country is not known is paired with any."""
    if len(records) < 2:
        return (np.zeros(0, np.int64), np.zeros(0, np.int64)), 1.0, 0.0
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
    found = np.minimum(one, other)[apart], np.maximum(one, other)[apart]
    return found, pairs, max(0.0, every - pairs) / pairs
