"""An address is one ordered comparison: its parts hang together, so they are not counted one by one."""

from typing import NamedTuple

import numpy as np
from rapidfuzz import fuzz
from rapidfuzz.distance import OSA

from apps.matching.comparison_levels import LEVELS, level_number
from apps.matching.comparisons_columns import (
    NONE,
    Bools,
    Ints,
    Levels,
    Longs,
    Texts,
    as_texts,
    best,
    cross,
    distinct,
    encode,
    similar,
)
from apps.matching.comparisons_edits import Outlines, outlines, within
from apps.matching.encoded import Encoded
from apps.matching.standardise_addresses import QUARTERS

_LEVEL = {level: level_number("address", level) for level, _ in LEVELS["address"]}
_STREET_ALIKE = 0.78


class _Part(NamedTuple):
    """Agreement of one part over crossed pairs: known on both sides, same, alike (same included)."""

    known: Bools
    same: Bools
    alike: Bools


class _Parts(NamedTuple):
    house: _Part
    street: _Part
    unit: _Part
    postcode: _Part
    city: _Part
    country: _Part


def address_levels(table: Encoded, left: Longs, right: Longs) -> Levels:
    """Return levels of address: the best over all addresses of both records."""
    houses = table.column("address_house")
    crossed = cross(houses, left, right)
    codes = {}
    for part in ("house", "street", "unit", "postcode", "city", "country"):
        values = table.column(f"address_{part}")
        codes[part] = (outlines(table, f"address_{part}"), values.codes[crossed.left], values.codes[crossed.right])
    house, unit, country = _house(*codes["house"]), _exact(*codes["unit"]), _exact(*codes["country"])
    postcode = _near(*codes["postcode"], most=1, shortest=4)
    city = _near(*codes["city"], most=2, shortest=5)
    # Elsewhere, at another house, it does not matter what the street is called.
    asked = postcode.alike | city.alike | house.same
    streets = table.once("streets", lambda: _read(table.column("address_street").texts))
    parts = _Parts(house, _street(streets, *codes["street"], asked), unit, postcode, city, country)
    return best(crossed, _levels(parts), len(left))


def _levels(parts: _Parts) -> Levels:
    house, street, unit, postcode, city, country = parts
    place = postcode.same | city.same | (postcode.alike & (city.alike | ~city.known)) | (city.alike & ~postcode.known)
    no_place = ~postcode.known & ~city.known
    elsewhere = (city.known & ~city.alike & ~postcode.alike) | (postcode.known & ~postcode.alike & ~city.known)
    result = np.zeros(len(place), np.int8)
    # From the weakest statement to the strongest: the later one stands.
    result[country.known & ~country.same] = _LEVEL["other_country"]
    result[elsewhere] = np.maximum(result, _LEVEL["other_city"])[elsewhere]
    result[place & street.known] = _LEVEL["other_street"]
    result[place & ~street.known] = _LEVEL["city"]
    result[postcode.same & ~street.alike] = _LEVEL["postcode"]
    line = house.known & house.same & street.known
    result[line & street.same & ~place & ~no_place] = _LEVEL["elsewhere"]
    result[place & street.alike & house.known & ~house.alike] = _LEVEL["other_house"]
    result[place & street.same & house.known & house.alike] = _LEVEL["alike"]
    result[place & street.alike & ~house.known] = _LEVEL["street"]
    result[line & street.alike & (place | no_place)] = _LEVEL["alike"]
    same = line & street.same & place
    result[same] = np.where(unit.known & ~unit.same, _LEVEL["other_unit"], _LEVEL["same"])[same]
    return result


def _exact(outlines: Outlines, a: Ints, b: Ints) -> _Part:
    known = (a != NONE) & (b != NONE)
    same = known & (a == b)
    return _Part(known, same, same)


def _house(outlines: Outlines, a: Ints, b: Ints) -> _Part:
    """House numbers are alike when one digit is left out or two are exchanged; another digit is another house."""
    known, same, _ = _exact(outlines, a, b)
    alike = same.copy()
    at = np.flatnonzero(known & ~same)
    at = at[within(outlines, a[at], b[at], 1)[0]]
    if len(at):
        one, other = a[at], b[at]
        digits = np.fromiter((sum(map(ord, text)) for text in outlines.texts.tolist()), np.int32, len(outlines.texts))
        size_a, size_b = outlines.length[one], outlines.length[other]
        exchanged = digits[one] == digits[other]
        alike[at] = ((size_a != size_b) | exchanged) & (np.minimum(size_a, size_b) > 1)
    return _Part(known, same, alike)


def _near(outlines: Outlines, a: Ints, b: Ints, *, most: int, shortest: int) -> _Part:
    """Agreement up to `most` edits (one in texts shorter than eight) in texts of `shortest` letters or more."""
    known, same, _ = _exact(outlines, a, b)
    alike = same.copy()
    at = np.flatnonzero(known & ~same)
    where, distance = within(outlines, a[at], b[at], most)
    at = at[where]
    size = np.minimum(outlines.length[a[at]], outlines.length[b[at]])
    alike[at] = (distance <= np.where(size < 8, 1, most)) & (size >= shortest)
    return _Part(known, same, alike)


class _Streets(NamedTuple):
    """Distinct streets as they are compared: without blanks, of several words or long, by name without quarters of the compass (code),
    and those quarters."""

    whole: Texts
    several: Bools
    name: Ints
    quarters: list[frozenset[str]]


def _read(streets: Texts) -> _Streets:
    texts = streets.tolist()
    words = [text.split() for text in texts]
    return _Streets(
        as_texts(text.replace(" ", "") for text in texts),
        np.fromiter((" " in text or len(text) > 5 for text in texts), np.bool_, len(texts)),
        encode([" ".join(word for word in own if word not in QUARTERS) for own in words]),
        [QUARTERS.intersection(own) for own in words],
    )


def _street(read: _Streets, outlines: Outlines, a: Ints, b: Ints, asked: Bools) -> _Part:
    """Streets are alike by edit similarity of the whole, or when one leaves out words of the other; looked at where it is `asked`."""
    known, same, _ = _exact(outlines, a, b)
    alike = same.copy()
    at = np.flatnonzero(known & ~same & asked)
    if len(at):
        low, high, place = distinct(a[at], b[at])
        near = similar(read.whole, low, high, OSA.normalized_similarity, _STREET_ALIKE) >= _STREET_ALIKE
        rest = np.flatnonzero(~near & read.several[low] & read.several[high])
        near[rest] = similar(outlines.texts, low[rest], high[rest], fuzz.token_set_ratio) > 99.9
        one_name = np.flatnonzero(read.name[low] == read.name[high])
        sides = [
            (read.quarters[i], read.quarters[j])
            for i, j in zip(low[one_name].tolist(), high[one_name].tolist(), strict=True)
        ]
        fits = np.fromiter((not one or not other or bool(one & other) for one, other in sides), np.bool_, len(one_name))
        equal, across = read.whole[low] == read.whole[high], np.zeros(len(low), np.bool_)
        equal[one_name] |= fits
        across[one_name] = ~fits
        alike[at] = ((near | equal) & ~across)[place]
        same[at] = equal[place]
    return _Part(known, same, alike)
