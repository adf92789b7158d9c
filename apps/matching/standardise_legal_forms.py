"""Legal forms in companies' names: told by their words, at the end of a name, at its front or within it."""

from functools import cache, lru_cache
from itertools import product
from typing import NamedTuple

from rapidfuzz import process
from rapidfuzz.distance import OSA

from apps.matching.standardise_typing_errors import Near
from apps.matching.text import fold, reference

_CACHE = 100_000
_LONG_WORD = 9  # letters from which a typing error in a legal form is recognised


class Forms(NamedTuple):
    """Legal forms by their words, the most words of one that begins or ends so, and which stand in front of a name."""

    ids: dict[tuple[str, ...], str]
    beginning: dict[str, int]
    ending: dict[str, int]
    front: frozenset[tuple[str, ...]]
    front_only: frozenset[tuple[str, ...]]
    inner: frozenset[tuple[str, ...]]
    inner_first: frozenset[str]
    longest: int


@cache
def legal_forms() -> Forms:
    """Return what the reference file lists."""
    data = reference("legal_forms")
    ids = {tuple(fold(text).split()): form for form, texts in data["forms"].items() for text in texts}
    front, front_only, inner = (
        frozenset(tuple(fold(text).split()) for text in data[key]) for key in ("front", "front_only", "inner")
    )
    beginning: dict[str, int] = {}
    ending: dict[str, int] = {}
    for form in ids:
        beginning[form[0]] = max(len(form), beginning.get(form[0], 0))
        ending[form[-1]] = max(len(form), ending.get(form[-1], 0))
    return Forms(
        ids, beginning, ending, front, front_only, inner, frozenset(form[0] for form in inner), max(map(len, ids))
    )


@cache
def _long_words() -> tuple[str, ...]:
    return tuple(sorted({word for words in legal_forms().ids for word in words if len(word) >= _LONG_WORD}))


@cache
def _near_long_words() -> Near:
    return Near.to(_long_words())


@lru_cache(maxsize=_CACHE)
def _mended(word: str) -> str:
    """Return the word of a legal form that a long word misspells (Aktiengeselschaft), or the word itself."""
    most = 1 + len(word) // 16
    if word in _long_words() or (most == 1 and not _near_long_words().may_be(word)):
        return word
    found = process.extractOne(word, _long_words(), scorer=OSA.distance, score_cutoff=most)
    return found[0] if found else word


def strip_form(tokens: list[str]) -> tuple[list[str], str]:
    """Take the legal form off the end, or off the front (OOO Romashka); a name that is only a form stays."""
    forms, beginning, ending, front, front_only, inner, inner_first, longest = legal_forms()
    tokens = [_mended(token) if len(token) >= _LONG_WORD else token for token in tokens]
    form = ""
    for _ in range(2):  # "Ltd. & Co. KG", "AB (publ)"
        if len(tokens) < 2 or not (tokens[-1] in ending or tokens[0] in beginning or tokens[-1] == "and"):
            break
        most = max(ending.get(tokens[-1], 0), beginning.get(tokens[0], 0))
        for size in range(min(most, len(tokens) - 1), 0, -1):
            last, first = tuple(tokens[-size:]), tuple(tokens[:size])
            if last in forms and last not in front_only:
                form = form or forms[last]
                tokens = tokens[:-size]
                break
            if first in forms and (first in front or (not form and (size > 1 or len(tokens[0]) > 1))):
                form = form or forms[first]
                tokens = tokens[size:]
                break
        while len(tokens) > 1 and tokens[-1] == "and":
            tokens = tokens[:-1]
    if not form and len(tokens) > 2 and not inner_first.isdisjoint(tokens[1:-1]):
        for start, size in product(range(1, len(tokens) - 1), range(min(longest, 4), 0, -1)):
            words = tuple(tokens[start : start + size])
            if words in inner:
                return tokens[:start] + tokens[start + size :], forms[words]
    return tokens, form


@cache
def written_forms() -> dict[str, str]:
    """Legal forms in scripts without spaces, the longest first, and what they are in Latin letters."""
    written = reference("legal_forms")["written"]
    return {form: f" {written[form]} " for form in sorted(written, key=len, reverse=True)}


def spaced_forms(text: str) -> str:
    """Part a legal form from a name written without spaces, and put it last."""
    for form, latin in written_forms().items():
        if form in text:
            return text.replace(form, " ") + latin
    return text
