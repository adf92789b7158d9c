"""Names of people and companies brought to tokens that can be compared."""

import re
from collections.abc import Iterable
from functools import cache, lru_cache
from typing import NamedTuple

from apps.matching.text import fold, plain, reference, undotted

_CACHE = 100_000
_CAMEL = re.compile(r"(?<=[a-z]{2})(?=[A-Z][a-z]{2})")  # words run together: RamiMakhlouf, but not McDonald


class PersonName(NamedTuple):
    """Given and family names as folded tokens, and the suffix that tells father from son."""

    given: tuple[str, ...]
    family: tuple[str, ...]
    suffix: str


class CompanyName(NamedTuple):
    """Names without legal form and fillers (main one first), and the id of the legal form."""

    names: tuple[str, ...]
    form: str


@cache
def _person_words() -> tuple[frozenset[str], frozenset[str], frozenset[str], dict[str, str]]:
    data = reference("person_words")
    folded = (frozenset(fold(word) for word in data[key]) for key in ("titles", "particles", "joined"))
    titles, particles, joined = folded
    return titles, particles, joined, {fold(key): value for key, value in data["suffixes"].items()}


@cache
def _generic_text() -> frozenset[str]:
    return frozenset(fold(value) for value in reference("generic_values")["text"])


def generic_text(value: str) -> bool:
    """Tell whether a text stands for "no value": unknown, n/a, test."""
    return fold(value) in _generic_text()


def _tokens(text: str) -> list[str]:
    """Folded words; Mc Donald, O Brien and D Angelo are one word. A digit inside a word is read as a letter."""
    joined = _person_words()[2]
    found: list[str] = []
    waiting = ""
    for word in fold(undotted_initials(text)).split():
        if word in joined and not waiting:
            waiting = word
            continue
        found.append(waiting + word)
        waiting = ""
    if waiting:
        found.append(waiting)
    return [_letters(word) for word in found]


_LOOKS_LIKE = str.maketrans("01345789", "oleasbbg")


def _letters(word: str) -> str:
    return word.translate(_LOOKS_LIKE) if not word.isdigit() and not word.isalpha() else word


def undotted_initials(text: str) -> str:
    """Give each initial of "J.R." a word of its own."""
    return text.replace(".", " ")


def _without(tokens: list[str], unwanted: Iterable[str]) -> list[str]:
    kept = [token for token in tokens if token not in unwanted]
    return kept or tokens


def _take_suffix(tokens: list[str]) -> tuple[list[str], str]:
    suffixes = _person_words()[3]
    if len(tokens) > 1 and tokens[-1] in suffixes:
        return tokens[:-1], suffixes[tokens[-1]]
    return tokens, ""


@lru_cache(maxsize=_CACHE)
def person_name(given: str, family: str, name: str) -> PersonName:
    """Read a person's name from its parts, or from the whole where the parts are missing.

    "Orozson, Mark" is family first; otherwise the last word is the family name. Whether the two were crossed is the
    comparison's business: it tries both ways.
    """
    titles, particles, _, _ = _person_words()
    given, family, name = ("" if generic_text(part) else part for part in (given, family, name))
    if " " not in name.strip():
        name = _CAMEL.sub(" ", name)
    if name and not (given and family):
        given, family = _split_whole(name, given, family)
    family_tokens, suffix = _take_suffix(_tokens(family))
    given_tokens = _tokens(given)
    if not suffix:
        given_tokens, suffix = _take_suffix(given_tokens)
    given_tokens = _without(given_tokens, titles)
    family_tokens = _without(family_tokens, titles | particles)
    return PersonName(tuple(dict.fromkeys(given_tokens))[:4], tuple(dict.fromkeys(family_tokens))[:4], suffix)


def _split_whole(name: str, given: str, family: str) -> tuple[str, str]:
    """Return (given, family) from a whole name of which one part may be known."""
    before, comma, after = name.partition(",")
    after_words = fold(after).split()
    if (
        comma
        and after_words
        and not all(word in _person_words()[3] or word in _person_words()[0] for word in after_words)
    ):
        return given or after, family or before
    titles, particles, _, suffixes = _person_words()
    tokens = fold(undotted_initials(name)).split()
    tail = [tokens.pop()] if len(tokens) > 1 and tokens[-1] in suffixes else []
    tokens = _without(tokens, titles)
    if given or family:
        known = set(fold(given or family).split())
        rest = " ".join(word for word in tokens if word not in known)
        return (given, " ".join([rest, *tail])) if given else (rest, " ".join([family, *tail]))
    if len(tokens) < 2:
        return "", " ".join(tokens + tail)
    start = len(tokens) - 1
    while start > 1 and tokens[start - 1] in particles:
        start -= 1
    return " ".join(tokens[:start]), " ".join(tokens[start:] + tail)


_BRACKETS = re.compile(r"\(([^()]*)\)|\[([^\[\]]*)\]")
_AND = re.compile(r"\s*[&+]\s*")


@cache
def _legal_forms() -> tuple[dict[tuple[str, ...], str], int]:
    forms = {
        tuple(fold(text).split()): form for form, texts in reference("legal_forms")["forms"].items() for text in texts
    }
    return forms, max(map(len, forms))


@cache
def _company_words() -> tuple[frozenset[str], dict[str, str], dict[str, str], re.Pattern[str]]:
    data = reference("company_words")
    marks = sorted(data["trading_as"], key=len, reverse=True)
    split = re.compile(r"(?:^|[\s,;(])(?:" + "|".join(re.escape(mark) for mark in marks) + r")[\s:.]+", re.IGNORECASE)
    long_form = {fold(key): fold(value) for key, value in data["long_form"].items()}
    return frozenset(fold(word) for word in data["fillers"]), long_form, dict(data["numbers"]), split


def _strip_form(tokens: list[str]) -> tuple[list[str], str]:
    """Take the legal form off the end, or off the front (OOO Romashka); a name that is only a form stays."""
    forms, longest = _legal_forms()
    form = ""
    for _ in range(2):  # "Ltd. & Co. KG", "AB (publ)"
        for size in range(min(longest, len(tokens) - 1), 0, -1):
            if tuple(tokens[-size:]) in forms:
                form = form or forms[tuple(tokens[-size:])]
                tokens = tokens[:-size]
                break
            if not form and tuple(tokens[:size]) in forms and size < len(tokens) and (size > 1 or len(tokens[0]) > 1):
                form = forms[tuple(tokens[:size])]
                tokens = tokens[size:]
                break
        while len(tokens) > 1 and tokens[-1] == "and":
            tokens = tokens[:-1]
    return tokens, form


@cache
def _written_forms() -> dict[str, str]:
    written = reference("legal_forms")["written"]
    return {form: f" {written[form]} " for form in sorted(written, key=len, reverse=True)}


def _spaced_forms(text: str) -> str:
    """Part a legal form from a name written without spaces, and put it last."""
    for form, latin in _written_forms().items():
        if form in text:
            return text.replace(form, " ") + latin
    return text


def _one_company(text: str, city: str) -> tuple[str, str]:
    text = _AND.sub(" and ", text)
    if " " not in text.strip():
        text = _CAMEL.sub(" ", text)
    main, dash, tail = text.rpartition(" - ")
    if dash and fold(main):
        ended = _strip_form(fold(undotted(plain(main))).split())[1]
        if ended or fold(tail) == fold(city):
            text = main  # what follows the legal form, or is the record's own city, is a branch's place
    tokens, form = _strip_form(fold(undotted(plain(text))).split())
    fillers, long_form, numbers, _ = _company_words()
    tokens = [numbers.get(word, long_form.get(word, word)) for word in tokens]
    core = [word for word in tokens if word not in fillers]
    return " ".join((core if sum(map(len, core)) > 1 else tokens)[:12]), form


def _bracketed(inner: re.Match[str], city: str) -> str:
    """Words in brackets tell branches apart (China, Hong Kong); those that repeat the record's own city do not."""
    text = inner[1] or inner[2] or ""
    return " " if fold(text) == fold(city) else f" {text} "


@lru_cache(maxsize=_CACHE)
def company_name(text: str, city: str) -> CompanyName:
    """Read a company's name: trading names apart, legal form to its id, abbreviations to long form.

    `city` is the record's city: "Wilson Brothers - Nottingham" in Nottingham is "Wilson Brothers".
    """
    if generic_text(text):
        return CompanyName((), "")
    names: list[str] = []
    form = ""
    for part in _company_words()[3].split(text if text.isascii() else _spaced_forms(text)):
        name, found = _one_company(_BRACKETS.sub(lambda inner: _bracketed(inner, city), part), city)
        form = form or found
        if name and name not in names:
            names.append(name)
    return CompanyName(tuple(names[:4]), form)
