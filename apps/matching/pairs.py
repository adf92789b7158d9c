"""Candidate pairs of a file against itself: records that share a key which is not oversized, or two weak ones."""

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from apps.matching.blocking import Keys, kind_of, numbered, parts_of_keys
from apps.matching.blocking_values import Values
from apps.matching.encoded import Encoded
from apps.matching.parameters import Model
from apps.matching.side_by_side import HERE, Beside

Longs = npt.NDArray[np.int64]


class Block(NamedTuple):
    """What one kind of key did: how many keys two records or more share, how many of them are oversized, how large the largest
    is, and how many pairs the others make."""

    kind: int
    keys: int
    oversized: int
    largest: int
    pairs: int

    def beside(self, other: "Block") -> "Block":
        """What the kind did in both of two sets of keys that have none in common."""
        return Block(
            self.kind,
            self.keys + other.keys,
            self.oversized + other.oversized,
            max(self.largest, other.largest),
            self.pairs + other.pairs,
        )


class Candidates(NamedTuple):
    """Each pair of rows (low < high, sorted) once, and what each kind of key did."""

    low: Longs
    high: Longs
    blocks: list[Block]


def pairs_of(table: Encoded, model: Model, beside: Beside = HERE) -> Candidates:
    """Return the pairs of records that share a key, by the model's rules; a key with more records than its cap brings nobody together.

    `beside`: who knows the table too and makes half of them."""
    others = beside.ask(_of_part, table, 1, model)
    return _candidates([_of_part(table, 0, model), others()])


def _of_part(table: Encoded, part: int, model: Model) -> "_Met":
    together: dict[int, list[Values]] = {}
    for kind, values in parts_of_keys(table)[part]():
        together.setdefault(kind, []).append(values)
    kinds = (
        (kind, numbered(kind, np.concatenate([one.hash for one in own])), np.concatenate([one.row for one in own]))
        for kind, own in together.items()
    )
    return _met(kinds, model, table.num_rows)


def candidate_pairs(keys: Keys, model: Model) -> tuple[Longs, Longs]:
    """Return each pair of rows (low < high, sorted) once, by the model's rules and cap."""
    kinds = kind_of(keys.key)
    of_each = (
        (int(kind), keys.key[kinds == kind], keys.row[kinds == kind].astype(np.int64)) for kind in np.unique(kinds)
    )
    rows = int(keys.row.max()) + 1 if len(keys.row) else 0
    return _candidates([_met(of_each, model, rows)])[:2]


class _Met(NamedTuple):
    """Codes of pairs under some keys, each once: `together`, and `weakly`: that met under one weak key alone, so far; and what each kind did."""

    together: Longs
    weakly: Longs
    blocks: list[Block]


def _met(kinds: Iterable[tuple[int, Longs, Longs]], model: Model, rows: int) -> _Met:
    strong, weak, blocks = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)], list[Block]()
    for kind, key, row in kinds:
        if kind in model.keys.off:
            continue
        found, block = _of_kind(kind, key, row, cap=model.thresholds.block_cap, rows=rows)
        blocks.append(block)
        (weak if kind in model.keys.weak else strong).append(found)
    once, twice = _counted(np.concatenate(weak))
    return _Met(_distinct(np.concatenate((*strong, twice))), once, blocks)


def _counted(codes: Longs) -> tuple[Longs, Longs]:
    """Return the codes that stand there once, and those that do more often."""
    codes = np.sort(codes)
    new = codes[1:] != codes[:-1]
    first, last = np.r_[True, new][: len(codes)], np.r_[new, True][: len(codes)]
    return codes[first & last], codes[first & ~last]


def _candidates(parts: Sequence[_Met]) -> Candidates:
    """The pairs of all parts; a kind of which there are several blocks is told of once."""
    together = [part.together for part in parts]
    weakly = [part.weakly for part in parts if len(part.weakly)]
    if len(weakly) > 1:
        together.append(_counted(np.concatenate(weakly))[1])
    codes = _distinct(np.concatenate(together))
    kinds = dict[int, Block]()
    for block in chain.from_iterable(part.blocks for part in parts):
        kinds[block.kind] = block.beside(kinds[block.kind]) if block.kind in kinds else block
    return Candidates(codes >> 32, codes & 0xFFFFFFFF, sorted(kinds.values()))


def _of_kind(kind: int, key: Longs, row: Longs, *, cap: int, rows: int) -> tuple[Longs, Block]:
    """Return a code of each pair of rows in each block of one kind. Key and row are sorted as one number: the kind's bits, which
    are the same for all, and the lowest ones of the rest make room for the row."""
    bits = np.int64(max(1, int(rows).bit_length()))
    packed = _distinct((key >> bits << bits) | row)
    row = packed & ((np.int64(1) << bits) - 1)
    packed >>= bits
    start = np.flatnonzero(np.r_[True, packed[1:] != packed[:-1]]) if len(packed) else np.zeros(0, np.int64)
    size = np.diff(np.r_[start, len(packed)])
    met = _in_blocks(row, start, size, cap)
    shared = size > 1
    return met, Block(kind, int(shared.sum()), int((size > cap).sum()), int(size.max(initial=0)), len(met))


def _distinct(codes: Longs) -> Longs:
    codes = np.sort(codes)
    return codes[np.r_[True, codes[1:] != codes[:-1]]] if len(codes) else codes


def _in_blocks(row: Longs, start: Longs, size: Longs, cap: int) -> Longs:
    """Return a code of each pair of rows in each block; a block is `size` rows, ascending, from `start`."""
    found = [np.zeros(0, np.int64)]
    for rows in np.unique(size[(size > 1) & (size <= cap)]).tolist():
        blocks = row[start[size == rows][:, None] + np.arange(rows)]
        low, high = np.triu_indices(rows, 1)
        found.append((blocks[:, low].ravel() << 32) | blocks[:, high].ravel())
    return np.concatenate(found)
