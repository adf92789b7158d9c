"""The shape of a standardised record, and its compact JSON text.

Every text is folded (lower-case ASCII, see `text`). Lists hold each value once, in the order received, at most
`MOST_VALUES` of them. The five address columns run parallel: place i of each speaks of address i.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any, Final, NamedTuple, cast

import pyarrow as pa

from apps.common.jsontext import json_text, json_value

FEATURES_VERSION: Final = 4
MOST_VALUES: Final = 8


class Row(NamedTuple):
    """One record's features; a column each."""

    kind: str = ""  # p person, o organization
    given: Sequence[str] = ()  # given names, initials as one letter
    family: Sequence[str] = ()  # family names without particles
    suffix: str = ""  # jr, sr, 2, 3, 4
    company: Sequence[str] = ()  # company names without legal form and fillers; the first is the main one
    legal_form: str = ""  # id of a form in the reference file
    birth: str = ""  # YYYY-MM-DD; YYYY-00-00 where only the year says something
    email: Sequence[str] = ()  # local@domain
    phone: Sequence[str] = ()  # national significant digits
    domain: Sequence[str] = ()  # registrable domains of web sites and of company mail boxes
    identifier: Sequence[str] = ()  # type|country|v, f or n (verified, failed, not known)|value
    address_house: Sequence[str] = ()
    address_street: Sequence[str] = ()
    address_unit: Sequence[str] = ()
    address_postcode: Sequence[str] = ()
    address_city: Sequence[str] = ()
    address_country: Sequence[str] = ()  # ISO code, lower case


NAMES: Final = Row._fields
IS_LIST: Final = tuple(empty == () for empty in Row())
_SHORT: Final = tuple("kgfsolbepwihtuzcn")  # names in JSON, in the order of the columns
FEATURES: Final = pa.schema(
    [pa.field(name, pa.list_(pa.string()) if many else pa.string()) for name, many in zip(NAMES, IS_LIST, strict=True)]
)


def table(rows: Sequence[Row]) -> pa.Table:
    """Build the feature table from rows."""
    columns = zip(*rows, strict=True) if rows else ([] for _ in NAMES)
    return pa.Table.from_arrays(
        [pa.array(column, kind) for column, kind in zip(columns, FEATURES.types, strict=True)], schema=FEATURES
    )


def rows(features: pa.Table) -> list[Row]:
    """Return the table's rows as tuples: text, or a list of texts, per column."""
    columns = (_values(column.combine_chunks()) for column in features.columns)
    return list(map(Row._make, zip(*columns, strict=True)))


def _values(column: pa.Array) -> list[Any]:
    """Return a column's values; lists are cut from the flat values, three times faster than to_pylist."""
    if not pa.types.is_list(column.type):
        return cast("list[Any]", column.to_pylist())
    flat = column.flatten().to_pylist()
    ends = column.offsets.to_numpy().tolist()
    first = ends[0] if ends else 0
    return [flat[start - first : end - first] for start, end in pairwise(ends)]


def row_of(values: Mapping[str, Any]) -> Row:
    """Complete one record's features, given by name, to a row; what is not named is empty."""
    return Row(**{name: values[name] for name in NAMES if values.get(name)})


def texts(rows: Iterable[Row]) -> list[str]:
    """Return one compact JSON object a record; empty columns are left out."""
    return [json_text({key: value for key, value in zip(_SHORT, row, strict=True) if value}) for row in rows]


def from_texts(stored: Sequence[str]) -> pa.Table:
    """Read what `texts` wrote; raises ValueError for text that is not an object of features."""
    records = json_value("[" + ",".join(stored) + "]")
    if len(records) != len(stored) or not all(isinstance(record, dict) for record in records):
        raise ValueError("every text must be one JSON object of features")
    arrays = []
    for short, many, kind in zip(_SHORT, IS_LIST, FEATURES.types, strict=True):
        empty: Any = () if many else ""
        arrays.append(pa.array([record.get(short, empty) for record in records], kind))
    return pa.Table.from_arrays(arrays, schema=FEATURES)
