"""Stable 64-bit numbers of texts and of combinations of them: the same on every machine, in every version and batch size."""

from collections.abc import Iterable
from functools import lru_cache
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from apps.matching.letters import Texts, as_array, as_list, letters_of

Words = npt.NDArray[np.uint64]
Rows = npt.NDArray[np.int64]
_BASE: Final = 0x9E3779B97F4A7C15  # odd, so that no byte is lost modulo 2**64
_LONGEST: Final = 1024  # bytes; longer texts are cut


_INVERSE: Final = pow(_BASE, -1, 2**64)
_PIECE: Final = 1 << 18  # bytes whose powers are kept


@lru_cache(maxsize=8)
def _all_powers(base: int, size: int) -> Words:
    powers = np.full(size, base, np.uint64)
    powers[0] = 1
    return np.multiply.accumulate(powers)


def _powers(base: int, size: int) -> Words:
    """The first `size` powers of `base` modulo 2**64."""
    return _all_powers(base, 1 << max(12, (size - 1).bit_length()))[:size]


_POWERS_AS_INTS: Final = tuple(_powers(_BASE, _LONGEST).tolist())
_ALL: Final = 0xFFFFFFFFFFFFFFFF
_FEW: Final = 100  # texts; below that the calls for whole arrays cost more than the work


def mixed(values: Words) -> Words:
    """Spread the bits of numbers (the finaliser of SplitMix64, Steele et al. 2014)."""
    x = values ^ (values >> np.uint64(30))
    x = x * np.uint64(0xBF58476D1CE4E5B9)
    x ^= x >> np.uint64(27)
    x *= np.uint64(0x94D049BB133111EB)
    x ^= x >> np.uint64(31)
    return x


_LETTERS: Final = mixed(np.arange(1, 257, dtype=np.uint64))


def hash_texts(texts: Iterable[str] | pa.StringArray) -> Words:
    """Return a number for each text: a polynomial over its UTF-8 bytes, mixed; '' gives 0."""
    listed = texts if isinstance(texts, list | pa.Array) else list(texts)
    size = len(listed)
    if size <= _FEW:
        return np.array([_hash_text(text) for text in as_list(listed)], np.uint64)
    data, lengths = letters_of(as_array(listed))
    ends = np.cumsum(lengths)
    cuts = np.r_[0, np.searchsorted(ends, np.arange(_PIECE, len(data), _PIECE)), size]
    pieces = [_hash_piece(data, ends - lengths, lengths, slice(*cut)) for cut in pairwise(np.unique(cuts).tolist())]
    return np.concatenate(pieces)


def _hash_piece(data: npt.NDArray[np.uint8], starts: Rows, lengths: Rows, piece: slice) -> Words:
    """Numbers of some texts that follow one another. Each is first weighed with the powers of its place in the piece, then brought
    back to those of its place in the text: the base has an inverse."""
    starts, lengths = starts[piece], lengths[piece]
    total = np.zeros(len(lengths), np.uint64)
    there = np.flatnonzero(lengths > 0)
    if not len(there):
        return total
    begin, longest = starts[0], int(lengths.max())
    ahead = starts[there] - begin
    letters = data[begin : starts[-1] + lengths[-1]].astype(np.uint64) + np.uint64(1)
    if longest > _LONGEST:
        place = np.arange(len(letters)) - np.repeat(starts - begin, lengths)
        letters[place >= _LONGEST] = 0
    weighed = np.add.reduceat(letters * _powers(_BASE, len(letters)), ahead)
    total[there] = weighed * _powers(_INVERSE, len(letters))[ahead]
    total[there] = mixed(total[there] + lengths[there].astype(np.uint64)) | np.uint64(1)
    return total


def hash_letters(texts: Texts) -> Words:
    """Return a number for each text that is the same in whatever order its bytes stand; '' gives 0."""
    data, lengths = letters_of(as_array(texts))
    starts, there = np.cumsum(lengths) - lengths, np.flatnonzero(lengths > 0)
    total = np.zeros(len(texts), np.uint64)
    if len(there):
        total[there] = mixed(np.add.reduceat(_LETTERS[data], starts[there])) | np.uint64(1)
    return total


@lru_cache(maxsize=100_000)
def _hash_text(text: str) -> int:
    """The same number, for texts that come a few at a time."""
    data = text.encode()
    total: int = sum((byte + 1) * power for byte, power in zip(data[:_LONGEST], _POWERS_AS_INTS, strict=False))
    if not data:
        return 0
    x = (total + len(data)) & _ALL
    x ^= x >> 30
    x = x * 0xBF58476D1CE4E5B9 & _ALL
    x ^= x >> 27
    x = x * 0x94D049BB133111EB & _ALL
    return (x ^ x >> 31) | 1


def together(first: Words, second: Words) -> Words:
    """Return a number for each ordered pair of numbers."""
    return mixed(first * np.uint64(3) + mixed(second))


def either_way(first: Words, second: Words) -> Words:
    """Return a number for each pair of numbers, whichever stands first."""
    return together(np.minimum(first, second), np.maximum(first, second))
