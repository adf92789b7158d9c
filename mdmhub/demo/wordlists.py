"""The word lists of the demo, read once from data/*.toml, and the ranked draw over them."""

import tomllib
from bisect import bisect_right
from collections.abc import Sequence
from functools import cache
from itertools import accumulate
from pathlib import Path
from random import Random
from typing import Any, Generic, TypeVar

DATA = Path(__file__).parent / "data"

T = TypeVar("T")


@cache
def document(name: str) -> dict[str, Any]:
    """The word list ``name`` (file data/<name>.toml)."""
    with (DATA / f"{name}.toml").open("rb") as file:
        return tomllib.load(file)


def words(text: str) -> list[str]:
    """Split a list written as one string; ``~`` stands for a space inside a word."""
    return [word.replace("~", " ") for word in text.split()]


def pick(rng: Random, values: Sequence[T]) -> T:
    """One of ``values``, all equally likely; three times as fast as ``rng.choice``."""
    return values[int(rng.random() * len(values))]


class Ranked(Generic[T]):
    """A draw in which the value of rank r has weight 1 / (r + shift) ** slope, the shape of real name frequencies."""

    __slots__ = ("_limits", "_total", "values")

    def __init__(self, values: Sequence[T], *, slope: float, shift: float) -> None:
        self.values = tuple(values)
        self._limits = list(accumulate((rank + shift) ** -slope for rank in range(len(self.values))))
        self._total = self._limits[-1]

    def draw(self, rng: Random) -> T:
        return self.values[min(bisect_right(self._limits, rng.random() * self._total), len(self.values) - 1)]


class Weighted(Generic[T]):
    """A draw with given weights."""

    __slots__ = ("_limits", "_total", "values")

    def __init__(self, choices: Sequence[tuple[T, float]]) -> None:
        self.values = tuple(value for value, _ in choices)
        self._limits = list(accumulate(weight for _, weight in choices))
        self._total = self._limits[-1]

    def draw(self, rng: Random) -> T:
        return self.values[min(bisect_right(self._limits, rng.random() * self._total), len(self.values) - 1)]


def composed(fronts: Sequence[str], backs: Sequence[str]) -> list[str]:
    """Every front with every back, in an order that spreads both, so that no front is common as a whole."""
    size = len(fronts) * len(backs)
    stride = 7919  # prime and no divisor of any list's size, so the walk meets each pair once
    walk = ((index * stride) % size for index in range(size))
    names = (fronts[place // len(backs)] + backs[place % len(backs)] for place in walk)
    return list(dict.fromkeys(names))
