"""Edit distances of many pairs of texts, when only near ones matter: most pairs are told apart by their letters alone."""

from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt

from apps.matching.comparisons_columns import Ints, Longs, Texts, distinct, edits, lengths
from apps.matching.encoded import Encoded
from apps.matching.letters import as_array, letters_of

_BIT: Final = np.uint32(1) << (np.arange(256, dtype=np.uint32) & np.uint32(31))
_FEW: Final = 2_000
"""Of fewer pairs, or of a quarter as many as there are texts, looking at all texts' letters costs more than it saves."""


class Outlines:
    """The length of each distinct text, and which letters it is made of."""

    def __init__(self, texts: Texts) -> None:
        self.texts = texts

    @cached_property
    def length(self) -> Ints:
        """In letters."""
        return lengths(self.texts)

    @cached_property
    def letters(self) -> npt.NDArray[np.uint32]:
        """A bit for each letter that occurs (several letters share one)."""
        letters = letters_of(as_array(self.texts.tolist()))
        starts, there = np.cumsum(letters.size) - letters.size, np.flatnonzero(letters.size > 0)
        found = np.zeros(len(self.texts), np.uint32)
        if len(there):
            found[there] = np.bitwise_or.reduceat(_BIT[letters.data], starts[there])
            longer = np.flatnonzero(letters.size != self.length)  # where a letter takes several bytes
            found[longer] = [sum({1 << (ord(letter) & 31) for letter in text}) for text in self.texts[longer].tolist()]
        return found

    def may_be_near(self, a: Ints, b: Ints, most: int | Ints) -> Longs:
        """Return the places of pairs that may be `most` edits apart or fewer: one edit changes the length by one, and which letters
        occur by two."""
        if len(a) < max(_FEW, len(self.texts) // 4):
            return np.arange(len(a))
        near = np.abs(self.length[a] - self.length[b]) <= most
        at = np.flatnonzero(near)
        if isinstance(most, np.ndarray):
            most = most[at]
        differ = np.bitwise_count(self.letters[a[at]] ^ self.letters[b[at]])
        return np.asarray(at[differ <= 2 * most])


def outlines(table: Encoded, feature: str) -> Outlines:
    """Return the outlines of a column's texts."""
    return table.once(f"outlines {feature}", lambda: Outlines(table.column(feature).texts))


def within(outlines: Outlines, a: Ints, b: Ints, most: int) -> tuple[Longs, Ints]:
    """Return the places of the pairs of texts that are `most` edits apart or fewer, and how many those are."""
    at = outlines.may_be_near(a, b, most)
    low, high, place = distinct(a[at], b[at])
    distance = edits(outlines.texts, low, high, most)[place]
    near = distance <= most
    return at[near], distance[near]
