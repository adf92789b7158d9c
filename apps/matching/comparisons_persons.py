"""Given and family names: straight or crossed, initials, nicknames, sounds, typing errors, double names."""

import numpy as np

from apps.matching.comparison_levels import LEVELS, level_number
from apps.matching.comparisons_columns import Bools, Column, Levels, Longs
from apps.matching.comparisons_tokens import (
    ALIKE,
    DIFFERENT,
    NEAR,
    SAME,
    SIMILAR,
    Tokens,
    one_numbering,
    token_levels,
    tokens_of,
)
from apps.matching.encoded import Encoded

_GIVEN = {level: level_number("given_name", level) for level, _ in LEVELS["given_name"]}
_FAMILY = {level: level_number("family_name", level) for level, _ in LEVELS["family_name"]}
_TO_GIVEN = np.array(
    [
        0,
        *(
            _GIVEN[level]
            for level in ("same", "alike", "nickname", "nickname", "similar", "similar", "initial", "different")
        ),
    ],
    np.int8,
)
_TO_FAMILY = np.array(
    [
        0,
        *(
            _FAMILY[level]
            for level in ("same", "alike", "similar", "similar", "similar", "similar", "initial", "different")
        ),
    ],
    np.int8,
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


def person_levels(table: Encoded, left: Longs, right: Longs) -> tuple[Levels, Levels]:
    """Return levels of given_name and family_name; the better of straight and crossed order is taken for both."""
    given, family = table.column("given"), table.column("family")
    if not len(given.texts) and not len(family.texts):
        return np.zeros(len(left), np.int8), np.zeros(len(left), np.int8)
    given, family = table.once("names", lambda: one_numbering(table.column("given"), table.column("family")))
    tokens = table.once("tokens", lambda: tokens_of(given.texts))
    pair = left, right
    straight_given = _given(tokens, given, given, *pair, first=_first(tokens, given, given, *pair))
    straight_family = _family(tokens, family, family, *pair, first=_first(tokens, family, family, *pair))
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


def _crossed(tokens: Tokens, given: Column, family: Column, left: Longs, right: Longs) -> tuple[Levels, Levels]:
    """Return levels with one record's names exchanged: the better of both records, so that sides do not matter."""
    straight, turned = _first(tokens, given, family, left, right), _first(tokens, given, family, right, left)
    options = [
        (
            _given(tokens, given, family, one, other, first=own),
            _family(tokens, family, given, one, other, first=theirs),
        )
        for one, other, own, theirs in ((left, right, straight, turned), (right, left, turned, straight))
    ]
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


def _any_other(tokens: Tokens, one: Column, other: Column, left: Longs, right: Longs) -> Bools:
    """Tell whether any token of one name agrees with any of the other, but for the two first."""
    ones, others = [one.nth(i)[left] for i in range(3)], [other.nth(j)[right] for j in range(3)]
    places = [(i, j) for i in range(3) for j in range(3) if i or j]
    tokens_left = np.concatenate([ones[i] for i, _ in places])
    level = token_levels(tokens, tokens_left, np.concatenate([others[j] for _, j in places]))
    words = tokens.length[tokens_left] > 1  # an initial that agrees says too little
    agree = (((level == SAME) & words) | (level == ALIKE)).reshape(len(places), len(left))
    return np.asarray(agree.any(axis=0), np.bool_)


def _first(tokens: Tokens, one: Column, other: Column, left: Longs, right: Longs) -> Levels:
    """Return how the first words of names agree, whichever side they stand on."""
    return token_levels(tokens, one.nth(0)[left], other.nth(0)[right])


def _given(tokens: Tokens, one: Column, other: Column, left: Longs, right: Longs, *, first: Levels) -> Levels:
    result = _TO_GIVEN[first]
    several = (one.size[left] > 1) | (other.size[right] > 1)
    at = np.flatnonzero(((first == DIFFERENT) | (first == SIMILAR) | (first == NEAR)) & several)
    if len(at):
        result[at[_any_other(tokens, one, other, left[at], right[at])]] = _GIVEN["part"]
    at = np.flatnonzero((first > 0) & (first < NEAR) & (one.size[left] > 1) & (other.size[right] > 1))
    if len(at):
        middle = token_levels(tokens, one.nth(1)[left[at]], other.nth(1)[right[at]])
        result[at[middle == DIFFERENT]] = _GIVEN["middle_differs"]
    return result


def _family(tokens: Tokens, one: Column, other: Column, left: Longs, right: Longs, *, first: Levels) -> Levels:
    result = _TO_FAMILY[first]
    several = (first > 0) & ((one.size[left] > 1) | (other.size[right] > 1))
    at = np.flatnonzero(several & (result != _FAMILY["same"]))
    if len(at):
        result[at[_any_other(tokens, one, other, left[at], right[at])]] = _FAMILY["part"]
    at = np.flatnonzero(several & ((first == SAME) | (first == ALIKE)))
    if len(at):
        second = token_levels(tokens, one.nth(1)[left[at]], other.nth(1)[right[at]])
        result[at[(second == 0) | (second == DIFFERENT)]] = _FAMILY["part"]
    return result
