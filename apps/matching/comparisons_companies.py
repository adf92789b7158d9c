"""Company names and legal forms: order and spacing, typing errors, parts, acronyms, numbers."""

from functools import cache, lru_cache
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from rapidfuzz import fuzz
from rapidfuzz.distance import OSA

from apps.matching.comparison_levels import level_number
from apps.matching.comparisons_columns import (
    NONE,
    Ints,
    Levels,
    Longs,
    as_texts,
    best,
    column,
    cross,
    distinct,
    encode,
    lengths,
    similar,
)
from apps.matching.text import fold, reference

_NAME = {
    level: level_number("company_name", level)
    for level in ("same", "alike", "part", "acronym", "shared_words", "number_differs", "different")
}
_ALIKE = 0.87  # normalised edit similarity of the names without spaces
_SORTED = 90.0  # of the names with their words in order of the alphabet
_SHARED = 60.0  # of the words two names have in common


class _Name(NamedTuple):
    compact: str
    ordered: str
    initials: str
    numbers: str
    beginnings: str
    strong: str


@lru_cache(maxsize=100_000)
def _read(name: str) -> _Name:
    tokens = name.split()
    return _Name(
        compact="".join(tokens),
        ordered=" ".join(sorted(tokens)),
        initials="".join(token[0] for token in tokens),
        numbers=" ".join(sorted(token for token in tokens if token.isdigit())),
        beginnings=" ".join(token[:3] for token in tokens),
        strong=" ".join(sorted(token for token in tokens if token not in _trades())),
    )


@cache
def _trades() -> frozenset[str]:
    """Words that say what kind of house it is: people add them or leave them out."""
    return frozenset(map(fold, reference("company_words")["trades"]))


def company_levels(table: pa.Table, left: Longs, right: Longs) -> Levels:
    """Return levels of company_name: the best over all names of both records."""
    names = column(table.column("company"))
    crossed = cross(names, left, right)
    a, b = names.codes[crossed.left], names.codes[crossed.right]
    if not len(a):
        return np.zeros(len(left), np.int8)
    low, high, place = distinct(a, b)
    read = [_read(text) for text in names.texts.tolist()]
    return best(crossed, _distinct_names(read, low, high)[place], len(left))


def _distinct_names(read: list[_Name], a: Ints, b: Ints) -> Levels:
    compacts, orders, initials, numbers, beginnings, strong = (list(values) for values in zip(*read, strict=True))
    compact_texts, ordered_texts = as_texts(compacts), as_texts(orders)
    both = encode([*compacts, *initials])
    compact, initial = both[: len(read)], both[len(read) :]
    ordered, number, beginning, core = encode(orders), encode(numbers), encode(beginnings), encode(strong)
    result = np.full(len(a), _NAME["different"], np.int8)
    words = similar(ordered_texts, a, b, fuzz.token_set_ratio)
    shorter = np.minimum(lengths(compact_texts)[a], lengths(compact_texts)[b])
    result[words >= _SHARED] = _NAME["shared_words"]
    result[(words > 99.9) & (shorter >= 4)] = _NAME["part"]
    close = similar(compact_texts, a, b, OSA.normalized_similarity, _ALIKE) >= _ALIKE
    close |= (words >= _SHARED) & (similar(ordered_texts, a, b, fuzz.ratio, _SORTED) >= _SORTED)
    close |= (words >= _SHARED) & (beginning[a] == beginning[b])  # abbreviated words
    close |= (core[a] == core[b]) & (core[a] != NONE)
    result[close & (shorter >= 4)] = _NAME["alike"]
    several = np.fromiter((len(text) > 1 for text in initials), np.bool_, len(read))
    short = ((compact[a] == initial[b]) & several[b]) | ((compact[b] == initial[a]) & several[a])
    result[(result == _NAME["different"]) & short] = _NAME["acronym"]
    differ = (number[a] != number[b]) & (number[a] != NONE) & (number[b] != NONE)
    result[differ & (result != _NAME["different"])] = _NAME["number_differs"]
    result[(compact[a] == compact[b]) | (ordered[a] == ordered[b])] = _NAME["same"]
    return result


@lru_cache(maxsize=1)
def _kin() -> frozenset[tuple[str, str]]:
    groups = reference("legal_forms")["kin"].values()
    return frozenset((one, other) for group in groups for one in group for other in group)


def legal_form_levels(table: pa.Table, left: Longs, right: Longs) -> Levels:
    """Return levels of legal_form; 0 where one record names none."""
    forms = column(table.column("legal_form"))
    size = len(forms.texts)
    verdict = np.full((size + 1, size + 1), level_number("legal_form", "different"), np.int8)
    for i, one in enumerate(forms.texts.tolist()):
        for j, other in enumerate(forms.texts.tolist()):
            if i == j or (one, other) in _kin():
                verdict[i, j] = level_number("legal_form", "same" if i == j else "kin")
    verdict[NONE, :] = verdict[:, NONE] = 0
    codes = forms.single()
    return np.asarray(verdict[codes[left], codes[right]], np.int8)
