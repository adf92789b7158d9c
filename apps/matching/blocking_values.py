"""Values that keys are made of: numbers of texts by record, joined to combinations without a loop over records."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from apps.matching.comparisons_columns import Column
from apps.matching.hashing import Words, together

Rows = npt.NDArray[np.int64]


class Values(NamedTuple):
    """Numbers of values with their records: rows ascending, several values a record; none of them 0, which is "not known"."""

    row: Rows
    hash: Words

    def where(self, wanted: npt.NDArray[np.bool_]) -> "Values":
        """The values of some records; `wanted`: a flag for each record."""
        kept = wanted[self.row]
        return Values(self.row[kept], self.hash[kept])

    def by(self, one_each: Words, combine: Callable[[Words, Words], Words] = together) -> "Values":
        """Each value with the one number its record has in `one_each`; records where that is 0 have none."""
        other = one_each[self.row]
        kept = other > 0
        return Values(self.row[kept], combine(self.hash[kept], other[kept]))


def listed(column: Column, numbers: Words, most: int = 8) -> Values:
    """The first `most` values of each record; `numbers`: of each distinct text of the column."""
    row, within, codes = column.spread()
    found = np.append(numbers, np.uint64(0))[codes]
    kept = (found > 0) & (within < most)
    return Values(row[kept], found[kept])


def first(column: Column, numbers: Words) -> Words:
    """The number of each record's first value, 0 where it has none."""
    return np.append(numbers, np.uint64(0))[column.nth(0)]


def dense(one_each: Words) -> Values:
    """Values of the records that have one."""
    row = np.flatnonzero(one_each)
    return Values(row, one_each[row])


def joined(a: Values, b: Values) -> Values:
    """Every value of `a` with every value of `b` of the same record."""
    rows = int(max(a.row.max(initial=-1), b.row.max(initial=-1))) + 1
    size = np.bincount(b.row, minlength=rows)
    count = size[a.row]
    row = np.repeat(a.row, count)
    within = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)
    start = (np.cumsum(size) - size)[row]
    return Values(row, together(np.repeat(a.hash, count), b.hash[start + within]))
