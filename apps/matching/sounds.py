"""What words sound like, for many words at once: the same as `text.sound` and `text.skeleton` say of one."""

from collections.abc import Mapping
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from apps.matching.letters import Letters, Texts, as_array, as_list, letters_of
from apps.matching.text import CODED, ONE_LETTER, SPELLED, VOWELS, skeleton, sound

FEW: Final = 300  # words; below that the calls for whole arrays cost more than the work
_H: Final = ord("h")
_IS_VOWEL: Final = np.isin(np.arange(256), [ord(letter) for letter in "aeiou"])


def _table(pairs: Mapping[int, int]) -> npt.NDArray[np.uint8]:
    table = np.arange(256, dtype=np.uint8)
    table[list(pairs)] = list(pairs.values())
    return table


_ONE_LETTER: Final = _table(ONE_LETTER)
_CODED: Final = _table(CODED)


def sounds(words: Texts) -> Texts:
    """Return the sound of each word."""
    if not _many(words):
        return [sound(word) for word in as_list(words)]
    return _sounds(as_array(words))


def skeletons(words: Texts, spoken: Texts | None = None) -> Texts:
    """Return the skeleton of each word; `spoken`: its sound, where that is known already."""
    if not _many(words):
        return [skeleton(word) for word in as_list(words)]
    letters = letters_of(as_array(spoken if spoken is not None else _sounds(as_array(words))))
    letters = letters.where(letters.first() | ~_IS_VOWEL[letters.data])
    first = letters.first()
    letters = Letters(np.where(first, letters.data, _CODED[letters.data]), letters.size)
    letters = letters.where(first | np.r_[True, first[:-1]] | letters.new())  # the first letter stands for itself
    return letters.where(letters.place() < 4).texts()


def _many(words: Texts) -> bool:
    if len(words) <= FEW:
        return False
    array = as_array(words)
    return bool(pc.all(pc.string_is_ascii(array)).as_py())


def _sounds(words: pa.StringArray) -> pa.StringArray:
    for written, spoken in SPELLED:
        words = pc.replace_substring(words, written, spoken)
    letters = letters_of(words)
    letters = Letters(_ONE_LETTER[letters.data], letters.size)
    letters = letters.where(letters.first() | (letters.data != _H))
    words = letters.where(letters.new()).texts()
    for written, spoken in VOWELS:
        words = pc.replace_substring(words, written, spoken)
    letters = letters_of(words)
    return letters.where(letters.new()).texts()
