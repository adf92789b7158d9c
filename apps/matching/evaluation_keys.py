"""Which blocking keys bring true pairs together, and how many never meet."""

from typing import Any

import numpy as np

from apps.matching.blocking import by_kind, numbered
from apps.matching.blocking_kinds import SENTENCES
from apps.matching.comparisons_columns import Longs
from apps.matching.encoded import Encoded
from apps.matching.evaluation import packed, pairs_within
from apps.matching.parameters import Model
from apps.matching.partition import connected


def keys_of_pairs(table: Encoded, low: Longs, high: Longs, model: Model) -> dict[str, Any]:
    """Of true pairs (rows, low < high): how many meet under a key, and by kind how many it brings, and how many it alone brings.

    `table` without generic values, as keys are made of it. A key with more records than the model's cap brings nobody
    together, a weak kind only with a second weak key, and a kind that is off not at all."""
    weak_kinds = model.keys.weak
    wanted, place = np.unique(packed(low, high), return_index=True)
    strong, weak = np.zeros(len(wanted), np.int64), np.zeros(len(wanted), np.int64)
    by = {}
    group = _groups(table.num_rows, low, high)
    for kind, keys, rows in _keys(table):
        if kind in model.keys.off:
            continue
        met = _met(keys, rows, group, model.thresholds.block_cap, wanted)
        by[kind] = met > 0
        if kind in weak_kinds:
            weak += met
        else:
            strong += met > 0
    together = (strong > 0) | (weak > 1)
    kinds = []
    for kind, mine in sorted(by.items(), key=lambda one: -int(one[1].sum())):
        alone = mine & (strong == 1) & (weak < 2) if kind not in weak_kinds else mine & (strong == 0) & together
        kinds.append(
            {"key": SENTENCES[kind], "pairs": int(mine.sum()), "alone": int(alone.sum()), "weak": kind in weak_kinds}
        )
    never = place[~together]
    return {"true": len(wanted), "never_met": len(never), "kinds": kinds, "never": np.sort(never)}


def _groups(size: int, low: Longs, high: Longs) -> Longs:
    """A number for records that pairs hang together, -1 for those of no pair: only within it a key has anything to bring."""
    group = connected(size, low, high)
    inside = np.zeros(size, np.bool_)
    inside[low] = inside[high] = True
    return np.where(inside, group, -1)


def _keys(table: Encoded) -> list[tuple[int, Longs, Longs]]:
    found: dict[int, list[tuple[Longs, Longs]]] = {}
    for kind, values in by_kind(table):
        found.setdefault(kind, []).append((numbered(kind, values.hash), values.row.astype(np.int64)))
    return [
        (kind, np.concatenate([keys for keys, _ in own]), np.concatenate([rows for _, rows in own]))
        for kind, own in found.items()
    ]


def _met(keys: Longs, rows: Longs, group: Longs, cap: int, wanted: Longs) -> Longs:
    """How many keys that are not oversized each wanted pair shares."""
    order = np.lexsort((rows, keys))
    keys, rows = keys[order], rows[order]
    if len(keys):
        new = np.r_[True, (keys[1:] != keys[:-1]) | (rows[1:] != rows[:-1])]
        keys, rows = keys[new], rows[new]
    _, number, size = np.unique(keys, return_inverse=True, return_counts=True)
    usable = (size[number] <= cap) & (group[rows] >= 0)
    number, rows = number[usable], rows[usable]
    low, high = pairs_within(number * (len(group) + 1) + group[rows], rows)
    place = np.searchsorted(wanted, packed(low, high))
    place = np.minimum(place, max(0, len(wanted) - 1))
    real = wanted[place] == packed(low, high) if len(wanted) else np.zeros(0, np.bool_)
    return np.bincount(place[real], minlength=len(wanted))
