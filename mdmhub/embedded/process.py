"""Facts about processes of this machine that `kill(pid, 0)` cannot tell: a zombie answers it, and so does a stranger
that was given the number of a server killed long ago."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import psutil

from mdmhub.embedded.home import NOBODY, is_root

POLL_SECONDS = 0.05


class ServerFailed(Exception):
    """An embedded server did not start or stop; the message holds the end of its log."""


def running(pid: int) -> bool:
    """Whether the process exists and is more than a zombie."""
    try:
        return bool(psutil.Process(pid).status() not in {psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD})
    except psutil.NoSuchProcess:
        return False


def works_in(pid: int, folder: Path) -> bool:
    """Whether this live process works in `folder`, as our servers do in theirs: a stranger with the id does not."""
    try:
        return running(pid) and psutil.Process(pid).cwd() == str(folder.resolve())
    except (psutil.Error, OSError):
        return False


def working_in(folder: Path) -> list[int]:
    """Live processes whose working directory is `folder`: PostgreSQL's processes work in their data directory."""
    return [pid for pid in psutil.pids() if works_in(pid, folder)]


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Wait for the condition; False when it did not come true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True


def run_as_server(command: Sequence[str | Path], **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a server's program to its end; as root, under the servers' account and with none of our environment."""
    account: dict[str, Any] = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if is_root() else {}
    return subprocess.run(
        [str(part) for part in command],
        check=False,
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd="/",
        umask=0o077,
        env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC"},
        **account,
        **options,
    )


def end(pid: int, first: signal.Signals, seconds: float, last: signal.Signals = signal.SIGKILL) -> None:
    """Ask the process to end and wait; when it does not, end it."""
    for step in (first, last):
        try:
            os.kill(pid, step)
        except ProcessLookupError:
            return
        if wait_until(lambda: not running(pid), seconds):
            return
    raise ServerFailed(f"process {pid} does not end")


def tail(path: Path, lines: int = 15) -> str:
    """The end of a log file, for an error message."""
    try:
        return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])
    except OSError as error:
        return f"({error})"
