"""mdmhub.supervisor: restarts what ends, ends what it started and nothing else."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mdmhub.embedded.process import running, wait_until
from mdmhub.supervisor import LOG_BYTES, Child, Supervisor

SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]
WITH_CHILD = [sys.executable, "-c", f"import subprocess; subprocess.run({SLEEP!r})"]
STUBBORN = [
    sys.executable,
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(600)",
]


class Clock:
    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.ahead


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def supervised(tmp_path: Path, said: list[str], clock: Clock) -> Iterator[Supervisor]:
    made = Supervisor([], said.append, clock)
    made.children += [child(tmp_path, "one", SLEEP), child(tmp_path, "two", WITH_CHILD)]
    yield made
    made.stop(2)


def child(folder: Path, name: str, command: list[str]) -> Child:
    return Child(name, command, folder / f"{name}.log", dict(os.environ))


def pid_of(child: Child) -> int:
    assert child.process is not None
    return child.process.pid


def group(leader: int) -> list[int]:
    listed = subprocess.run(["ps", "-eo", "pid=,pgid=,stat="], capture_output=True, text=True, check=True).stdout
    rows = [line.split() for line in listed.splitlines()]
    return [int(pid) for pid, pgid, state in rows if int(pgid) == leader and not state.startswith("Z")]


def test_a_killed_child_starts_again(supervised: Supervisor, said: list[str], clock: Clock) -> None:
    supervised.start()
    first = supervised.children[0]
    old = pid_of(first)
    os.kill(old, signal.SIGKILL)
    assert wait_until(lambda: not first.alive, 10)
    supervised.tend()
    assert not first.alive, "it waits a second before the next start"
    assert "one ended with -9" in said[0]
    clock.ahead += 2
    supervised.tend()
    assert first.alive
    assert pid_of(first) != old


def test_the_wait_grows_and_begins_anew_after_a_good_hour(tmp_path: Path) -> None:
    failing = child(tmp_path, "failing", SLEEP)
    assert [failing.after_death(now=0) for _ in range(7)] == [1, 2, 4, 8, 16, 30, 30]
    assert failing.after_death(now=3600) == 1


def test_stop_ends_grandchildren_too_and_nothing_else(supervised: Supervisor) -> None:
    stranger = subprocess.Popen(SLEEP)
    try:
        supervised.start()
        leader = pid_of(supervised.children[1])
        assert wait_until(lambda: len(group(leader)) == 2, 10)
        supervised.stop(5)
        assert wait_until(lambda: group(leader) == [], 10)
        assert not any(child.alive for child in supervised.children)
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_child_that_ignores_the_request_is_ended(tmp_path: Path, said: list[str]) -> None:
    stubborn = child(tmp_path, "stubborn", STUBBORN)
    supervisor = Supervisor([stubborn], said.append)
    supervisor.start()
    assert wait_until(lambda: "up" in stubborn.log.read_text(), 10)
    supervisor.stop(0.3)
    assert not stubborn.alive


def test_children_end_when_the_supervisor_is_killed(tmp_path: Path) -> None:
    program = (
        "import os, sys, time; from pathlib import Path; from mdmhub.supervisor import Child, Supervisor\n"
        f"c = Child('c', {SLEEP!r}, Path({str(tmp_path / 'c.log')!r}), dict(os.environ))\n"
        "Supervisor([c], print).start(); print(c.process.pid, flush=True); time.sleep(600)"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    assert wait_until(lambda: not running(pid), 10)


def test_a_long_log_is_cut(supervised: Supervisor) -> None:
    supervised.start()
    log = supervised.children[0].log
    os.truncate(log, LOG_BYTES + 1)
    supervised.tend()
    assert log.stat().st_size == 0
    assert log.with_suffix(".log.1").stat().st_size == LOG_BYTES + 1
