"""How alike two whole names are, 0 to 1, by the name alone: what a person sees who has nothing else.

Names are read as the engine reads them and their words compared by the same levels. The words of two names are put in
pairs; every pair that is not the same word, and every word left over, counts against (weights in natural logarithms of
odds, below). About 0.5 a match is as likely as not. Names that differ by a number alone lie just below it.
"""

from collections.abc import Mapping, Sequence
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from apps.matching.comparison_levels import level_number
from apps.matching.comparisons_columns import NONE, Bools, Column, Longs, as_texts, cross, encode
from apps.matching.comparisons_companies import common_words, form_verdicts, name_levels
from apps.matching.comparisons_pairing import Names, Pairing, displaced, names_of, pairing
from apps.matching.comparisons_tokens import ALIKE, DIFFERENT, INITIAL, NEAR, NICKNAME, SAME, SHORTENED, SIMILAR
from apps.matching.standardise_names import company_name, person_name, syllabic
from apps.matching.words import split_words, words_of

Doubles = npt.NDArray[np.float64]
Kind = Literal["person", "organization"]
Evidence = dict[str, npt.NDArray[np.integer] | Bools]  # how often each was found, for every pair
_CHUNK: Final = 20_000  # pairs whose words are compared at a time
_MOST: Final = 3  # times that one kind of evidence counts

# Natural logarithms of odds; found on one half of a set of labelled pairs of names, every sign set beforehand, rounded.
# A number that differs is set by rule: such names are of sisters, however much they resemble one another.
WEIGHTS: Final[Mapping[Kind, Mapping[str, float]]] = {
    "person": {
        "start": 1.6,
        "same": 0.05,
        "sounds": -0.05,
        "alike": -0.1,
        "nickname": -0.9,
        "shortened": -1.4,
        "near": -0.9,
        "similar": -3.0,
        "initial": -0.5,
        "different": -3.6,
        "lone": -0.8,  # one name has a single word, the other more
        "lone_given": -1.0,  # and the word is not the other's family name
        "left_over": -0.2,  # the first word without partner
        "more_left_over": -0.5,  # each further one
        "family_shortened": -1.0,
        "signs": -3.0,
        "displaced": -2.0,
        "suffix": -3.0,
    },
    "organization": {
        "start": 1.9,
        "same": 0.05,
        "sounds": -0.05,
        "alike": -0.5,
        "nickname": -1.5,
        "shortened": -1.7,
        "near": -0.8,
        "similar": -2.5,
        "initial": -1.1,
        "different": -3.1,
        "left_over": -1.2,
        "more_left_over": -0.1,
        "number": -2.2,
        "number_left_over": -2.8,
        "only_common": -1.2,
        "whole_same": 2.3,
        "whole_alike": 1.1,
        "whole_acronym": 3.5,
        "form_kin": -0.4,
        "form_different": -2.0,
    },
}


def name_score(kind: Kind, left: Sequence[str], right: Sequence[str]) -> Doubles:
    """Score pairs of raw whole names (left[i], right[i]); 0 where one of them holds no name."""
    if kind not in WEIGHTS:
        raise ValueError(f"kind is person or organization, not {kind}")
    if len(left) != len(right):
        raise ValueError(f"{len(left)} names against {len(right)}")
    texts = sorted({*left, *right})  # so that it does not matter which name stands left
    number = {text: place for place, text in enumerate(texts)}
    a = np.array([number[text] for text in left], np.int64)
    b = np.array([number[text] for text in right], np.int64)
    keys, place = np.unique(np.minimum(a, b) * len(texts) + np.maximum(a, b), return_inverse=True)
    one, other = np.divmod(keys, max(len(texts), 1))
    score = _persons(texts, one, other) if kind == "person" else _companies(texts, one, other)
    return score[place]


def _odds(kind: Kind, evidence: Evidence) -> Doubles:
    """Sum up the weights of what was found."""
    weights = WEIGHTS[kind]
    total = np.full(len(next(iter(evidence.values()))), weights["start"])
    for name, count in evidence.items():
        total += weights[name] * np.minimum(count, _MOST)
    return total


def _share(odds: Doubles) -> Doubles:
    share: Doubles = 1.0 / (1.0 + np.exp(-odds))
    return share


def _words(names: Names, found: Pairing) -> Evidence:
    """Count the pairs of words by level, and the words left over; initials left over say nothing."""
    length = np.append(names.tokens.length, 0)
    sounds = found.sounds(names.tokens)
    over = ((found.partner == NONE) & (length[found.left] > 1)).sum(axis=1)
    over += (found.free & (length[found.right] > 1)).sum(axis=1)
    count = {level: (found.level == level).sum(axis=1) for level in range(SAME, DIFFERENT + 1)}
    return {
        "same": count[SAME] + found.joined,
        "sounds": sounds.sum(axis=1),
        "alike": count[ALIKE] - sounds.sum(axis=1),
        "nickname": count[NICKNAME],
        "shortened": count[SHORTENED],
        "near": count[NEAR],
        "similar": count[SIMILAR],
        "initial": count[INITIAL] + 2 * found.short,
        "different": count[DIFFERENT],
        "left_over": np.minimum(over, 1),
        "more_left_over": np.maximum(over - 1, 0),
    }


def _persons(texts: Sequence[str], left: Longs, right: Longs) -> Doubles:
    read = [person_name("", "", text) for text in texts]
    names = names_of(words_of([(*name.given, *name.family) for name in read]))
    given = np.fromiter((len(name.given) for name in read), np.int64, len(read))
    signs = np.array([syllabic(text) for text in texts], np.bool_)
    suffix = encode([name.suffix for name in read])
    there = np.flatnonzero((names.words[left, 0] != NONE) & (names.words[right, 0] != NONE))
    result = np.zeros(len(left))
    for start in range(0, len(there), _CHUNK):
        at = there[start : start + _CHUNK]
        a, b = left[at], right[at]
        found = _without_initials(names, pairing(names, a, b, given), given[a], given[b])
        evidence = _words(names, found)
        evidence["lone"], evidence["lone_given"] = _lone(found)
        evidence["family_shortened"] = _family_shortened(found)
        # Where a sign stands for a syllable, another sign is another name however near it sounds.
        evidence["signs"] = signs[a] & signs[b] & ~(found.level <= SAME).all(axis=1)
        evidence["displaced"] = displaced(found.partner)
        evidence["suffix"] = (suffix[a] != suffix[b]) & (suffix[a] != NONE) & (suffix[b] != NONE)
        result[at] = _share(_odds("person", evidence))
    return result


def _without_initials(names: Names, found: Pairing, given_left: Longs, given_right: Longs) -> Pairing:
    """Part an initial from a family name (Gordon R. Vincent, Gordon Vincent-Cole): it does not contradict that.

    Only where no other word stands on the other side too, for then given and family name are crossed.
    """
    length = np.append(names.tokens.length, 0)
    places = np.arange(found.left.shape[1])
    there = found.partner != NONE
    across = there & ((places < given_left[:, None]) != (found.partner < given_right[:, None]))
    crossed = (across & (found.level < DIFFERENT)).any(axis=1)
    initial = (length[found.left] == 1) | (length[found.mate] == 1)
    parted = across & initial & (found.level == DIFFERENT) & ~crossed[:, None]
    row, place = np.nonzero(parted)
    free = found.free.copy()
    free[row, found.partner[row, place]] = True
    return found._replace(
        partner=np.where(parted, NONE, found.partner),
        mate=np.where(parted, NONE, found.mate),
        level=np.where(parted, 0, found.level),
        free=free,
    )


def _lone(found: Pairing) -> tuple[Bools, Bools]:
    """Tell whether one of two names is a single word, and whether that word is not the other's last."""
    rows = np.arange(len(found.left))
    left, right = (found.left != NONE).sum(axis=1), (found.right != NONE).sum(axis=1)
    lone = ((left == 1) | (right == 1)) & (left != right) & (found.joined == 0)
    place = np.argmax(found.partner != NONE, axis=1)
    last = np.where(left == 1, found.partner[rows, place] == right - 1, place == left - 1)
    return lone, lone & ~last


def _family_shortened(found: Pairing) -> Bools:
    """Tell whether the last word of one name only begins like the last of the other (Lind, Lindemann)."""
    rows = np.arange(len(found.left))
    last = (found.left != NONE).sum(axis=1) - 1
    right_last = (found.right != NONE).sum(axis=1) - 1
    shortened = (found.level[rows, last] == SHORTENED) & (found.partner[rows, last] == right_last)
    return np.asarray(shortened & (last > 0) & (right_last > 0), np.bool_)


def _there(names: Names, left: Longs, right: Longs) -> Bools:
    there: Bools = (names.words[left, 0] != NONE) & (names.words[right, 0] != NONE)
    return there


def _companies(texts: Sequence[str], left: Longs, right: Longs) -> Doubles:
    """Score the best of all names of both companies."""
    read = [company_name(text, "") for text in texts]
    flat = [name for one in read for name in one.names]
    size = np.fromiter((len(one.names) for one in read), np.int64, len(read))
    listed = list(dict.fromkeys(flat))
    number = {name: place for place, name in enumerate(listed)}
    codes = np.fromiter(map(number.__getitem__, flat), np.int32, len(flat))
    crossed = cross(Column(codes, np.cumsum(size) - size, size, as_texts(listed)), left, right)
    best = np.full(len(left), -np.inf)
    if len(crossed.pair):
        odds = _company_names(listed, codes[crossed.left].astype(np.int64), codes[crossed.right].astype(np.int64))
        np.maximum.at(best, crossed.pair, odds)
    verdict = form_verdicts([one.form for one in read], left, right)
    for level in ("kin", "different"):
        best += WEIGHTS["organization"][f"form_{level}"] * (verdict == level_number("legal_form", level))
    return _share(best)


def _company_names(listed: Sequence[str], left: Longs, right: Longs) -> Doubles:
    names = names_of(split_words(listed))
    digits = np.append([any(map(str.isdigit, word)) for word in names.tokens.texts.tolist()], False).astype(np.bool_)
    common = np.append([word in common_words() for word in names.tokens.texts.tolist()], False).astype(np.bool_)
    levels = name_levels(listed, left, right)
    odds = np.zeros(len(left))
    for start in range(0, len(left), _CHUNK):
        part = slice(start, start + _CHUNK)
        found = pairing(names, left[part], right[part])
        number = (found.level > SAME) & (digits[found.left] | digits[found.mate])
        evidence = _words(names, found._replace(level=np.where(number, 0, found.level)))
        evidence["number"] = number.sum(axis=1)
        evidence["number_left_over"] = ((found.partner == NONE) & digits[found.left]).sum(axis=1) + (
            found.free & digits[found.right]
        ).sum(axis=1)
        agree = (found.level == SAME) | (found.level == ALIKE)
        evidence["only_common"] = agree.any(axis=1) & ~(agree & ~common[found.left]).any(axis=1) & (found.joined == 0)
        for level in ("same", "alike", "acronym"):
            evidence[f"whole_{level}"] = levels[part] == level_number("company_name", level)
        odds[part] = _odds("organization", evidence)
    return odds
