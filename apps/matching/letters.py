"""Texts of one array as the bytes they are made of."""

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Texts: TypeAlias = Sequence[str] | pa.StringArray
"""Texts one by one, or as one array of Arrow."""


def as_array(texts: Texts) -> pa.StringArray:
    """Return texts as one array of Arrow."""
    return texts if isinstance(texts, pa.Array) else pa.array(texts, pa.string())


def as_list(texts: Texts) -> list[str]:
    """Return texts one by one."""
    found: list[str] = texts.to_pylist() if isinstance(texts, pa.Array) else list(texts)
    return found


def beginnings(texts: Texts, size: int) -> Texts:
    """Return the first `size` letters of each text."""
    if isinstance(texts, pa.Array):
        found: Texts = pc.utf8_slice_codeunits(texts, 0, size)
        return found
    return [text[:size] for text in texts]


class Letters(NamedTuple):
    """Words of one byte a letter (of any texts: their bytes): all in a row, and how many each word has."""

    data: npt.NDArray[np.uint8]
    size: npt.NDArray[np.int64]

    def first(self) -> npt.NDArray[np.bool_]:
        """Which letters begin a word."""
        found = np.zeros(len(self.data), np.bool_)
        ends = np.cumsum(self.size)
        found[(ends - self.size)[self.size > 0]] = True
        return found

    def new(self) -> npt.NDArray[np.bool_]:
        """Which letters begin a word or differ from the one before."""
        found = self.first()
        found[1:] |= self.data[1:] != self.data[:-1]
        return found

    def place(self) -> npt.NDArray[np.int64]:
        """Each letter's place in its word."""
        return np.arange(len(self.data)) - np.repeat(np.cumsum(self.size) - self.size, self.size)

    def where(self, kept: npt.NDArray[np.bool_]) -> "Letters":
        """The words with some of their letters."""
        count = np.concatenate([[0], np.cumsum(kept)])
        ends = np.cumsum(self.size)
        return Letters(self.data[kept], count[ends] - count[ends - self.size])

    def texts(self) -> pa.StringArray:
        """The words as texts."""
        offsets = np.zeros(len(self.size) + 1, np.int32)
        np.cumsum(self.size, out=offsets[1:])
        return pa.StringArray.from_buffers(
            len(self.size), pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(self.data))
        )


def letters_of(words: pa.StringArray) -> Letters:
    """Return the bytes of texts; as they are, not copied."""
    offsets = np.frombuffer(words.buffers()[1], np.int32, len(words) + 1, words.offset * 4).astype(np.int64)
    data = words.buffers()[2]
    letters = np.frombuffer(data, np.uint8) if data else np.zeros(0, np.uint8)
    return Letters(letters[offsets[0] : offsets[-1]], np.diff(offsets))
