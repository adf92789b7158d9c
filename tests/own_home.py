"""The folder of one test run: made by the process that starts pytest, shared by its workers, removed at the end.

A run that was killed leaves its folder and servers behind; the next run of the same user clears them away.
"""

import os
import shutil
import signal
import tempfile
from contextlib import suppress
from pathlib import Path

from mdmhub import embedded
from mdmhub.embedded.home import Home
from mdmhub.embedded.postgres import Postgres
from mdmhub.embedded.process import end, running
from mdmhub.embedded.valkey import Valkey
from mdmhub.env import env
from mdmhub.keys import make_keys

PREFIX = "mdmhub-test-"
OWNER = "owner.pid"
ENVIRONMENT = {"DEBUG": "true", "HUB_DURABLE": "false", "HUB_LOG_LEVEL": "WARNING", "HUB_LOG_FORMAT": "plain"}


def is_worker() -> bool:
    """Whether this process is a pytest-xdist worker, which uses the home of the process that started it."""
    return "PYTEST_XDIST_WORKER" in os.environ


def enter() -> None:
    """Point the environment at the run's home. Servers start when the first test needs them."""
    if is_worker():
        return
    clear_away()
    home = Path(tempfile.mkdtemp(prefix=PREFIX))
    (home / OWNER).write_text(str(os.getpid()))
    os.environ.update(ENVIRONMENT, HUB_HOME=str(home))
    env.cache_clear()
    make_keys(Home(home))
    if env().DATABASE_URL:
        embedded.ensure_running()  # the broker: nothing else would start it


def leave() -> None:
    """Stop the run's servers and remove its folder."""
    if not is_worker():
        embedded.stop_all()
        shutil.rmtree(env().HUB_HOME, ignore_errors=True)


def clear_away() -> None:
    """Remove what killed runs of this user have left."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with suppress(OSError, ValueError):
            if folder.stat().st_uid != os.geteuid() or running(int((folder / OWNER).read_text())):
                continue
            home = Home(folder)
            for server in (Postgres(home), Valkey(home)):
                pid = server.pid()
                if pid is not None:
                    end(pid, signal.SIGQUIT, 10)
            shutil.rmtree(folder, ignore_errors=True)
