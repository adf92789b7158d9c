"""Pairs that somebody gave a verdict on: checked against the records, each pair once, halved into learned from and held out."""

from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Longs = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
COLUMNS: Final = ("left", "right", "match")
LEAST: Final = 20
"""Of fewer labels no threshold is chosen: too few to tell one from another."""
_VERDICTS: Final = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}


class Line(NamedTuple):
    """One label as it was received: its line in the file, the ids of two records, and whether they are one customer."""

    line: int
    left: Any
    right: Any
    match: Any


class Labels(NamedTuple):
    """Pairs of rows (low < high, each once); `same`: they are one customer; `held_out`: kept back from learning, to judge by."""

    low: Longs
    high: Longs
    same: Bools
    held_out: Bools

    def where(self, chosen: npt.NDArray[Any]) -> "Labels":
        """Some of the labels, by mask or by place."""
        return Labels(*(values[chosen] for values in self))

    def pairs(self, *, same: bool) -> list[tuple[int, int]]:
        """The pairs of one verdict, as decisions take them."""
        chosen = self.where(self.same == same)
        return list(zip(chosen.low.tolist(), chosen.high.tolist(), strict=True))


NO_LABELS: Final = Labels(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.bool_), np.zeros(0, np.bool_))


def labels_of(lines: Iterable[Line], ids: pa.Array) -> tuple[Labels, list[str]]:
    """Return the labels as pairs of places in `ids` (distinct texts), and a sentence on each line that says nothing usable.

    A pair that is labelled both ways is left out; one that is labelled twice alike counts once."""
    given = list(lines)
    places = pc.index_in(pa.array([text for one in given for text in (_text(one.left), _text(one.right))]), ids)
    ends = places.fill_null(-1).to_numpy(zero_copy_only=False).reshape(-1, 2).tolist()
    said: dict[tuple[int, int], list[tuple[int, bool]]] = {}
    problems = []
    for one, (a, b) in zip(given, ends, strict=True):
        verdict = _VERDICTS.get(_text(one.match).lower())
        problem = _problem(one, a, b)
        if problem or verdict is None:
            unread = f"{_text(one.match) or 'nothing'} is no verdict; write 1 or 0, yes or no"
            problems.append(f"line {one.line}: {problem or unread}")
        else:
            said.setdefault((min(a, b), max(a, b)), []).append((one.line, verdict))
    for pair, verdicts in list(said.items()):
        if len({verdict for _, verdict in verdicts}) > 1:
            numbers = ", ".join(str(line) for line, _ in verdicts)
            problems.append(f"lines {numbers}: one pair is labelled both ways, so none of them counts")
            del said[pair]
    return labels_from([(*pair, verdicts[0][1]) for pair, verdicts in sorted(said.items())], ids), problems


def labels_from(pairs: Sequence[tuple[int, int, bool]], ids: pa.Array) -> Labels:
    """Return labels of pairs of places in `ids` (low < high), halved by their ids."""
    if not pairs:
        return NO_LABELS
    low, high, same = (np.array(values) for values in zip(*pairs, strict=True))
    one, other = ids.take(pa.array(low)).to_pylist(), ids.take(pa.array(high)).to_pylist()
    return Labels(
        low, high, same.astype(np.bool_), np.array([_is_held_out(*sides) for sides in zip(one, other, strict=True)])
    )


def _text(value: Any) -> str:
    """A cell as text: a number as it is written, 1.0 as 1."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return "" if value is None else str(value).strip()


def _problem(one: Line, a: int, b: int) -> str:
    for text, place in ((_text(one.left), a), (_text(one.right), b)):
        if place < 0:
            return f"there is no record {text}" if text else "a record's id is missing"
    return f"record {_text(one.left)} is labelled with itself" if a == b else ""


def _is_held_out(left: str, right: str) -> bool:
    """Half of all pairs: by their ids alone, so that the same pair is always in the same half."""
    text = "\0".join(sorted((left, right)))
    return bool(blake2b(text.encode(), digest_size=1).digest()[0] & 1)
