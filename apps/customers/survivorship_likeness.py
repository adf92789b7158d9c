"""Whether two entries of one customer's list are one thing written twice. Pure.

Both stand in records of the same customer, so this asks less than matching does: no frequencies, no evidence against but numbers."""

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from rapidfuzz.fuzz import ratio

Part = Mapping[str, Any]

_TYPING_ERROR: Final = 85.0
"""Words of four letters and more that are so much alike (rapidfuzz ratio, 0 to 100) are one word: one letter in seven."""
_SAME_NAME: Final = 92.0
_LEAST_PHONE: Final = 7
"""Digits in which a number without its country must end, to be the same."""
_NUMBER: Final = re.compile(r"\d+(?:\s?[a-z](?![a-z]))?")
_WORD: Final = re.compile(r"[^\W\d_]+")


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
    """The numbers of a text (with the letter of a house: "5a"), sorted, and its words as they come."""
    folded = plain(text)
    numbers = tuple(sorted(found.replace(" ", "") for found in _NUMBER.findall(folded)))
    return numbers, tuple(_WORD.findall(_NUMBER.sub(" ", folded)))


def _abbreviates(short: str, long: str) -> bool:
    """Whether one word is short for the other: "str" for "strasse", "rd" for "road", "st" for "street"."""
    if len(short) < 2 or len(short) >= len(long) or short[0] != long[0]:
        return False
    letters = iter(long)
    return all(letter in letters for letter in short)


def _same_word(one: str, other: str) -> bool:
    if one == other or _abbreviates(one, other) or _abbreviates(other, one):
        return True
    return min(len(one), len(other)) > 3 and ratio(one, other) >= _TYPING_ERROR


def _same_words(ones: Sequence[str], others: Sequence[str]) -> bool:
    """Each word of one has its own in the other, in whatever order; or both are the same without their spaces."""
    if "".join(ones) == "".join(others):
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
    """The same letters, or nearly so; numbers in a name are part of it ("Fonds 3" is not "Fonds 4")."""
    here, there = str(one["value"]), str(other["value"])
    if bare(here) == bare(there):
        return True
    return _taken_apart(here)[0] == _taken_apart(there)[0] and ratio(plain(here), plain(there)) >= _SAME_NAME


_ALIKE: Final[Mapping[str, Callable[[Part, Part], bool]]] = {
    "addresses": _addresses, "contact_points": _contact_points, "identifiers": _identifiers, "names": _names,
}  # fmt: skip


def alike(attribute: str, one: Part, other: Part) -> bool:
    """Whether two entries of a list (`addresses`, `contact_points`, `identifiers`, `names`) of one type are the same thing."""
    return one.get("type") == other.get("type") and _ALIKE[attribute](one, other)


def gathered(attribute: str, parts: Sequence[Part]) -> list[int]:
    """For each entry the place of the first that it hangs together with, over entries in between: so the order of all but the first of
    each makes no difference."""
    first = list(range(len(parts)))

    def top(at: int) -> int:
        while first[at] != at:
            at = first[at]
        return at

    by_type: dict[Any, list[int]] = {}
    for at, part in enumerate(parts):
        by_type.setdefault(part.get("type"), []).append(at)
    for places in by_type.values():
        for n, at in enumerate(places):
            for before in places[:n]:
                here, there = top(at), top(before)
                if here != there and _ALIKE[attribute](parts[before], parts[at]):
                    first[max(here, there)] = min(here, there)
    return [top(at) for at in range(len(parts))]
