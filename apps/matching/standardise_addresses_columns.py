"""Columns of address lines and post codes: what can be read in whole-array steps, and the others one by one."""

from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from apps.matching import standardise_addresses as addresses
from apps.matching.comparisons_columns import Bools
from apps.matching.standardise_text_columns import (
    NO_TEXT,
    batch,
    flags,
    matching,
    merged,
    of_distinct,
    picked,
    plain_ascii_column,
    plain_column,
    texts_of,
)

_PARTS: Final = ("house", "street", "unit")
_FIRST: Final = r"^(?P<house>[0-9]{1,6})(?P<unit>[a-z])? (?P<street>[a-z][a-z' ]*)$"
_LAST: Final = r"^(?P<street>[a-z][a-z' ]*[a-z])\.?,? (?P<house>[0-9]{1,5})(?P<unit>[a-z])?$"


def read_lines(rows: pa.RecordBatch) -> pa.RecordBatch:
    """House, street and unit of address lines, as `line` gives them."""
    clean = plain_column(rows.column(0))
    first, last = pc.extract_regex(clean, _FIRST), pc.extract_regex(clean, _LAST)
    house, street, unit = (
        pc.coalesce(pc.struct_field(first, name), pc.struct_field(last, name), NO_TEXT) for name in _PARTS
    )
    street = of_distinct(lambda text: addresses.plain_street(text) if text else "", street)
    known = flags(pc.or_(pc.not_equal(street, NO_TEXT), pc.equal(clean, NO_TEXT)))
    other = picked(clean, ~known).dictionary_encode()
    read = [addresses.whole_line(text) for text in other.dictionary.to_pylist()]
    quick = (pc.ascii_ltrim(house, characters="0"), street, unit)
    return batch(**{
        name: merged(known, picked(quick[place], known), texts_of([one[place] for one in read]).take(other.indices))
        for place, name in enumerate(_PARTS)
    })  # fmt: skip


def read_postcodes(rows: pa.RecordBatch) -> pa.RecordBatch:
    """Post codes in their countries (lower-case ISO codes or ''), as `postcode_of` gives them."""
    country = rows.column(1)
    compact = pc.replace_substring_regex(plain_ascii_column(rows.column(0)), "[^a-z0-9]+", "")
    prefixed = _begins(compact, country) & matching(compact, "^..[0-9]+$")
    compact = pc.if_else(pa.array(prefixed), pc.utf8_slice_codeunits(compact, 2), compact)
    extended = flags(pc.equal(country, "us")) & (pc.binary_length(compact).to_numpy() == _ZIP_AND_FOUR)
    return batch(texts=pc.if_else(pa.array(extended), pc.utf8_slice_codeunits(compact, 0, 5), compact))


_ZIP_AND_FOUR: Final = 9


def _begins(texts: pa.Array, country: pa.Array) -> Bools:
    """Which texts begin with the code of their country (two letters)."""
    return flags(pc.equal(pc.utf8_slice_codeunits(texts, 0, 2), country))


def with_digit(texts: pa.Array) -> Bools:
    """Which texts hold a digit, as `has_digit` sees it: of any script."""
    found = matching(texts, "[0-9]")
    open_yet = ~found & matching(texts, _MAY_BE_DIGIT)
    found[open_yet] = [addresses.has_digit(text) for text in picked(texts, open_yet).to_pylist()]
    return found


_MAY_BE_DIGIT: Final = r"[^\x00-\x7F\p{L}\p{M}\p{P}\p{Z}]"


def read_cities(rows: pa.RecordBatch) -> pa.RecordBatch:
    """Cities, as `city_name` gives them."""
    return batch(texts=of_distinct(addresses.city_name.__wrapped__, rows.column(0)))


def read_addresses(rows: pa.RecordBatch) -> pa.RecordBatch:
    """Whole addresses (two lines, city, post code, country) taken apart, as `address` gives them."""
    swapped = with_digit(rows.column(2)) & ~with_digit(rows.column(0))
    straight, other = rows.filter(pa.array(~swapped)), rows.filter(pa.array(swapped))
    read = [
        addresses.address.__wrapped__(*texts) for texts in zip(*(one.to_pylist() for one in other.columns), strict=True)
    ]
    quick = _straight(*straight.columns)
    return batch(**{
        name: merged(~swapped, quick[place], texts_of([one[place] for one in read]))
        for place, name in enumerate(addresses.Address._fields)
    })  # fmt: skip


def _straight(
    line1: pa.Array, line2: pa.Array, city: pa.Array, code: pa.Array, country: pa.Array
) -> tuple[pa.Array, ...]:
    """The same of addresses with everything in its place: the second line gives what the first does not."""
    country = pc.ascii_lower(country)
    (house, street, unit), (house2, street2, unit2) = (read_lines(batch(texts=line)).columns for line in (line1, line2))
    street = _or(street, street2)
    house = pc.if_else(pc.equal(street, street2), _or(house, house2), house)
    return (
        house, street, _or(unit, unit2), read_postcodes(batch(code=code, country=country))["texts"],
        read_cities(batch(texts=city))["texts"], country,
    )  # fmt: skip


def _or(texts: pa.Array, others: pa.Array) -> pa.Array:
    return pc.if_else(pc.equal(texts, NO_TEXT), others, texts)
