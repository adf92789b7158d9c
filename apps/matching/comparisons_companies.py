"""Company names and legal forms: order and spacing, typing errors, parts, acronyms, numbers."""

from collections.abc import Iterator, Sequence
from functools import cache, lru_cache
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from rapidfuzz import fuzz
from rapidfuzz.distance import OSA

from apps.matching.comparison_levels import level_number
from apps.matching.comparisons_columns import (
    NONE,
    Bools,
    Column,
    Ints,
    Levels,
    Longs,
    Texts,
    best,
    cross,
    distinct,
    encode,
    similar,
)
from apps.matching.comparisons_edits import Outlines
from apps.matching.comparisons_pairing import Names, Pairing, names_of, pairing
from apps.matching.comparisons_tokens import ALIKE, DIFFERENT, SAME, SHORTENED
from apps.matching.encoded import Encoded
from apps.matching.encoded_parts import company_words
from apps.matching.text import fold, reference
from apps.matching.words import in_order, only, put_together, split_words

_NAME = {
    level: level_number("company_name", level)
    for level in ("same", "alike", "part", "acronym", "shared_words", "number_differs", "different")
}
_ALIKE = 0.87  # normalised edit similarity of the names without spaces
_SORTED = 90.0  # of the names with their words in order of the alphabet
_SPOKEN = dict(zip(map(str, range(1, 11)), "fstffssent", strict=True))  # first, second …: EFO is Exeter First Optics
_AND_INITIALS = "auey"  # of and, und, et, e, y
_CHUNK = 50_000  # pairs
_OTHER_WORD = 4  # letters from which a word is told from another
_WEIGHTY = 6  # letters that agree, from which a name is recognised by a part of it
_SHARED = 60.0  # of the words two names have in common


@cache
def _trades() -> frozenset[str]:
    """Words that say what kind of house it is: people add them or leave them out."""
    return frozenset(map(fold, reference("company_words")["trades"]))


@cache
def common_words() -> frozenset[str]:
    """Words of trades that very many companies bear: they tell no company from another."""
    long_forms = reference("company_words")["long_form"].values()
    return _trades() | {word for text in long_forms for word in fold(text).split()}


def company_levels(table: Encoded, left: Longs, right: Longs) -> Levels:
    """Return levels of company_name: the best over all names of both records."""
    names = table.column("company")
    crossed = cross(names, left, right)
    a, b = names.codes[crossed.left], names.codes[crossed.right]
    if not len(a):
        return np.zeros(len(left), np.int8)
    low, high, place = distinct(a, b)
    read = table.once("companies", lambda: _read_all(company_words(table)))
    return best(crossed, _distinct_names(read, low, high)[place], len(left))


def name_levels(names: Sequence[str], left: Longs, right: Longs) -> Levels:
    """Return levels of company_name of single names: number left[i] against number right[i]."""
    if not len(left):
        return np.zeros(0, np.int8)
    return _distinct_names(_read_all(split_words(names)), left.astype(np.int32), right.astype(np.int32))


class _Read(NamedTuple):
    """Distinct names with what is compared of them, as texts and as codes."""

    words: Column  # in order of the alphabet
    trades: Column  # of those the ones that say what kind of house it is, where there are several others
    outlines: Outlines  # of the names without spaces
    ordered_texts: Texts
    compact: Ints
    initial: Ints
    ordered: Ints
    number: Ints
    beginning: Ints
    core: Ints
    several: Bools  # more than one word
    lettered: list[Ints]  # for each word of "and", the initials with it between, in the numbers of `compact`


def _read_all(names: Column) -> _Read:
    """Read names, given as their words."""
    words, spelt = in_order(names), names.texts.tolist()
    trade = np.fromiter((text in _trades() for text in spelt), np.bool_, len(spelt))
    number = np.fromiter((text.isdigit() for text in spelt), np.bool_, len(spelt))
    compacts, orders = put_together(names, names.texts), put_together(words, names.texts, " ")
    initials = put_together(names, [_SPOKEN.get(word, word[0]) for word in spelt])
    strong, trades = only(words, ~trade), only(words, trade)
    two = np.flatnonzero(pc.equal(pc.utf8_length(initials), 2).to_numpy(zero_copy_only=False))
    one, other = (pc.utf8_slice_codeunits(initials.take(pa.array(two)), at, at + 1) for at in (0, 1))
    between = [pc.binary_join_element_wise(one, word, other, "") for word in _AND_INITIALS]
    codes = encode(pa.concat_arrays([compacts, initials, *between]))
    size = len(names.size)
    lettered = [np.full(size, NONE, np.int32) for _ in between]
    for place, own in enumerate(lettered):
        own[two] = codes[2 * size + place * len(two) :][: len(two)]
    return _Read(
        words, trades._replace(size=np.where(strong.size > 1, trades.size, 0)),
        Outlines(compacts.to_numpy(zero_copy_only=False)), orders.to_numpy(zero_copy_only=False),
        codes[:size], codes[size : 2 * size], encode(orders), encode(put_together(only(words, number), names.texts, " ")),
        encode(put_together(names, [word[:3] for word in spelt], " ")), encode(put_together(strong, names.texts, " ")),
        names.size > 1, lettered,
    )  # fmt: skip


def _distinct_names(read: _Read, a: Ints, b: Ints) -> Levels:
    compact, initial, ordered, number = read.compact, read.initial, read.ordered, read.number
    beginning, core, several = read.beginning, read.core, read.several
    result = np.full(len(a), _NAME["different"], np.int8)
    words = similar(read.ordered_texts, a, b, fuzz.token_set_ratio, _SHARED)
    shorter = np.minimum(read.outlines.length[a], read.outlines.length[b])
    result[words >= _SHARED] = _NAME["shared_words"]
    result[(words > 99.9) & (shorter >= 4)] = _NAME["part"]
    close = np.zeros(len(a), np.bool_)
    longer = np.maximum(read.outlines.length[a], read.outlines.length[b])
    at = read.outlines.may_be_near(a, b, np.floor((1.0 - _ALIKE) * longer + 1e-6).astype(np.int32))
    close[at] = similar(read.outlines.texts, a[at], b[at], OSA.normalized_similarity, _ALIKE) >= _ALIKE
    at = np.flatnonzero(words >= _SHARED)
    close[at] |= similar(read.ordered_texts, a[at], b[at], fuzz.ratio, _SORTED) >= _SORTED
    close |= (words >= _SHARED) & (beginning[a] == beginning[b])  # abbreviated words
    bare = (core[a] == core[b]) & (core[a] != NONE)
    close |= bare
    close &= shorter >= 4
    at = np.flatnonzero(bare & close)
    close[at[_other_trade(read, a[at], b[at])]] = False
    by_word = _ByWord.of(read, a, b, np.flatnonzero(close | (words >= _SHARED)))
    at = np.flatnonzero(close & (core[a] != core[b]) & (beginning[a] != beginning[b]))
    for part in _parts(at):
        close[part[_other_word(by_word, a[part], b[part])]] = False
    result[close] = _NAME["alike"]
    lacking = (number[a] != number[b]) & ((number[a] == NONE) | (number[b] == NONE))
    result[lacking & (result == _NAME["alike"])] = _NAME["part"]
    at = np.flatnonzero(result == _NAME["shared_words"])
    for part in _parts(at):
        result[part] = _word_by_word(by_word, a[part], b[part])
    short = ((compact[a] == initial[b]) & several[b]) | ((compact[b] == initial[a]) & several[a])
    for lettered in read.lettered:  # B A S: Benby and Simpson
        short |= (compact[a] == lettered[b]) & (lettered[b] != NONE) | (compact[b] == lettered[a]) & (
            lettered[a] != NONE
        )
    result[(result == _NAME["different"]) & short] = _NAME["acronym"]
    differ = (number[a] != number[b]) & (number[a] != NONE) & (number[b] != NONE)
    result[differ & (result != _NAME["different"])] = _NAME["number_differs"]
    result[(compact[a] == compact[b]) | (ordered[a] == ordered[b])] = _NAME["same"]
    return result


def _other_trade(read: _Read, a: Ints, b: Ints) -> Bools:
    """Tell where both names say what kind of house it is, and not the same, of a name that a house with several of them bears: the
    Grand Regent cafe is not the Grand Regent restaurant. One word's cafe (Katsu) is called a restaurant as well."""
    result = np.zeros(len(a), np.bool_)
    at = np.flatnonzero((read.trades.size[a] > 0) & (read.trades.size[b] > 0))
    pairs = zip(a[at].tolist(), b[at].tolist(), strict=True)
    result[at] = [_kinds(read, one).isdisjoint(_kinds(read, other)) for one, other in pairs]
    return result


def _kinds(read: _Read, name: int) -> frozenset[int]:
    first = read.trades.start[name]
    return frozenset(read.trades.codes[first : first + read.trades.size[name]].tolist())


class _ByWord(NamedTuple):
    """Names that are compared word by word, and each name's place among them."""

    names: Names
    place: Longs

    @classmethod
    def of(cls, read: _Read, a: Ints, b: Ints, pairs: Longs) -> "_ByWord":
        used = np.unique(np.concatenate([a[pairs], b[pairs]]))
        place = np.zeros(len(read.words.size), np.int64)
        place[used] = np.arange(len(used))
        return cls(names_of(read.words._replace(start=read.words.start[used], size=read.words.size[used])), place)

    def paired(self, a: Ints, b: Ints) -> Pairing:
        return pairing(self.names, self.place[a], self.place[b])


def _parts(places: Longs) -> Iterator[Longs]:
    """Yield places some thousands at a time: words against words of all of them would fill the memory."""
    return (places[start : start + _CHUNK] for start in range(0, len(places), _CHUNK))


def _word_by_word(by_word: _ByWord, a: Ints, b: Ints) -> Levels:
    """Return the level of names that share words: alike or part where all words of the shorter have their like."""
    result = np.full(len(a), _NAME["shared_words"], np.int8)
    found = by_word.paired(a, b)
    length = np.append(by_word.names.tokens.length, 0)
    there = found.level > 0
    likes = (found.level == SAME) | (found.level == ALIKE) | (found.level == SHORTENED)
    likes &= ~((found.level == ALIKE) & (np.minimum(length[found.left], length[found.mate]) < _OTHER_WORD))
    weighty = np.where(likes, np.minimum(length[found.left], length[found.mate]), 0).sum(axis=1) >= _WEIGHTY
    fits = (likes == there).all(axis=1) & weighty
    left_over = ((found.partner == NONE) & (found.left != NONE)).any(axis=1) | found.free.any(axis=1)
    result[fits] = np.where(left_over[fits], _NAME["part"], _NAME["alike"])
    return result


def _other_word(by_word: _ByWord, a: Ints, b: Ints) -> Bools:
    """Tell of names that resemble one another letter by letter whether they differ by one whole word (Chad, China)."""
    names, found = by_word.names, by_word.paired(a, b)
    whole = (found.level > 0).sum(axis=1)
    other = (found.level == DIFFERENT) & (np.minimum(*_lengths(names, found)) >= _OTHER_WORD)
    one_word = (other.sum(axis=1) == 1) & ((found.level == SAME).sum(axis=1) == whole - 1) & (whole > 1)
    at = np.flatnonzero(one_word)
    texts = names.tokens.texts
    pair = texts[found.left[at][other[at]]], texts[found.mate[at][other[at]]]
    one_word[at] = [not _abbreviates(one, other) for one, other in zip(*pair, strict=True)]
    return np.asarray(one_word & ~found.free.any(axis=1), np.bool_)


def _lengths(names: Names, found: Pairing) -> tuple[Ints, Ints]:
    length = np.append(names.tokens.length, 0)
    return length[found.left], length[found.mate]


@lru_cache(maxsize=10_000)
def _abbreviates(one: str, other: str) -> bool:
    """Tell whether the letters of the shorter word stand in the longer in their order: trdg for trading."""
    short, long = sorted((one, other), key=len)
    letters = iter(long)
    return short[0] == long[0] and all(letter in letters for letter in short)


@lru_cache(maxsize=1)
def _kin() -> frozenset[tuple[str, str]]:
    groups = reference("legal_forms")["kin"].values()
    return frozenset((one, other) for group in groups for one in group for other in group)


def form_verdicts(forms: Sequence[str], left: Longs, right: Longs) -> Levels:
    """Return levels of legal_form of ids of forms: number left[i] against number right[i]; 0 where one is ''."""
    codes = encode(forms)
    return np.asarray(_verdicts(list(dict.fromkeys(forms)))[codes[left], codes[right]], np.int8)


def _verdicts(texts: Sequence[str]) -> Levels:
    """Return the level of each form against each; the last row and column stand for none."""
    size = len(texts)
    verdict = np.full((size + 1, size + 1), level_number("legal_form", "different"), np.int8)
    for i, one in enumerate(texts):
        for j, other in enumerate(texts):
            if i == j or (one, other) in _kin():
                verdict[i, j] = level_number("legal_form", "same" if i == j else "kin")
    verdict[NONE, :] = verdict[:, NONE] = 0
    return verdict


def legal_form_levels(table: Encoded, left: Longs, right: Longs) -> Levels:
    """Return levels of legal_form; 0 where one record names none."""
    forms = table.column("legal_form")
    codes = forms.single()
    return np.asarray(_verdicts(forms.texts.tolist())[codes[left], codes[right]], np.int8)
