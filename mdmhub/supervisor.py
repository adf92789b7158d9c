"""Keeps a set of child processes alive and ends them, all of them and only them.

Each child leads a process group of its own, so that Ctrl-C in the terminal reaches the supervisor alone and it decides
the order of ending. Should the supervisor itself be killed, the kernel asks each child to end.
"""

import ctypes
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

PR_SET_PDEATHSIG = 1
FIRST_DELAY, LONGEST_DELAY = 1.0, 30.0
SETTLED_SECONDS = 60.0
"""A child that lived this long is taken to be well: its next fault begins at the first delay again."""
LOG_BYTES = 20_000_000

_libc = ctypes.CDLL(None)


def _end_with_parent() -> None:
    """Runs in the child before its program: end me when my parent is gone (Linux)."""
    with suppress(AttributeError):
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


@dataclass
class Child:
    """One program that shall run for as long as the supervisor does."""

    name: str
    command: Sequence[str]
    log: Path
    env: Mapping[str, str]
    process: "subprocess.Popen[bytes] | None" = None
    started: float = 0.0
    faults: int = 0
    due: float = 0.0

    def start(self, now: float) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                list(self.command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=dict(self.env),
                start_new_session=True,
                preexec_fn=_end_with_parent,  # noqa: PLW1509  (the supervisor has no threads)
            )
        self.started = now

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def signal_group(self, number: signal.Signals) -> None:
        """Signal the child and everything it started; no one else is in its group."""
        if self.process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, number)

    def after_death(self, now: float) -> float:
        """Note the fault and return the seconds to wait before the next start."""
        self.signal_group(signal.SIGKILL)  # what a killed parent left behind
        self.faults = 1 if now - self.started > SETTLED_SECONDS else self.faults + 1
        delay = min(FIRST_DELAY * float(2 ** (self.faults - 1)), LONGEST_DELAY)
        self.due = now + delay
        return delay


@dataclass
class Supervisor:
    """Starts children in order, restarts those that end, tells `say` about it."""

    children: list[Child]
    say: Callable[[str], None]
    clock: Callable[[], float] = time.monotonic
    _down: set[str] = field(default_factory=set)

    def start(self) -> None:
        for child in self.children:
            child.start(self.clock())

    def tend(self) -> None:
        """One round: restart what ended and is due, keep logs short. Call it every second or so."""
        now = self.clock()
        for child in self.children:
            if child.alive:
                _shorten(child.log)
            elif child.name not in self._down:
                code = child.process.returncode if child.process else None
                delay = child.after_death(now)
                self._down.add(child.name)
                self.say(f"{child.name} ended with {code}, starts again in {delay:.0f} s; its log: {child.log}")
            elif now >= child.due:
                self._down.discard(child.name)
                child.start(now)

    def stop(self, seconds: float = 15.0) -> None:
        """Ask all children to end, wait, then end their groups by force. Calling it again is harmless."""
        for child in self.children:
            if child.alive and child.process is not None:
                child.process.terminate()
        deadline = self.clock() + seconds
        while any(child.alive for child in self.children) and self.clock() < deadline:
            time.sleep(0.05)
        for child in self.children:
            child.signal_group(signal.SIGKILL)
            if child.process is not None:
                child.process.wait()


def _shorten(log: Path) -> None:
    """Keep one older part of a long log. The child goes on appending to the same file."""
    with suppress(FileNotFoundError):
        if log.stat().st_size > LOG_BYTES:
            shutil.copyfile(log, log.with_suffix(".log.1"))
            os.truncate(log, 0)
