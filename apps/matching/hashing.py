"""Stable 64-bit numbers of texts and of combinations of them: the same on every machine, in every version and batch size."""

from collections.abc import Iterable
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from apps.matching.letters import as_array, as_list, letters_of

Words = npt.NDArray[np.uint64]
_BASE: Final = 0x9E3779B97F4A7C15  # odd, so that no byte is lost modulo 2**64
_LONGEST: Final = 1024  # bytes; longer texts are cut


def _powers() -> Words:
    value, found = 1, []
    for _ in range(_LONGEST):
        found.append(value)
        value = value * _BASE & 0xFFFFFFFFFFFFFFFF
    return np.array(found, np.uint64)


_POWERS: Final = _powers()
_POWERS_AS_INTS: Final = tuple(_POWERS.tolist())
_ALL: Final = 0xFFFFFFFFFFFFFFFF
_FEW: Final = 500  # texts


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
    starts = np.cumsum(lengths) - lengths
    place = np.arange(len(data)) - np.repeat(starts, lengths)
    letters = np.where(place < _LONGEST, data.astype(np.uint64) + np.uint64(1), np.uint64(0))
    letters *= _POWERS[np.minimum(place, _LONGEST - 1)]
    total = np.zeros(size, np.uint64)
    there = np.flatnonzero(lengths > 0)
    if len(there):
        total[there] = np.add.reduceat(letters, starts[there])
        total[there] = mixed(total[there] + lengths[there].astype(np.uint64)) | np.uint64(1)
    return total


def hash_letters(texts: Iterable[str]) -> Words:
    """Return a number for each text that is the same in whatever order its bytes stand; '' gives 0."""
    listed = list(texts)
    data, lengths = letters_of(as_array(listed))
    starts, there = np.cumsum(lengths) - lengths, np.flatnonzero(lengths > 0)
    total = np.zeros(len(listed), np.uint64)
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
