"""Deliver: claimed deliveries are told to their targets by a pool of threads, outside any transaction; what came of each is settled in
short fenced transactions. One target that is slow or dead takes no more than its own cap of calls."""

import logging
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from queue import Empty, SimpleQueue
from typing import Self, TypeVar
from uuid import UUID

from django.db import InterfaceError, OperationalError, connection, connections

from apps.common.errors import HubError
from apps.connectors import backoff
from apps.connectors.claim import Claimed, claim
from apps.connectors.contract import RETRIED, UNKNOWN_OUTCOME, Adapter, Answer, Can, Op, Trouble, Write
from apps.connectors.settle import Result, settle
from apps.connectors.targets import Target, targets

logger = logging.getLogger(__name__)
T = TypeVar("T")

THREADS = 96
MOST_EACH = THREADS // 2
"""Threads that the calls to one target may take of a process, whatever its own cap: the others are for the rest."""
FLUSH_SECONDS = 0.05
CLAIM_SECONDS = 0.02
LOOK_SECONDS = 2.0
"""How often the list of targets is read again while calls are made."""
PATIENCE_SECONDS = 30.0
DATABASE_SECONDS = 0.5
"""How long a database that does not answer is waited for, and how often it is asked meanwhile."""
SLOW_SECONDS = 1.0
"""A drain that is about to end begins no call to a target that took longer than this of late."""


def drain(*, seconds: float = 45.0, stopped: Callable[[], bool] = lambda: False) -> int:
    """Tells due deliveries for `seconds`, or until none is due; returns how many calls came to an end.

    Safe to run any number of times side by side."""
    return _Drain(seconds, stopped).run()


class _Drain:
    """One process that tells: a pool of threads, calls in flight, and one more thread that writes their answers down meanwhile."""

    def __init__(self, seconds: float, stopped: Callable[[], bool]) -> None:
        self.ends = time.monotonic() + seconds
        self.stopped = stopped
        self.flying: dict[UUID, tuple[Claimed, Target, float]] = {}
        self.arrived: SimpleQueue[tuple[UUID, Answer]] = SimpleQueue()
        self.answers: list[Result] = []
        self.looked = self.claimed = 0.0
        self.targets: Mapping[UUID, Target] = {}
        self.took: dict[UUID, float] = {}
        self.settler = _Settler()

    def run(self) -> int:
        with self.settler, ThreadPoolExecutor(THREADS, thread_name_prefix="deliver") as pool:
            while True:
                ending = time.monotonic() > self.ends or self.stopped()
                if not self.flying:
                    self._settle()
                    self.settler.wait()  # what was behind it may be told now
                self._begin(pool, ending=ending)
                if not self.flying:
                    break
                self._gather()
                if self.settler.is_free and (len(self.answers) >= THREADS or self.settler.rested > FLUSH_SECONDS):
                    self._settle()
        return self.settler.done

    def _settle(self) -> None:
        if self.answers:
            self.settler.write(self.answers)
            self.answers = []

    def _begin(self, pool: ThreadPoolExecutor, *, ending: bool) -> None:
        """Begins the calls there is room for, unless it has just looked for some."""
        now = time.monotonic()
        free = THREADS - len(self.flying)
        if free < 1 or (self.flying and now - self.claimed < CLAIM_SECONDS):
            return
        if now - self.looked > LOOK_SECONDS:
            self.targets, self.looked = patiently(targets), now
        only = None
        if ending:
            if self.stopped() or not any(now - began > SLOW_SECONDS for _, _, began in self.flying.values()):
                return
            # Nobody waits for the slow ones with idle hands.
            only = {id_ for id_ in self.targets if self.took.get(id_, 0.0) < SLOW_SECONDS}
        self.claimed = now
        answered = [r.claimed.id for r in (*self.settler.writing, *self.answers)]
        flying = Counter(target.id for _, target, _ in self.flying.values())
        each = {id_: MOST_EACH - flying[id_] for id_ in self.targets}
        batch = patiently(lambda: claim(self.targets, most=free, each=each, only=only, answered=answered))
        together: dict[UUID, list[Claimed]] = {}
        for one in batch:
            target = self.targets[one.connection]
            self.flying[one.id] = one, target, now
            if Can.BATCH in target.adapter.can:
                together.setdefault(target.id, []).append(one)
            else:
                pool.submit(self._tell, one, target)
        for id_, ones in together.items():
            pool.submit(self._tell_all, ones, self.targets[id_])

    def _gather(self) -> None:
        for id_, answer in self._next_answers():
            one, target, _ = self.flying.pop(id_)
            self.took[one.connection] = 0.7 * self.took.get(one.connection, 0.0) + 0.3 * answer.ms / 1000
            self.answers.append(result_of(one, target, answer))

    def _tell(self, one: Claimed, target: Target) -> None:
        self.arrived.put((one.id, tell(one, target)))

    def _tell_all(self, ones: list[Claimed], target: Target) -> None:
        for one, answer in zip(ones, tell_all(ones, target), strict=True):
            self.arrived.put((one.id, answer))

    def _next_answers(self) -> Iterator[tuple[UUID, Answer]]:
        """Every answer there is; waits a little for the first."""
        with suppress(Empty):
            yield self.arrived.get(timeout=CLAIM_SECONDS)
            while True:
                yield self.arrived.get_nowait()


class _Settler:
    """Writes answers down in a thread, and so a database session, of its own. One batch at a time."""

    def __init__(self) -> None:
        self.writing: Sequence[Result] = ()
        self.done = 0
        self._began = 0.0
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="settle")
        self._written: Future[int] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.submit(connections.close_all)  # the thread's own
        self._pool.shutdown()

    @property
    def is_free(self) -> bool:
        if self._written is not None and self._written.done():
            self.wait()
        return self._written is None

    @property
    def rested(self) -> float:
        """Seconds since the last batch was begun."""
        return time.monotonic() - self._began

    def write(self, results: Sequence[Result]) -> None:
        """Begins a batch, once the one before is written."""
        self.wait()
        self.writing, self._began = results, time.monotonic()
        self._written = self._pool.submit(patiently, lambda: settle(results))

    def wait(self) -> None:
        """Until nothing is left to write. Raises what writing raised."""
        if self._written is not None:
            self._written.result()
            self.done += len(self.writing)
            self.writing, self._written = (), None


def result_of(one: Claimed, target: Target, answer: Answer) -> Result:
    """An answer with what follows from it. What an earlier attempt did is still not known when this one came to nothing."""
    step = backoff.after(answer.trouble, burned=one.burned, retry_after=answer.retry_after, chance=random.random())
    seen = answer.trouble is Trouble.CONFLICT and answer.record is not None and one.op != Op.CREATE
    if one.unsure and not seen:
        if step.state == "waiting":
            step = replace(step, state="uncertain")
        elif step.state == "failed" and answer.trouble in RETRIED:
            answer = replace(answer, trouble=Trouble.UNCERTAIN)
    return Result(one, target, answer, step)


def patiently(work: Callable[[], T]) -> T:
    """Runs `work`; while the database is away it is waited for, so that answers which have arrived are not forgotten."""
    ends = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return work()
        except (OperationalError, InterfaceError) as error:
            if connection.in_atomic_block or time.monotonic() > ends:
                raise
            logger.warning("the database does not answer (%s); waiting", type(error).__name__)
            connection.close()
            time.sleep(DATABASE_SECONDS)


@dataclass(frozen=True, slots=True)
class _Call:
    one: Claimed
    target: Target
    adapter: Adapter
    ends: float

    @property
    def timeout(self) -> float:
        return max(0.1, min(self.target.timeout, self.ends - time.monotonic()))

    def write(self, etag: str | None = None) -> Answer:
        return self.adapter.write(_write(self.one, etag), timeout=self.timeout)


def _write(one: Claimed, etag: str | None = None) -> Write:
    """What the adapter is given; the key stays the same for every attempt of one delivery."""
    return Write(
        Op(one.op), str(one.record), f"{one.id}.{one.revision}", str(one.correlation_id), one.native, one.external_id,
        etag or one.etag or None, one.losers,
    )  # fmt: skip


def tell(one: Claimed, target: Target) -> Answer:
    """Makes the call, or the calls it takes to find out first what an earlier attempt did. Never raises."""
    began = time.monotonic()
    try:
        return _tell(_Call(one, target, target.adapter, began + target.lease / 2))
    except HubError as error:
        return Answer(Trouble.CONFIG, "document", error.detail)
    except Exception as error:  # a task boundary: one poison delivery never stops the others
        logger.exception("delivery %s of %s broke", one.id, target.name)
        return Answer(Trouble.FATAL, type(error).__name__, f"The hub failed to tell it: {error}"[:500])


def tell_all(ones: Sequence[Claimed], target: Target) -> Sequence[Answer]:
    """The same for a target that takes many writes in one go. Never raises."""
    try:
        return target.adapter.write_all([_write(one) for one in ones], timeout=target.timeout)
    except HubError as error:
        return [Answer(Trouble.CONFIG, "document", error.detail)] * len(ones)
    except Exception as error:  # a task boundary, as above
        logger.exception("a batch of %d for %s broke", len(ones), target.name)
        return [Answer(Trouble.FATAL, type(error).__name__, f"The hub failed to tell it: {error}"[:500])] * len(ones)


def _tell(call: _Call) -> Answer:
    one, can = call.one, call.adapter.can
    if one.op == Op.CREATE:
        repeatable = Can.UPSERT in can or (Can.REPLAY in can and one.sent_for < call.adapter.replay_hours * 3600)
        if (one.unsure and not repeatable) or not (Can.UPSERT in can or Can.REPLAY in can):
            found = _find(call)
            if found is not None:
                return found
        answer = call.write()
        return _adopt(call, answer) if answer.trouble is Trouble.DUPLICATE else answer
    etag = None
    if Can.ETAG in can and (one.unsure or not one.etag):  # which version is there is not known, or no longer
        there = call.adapter.read(one.external_id or "", timeout=call.timeout)
        if there.trouble is not None:
            return there
        if done := _compare(call, there):
            return done
        etag = there.etag
    answer = call.write(etag)
    if answer.trouble is Trouble.CONFLICT and Can.READ in can:  # an earlier attempt may have arrived this moment
        there = call.adapter.read(one.external_id or "", timeout=call.timeout)
        return _compare(call, there) or _conflict(answer, there)
    return answer


def _find(call: _Call) -> Answer | None:
    """What an earlier attempt made; None when it made nothing, so that the create may be sent."""
    can = call.adapter.can
    if Can.FIND not in can:
        if not call.one.unsure:
            return None
        return Answer(
            Trouble.FATAL, UNKNOWN_OUTCOME, "It may have been made there, and this target cannot be asked by our key: look there first."
        )  # fmt: skip
    found = call.adapter.find(str(call.one.record), timeout=call.timeout)
    return found if found.trouble is not None or found.external_id else None


def _adopt(call: _Call, answer: Answer) -> Answer:
    """The target says it has our key already: what we made before its answer was lost."""
    if Can.FIND not in call.adapter.can:
        return answer
    found = call.adapter.find(str(call.one.record), timeout=call.timeout)
    return found if found.trouble is None and found.external_id else answer


def _compare(call: _Call, there: Answer) -> Answer | None:
    """Done, if the target holds already what it shall be told."""
    if there.trouble is not None:
        return there if there.trouble in (Trouble.NOT_FOUND, Trouble.AUTH) else None
    if there.record is None or not call.one.values:
        return None
    held = call.target.holds(there.record.values, call.one.values)
    return there if held else None


def _conflict(answer: Answer, there: Answer) -> Answer:
    """The conflict, with the record as it is there now: settling takes it in, and what is told next is based on it."""
    return Answer(
        answer.trouble, answer.code, answer.detail, answer.status, there.external_id, there.etag, there.record,
        answer.retry_after, answer.request, answer.response, answer.ms,
    )  # fmt: skip
