"""Features of many records as columns of codes, made once and used by keys, comparisons and frequencies alike."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self, TypeVar

import numpy as np
import pyarrow as pa

from apps.matching.comparisons_columns import Bools, Column, coded_few, column
from apps.matching.features import IS_LIST, NAMES, Row

T = TypeVar("T")


class Encoded:
    """A feature table (schema `features.FEATURES`) whose columns are encoded when they are first asked for."""

    def __init__(self, table: pa.Table | None, columns: Mapping[str, Column] | None = None) -> None:
        """Of a table, or of columns that are encoded already."""
        self._table = table
        self._columns = dict(columns or {})
        self._made: dict[str, Any] = {}
        self.num_rows = table.num_rows if table is not None else len(self._columns["kind"].start)

    @classmethod
    def of_rows(cls, rows: Sequence[Row]) -> Self:
        """Records that are rows yet: for a batch quicker than by way of a table."""
        columns = {}
        for place, (name, several) in enumerate(zip(NAMES, IS_LIST, strict=True)):
            own: list[Any] = [row[place] for row in rows] if several else [(row[place],) for row in rows]
            flat: list[str] = [text for texts in own for text in texts]
            size = np.fromiter(map(len, own) if several else (bool(texts[0]) for texts in own), np.int64, len(own))
            codes, texts = coded_few(flat)
            start = np.cumsum(size) - size if several else np.arange(len(own), dtype=np.int64)
            columns[name] = Column(codes, start, size, texts)
        return cls(None, columns)

    def column(self, name: str) -> Column:
        """The column of one feature."""
        if name not in self._columns and self._table is not None:
            self._columns[name] = column(self._table.column(name))
        return self._columns[name]

    def once(self, name: str, make: Callable[[], T]) -> T:
        """What `make` makes of these records, made when it is first asked for under this name and kept."""
        if name not in self._made:
            self._made[name] = make()
        found: T = self._made[name]
        return found

    def organizations(self) -> Bools:
        """For each record, whether it is an organisation."""
        kind = self.column("kind")
        codes = kind.single()
        is_one = np.append(kind.texts == "o", False)
        return np.asarray(is_one[codes], np.bool_)

    def without(self, generic: Mapping[str, frozenset[str]]) -> Self:
        """The same without the values in `generic` (by feature): strangers share them, so they say nothing."""
        if not generic:
            return self
        columns = {name: self.column(name) for name in self._names()}
        for name, texts in generic.items():
            columns[name] = _without(columns[name], texts)
        return type(self)(None, columns)

    def _names(self) -> list[str]:
        return self._table.column_names if self._table is not None else list(self._columns)


def _without(values: Column, texts: frozenset[str]) -> Column:
    unwanted = np.append([text in texts for text in values.texts.tolist()], False)
    if not unwanted.any():
        return values
    row, _, codes = values.spread()
    left = ~unwanted[codes]
    size = np.bincount(row[left], minlength=len(values.size)).astype(np.int64)
    return Column(codes[left], np.cumsum(size) - size, size, values.texts)
