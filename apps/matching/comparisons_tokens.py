"""Words of names compared with one another: every distinct pair of words once, and words of two names put in pairs.

Persons' and companies' comparisons and the score of names alone read the same levels from here.
"""

import re
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from rapidfuzz.distance import JaroWinkler, Prefix

from apps.matching.comparisons_columns import (
    NONE,
    Bools,
    Column,
    Ints,
    Levels,
    Texts,
    as_texts,
    distinct,
    edits,
    encode,
    lengths,
    similar,
)
from apps.matching.letters import Texts as AnyTexts
from apps.matching.names import MOST_GROUPS, nickname_groups
from apps.matching.sounds import sounds

_SIMILAR = 0.82  # Jaro–Winkler
_SERVANT = "abdul"
_VOWEL = re.compile("[eiou]")
_CHINESE = re.compile("^(x|hs)")
_DOUBLED = re.compile(r"(.)\1+")
SAME, ALIKE, NICKNAME, SHORTENED, NEAR, SIMILAR, INITIAL, DIFFERENT = range(1, 9)  # of two tokens


class Tokens(NamedTuple):
    """Distinct name tokens with what is compared of them."""

    texts: Texts
    length: Ints
    own: Ints  # letters that tell the word from others of its kind: Abdul- says nothing
    sound: Ints
    bare: Bools  # of a script that leaves out most vowels
    first: Ints
    groups: Ints


def tokens_of(texts: Texts) -> Tokens:
    """Prepare distinct tokens for comparison."""
    plain = texts.tolist()
    groups = np.zeros((len(plain), MOST_GROUPS), np.int32)
    for row, text in enumerate(plain):
        numbers = nickname_groups(text)
        if numbers:
            groups[row, : len(numbers)] = numbers
    first = np.fromiter((ord(text[0]) if text else 0 for text in plain), np.int32, len(plain))
    length = lengths(texts)
    servant = np.fromiter((text.startswith(_SERVANT) for text in plain), np.bool_, len(plain))
    own = np.where(servant, length - len(_SERVANT), length).astype(np.int32)
    return Tokens(texts, length, own, encode(sounds(written(plain))), _bare(plain), first, groups)


def one_numbering(one: Column, other: Column) -> tuple[Column, Column]:
    """Return both columns with the codes of one common list of texts."""
    numbers = {text: number for number, text in enumerate(dict.fromkeys([*one.texts.tolist(), *other.texts.tolist()]))}
    texts = as_texts(numbers)
    renumbered = []
    for column in (one, other):
        code = np.array([*map(numbers.__getitem__, column.texts.tolist()), NONE], np.int32)  # NONE picks the last
        renumbered.append(column._replace(codes=code[column.codes], texts=texts))
    return renumbered[0], renumbered[1]


def _bare(texts: list[str]) -> Bools:
    """Tell which tokens came from a script that leaves out most vowels; the one it has is read as a."""
    vowels = ((len(text), text.count("a")) if not _VOWEL.search(text) else (0, 0) for text in texts)
    return np.fromiter((size - a > 2 and a <= size // 4 for size, a in vowels), np.bool_, len(texts))


def written(words: AnyTexts) -> AnyTexts:
    """Words as their sound is to be taken; what Chinese names begin with is written x, hs or sh."""
    if isinstance(words, pa.Array):
        found: AnyTexts = pc.replace_substring_regex(words, "^(x|hs)", "s")
        return found
    return [_CHINESE.sub("s", word) for word in words]


# Such a script writes p as b and v as f; w and y may stand for vowels, h at the end for nothing.
_DIGRAPHS = (("sh", "s"), ("ch", "s"), ("kh", "k"), ("gh", "k"), ("ph", "f"), ("th", "t"), ("dh", "d"))
_BARE = str.maketrans("pvgqcz", "bfjkks", "aeiouwy")


@lru_cache(maxsize=100_000)
def _consonants(text: str) -> str:
    for two, one in _DIGRAPHS:
        text = text.replace(two, one)
    return _DOUBLED.sub(r"\1", text.removesuffix("h").translate(_BARE))


def token_levels(tokens: Tokens, left: Ints, right: Ints) -> Levels:
    """Return the level of each pair of tokens; 0 where one is missing."""
    result = np.zeros(len(left), np.int8)
    result[(left == right) & (left != NONE)] = SAME
    at = np.flatnonzero((left != right) & (left != NONE) & (right != NONE))
    if len(at):
        a, b, place = distinct(left[at], right[at])
        result[at] = _distinct_tokens(tokens, a, b)[place]
    return result


def _distinct_tokens(tokens: Tokens, a: Ints, b: Ints) -> Levels:
    result = np.full(len(a), DIFFERENT, np.int8)
    shorter, longer = np.minimum(tokens.length[a], tokens.length[b]), np.maximum(tokens.length[a], tokens.length[b])
    first = tokens.first[a] == tokens.first[b]
    result[(shorter == 1) & first] = INITIAL
    words = shorter > 1
    grouped = tokens.groups[:, 0] > 0
    at = np.flatnonzero(words & grouped[a] & grouped[b])
    one, other = tokens.groups[a[at]][:, :, None], tokens.groups[b[at]][:, None, :]
    result[at[((one == other) & (one > 0)).any(axis=(1, 2))]] = NICKNAME
    alike = tokens.sound[a] == tokens.sound[b]
    at = np.flatnonzero((tokens.bare[a] | tokens.bare[b]) & words & ~alike)
    pairs = zip(tokens.texts[a[at]].tolist(), tokens.texts[b[at]].tolist(), strict=True)
    alike[at] = [_consonants(one) == _consonants(other) for one, other in pairs]
    result[words & alike] = ALIKE
    near = np.flatnonzero(words & (result != ALIKE) & (shorter > 2) & (longer - shorter <= 3))
    distance = edits(tokens.texts, a[near], b[near], 3)
    size = np.minimum(tokens.own[a[near]], tokens.own[b[near]])
    # Between two words without vowels every letter counts.
    distance = np.where(tokens.bare[a[near]] & tokens.bare[b[near]], 2 * distance, distance)
    # In a short word one or two other letters make another name (Alberto, Roberto): longer words bear more.
    allowed = np.select([size < 4, size < 6, size < 8, size < 10], [0, 1, 1 + first[near], 2], 2 + first[near])
    result[near[(distance <= allowed) & (result[near] == DIFFERENT)]] = ALIKE
    result[near[(distance <= 2) & (size >= 4) & first[near] & (result[near] == DIFFERENT)]] = NEAR
    begin = np.flatnonzero((result == DIFFERENT) & words & first & (longer > shorter))
    begin = begin[similar(tokens.texts, a[begin], b[begin], Prefix.similarity) >= shorter[begin]]
    result[begin] = np.where(shorter[begin] > 2, SHORTENED, INITIAL)  # Alex for Alexander, Jo for Johannes
    rest = np.flatnonzero((result == DIFFERENT) & (shorter > 2))
    result[rest[similar(tokens.texts, a[rest], b[rest], JaroWinkler.similarity, _SIMILAR) >= _SIMILAR]] = SIMILAR
    return result
