"""One `manage.py up` per home: who runs, and where it can be reached."""

import fcntl
import json
import os
from contextlib import suppress
from dataclasses import asdict, dataclass
from types import TracebackType
from typing import Self

from mdmhub.embedded.home import Home, write_private


@dataclass(frozen=True)
class Running:
    """The process that holds the hub and the address of its web."""

    pid: int
    url: str


class AlreadyRunning(Exception):
    """Another process holds this hub."""

    def __init__(self, other: Running | None) -> None:
        self.other = other
        where = f" at {other.url} (process {other.pid})" if other else ""
        super().__init__(f"this hub already runs{where}; end that one first, or give this one its own HUB_HOME")


class Hold:
    """Held for as long as the hub runs; the kernel lets go when the holder dies, so it is never stale."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self._file = home.path / "up.json"
        self._handle = -1

    def __enter__(self) -> Self:
        self.home.prepare()
        self._handle = os.open(self.home.path / "up.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._handle)
            raise AlreadyRunning(_read(self.home)) from None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.unlink(missing_ok=True)
        os.close(self._handle)

    def announce(self, url: str) -> None:
        write_private(self._file, json.dumps(asdict(Running(os.getpid(), url))))


def running(home: Home) -> Running | None:
    """The process that holds this home's hub now, or None."""
    if not home.path.exists():
        return None
    try:
        with Hold(home):
            return None
    except AlreadyRunning as error:
        return error.other or Running(0, "")


def _read(home: Home) -> Running | None:
    with suppress(OSError, ValueError, TypeError):
        return Running(**json.loads((home.path / "up.json").read_text()))
    return None
