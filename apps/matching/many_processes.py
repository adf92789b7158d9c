"""Rows worked off by all cores: long tables are cut into pieces that this process and others work off side by side."""

import os
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from typing import Any, Final, Self

import pyarrow as pa

from apps.matching.side_by_side import copying

Work = Callable[[pa.RecordBatch], pa.RecordBatch]
"""Makes something of rows, each row by itself. Other processes must find it by name."""
Later = Callable[[], pa.RecordBatch]
"""Gives the result of work that was begun: waits for it, or does it now."""
Each = Callable[[Work, pa.RecordBatch], Later]
"""Begins a work on rows: in this process, or in many."""
_FEW: Final = 5_000
"""Fewer rows are not worth the way to another process."""
_PIECE: Final = 20_000


def here(work: Work, rows: pa.RecordBatch) -> Later:
    """Begin work that this process does alone, when its result is asked for."""
    return lambda: pa.concat_batches([work(piece) for piece in _pieces(rows)])


@contextmanager
def many_processes(cores: int | None = None) -> Iterator[Each]:
    """Give what begins work that `cores` processes share (as many as there are, if not given), this one among them.

    Work must be a module's own function. With one core there are no others. Where processes can be copied well (Linux), they are: a
    copy need not load what this process has loaded."""
    cores = cores or len(os.sched_getaffinity(0))
    if cores < 2:
        yield here
        return
    pool = ProcessPoolExecutor(cores - 1, mp_context=get_context("fork" if sys.platform == "linux" else "spawn"))
    with copying():
        pool.submit(int)  # with the first work all of them start
    try:
        yield _Shared(pool).each
    finally:
        pool.shutdown(cancel_futures=True)


def _pieces(rows: pa.RecordBatch) -> list[pa.RecordBatch]:
    return [rows.slice(start, _PIECE) for start in range(0, max(rows.num_rows, 1), _PIECE)]


class _Rows:
    """Rows that travel between processes without what they were cut from."""

    def __init__(self, rows: pa.RecordBatch) -> None:
        self.rows = rows

    @classmethod
    def read(cls, stream: bytes) -> Self:
        with pa.ipc.open_stream(stream) as reader:
            return cls(reader.read_next_batch())

    def __reduce__(self) -> tuple[Any, ...]:
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, self.rows.schema) as writer:
            writer.write_batch(self.rows)
        return _Rows.read, (sink.getvalue().to_pybytes(),)


class _Task:
    """One piece: other processes were asked to work it off, but this one may."""

    def __init__(self, pool: ProcessPoolExecutor, work: Work, rows: pa.RecordBatch) -> None:
        self._work, self._rows = work, _Rows(rows)
        self._elsewhere: Future[_Rows] = pool.submit(_worked, work, self._rows)
        self._own: pa.RecordBatch | None = None

    def done(self) -> bool:
        return self._elsewhere.done()  # a task that was taken back counts too

    def take(self) -> bool:
        """Work it off here, unless another process has begun."""
        if not self._elsewhere.cancel():
            return False
        self._own = self._work(self._rows.rows)
        return True

    def result(self) -> pa.RecordBatch:
        return self._own if self._own is not None else self._elsewhere.result().rows


class _Shared:
    """Work shared with other processes: they begin with what was asked for first, this one with the last."""

    def __init__(self, pool: ProcessPoolExecutor) -> None:
        self._pool = pool
        self._waiting: list[_Task] = []

    def each(self, work: Work, rows: pa.RecordBatch) -> Later:
        if rows.num_rows < _FEW:
            return here(work, rows)
        tasks = [_Task(self._pool, work, piece) for piece in _pieces(rows)]
        self._waiting.extend(tasks)
        return lambda: self._finished(tasks)

    def _finished(self, tasks: list[_Task]) -> pa.RecordBatch:
        while self._waiting and not all(task.done() for task in tasks):
            self._waiting.pop().take()
        return pa.concat_batches([task.result() for task in tasks])


def _worked(work: Work, rows: _Rows) -> _Rows:
    return _Rows(work(rows.rows))
