"""An address taken apart: house number, street, unit, post code, city."""

import re
from functools import cache, lru_cache
from typing import Final, NamedTuple

from apps.matching.text import fold, plain, plain_ascii, reference

_CACHE = 200_000


class Address(NamedTuple):
    """Folded parts; '' where a part is not known."""

    house: str
    street: str
    unit: str
    postcode: str
    city: str
    country: str


@cache
def _patterns() -> tuple[re.Pattern[str], re.Pattern[str], dict[str, str], tuple[tuple[str, str], ...]]:
    data = reference("street_types")
    units = "|".join(sorted((re.escape(word) for word in data["unit_words"]), key=len, reverse=True))
    # A number may follow at once ("apt5"), a letter only after a space: "porter" is no "porte r".
    unit = re.compile(rf"(?:(?:^|[\s,/])(?:{units})(?:\.?\s+|\.|(?=\d))|#\s*)(?:no\.?\s*)?(\d+[a-z]?|[a-z])(?=$|[\s,])")
    boxes = "|".join(re.escape(word) for word in data["box_words"])
    box = re.compile(rf"(?:^|[\s,])(?:{boxes})\s*(\d+)")
    glued = tuple(sorted(((fold(a), b) for a, b in data["glued"].items()), key=lambda pair: -len(pair[0])))
    return unit, box, {fold(key): value for key, value in data["short"].items()}, glued


_HOUSE_FIRST = re.compile(r"^(?:no\.?\s*|nr\.?\s*)?(\d{1,6})(?:\s*[-/]\s*\d+)?(?:\s?-?([a-z]))?(?=[\s,]|$)[\s,]*")
_HOUSE_LAST = re.compile(r"(?:^|[\s,]+)(?:no\.?|nr\.?|n)?\s*(\d{1,5})(?:\s*[-/]\s*\d+)?(?:\s?-?([a-z]))?$")
_HOUSE_GLUED = re.compile(r"^(\d+)(?=[a-z]{3})")
_CROSSING_WORDS = ("at", "between", "betw", "btwn", "bet", "near", "off", "corner of", "opposite", "opp")
_CROSSING = re.compile(rf"(?<=\w)\W+(?:{'|'.join(_CROSSING_WORDS)})\b.*")
_ORDINAL = re.compile(r"^\d+(?:st|nd|rd|th)\b")
_DOTS = re.compile(r"\b(?:p\.?\s?o\.?)(?=\s*box)")


_WHITE = re.compile(r"\s+")
_NOT_CODE = re.compile(r"[^a-z0-9]+")
_PLAIN_FIRST = re.compile(r"(\d{1,6})([a-z])? ([a-z][a-z' ]*)")
_PLAIN_LAST = re.compile(r"([a-z][a-z' ]*[a-z])\.?,? (\d{1,5})([a-z])?")


@lru_cache(maxsize=_CACHE)
def line(text: str) -> tuple[str, str, str]:
    """Return (house, street, unit) of one address line."""
    clean = plain(text)
    found = _PLAIN_FIRST.fullmatch(clean)
    if found:
        house, unit, street = found.groups()
    elif found := _PLAIN_LAST.fullmatch(clean):
        street, house, unit = found.groups()
    if found and (read := plain_street(street)):
        return house.lstrip("0"), read, unit or ""
    return whole_line(clean)


@lru_cache(maxsize=_CACHE)
def plain_street(text: str) -> str:
    """Return a street's name without a number, '' where it may be more than a name; there are far fewer streets than lines."""
    house, street, unit = whole_line(text)
    words = text.split()
    odd = house or unit or street == "po box" or words[0] in _NUMBER_WORDS or words[-1] in _NUMBER_WORDS
    return "" if odd or any(word in _odd_words() for word in words) else street


_NUMBER_WORDS = frozenset({"no", "nr", "n", "st", "nd", "rd", "th"})


@cache
def _odd_words() -> frozenset[str]:
    """Words that say that a line is more than a street and a number."""
    data = reference("street_types")
    words = [*data["unit_words"], *data["box_words"], *_CROSSING_WORDS]
    return frozenset(part for word in words for part in fold(word).split())


def whole_line(text: str) -> tuple[str, str, str]:
    """The same of any line in plain form."""
    unit_of, box_of, short, glued = _patterns()
    line = _DOTS.sub("po", text).strip(" .,;")
    line = _CROSSING.sub("", _HOUSE_GLUED.sub(r"\1 ", _WHITE.sub(" ", line)))
    box = box_of.search(line)
    if box:
        return box[1], "po box", ""
    unit = ""
    found = unit_of.search(line)
    if found and (found.start() > 0 or found.end() == len(line) or not line[found.end() :].strip(" ,")):
        unit = found[1]
        line = (line[: found.start()] + " " + line[found.end() :]).strip(" ,")
    house = ""
    number = None if _ORDINAL.match(line) else _HOUSE_FIRST.match(line)
    if number and number.end() < len(line):
        line = line[number.end() :]
    else:
        number = _HOUSE_LAST.search(line)
        if number:
            line = line[: number.start()]
    if number:
        house, unit = number[1].lstrip("0"), unit or (number[2] or "")
    return house, _street([_short(word, short, glued) for word in fold(line).split()], first=bool(number)), unit


QUARTERS: Final = frozenset({"north", "south", "east", "west", "northeast", "northwest", "southeast", "southwest"})
"""Quarters of the compass: left out as often as not, but East 55th Street is not West 55th Street."""
_ORDINAL_WORD = re.compile(r"(\d+)(?:st|nd|rd|th)")


def _street(words: list[str], *, first: bool) -> str:
    """Put a street's words together; what stands behind its type names a building (Peachtree Rd. Battle Shopping Center)."""
    ends = _ends()
    words = [found[1] if (found := _ORDINAL_WORD.fullmatch(word)) else word for word in words]
    last = next((place for place, word in enumerate(words) if place and word in ends), len(words))
    rest = words[last + 1 :]
    if first and rest and not all(word in QUARTERS for word in rest):
        words = words[: last + 1]
    return " ".join(words)


@cache
def _ends() -> frozenset[str]:
    return frozenset(reference("street_types")["ends"])


@cache
def _glued_endings() -> tuple[str, ...]:
    return tuple(ending for ending, _ in _patterns()[3])


def _short(word: str, short: dict[str, str], glued: tuple[tuple[str, str], ...]) -> str:
    found = short.get(word)
    if found:
        return found
    if not word.endswith(_glued_endings()):
        return word
    for ending, abbreviation in glued:
        if len(word) > len(ending) + 2 and word.endswith(ending):
            return word[: -len(ending)] + abbreviation
    return word


@cache
def _cities() -> dict[str, str]:
    return {fold(key): fold(value) for key, value in reference("cities")["names"].items()}


@lru_cache(maxsize=_CACHE)
def city_name(text: str) -> str:
    """Return a city's folded name, one for its names in several languages."""
    city = fold(text)
    if city.startswith("st "):
        city = "saint " + city[3:]
    elif city.startswith(("w ", "n ", "s ", "e ")):
        city = {"w": "west", "n": "north", "s": "south", "e": "east"}[city[0]] + city[1:]
    return _cities().get(city, city)


@lru_cache(maxsize=_CACHE)
def postcode_of(text: str, country: str) -> str:
    """Return a post code without spaces and country; `country`: lower-case ISO code or ''."""
    compact = _NOT_CODE.sub("", plain_ascii(text))  # code, not words: AE4 keeps its E
    if country and compact.startswith(country) and compact[len(country) :].isdigit():
        compact = compact[len(country) :]
    return compact[:5] if country == "us" and len(compact) == 9 else compact


@lru_cache(maxsize=_CACHE)
def address(line1: str, line2: str, city: str, postcode: str, country: str) -> Address:
    """Take an address apart. Columns that were swapped (a street in the city) are put right.

    A second line gives the unit; where the first holds no street it gives the street.
    """
    country = country.lower()
    if has_digit(city) and not has_digit(line1):
        line1, city = city, line1
    house, street, unit = line(line1) if line1 else ("", "", "")
    if line2:
        house2, street2, unit2 = line(line2)
        if not street and street2:
            street = street2
        if not house and street2 == street:
            house = house2
        unit = unit or unit2
    return Address(house, street, unit, postcode_of(postcode, country), city_name(city), country)


def has_digit(text: str) -> bool:
    """Tell whether a text holds a digit."""
    return any(letter.isdigit() for letter in text)
