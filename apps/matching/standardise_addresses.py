"""An address taken apart: house number, street, unit, post code, city."""

import re
from functools import cache, lru_cache
from typing import NamedTuple

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
    unit = re.compile(rf"(?:(?:^|[\s,/])(?:{units})\.?\s*|#\s*)(?:no\.?\s*)?(\d+[a-z]?|[a-z])(?=$|[\s,])")
    boxes = "|".join(re.escape(word) for word in data["box_words"])
    box = re.compile(rf"(?:^|[\s,])(?:{boxes})\s*(\d+)")
    glued = tuple(sorted(((fold(a), b) for a, b in data["glued"].items()), key=lambda pair: -len(pair[0])))
    return unit, box, {fold(key): value for key, value in data["short"].items()}, glued


_HOUSE_FIRST = re.compile(r"^(?:no\.?\s*|nr\.?\s*)?(\d{1,6})(?:\s*[-/]\s*\d+)?(?:\s?-?([a-z]))?(?=[\s,]|$)[\s,]*")
_HOUSE_LAST = re.compile(r"(?:^|[\s,]+)(?:no\.?|nr\.?|n)?\s*(\d{1,5})(?:\s*[-/]\s*\d+)?(?:\s?-?([a-z]))?$")
_HOUSE_GLUED = re.compile(r"^(\d+)(?=[a-z]{3})")
_CROSSING = re.compile(r"(?<=\w)\W+(?:at|between|betw|btwn|bet|near|off|corner of|opposite|opp)\b.*")
_ORDINAL = re.compile(r"^\d+(?:st|nd|rd|th)\b")
_DOTS = re.compile(r"\b(?:p\.?\s?o\.?)(?=\s*box)")


@lru_cache(maxsize=_CACHE)
def _line(text: str) -> tuple[str, str, str]:
    """Return (house, street, unit) of one address line."""
    unit_of, box_of, short, glued = _patterns()
    line = _DOTS.sub("po", plain(text)).strip(" .,;")
    line = _CROSSING.sub("", _HOUSE_GLUED.sub(r"\1 ", re.sub(r"\s+", " ", line)))
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
    return house, " ".join(_short(word, short, glued) for word in fold(line).split()), unit


def _short(word: str, short: dict[str, str], glued: tuple[tuple[str, str], ...]) -> str:
    found = short.get(word)
    if found:
        return found
    for ending, abbreviation in glued:
        if len(word) > len(ending) + 2 and word.endswith(ending):
            return word[: -len(ending)] + abbreviation
    return word


@cache
def _cities() -> dict[str, str]:
    return {fold(key): fold(value) for key, value in reference("cities")["names"].items()}


@lru_cache(maxsize=_CACHE)
def _city(text: str) -> str:
    city = fold(text)
    if city.startswith("st "):
        city = "saint " + city[3:]
    elif city.startswith(("w ", "n ", "s ", "e ")):
        city = {"w": "west", "n": "north", "s": "south", "e": "east"}[city[0]] + city[1:]
    return _cities().get(city, city)


@lru_cache(maxsize=_CACHE)
def _postcode(text: str, country: str) -> str:
    compact = re.sub(r"[^a-z0-9]", "", plain_ascii(text))  # code, not words: AE4 keeps its E
    if country and compact.startswith(country) and compact[len(country) :].isdigit():
        compact = compact[len(country) :]
    return compact[:5] if country == "us" and len(compact) == 9 else compact


@lru_cache(maxsize=_CACHE)
def address(line1: str, line2: str, city: str, postcode: str, country: str) -> Address:
    """Take an address apart. Columns that were swapped (a street in the city) are put right.

    A second line gives the unit; where the first holds no street it gives the street.
    """
    country = country.lower()
    if _has_digit(city) and not _has_digit(line1):
        line1, city = city, line1
    house, street, unit = _line(line1) if line1 else ("", "", "")
    if line2:
        house2, street2, unit2 = _line(line2)
        if not street and street2:
            street = street2
        if not house and street2 == street:
            house = house2
        unit = unit or unit2
    return Address(house, street, unit, _postcode(postcode, country), _city(city), country)


def _has_digit(text: str) -> bool:
    return any(letter.isdigit() for letter in text)
