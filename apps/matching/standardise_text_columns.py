"""Columns of texts brought to plain and folded form in whole-array steps: value by value what `text` makes of one."""

from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from anyascii import anyascii

from apps.matching.comparisons_columns import Bools, Longs
from apps.matching.text import LONGEST


class _Latin(dict[int, str]):
    """Characters in plain ASCII, each looked up once."""

    def __missing__(self, code: int) -> str:
        self[code] = found = anyascii(chr(code))
        return found


_LATIN: Final = _Latin()
NO_TEXT: Final = pa.scalar("")


def texts_of(values: Sequence[str]) -> pa.Array:
    """Return texts as an Arrow array."""
    return pa.array(values, pa.string())


def flags(values: pa.Array) -> Bools:
    """Return an Arrow array of yes and no as a numpy one."""
    return np.asarray(values.to_numpy(zero_copy_only=False), np.bool_)


def matching(texts: pa.Array, pattern: str) -> Bools:
    """For each text, whether it holds a match of a pattern (RE2)."""
    return flags(pc.match_substring_regex(texts, pattern))


def among(texts: pa.Array, words: Sequence[str] | frozenset[str]) -> Bools:
    """For each text, whether it is one of `words`."""
    return flags(pc.is_in(texts, value_set=texts_of(sorted(words))))


def ascii_only(texts: pa.Array) -> Bools:
    """For each text, whether it is plain ASCII."""
    return flags(pc.string_is_ascii(texts))


def no_longer(texts: pa.Array, most: int) -> Bools:
    """For each text, whether it has at most `most` bytes (so not more characters either)."""
    return np.asarray(pc.binary_length(texts).to_numpy() <= most, np.bool_)


def plain_ascii_column(texts: pa.Array) -> pa.Array:
    """Each text as `text.plain_ascii` gives it."""
    if not no_longer(texts, LONGEST).all():
        texts = pc.utf8_slice_codeunits(texts, 0, LONGEST)
    others = ~ascii_only(texts)
    if others.any():
        read = [text.translate(_LATIN) for text in texts.filter(pa.array(others)).to_pylist()]
        texts = pc.replace_with_mask(texts, pa.array(others), texts_of(read))
    return pc.ascii_lower(texts)


def plain_column(texts: pa.Array) -> pa.Array:
    """Each text as `text.plain` gives it."""
    return pc.replace_substring_regex(plain_ascii_column(texts), "([aou])e|(a)a", r"\1\2")


def folded_column(plain: pa.Array) -> pa.Array:
    """Each plain text as `text.folded` gives it."""
    joined = pc.replace_substring_regex(plain, "['`]", "")
    return pc.ascii_trim(pc.replace_substring_regex(joined, "[^a-z0-9]+", " "), characters=" ")


def fold_column(texts: pa.Array) -> pa.Array:
    """Each text as `text.fold` gives it."""
    return folded_column(plain_column(texts))


def of_distinct(function: Callable[[str], str], texts: pa.Array) -> pa.Array:
    """What `function` makes of each text, asked once for each distinct one."""
    found = texts.dictionary_encode()
    return texts_of(list(map(function, found.dictionary.to_pylist()))).take(found.indices)


def merged(known: Bools, quick: pa.Array, thorough: pa.Array) -> pa.Array:
    """One array of two: where `known` the next of `quick`, elsewhere the next of `thorough`."""
    if known.all():
        return quick
    place = np.where(known, np.cumsum(known) - 1, int(known.sum()) + np.cumsum(~known) - 1)
    return pa.concat_arrays([quick, thorough]).take(pa.array(place))


def lists(size: Longs, flat: pa.Array) -> pa.Array:
    """An array of lists: `size` of the flat values each."""
    ends = np.concatenate([[0], np.cumsum(size)]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(ends), flat)


def lists_of(values: Sequence[Sequence[str]]) -> pa.Array:
    """Lists of texts as an Arrow array."""
    return pa.array(values, pa.list_(pa.string()))


def picked(texts: pa.Array, known: Bools) -> pa.Array:
    """The values where `known`."""
    return texts.filter(pa.array(known))


def batch(**columns: Any) -> pa.RecordBatch:
    """Columns side by side."""
    return pa.RecordBatch.from_pydict(columns)
