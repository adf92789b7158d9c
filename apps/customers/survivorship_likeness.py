"""Whether two entries of one customer's list are one thing written twice. Pure.

Both stand in records of the same customer, so this asks less than matching does. Spelling is forgiven, another word never is: Bergstraße 5 is not
Burgstraße 5, and an address that is taken for another is lost from the golden record."""

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

Part = Mapping[str, Any]

_LEAST_PHONE: Final = 7
"""Digits in which a number without its country must end, to be the same."""
_NUMBER: Final = re.compile(r"\d+(?:\s?[a-z](?![a-z]))?")
_WORD: Final = re.compile(r"[^\W\d_]+")
_SPELLING: Final = re.compile(r"([aou])e|([^\W\d_])\2")
"""Müller, Mueller, Muller; and Königsallee, Königsalee."""


@lru_cache(maxsize=50_000)
def plain(text: str) -> str:
    """Lower case, without accents."""
    if text.isascii():
        return text.lower()
    return "".join(c for c in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(c))


@lru_cache(maxsize=50_000)
def bare(text: str) -> str:
    """Its letters and digits alone, without case and accents."""
    return "".join(filter(str.isalnum, plain(text)))


@lru_cache(maxsize=50_000)
def _taken_apart(text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The numbers of a text (with the letter of a house: "5a"), sorted, and its words as they come, in one spelling."""
    folded = plain(text)
    numbers = tuple(sorted(found.replace(" ", "") for found in _NUMBER.findall(folded)))
    return numbers, tuple(_one_spelling(word) for word in _WORD.findall(_NUMBER.sub(" ", folded)))


def _one_spelling(word: str) -> str:
    return _SPELLING.sub(r"\1\2", word)


def _abbreviates(short: str, long: str) -> bool:
    """Whether one word is short for the other: "str" for "strasse", "rd" for "road", "st" for "street"."""
    if len(short) < 2 or len(short) >= len(long) or short[0] != long[0]:
        return False
    letters = iter(long)
    return all(letter in letters for letter in short)


def _same_word(one: str, other: str) -> bool:
    return one == other or _abbreviates(one, other) or _abbreviates(other, one)


def _same_words(ones: Sequence[str], others: Sequence[str]) -> bool:
    """Each word of one has its own in the other, in whatever order; or both are one word without their spaces."""
    if _same_word("".join(ones), "".join(others)):
        return True
    if len(ones) != len(others):
        return False
    left = list(others)
    for word in ones:
        found = next((at for at, other in enumerate(left) if _same_word(word, other)), None)
        if found is None:
            return False
        del left[found]
    return True


def _said_both(name: str, one: Part, other: Part) -> tuple[str, str] | None:
    a, b = one.get(name), other.get(name)
    return (str(a), str(b)) if a and b else None


def _addresses(one: Part, other: Part) -> bool:
    """One place: the same numbers and like words in both lines, no other post code or country, and where one has no code, a like city."""
    if _said_both("country", one, other) and one["country"] != other["country"]:
        return False
    codes = _said_both("postal_code", one, other)
    if codes and bare(codes[0]) != bare(codes[1]):
        return False
    cities = _said_both("city", one, other)
    if not codes and not (cities and _same_words(_taken_apart(cities[0])[1], _taken_apart(cities[1])[1])):
        return False
    here, there = _lines(one), _lines(other)
    return bool(here[1]) and here[0] == there[0] and _same_words(here[1], there[1])


def _lines(part: Part) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return _taken_apart(f"{part.get('line1') or ''} {part.get('line2') or ''}")


def _contact_points(one: Part, other: Part) -> bool:
    """A number that was written without its country and one that ends in it."""
    if one.get("type") != "phone" or one.get("valid") is other.get("valid"):
        return False
    whole, piece = (one, other) if one.get("valid") else (other, one)
    digits = str(piece["value"]).lstrip("+0")
    return len(digits) >= _LEAST_PHONE and str(whole["value"]).endswith(digits)


def _identifiers(one: Part, other: Part) -> bool:
    """One number, with its country and without: the sign of the country may stand before it."""
    a, b = one.get("country"), other.get("country")
    if a and b and a != b:
        return False
    country = str(a or b or "").lower()
    return bare(str(one["value"])).removeprefix(country) == bare(str(other["value"])).removeprefix(country)


def _names(one: Part, other: Part) -> bool:
    """The same letters and numbers in the same order, in whatever spelling, with or without spaces and signs."""
    return _one_spelling(bare(str(one["value"]))) == _one_spelling(bare(str(other["value"])))


_ALIKE: Final[Mapping[str, Callable[[Part, Part], bool]]] = {
    "addresses": _addresses, "contact_points": _contact_points, "identifiers": _identifiers, "names": _names,
}  # fmt: skip
_SHARED: Final[Mapping[str, Callable[[Part], Any]]] = {
    "addresses": lambda part: _lines(part)[0],
    "contact_points": lambda part: str(part["value"])[-_LEAST_PHONE:] if part.get("type") == "phone" else None,
    "identifiers": lambda part: bare(str(part["value"]))[-1:],
    "names": lambda part: _one_spelling(bare(str(part["value"]))),
}
"""What two entries that are alike have in common, whatever else: only those are compared. None: an entry that is like no other."""


def alike(attribute: str, one: Part, other: Part) -> bool:
    """Whether two entries of a list (`addresses`, `contact_points`, `identifiers`, `names`) of one type are the same thing."""
    return one.get("type") == other.get("type") and _ALIKE[attribute](one, other)


def gathered(attribute: str, parts: Sequence[Part]) -> list[int]:
    """For each entry the place of the first that it hangs together with, over entries in between: so the order of all but the first of
    each makes no difference."""
    first = list(range(len(parts)))
    shared, same = _SHARED[attribute], _ALIKE[attribute]
    blocks: dict[Any, list[int]] = {}
    for at, part in enumerate(parts):
        sign = shared(part)
        if sign is None:
            continue
        block = blocks.setdefault((part.get("type"), sign), [])
        for before in block:
            here, there = _top(first, at), _top(first, before)
            if here != there and same(parts[before], part):
                first[max(here, there)] = min(here, there)
        block.append(at)
    return [_top(first, at) for at in first]


def _top(first: Sequence[int], at: int) -> int:
    while first[at] != at:
        at = first[at]
    return at
