"""Values read by all cores: long lists are cut into pieces that processes of their own work off."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from itertools import chain
from multiprocessing import get_context
from typing import Any, Final, TypeVar

T = TypeVar("T")
R = TypeVar("R")
_FEW: Final = 5_000
"""Shorter lists are not worth the way to another process."""
_PIECE: Final = 10_000


@contextmanager
def many_processes(cores: int | None = None) -> "Iterator[Callable[[Callable[[Any], Any], Sequence[Any]], list[Any]]]":
    """Give a function like `list(map(function, items))` that uses `cores` processes (as many as there are, if not given).

    The processes are made anew and share nothing with this one, so `function` must be a module's own. With one core there are none."""
    cores = cores or len(os.sched_getaffinity(0))
    if cores < 2:
        yield lambda function, items: list(map(function, items))
        return
    with ProcessPoolExecutor(cores, mp_context=get_context("spawn")) as pool:

        def each(function: Callable[[T], R], items: Sequence[T]) -> list[R]:
            if len(items) < _FEW:
                return list(map(function, items))
            pieces = (items[start : start + _PIECE] for start in range(0, len(items), _PIECE))
            return list(chain.from_iterable(pool.map(_work, ((function, piece) for piece in pieces))))

        yield each


def _work(task: tuple[Callable[[T], R], Sequence[T]]) -> list[R]:
    function, items = task
    return list(map(function, items))
