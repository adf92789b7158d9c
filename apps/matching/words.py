"""Texts taken apart into words, and put together again otherwise: all at once."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from apps.matching.comparisons_columns import NONE, Bools, Column, Ints, Longs, as_texts, coded
from apps.matching.letters import Texts, as_array

_FEW = 64  # texts; below that the calls for whole arrays cost more than the work


def words_of(names: Sequence[Sequence[str]]) -> Column:
    """Names that are taken apart already: the words of each."""
    size = np.fromiter(map(len, names), np.int64, len(names))
    numbers: dict[str, int] = {}
    codes = [numbers.setdefault(word, len(numbers)) for words in names for word in words]
    return Column(np.array(codes, np.int32), np.cumsum(size) - size, size, as_texts(numbers))


def split_words(texts: Sequence[str]) -> Column:
    """The words of each text."""
    if len(texts) <= _FEW:
        return words_of([text.split() for text in texts])
    lists = pc.utf8_split_whitespace(as_array(texts))
    codes, words = coded(lists.flatten())
    size = np.diff(lists.offsets.to_numpy()).astype(np.int64)
    if (codes == NONE).any():  # between two blanks, and in a text of none
        size = np.bincount(np.repeat(np.arange(len(size)), size)[codes != NONE], minlength=len(size))
        codes = codes[codes != NONE]
    return Column(codes, np.cumsum(size) - size, size, words)


def in_order(words: Column) -> Column:
    """The same words, those of each text in the order of the alphabet."""
    by_rank = pc.sort_indices(as_array(words.texts)).to_numpy().astype(np.int64)
    rank = np.empty(len(by_rank), np.int64)
    rank[by_rank] = np.arange(len(by_rank))
    row, _, codes = words.spread()
    ordered = np.sort(row << 32 | rank[codes])
    return _of(by_rank[ordered & 0xFFFFFFFF].astype(np.int32), words.size, words)


def only(words: Column, wanted: Bools) -> Column:
    """The words for which `wanted`, a flag for each distinct word, is set."""
    row, _, codes = words.spread()
    kept = wanted[codes]
    return _of(codes[kept], np.bincount(row[kept], minlength=len(words.size)), words)


def _of(codes: Ints, size: Longs, words: Column) -> Column:
    return Column(codes, np.cumsum(size) - size, size, words.texts)


def put_together(words: Column, texts: Texts, between: str = "") -> pa.StringArray:
    """One text of each text's words; `texts`: what is written for each distinct word."""
    _, _, codes = words.spread()
    ends = np.concatenate([[0], np.cumsum(words.size)]).astype(np.int32)
    written = as_array(texts).take(pa.array(codes))
    return pc.binary_join(pa.ListArray.from_arrays(pa.array(ends), written), between)
