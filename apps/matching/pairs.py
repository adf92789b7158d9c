"""Candidate pairs of a file against itself: records that share a key which is not oversized."""

import numpy as np
import numpy.typing as npt

from apps.matching.blocking import Keys

Longs = npt.NDArray[np.int64]


def candidate_pairs(keys: Keys, cap: int) -> tuple[Longs, Longs]:
    """Return each pair of rows (low < high, sorted) once; a key with more than `cap` rows brings nobody together."""
    order = np.lexsort((keys.row, keys.key))
    key, row = keys.key[order], keys.row[order].astype(np.int64)
    if not len(key):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    start = np.flatnonzero(np.r_[True, key[1:] != key[:-1]])
    size = np.diff(np.r_[start, len(key)])
    found = []
    for rows in np.unique(size[(size > 1) & (size <= cap)]).tolist():
        blocks = row[start[size == rows][:, None] + np.arange(rows)]
        low, high = np.triu_indices(rows, 1)
        found.append((blocks[:, low].ravel() << 32) | blocks[:, high].ravel())
    codes = np.unique(np.concatenate(found)) if found else np.zeros(0, np.int64)
    return codes >> 32, codes & 0xFFFFFFFF
