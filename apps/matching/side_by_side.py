"""Work done at the same time by copies of this process: each knows all that was made so far, and only its result comes back."""

import os
import sys
import warnings
from collections.abc import Callable, Sequence
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any, TypeVar

T = TypeVar("T")


def side_by_side(tasks: Sequence[Callable[[], T]], cores: int | None = None) -> list[T]:
    """Return what `tasks` give, in order. With more than one of `cores` (None: all there are) the first is done here and each other by
    a copy of this process; only Linux copies a process well, so elsewhere one is done after the other.

    Raises what a task raises, and RuntimeError when a copy ends without an answer."""
    if len(tasks) < 2 or sys.platform != "linux" or (cores or len(os.sched_getaffinity(0))) < 2:
        return [task() for task in tasks]
    context = get_context("fork")
    copies = []
    for task in tasks[1:]:
        answers, answering = context.Pipe(duplex=False)
        process = context.Process(target=_answer, args=(task, answering))
        with warnings.catch_warnings():
            # Threads of Arrow may live in this process. A copy has none of them and starts its own.
            warnings.simplefilter("ignore", DeprecationWarning)
            process.start()
        answering.close()
        copies.append((process, answers))
    try:
        return [tasks[0](), *(_answer_of(answers) for _, answers in copies)]
    finally:
        for process, answers in copies:
            answers.close()
            process.kill()
            process.join()


def _answer(task: Callable[[], Any], answering: Connection) -> None:
    try:
        answering.send((True, task()))
    except Exception as error:  # whatever it is: whoever asked is told, and raises it
        answering.send((False, error))


def _answer_of(answers: Connection) -> Any:
    try:
        done, answer = answers.recv()
    except EOFError:
        raise RuntimeError(
            "A copy of this process ended without an answer; perhaps the memory did not suffice."
        ) from None
    if not done:
        raise answer
    return answer
