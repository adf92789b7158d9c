"""The same work again, when others moved or held what it needs."""

import random
import time
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import psycopg
from django.db import DatabaseError, OperationalError

from apps.common.errors import Conflict, Retryable, TooLate

P = ParamSpec("P")
T = TypeVar("T")
_TRIES = 20
_TRANSIENT = (psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure, psycopg.errors.LockNotAvailable)


def transient(error: BaseException) -> bool:
    """Whether the same work may succeed when it is done again."""
    cause = error.__cause__
    return (
        isinstance(error, Conflict | Retryable)
        or isinstance(cause, _TRANSIENT)
        or (isinstance(error, OperationalError) and not isinstance(cause, psycopg.errors.ProgramLimitExceeded))
    )


def retried(work: Callable[[], T]) -> T:
    """Runs `work` again while others move what it locked: 20 times at most, with jitter; not when it comes too late for ever."""
    for attempt in range(_TRIES):
        try:
            return work()
        except TooLate:
            raise
        except (Conflict, DatabaseError) as error:
            if not (isinstance(error, Conflict) or isinstance(error.__cause__, _TRANSIENT)) or attempt == _TRIES - 1:
                raise
            time.sleep(random.uniform(0.002, 0.02) * (attempt + 1))  # so that two which met do not meet again
    raise AssertionError("unreachable")


def again(verb: Callable[P, T]) -> Callable[P, T]:
    """A verb, in a transaction of its own, that is `retried`."""

    @wraps(verb)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        return retried(lambda: verb(*args, **kwargs))

    return run
