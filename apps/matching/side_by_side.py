"""Work done at the same time by a copy of this process: it knows all that was made so far, and keeps what it makes for what it is
asked next; only its answers come back."""

import io
import os
import pickle
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any, Final, ParamSpec, Protocol, TypeVar

T = TypeVar("T")
P = ParamSpec("P")
_KNOWN: Final = "known"


class Beside(Protocol):
    """Who does work while this process does other work."""

    def ask(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Callable[[], T]:
        """Begin work; what is returned gives the answer, and raises what the work raised. One answer is taken before the next work."""
        ...


class _Nobody:
    """No copy: work is done here, when its answer is asked for."""

    def ask(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Callable[[], T]:
        return partial(work, *args, **kwargs)


HERE: Final[Beside] = _Nobody()


@contextmanager
def beside(known: object, cores: int | None = None) -> Iterator[Beside]:
    """A copy of this process while there is more than one of `cores` (None: all there are). `known` is not sent to it: where it
    stands among what work is given, the copy takes its own, with all that it has made of it.

    Only Linux copies a process well; elsewhere work is done here."""
    if sys.platform != "linux" or (cores or len(os.sched_getaffinity(0))) < 2:
        yield HERE
        return
    context = get_context("fork")
    here, there = context.Pipe()
    process = context.Process(target=_work_off, args=(there, here, known), daemon=True)
    with copying():
        process.start()
    there.close()
    try:
        yield _Copy(here, known)
    finally:
        here.close()
        process.kill()
        process.join()


@contextmanager
def copying() -> Iterator[None]:
    """Around what copies this process: threads of Arrow may live in it. A copy has none of them and starts its own."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        yield


class _Copy:
    def __init__(self, connection: Connection, known: object) -> None:
        self._connection, self._known = connection, known

    def ask(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Callable[[], T]:
        with _ended_is_told():
            self._connection.send_bytes(_packed((work, args, kwargs), self._known))
        return self._answer

    def _answer(self) -> Any:
        with _ended_is_told():
            done, answer = _unpacked(self._connection.recv_bytes(), self._known)
        if not done:
            raise answer
        return answer


@contextmanager
def _ended_is_told() -> Iterator[None]:
    try:
        yield
    except (EOFError, BrokenPipeError, ConnectionResetError):
        raise RuntimeError(
            "A copy of this process ended without an answer; perhaps the memory did not suffice."
        ) from None


def _work_off(asked: Connection, others: Connection, known: object) -> None:
    others.close()
    while True:
        try:
            work, args, kwargs = _unpacked(asked.recv_bytes(), known)
        except EOFError:
            return
        try:
            answer = _packed((True, work(*args, **kwargs)), known)
        except Exception as error:  # whatever it is: whoever asked is told, and raises it
            answer = _packed((False, error), known)
        asked.send_bytes(answer)


class _Packing(pickle.Pickler):
    """Pickles all but what both sides know."""

    def __init__(self, file: io.BytesIO, known: object) -> None:
        super().__init__(file, pickle.HIGHEST_PROTOCOL)
        self._known = known

    def persistent_id(self, thing: Any) -> str | None:
        return _KNOWN if thing is self._known else None


class _Unpacking(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, known: object) -> None:
        super().__init__(file)
        self._known = known

    def persistent_load(self, name: str) -> object:
        return self._known


def _packed(thing: object, known: object) -> memoryview:
    file = io.BytesIO()
    _Packing(file, known).dump(thing)
    return file.getbuffer()


def _unpacked(packed: bytes, known: object) -> Any:
    return _Unpacking(io.BytesIO(packed), known).load()
