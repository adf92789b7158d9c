"""Words of two names put in pairs, the best first: for whole names, where nobody knows which word is which part."""

from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from apps.matching.comparisons_columns import NONE, Bools, Column, Ints, Levels, Longs, encode, numbered
from apps.matching.comparisons_tokens import ALIKE, Tokens, token_levels, tokens_of, written
from apps.matching.letters import as_array
from apps.matching.sounds import sounds

_WORDS: Final = 10  # of a name that are compared
_OTHER_PART: Final = 20  # what it costs when a given name is put beside a family name
_LONG: Final = 6  # letters
_FAR: Final = 10_000
# What a pair of words costs when partners are chosen, by level; of two alike the one nearer to its partner's place is taken.
_CHOICE: Final = np.array([_FAR, 0, 100, 200, 300, 330, 400, 350, 1000], np.int32)


class Names(NamedTuple):
    """Names as rows of words; NONE where a name has fewer."""

    words: Ints  # name × word: code
    joined: Ints  # name × word: what each word and the next sound like as one
    letters: Ints  # name × word: the first letters of a word and the next, in the numbers of `heard`
    heard: Ints  # word: a number for what it sounds like; the last one stands for NONE
    tokens: Tokens


def names_of(names: Column) -> Names:
    """Prepare names, given as their words, for being put in pairs."""
    names = names._replace(size=np.minimum(names.size, _WORDS))
    row, _, spelt = names.spread()
    used, flat = np.unique(spelt, return_inverse=True)
    texts = names.texts[used]
    follows = np.flatnonzero(row[1:] == row[:-1])
    both, joined = numbered(flat[follows] << 32 | flat[follows + 1])
    words, one, other = as_array(texts), both >> 32, both & 0xFFFFFFFF
    begin = pc.utf8_slice_codeunits(words, 0, 1)
    made = [pc.binary_join_element_wise(of.take(pa.array(one)), of.take(pa.array(other)), "") for of in (words, begin)]
    heard = _heard(pa.concat_arrays([words, *made]))
    width = max(2, int(names.size.max(initial=0)))
    of_words, of_joined, of_letters = np.split(heard, [len(used), len(used) + len(both)])
    fewer = np.maximum(names.size - 1, 0)
    return Names(
        _rows(flat.astype(np.int32), names.size, width),
        _rows(of_joined[joined], fewer, width),
        _rows(of_letters[joined], fewer, width),
        np.append(of_words, NONE),
        tokens_of(texts),
    )


def _heard(texts: pa.StringArray) -> Ints:
    """A number for what each text sounds like. Short ones may sound like others by chance: they have to be written as those are."""
    long = pc.greater_equal(pc.utf8_length(texts), _LONG).to_numpy(zero_copy_only=False)
    return np.where(long, encode(sounds(written(texts))), -2 - encode(texts)).astype(np.int32)


def _rows(flat: Ints, size: Longs, width: int) -> Ints:
    """Lay lists of codes out as rows, filled up with NONE."""
    result = np.full((len(size), width), NONE, np.int32)
    result[np.arange(width) < size[:, None]] = flat
    return result


class Pairing(NamedTuple):
    """Pairs of names, word by word: the left word's partner (its place; NONE: none) and the level of the two."""

    left: Ints  # pair × word: code; NONE where missing or joined with another
    right: Ints
    partner: Ints  # pair × left word
    mate: Ints  # pair × left word: the partner's code
    level: Levels  # pair × left word
    free: Bools  # pair × right word: it is nobody's partner
    joined: Ints  # pair: words that equal two of the other name written as one
    short: Ints  # pair: words made of the initials of two (JC, Jean Claude)

    def sounds(self, tokens: Tokens) -> Bools:
        """Tell of each left word whether it is written otherwise than its partner but sounds the same."""
        found: Bools = (tokens.sound[self.left] == tokens.sound[self.mate]) & (self.level == ALIKE)
        return found


def pairing(names: Names, left: Longs, right: Longs, given: Longs | None = None) -> Pairing:
    """Put the words of names number left[i] and right[i] in pairs.

    given: how many words of each name are given names; words of one part then go together before others.
    """
    one, other = names.words[left], names.words[right]
    width = max(2, *(int((side != NONE).sum(axis=1).max(initial=0)) for side in (one, other)))
    one, other = one[:, :width].copy(), other[:, :width].copy()
    joined, short = (
        _join(names, one, other, made[left][:, :width]) + _join(names, other, one, made[right][:, :width])
        for made in (names.joined, names.letters)
    )
    level = token_levels(names.tokens, np.repeat(one, width, axis=1).ravel(), np.tile(other, (1, width)).ravel())
    level = level.reshape(len(left), width, width)
    places = np.arange(width)
    cost = _CHOICE[level] + np.abs(places[:, None] - places[None, :]).astype(np.int32)
    if given is not None:
        cost += _OTHER_PART * (
            (places < given[left][:, None])[:, :, None] != (places < given[right][:, None])[:, None, :]
        ).astype(np.int32)
    partner, free = _choose(cost)
    at = np.maximum(partner, 0)
    mate = np.where(partner == NONE, NONE, np.take_along_axis(other, at, axis=1)).astype(np.int32)
    own = np.take_along_axis(level, at[:, :, None], axis=2)[:, :, 0]
    return Pairing(one, other, partner, mate, np.where(partner == NONE, 0, own), free & (other != NONE), joined, short)


def _join(names: Names, one: Ints, other: Ints, made: Ints) -> Ints:
    """Take out of both names a word that sounds like two of the other written as one; return 1 where that was so."""
    own = (one == NONE) | _known(one, other)  # a word that the other name has too is not joined
    there = (made != NONE) & ~own & ~np.roll(own, -1, axis=1)
    equal = (made[:, :, None] == names.heard[other][:, None, :]) & there[:, :, None] & ~_known(other, one)[:, None, :]
    flat = equal.reshape(len(one), -1)
    at = np.flatnonzero(flat.any(axis=1))
    place, partner = np.divmod(flat[at].argmax(axis=1), other.shape[1])
    one[at, place] = one[at, place + 1] = other[at, partner] = NONE
    found = np.zeros(len(one), np.int32)
    found[at] = 1
    return found


def _known(one: Ints, other: Ints) -> Bools:
    """Tell of each word whether it stands in the other name too."""
    known: Bools = (one[:, :, None] == other[:, None, :]).any(axis=2)
    return known


def _choose(cost: Ints) -> tuple[Ints, Bools]:
    """Choose partners, cheapest first (pair × left × right: cost); return partners and who is left over at the right."""
    pairs, width = cost.shape[:2]
    partner = np.full((pairs, width), NONE, np.int32)
    free = np.ones((pairs, width), np.bool_)
    rows = np.arange(pairs)
    for _ in range(width):
        flat = cost.reshape(pairs, -1)
        at = flat.argmin(axis=1)
        row = np.flatnonzero(flat[rows, at] < _FAR)
        if not len(row):
            break
        i, j = np.divmod(at[row], width)
        partner[row, i] = j
        free[row, j] = False
        cost[row, i, :] = cost[row, :, j] = _FAR
    return partner, free


def displaced(partner: Ints) -> Bools:
    """Tell whether words stand in another order that is no mere turning round of given and family name."""
    falls = np.zeros(len(partner), np.int32)
    first, last = (np.full(len(partner), NONE, np.int32) for _ in range(2))
    for own in partner.T:
        there = own != NONE
        first = np.where((first == NONE) & there, own, first)
        falls += there & (own < last)
        last = np.where(there, own, last)
    falls += first < last
    return np.asarray(falls > 1, np.bool_)
