"""An address is one ordered comparison: its parts hang together, so they are not counted one by one."""

from typing import NamedTuple

import numpy as np
from rapidfuzz import fuzz
from rapidfuzz.distance import OSA

from apps.matching.comparison_levels import LEVELS, level_number
from apps.matching.comparisons_columns import (
    NONE,
    Bools,
    Column,
    Ints,
    Levels,
    Longs,
    Texts,
    as_texts,
    best,
    cross,
    distinct,
    edits,
    encode,
    lengths,
    similar,
)
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
        codes[part] = (values, values.codes[crossed.left], values.codes[crossed.right])
    parts = _Parts(
        house=_house(*codes["house"]),
        street=_street(*codes["street"]),
        unit=_exact(*codes["unit"]),
        postcode=_near(*codes["postcode"], most=1, shortest=4),
        city=_near(*codes["city"], most=2, shortest=5),
        country=_exact(*codes["country"]),
    )
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


def _exact(values: Column, a: Ints, b: Ints) -> _Part:
    known = (a != NONE) & (b != NONE)
    same = known & (a == b)
    return _Part(known, same, same)


def _house(values: Column, a: Ints, b: Ints) -> _Part:
    """House numbers are alike when one digit is left out or two are exchanged; another digit is another house."""
    known, same, _ = _exact(values, a, b)
    alike = same.copy()
    at = np.flatnonzero(known & ~same)
    if len(at):
        low, high, place = distinct(a[at], b[at])
        one, other = lengths(values.texts)[low], lengths(values.texts)[high]
        digits = [sum(map(ord, text)) for text in values.texts.tolist()]
        exchanged = np.array(digits, np.int32)[low] == np.array(digits, np.int32)[high]
        near = (edits(values.texts, low, high, 1) <= 1) & ((one != other) | exchanged) & (np.minimum(one, other) > 1)
        alike[at] = near[place]
    return _Part(known, same, alike)


def _near(values: Column, a: Ints, b: Ints, *, most: int, shortest: int) -> _Part:
    """Agreement up to `most` edits (one in texts shorter than eight) in texts of `shortest` letters or more."""
    known, same, _ = _exact(values, a, b)
    alike = same.copy()
    at = np.flatnonzero(known & ~same)
    if len(at):
        low, high, place = distinct(a[at], b[at])
        size = np.minimum(lengths(values.texts)[low], lengths(values.texts)[high])
        near = (edits(values.texts, low, high, most) <= np.where(size < 8, 1, most)) & (size >= shortest)
        alike[at] = near[place]
    return _Part(known, same, alike)


def _street(values: Column, a: Ints, b: Ints) -> _Part:
    """Streets are alike by edit similarity of the whole, or when one leaves out words of the other."""
    known, same, _ = _exact(values, a, b)
    alike = same.copy()
    at = np.flatnonzero(known & ~same)
    if len(at):
        low, high, place = distinct(a[at], b[at])
        whole = as_texts(text.replace(" ", "") for text in values.texts.tolist())
        near = similar(whole, low, high, OSA.normalized_similarity, _STREET_ALIKE) >= _STREET_ALIKE
        several = np.fromiter(
            (" " in text or len(text) > 5 for text in values.texts.tolist()), np.bool_, len(values.texts)
        )
        long = several[low] & several[high]
        rest = np.flatnonzero(~near & long)
        near[rest] = similar(values.texts, low[rest], high[rest], fuzz.token_set_ratio) > 99.9
        names, quarters = _parted(values.texts)
        one_name = np.flatnonzero(names[low] == names[high])
        sides = zip(quarters[low[one_name]].tolist(), quarters[high[one_name]].tolist(), strict=True)
        fits = np.fromiter((not a or not b or bool(a & b) for a, b in sides), np.bool_, len(one_name))
        equal, across = whole[low] == whole[high], np.zeros(len(low), np.bool_)
        equal[one_name] |= fits
        across[one_name] = ~fits
        alike[at] = ((near | equal) & ~across)[place]
        same[at] = equal[place]
    return _Part(known, same, alike)


def _parted(streets: Texts) -> tuple[Ints, Texts]:
    """Return codes of the streets' names without quarters of the compass, and those quarters as sets."""
    words = [text.split() for text in streets.tolist()]
    quarters = np.empty(len(words), np.object_)
    quarters[:] = [QUARTERS.intersection(own) for own in words]
    return encode([" ".join(word for word in own if word not in QUARTERS) for own in words]), quarters
