"""Columns of codes: every distinct text of a feature gets a number, so pairs are compared by number and each distinct
pair of texts only once."""

from collections.abc import Callable, Iterable
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from rapidfuzz import process
from rapidfuzz.distance import OSA, Jaro, JaroWinkler

from apps.matching.letters import Texts as AnyTexts
from apps.matching.letters import as_array

Ints = npt.NDArray[np.int32]
Longs = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Levels = npt.NDArray[np.int8]
Texts = npt.NDArray[np.object_]
_FEW = 64  # values
_MANY = 50_000  # values: from here all cores are worth waking
_ONE_SIDED = frozenset(
    {Jaro.similarity, JaroWinkler.similarity}
)  # scorers that may find something else the other way round
NONE = -1  # code of an empty value


class _Column(NamedTuple):
    codes: Ints
    start: Longs
    size: Longs
    texts: Texts


class Column(_Column):
    """A feature of many records: all values' codes in a row, where each record's begin, how many, the texts."""

    @cached_property
    def array(self) -> pa.StringArray:
        """The texts as one array of Arrow."""
        return as_array(self.texts.tolist())

    @cached_property
    def _nth(self) -> dict[int, Ints]:
        return {}

    def single(self) -> Ints:
        """Return the first value's code of each record, NONE where there is none."""
        return self.nth(0)

    def nth(self, place: int) -> Ints:
        """Return the code of each record's value number `place`, NONE where there is none. It is kept: do not write to it."""
        if place not in self._nth:
            result = np.full(len(self.start), NONE, np.int32)
            there = self.size > place
            result[there] = self.codes[self.start[there] + place]
            self._nth[place] = result
        return self._nth[place]

    def spread(self) -> tuple[Longs, Longs, Ints]:
        """Return every value's record, place in that record and code, by record."""
        row = np.repeat(np.arange(len(self.size)), self.size)
        within = np.arange(len(row)) - np.repeat(np.cumsum(self.size) - self.size, self.size)
        return row, within, self.codes[self.start[row] + within]

    def mapped(self, function: Callable[[pa.StringArray], pa.StringArray]) -> Ints:
        """Return codes like `codes`, of other texts made of the distinct texts."""
        codes = encode(function(self.array))
        return np.where(self.codes == NONE, NONE, codes[self.codes] if len(codes) else NONE).astype(np.int32)


class Crossed(NamedTuple):
    """All pairs of values of candidate pairs: number of the pair (ascending), places of both values in the column."""

    pair: Longs
    left: Longs
    right: Longs


def encode(values: AnyTexts) -> Ints:
    """Return a number for each distinct value; '' gets NONE."""
    return coded(as_array(values))[0]


def coded(flat: pa.Array) -> tuple[Ints, Texts]:
    """Return codes and distinct texts of an array of texts; '' gets NONE."""
    if len(flat) <= _FEW:
        return coded_few(flat.to_pylist())
    encoded = flat.dictionary_encode()
    codes = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int32)
    empty = pc.index(encoded.dictionary, pa.scalar("")).as_py()
    if empty >= 0:
        codes[codes == empty] = NONE
    return codes, encoded.dictionary.to_numpy(zero_copy_only=False)


def coded_few(texts: list[str]) -> tuple[Ints, Texts]:
    """The same for a handful, where Arrow's calls cost more than the work."""
    numbers: dict[str, int] = {}
    codes = [numbers.setdefault(text, len(numbers)) for text in texts]
    empty = numbers.get("", NONE)
    result = np.array([NONE if code == empty else code for code in codes], np.int32)
    return result, as_texts(numbers)


def as_texts(values: Iterable[str]) -> Texts:
    """Return texts as an object array."""
    found = list(values)
    result = np.empty(len(found), np.object_)
    result[:] = found
    return result


def column(values: "pa.ChunkedArray | Column") -> Column:
    """Encode one column of the feature table; a column that is encoded already is returned as it is."""
    if isinstance(values, Column):
        return values
    array = values.combine_chunks()
    if pa.types.is_list(array.type):
        flat, ends = array.flatten(), array.offsets.to_numpy().astype(np.int64)
        ends = ends - (ends[0] if len(ends) else 0)
    else:
        flat, ends = array, np.arange(len(array) + 1, dtype=np.int64)
    codes, texts = coded(flat)
    start, count = ends[:-1], np.diff(ends)
    if not pa.types.is_list(array.type):
        count = (codes != NONE).astype(np.int64)
    return Column(codes, start, count, texts)


def cross(values: Column, left: Longs, right: Longs) -> Crossed:
    """Return every value of the left record against every value of the right, for each candidate pair."""
    right_count = values.size[right]
    size = values.size[left] * right_count
    pair = np.repeat(np.arange(len(left)), size)
    within = np.arange(len(pair)) - np.repeat(np.cumsum(size) - size, size)
    width = right_count[pair]
    return Crossed(
        pair,
        values.start[left[pair]] + within // np.maximum(width, 1),
        values.start[right[pair]] + within % np.maximum(width, 1),
    )


def best(crossed: Crossed, levels: Levels, pairs: int) -> Levels:
    """Return each candidate pair's best (lowest, but for 0) level over its values; 0 where no values were compared."""
    result = np.zeros(pairs, np.int8)
    known = levels > 0
    pair, found = crossed.pair[known], levels[known]
    if len(pair):
        first = np.flatnonzero(np.r_[True, pair[1:] != pair[:-1]])
        result[pair[first]] = np.minimum.reduceat(found, first)
    return result


def distinct(left: Ints, right: Ints) -> tuple[Ints, Ints, Longs]:
    """Return distinct unordered pairs of codes and, for each input pair, the place of its distinct pair."""
    low, high = np.minimum(left, right).astype(np.int64), np.maximum(left, right).astype(np.int64)
    keys, place = numbered((low << 32) | high)
    return (keys >> 32).astype(np.int32), (keys & 0xFFFFFFFF).astype(np.int32), place


def numbered(values: Longs) -> tuple[Longs, Longs]:
    """Return distinct values and, for each value, the place of its own among them; many in the order in which they are met."""
    if len(values) < _MANY:
        keys, place = np.unique(values, return_inverse=True)
        return keys, place
    found = pa.array(values).dictionary_encode()
    return found.dictionary.to_numpy(), found.indices.to_numpy().astype(np.int64)


def edits(texts: Texts, left: Ints, right: Ints, most: int) -> Ints:
    """Return optimal string alignment distances of pairs of texts; above `most` it is `most` + 1."""
    if not len(left):
        return np.zeros(0, np.int32)
    found = process.cpdist(
        texts[left].tolist(), texts[right].tolist(), scorer=OSA.distance, score_cutoff=most, dtype=np.int32,
        workers=_workers(len(left)),
    )  # fmt: skip
    return np.asarray(found, np.int32)


def similar(texts: Texts, left: Ints, right: Ints, scorer: Any, cutoff: float = 0.0) -> npt.NDArray[np.float32]:
    """Return a rapidfuzz scorer's value for pairs of texts. Where its sides matter, each pair is in the order of the alphabet."""
    if not len(left):
        return np.zeros(0, np.float32)
    one, other = texts[left], texts[right]
    if scorer in _ONE_SIDED:
        swap = np.asarray(one > other, np.bool_)
        one, other = np.where(swap, other, one), np.where(swap, one, other)
    found = process.cpdist(
        one.tolist(), other.tolist(), scorer=scorer, score_cutoff=cutoff, dtype=np.float32, workers=_workers(len(left))
    )
    return np.asarray(found, np.float32)


def _workers(pairs: int) -> int:
    return -1 if pairs >= _MANY else 1


def lengths(texts: Texts) -> Ints:
    """Return the length of each text."""
    return np.fromiter(map(len, texts.tolist()), np.int32, len(texts))
