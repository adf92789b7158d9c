"""Candidate pairs of a file against itself: records that share a key which is not oversized, or two weak ones."""

import numpy as np
import numpy.typing as npt

from apps.matching.blocking import WEAK, Keys, kind_of

Longs = npt.NDArray[np.int64]


def candidate_pairs(keys: Keys, cap: int) -> tuple[Longs, Longs]:
    """Return each pair of rows (low < high, sorted) once; a key with more than `cap` rows brings nobody together."""
    order = np.lexsort((keys.row, keys.key))
    key, row = keys.key[order], keys.row[order].astype(np.int64)
    if not len(key):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    start = np.flatnonzero(np.r_[True, key[1:] != key[:-1]])
    size = np.diff(np.r_[start, len(key)])
    weak = np.isin(kind_of(key[start]), list(WEAK))
    strong_pairs = _met(row, start[~weak], size[~weak], cap)
    weak_pairs, times = np.unique(_met(row, start[weak], size[weak], cap), return_counts=True)
    codes = np.unique(np.concatenate((strong_pairs, weak_pairs[times > 1])))
    return codes >> 32, codes & 0xFFFFFFFF


def _met(row: Longs, start: Longs, size: Longs, cap: int) -> Longs:
    """Return a code of each pair of rows in each block; a block is `size` rows from `start`."""
    found = [np.zeros(0, np.int64)]
    for rows in np.unique(size[(size > 1) & (size <= cap)]).tolist():
        blocks = row[start[size == rows][:, None] + np.arange(rows)]
        low, high = np.triu_indices(rows, 1)
        found.append((blocks[:, low].ravel() << 32) | blocks[:, high].ravel())
    return np.concatenate(found)
