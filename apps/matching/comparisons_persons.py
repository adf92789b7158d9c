"""Given and family names: straight or crossed, initials, nicknames, sounds, typing errors, double names."""

from typing import NamedTuple

import numpy as np
import pyarrow as pa
from rapidfuzz.distance import JaroWinkler, Prefix

from apps.matching.comparison_levels import LEVELS, level_number
from apps.matching.comparisons_columns import (
    NONE,
    Bools,
    Column,
    Ints,
    Levels,
    Longs,
    Texts,
    column,
    distinct,
    edits,
    encode,
    lengths,
    similar,
)
from apps.matching.names import MOST_GROUPS, nickname_groups
from apps.matching.text import bones, sound

_SIMILAR = 0.82  # Jaro–Winkler
SAME, ALIKE, NICKNAME, SIMILAR, INITIAL, DIFFERENT = range(1, 7)  # of two tokens
_GIVEN = {level: level_number("given_name", level) for level, _ in LEVELS["given_name"]}
_FAMILY = {level: level_number("family_name", level) for level, _ in LEVELS["family_name"]}
_TO_GIVEN = np.array(
    [0, *(_GIVEN[level] for level in ("same", "alike", "nickname", "similar", "initial", "different"))], np.int8
)
_TO_FAMILY = np.array(
    [0, *(_FAMILY[level] for level in ("same", "alike", "similar", "similar", "initial", "different"))], np.int8
)
# How bad a level is, for choosing between straight and crossed.
_COST = {
    "same": 0,
    "alike": 1,
    "nickname": 1,
    "middle_differs": 1,
    "part": 2,
    "similar": 3,
    "initial": 3,
    "different": 9,
}
_GIVEN_COST, _FAMILY_COST = (
    np.array([2, *(_COST[level] for level in numbers)], np.int8) for numbers in (_GIVEN, _FAMILY)
)
_TO_FAMILY_AGREEMENT = np.array([0, *(_FAMILY.get(level, _FAMILY["similar"]) for level in _GIVEN)], np.int8)


class _Tokens(NamedTuple):
    """Distinct name tokens with what is compared of them."""

    texts: Texts
    length: Ints
    sound: Ints
    bones: Ints
    bare: Bools
    first: Ints
    groups: Ints


def _tokens(texts: Texts) -> _Tokens:
    plain = texts.tolist()
    groups = np.zeros((len(plain), MOST_GROUPS), np.int32)
    for row, text in enumerate(plain):
        numbers = nickname_groups(text)
        if numbers:
            groups[row, : len(numbers)] = numbers
    first = np.fromiter((ord(text[0]) if text else 0 for text in plain), np.int32, len(plain))
    consonants = [bones(text) for text in plain]
    bare = np.fromiter((_bare(text, kept) for text, kept in zip(plain, consonants, strict=True)), np.bool_, len(plain))
    return _Tokens(
        texts, lengths(texts), encode([sound(text) for text in plain]), encode(consonants), bare, first, groups
    )


def _bare(text: str, consonants: str) -> bool:
    """Tell whether a token came from a script that leaves out most vowels."""
    return len(consonants) > 2 and len(text) - len(consonants) <= len(text) // 4


def person_levels(table: pa.Table, left: Longs, right: Longs) -> tuple[Levels, Levels]:
    """Return levels of given_name and family_name; the better of straight and crossed order is taken for both."""
    both = column(pa.chunked_array([pa.concat_arrays([_flat(table, "given"), _flat(table, "family")])]))
    tokens = _tokens(both.texts)
    given = _with_codes(table, "given", both.codes[: len(_flat(table, "given"))], both.texts)
    family = _with_codes(table, "family", both.codes[len(_flat(table, "given")) :], both.texts)
    straight_given = _given(tokens, given, given, left, right)
    straight_family = _family(tokens, family, family, left, right)
    poor = (straight_given == _GIVEN["different"]) | (straight_family == _FAMILY["different"])
    at = np.flatnonzero(
        poor & (given.size[left] + family.size[left] > 0) & (given.size[right] + family.size[right] > 0)
    )
    if len(at):
        crossed_given, crossed_family = _crossed(tokens, given, family, left[at], right[at])
        cost = _GIVEN_COST[straight_given[at]] + _FAMILY_COST[straight_family[at]]
        better = _GIVEN_COST[crossed_given] + _FAMILY_COST[crossed_family] < cost
        straight_given[at[better]] = crossed_given[better]
        straight_family[at[better]] = crossed_family[better]
    return straight_given, straight_family


def _crossed(tokens: _Tokens, given: Column, family: Column, left: Longs, right: Longs) -> tuple[Levels, Levels]:
    """Return levels with one record's names exchanged: the better of both records, so that sides do not matter."""
    options = []
    for one, other in ((left, right), (right, left)):
        options.append((_given(tokens, given, family, one, other), _family(tokens, family, given, one, other)))
    rank = [
        (_GIVEN_COST[first].astype(np.int32) + _FAMILY_COST[second]) * 10_000 + first.astype(np.int32) * 100 + second
        for first, second in options
    ]
    take = rank[0] <= rank[1]
    first, second = (np.where(take, options[0][place], options[1][place]) for place in (0, 1))
    # One name that agrees across while the other differs is a family name that both share.
    lone = (second == _FAMILY["different"]) & (first != _GIVEN["different"]) & (first > 0)
    return np.where(lone, _GIVEN["different"], first).astype(np.int8), np.where(
        lone, _TO_FAMILY_AGREEMENT[first], second
    ).astype(np.int8)


def _flat(table: pa.Table, name: str) -> pa.Array:
    return table.column(name).combine_chunks().flatten()


def _with_codes(table: pa.Table, name: str, codes: Ints, texts: Texts) -> Column:
    ends = table.column(name).combine_chunks().offsets.to_numpy().astype(np.int64)
    ends = ends - (ends[0] if len(ends) else 0)
    return Column(codes, ends[:-1], np.diff(ends), texts)


def _compare(tokens: _Tokens, left: Ints, right: Ints) -> Levels:
    """Return the level of each pair of tokens; 0 where one is missing."""
    result = np.zeros(len(left), np.int8)
    result[(left == right) & (left != NONE)] = SAME
    at = np.flatnonzero((left != right) & (left != NONE) & (right != NONE))
    if len(at):
        a, b, place = distinct(left[at], right[at])
        result[at] = _distinct_tokens(tokens, a, b)[place]
    return result


def _distinct_tokens(tokens: _Tokens, a: Ints, b: Ints) -> Levels:
    result = np.full(len(a), DIFFERENT, np.int8)
    shorter, longer = np.minimum(tokens.length[a], tokens.length[b]), np.maximum(tokens.length[a], tokens.length[b])
    first = tokens.first[a] == tokens.first[b]
    result[(shorter == 1) & first] = INITIAL
    words = shorter > 1
    share = (tokens.groups[a][:, :, None] == tokens.groups[b][:, None, :]) & (tokens.groups[a][:, :, None] > 0)
    result[words & share.any(axis=(1, 2))] = NICKNAME
    alike = tokens.sound[a] == tokens.sound[b]
    alike |= (tokens.bones[a] == tokens.bones[b]) & (tokens.bare[a] | tokens.bare[b])
    result[words & alike] = ALIKE
    near = np.flatnonzero(words & (result != ALIKE) & (shorter > 2) & (longer - shorter <= 3))
    distance = edits(tokens.texts, a[near], b[near], 3)
    size = shorter[near]
    # In a short word one or two other letters make another name (Alberto, Roberto): longer words bear more.
    allowed = np.select([size < 4, size < 6, size < 8, size < 10], [0, 1, 1 + first[near], 2], 3)
    result[near[(distance <= allowed) & (result[near] == DIFFERENT)]] = ALIKE
    begin = np.flatnonzero((result == DIFFERENT) & words & first & (longer > shorter))
    begin = begin[similar(tokens.texts, a[begin], b[begin], Prefix.similarity) >= shorter[begin]]
    result[begin] = np.where(shorter[begin] > 2, NICKNAME, INITIAL)  # Alex for Alexander, Jo for Johannes
    rest = np.flatnonzero((result == DIFFERENT) & (shorter > 2))
    result[rest[similar(tokens.texts, a[rest], b[rest], JaroWinkler.similarity, _SIMILAR) >= _SIMILAR]] = SIMILAR
    return result


def _any_other(tokens: _Tokens, one: Column, other: Column, left: Longs, right: Longs) -> Bools:
    """Tell whether any token of one name agrees with any of the other, but for the two first."""
    ones, others = [one.nth(i)[left] for i in range(3)], [other.nth(j)[right] for j in range(3)]
    places = [(i, j) for i in range(3) for j in range(3) if i or j]
    tokens_left = np.concatenate([ones[i] for i, _ in places])
    level = _compare(tokens, tokens_left, np.concatenate([others[j] for _, j in places]))
    words = tokens.length[tokens_left] > 1  # an initial that agrees says too little
    agree = (((level == SAME) & words) | (level == ALIKE)).reshape(len(places), len(left))
    return np.asarray(agree.any(axis=0), np.bool_)


def _given(tokens: _Tokens, one: Column, other: Column, left: Longs, right: Longs) -> Levels:
    first = _compare(tokens, one.nth(0)[left], other.nth(0)[right])
    result = _TO_GIVEN[first]
    several = (one.size[left] > 1) | (other.size[right] > 1)
    at = np.flatnonzero(((first == DIFFERENT) | (first == SIMILAR)) & several)
    if len(at):
        result[at[_any_other(tokens, one, other, left[at], right[at])]] = _GIVEN["part"]
    at = np.flatnonzero((first > 0) & (first < SIMILAR) & (one.size[left] > 1) & (other.size[right] > 1))
    if len(at):
        middle = _compare(tokens, one.nth(1)[left[at]], other.nth(1)[right[at]])
        result[at[middle == DIFFERENT]] = _GIVEN["middle_differs"]
    return result


def _family(tokens: _Tokens, one: Column, other: Column, left: Longs, right: Longs) -> Levels:
    first = _compare(tokens, one.nth(0)[left], other.nth(0)[right])
    result = _TO_FAMILY[first]
    several = (first > 0) & ((one.size[left] > 1) | (other.size[right] > 1))
    at = np.flatnonzero(several & (result != _FAMILY["same"]))
    if len(at):
        result[at[_any_other(tokens, one, other, left[at], right[at])]] = _FAMILY["part"]
    at = np.flatnonzero(several & ((first == SAME) | (first == ALIKE)))
    if len(at):
        second = _compare(tokens, one.nth(1)[left[at]], other.nth(1)[right[at]])
        result[at[(second == 0) | (second == DIFFERENT)]] = _FAMILY["part"]
    return result
