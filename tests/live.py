"""A hub over real processes, for tests that must not share one with it: gunicorn on the test database."""

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from django.conf import settings
from django.db import connection

from mdmhub import embedded
from mdmhub.embedded.home import free_ports
from mdmhub.embedded.postgres import Postgres
from mdmhub.embedded.process import tail
from mdmhub.env import BASE_DIR, env

READY_SECONDS = 60.0


def database_url(database: str) -> str:
    """Address of `database` on the server of this test run."""
    given = env().DATABASE_URL
    return urlsplit(given)._replace(path=f"/{database}").geturl() if given else Postgres(embedded.home()).url(database)


def live_environment(database: str) -> dict[str, str]:
    """Environment of a process that works on the test database `database`, with the run's keys and broker."""
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "mdmhub.settings",
        "PYTHONPATH": str(BASE_DIR),
        "DATABASE_URL": database_url(database),
        "BROKER_URL": settings.CELERY_BROKER_URL,
        "DEBUG": "true",
    }


@contextmanager
def live_hub(log: Path) -> Iterator[str]:
    """Address of a web server on the current test database; the caller has committed what it shall show."""
    port = free_ports(1)[0]
    command = [sys.executable, "-m", "gunicorn", "mdmhub.wsgi", "--bind", f"127.0.0.1:{port}"]
    command += [
        "--worker-class",
        "gthread",
        "--workers",
        "1",
        "--threads",
        "4",
        "--no-control-socket",
        "--graceful-timeout",
        "2",
    ]
    with log.open("ab") as output:
        web = subprocess.Popen(command, env=live_environment(_current()), stdout=output, stderr=output)
    try:
        _wait(web, port, log)
        yield f"http://127.0.0.1:{port}"
    finally:
        web.terminate()
        web.wait(10)


def _wait(web: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline and web.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
                if json.load(answer)["checks"]["database"] == "ok":
                    return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError(f"the live hub did not answer:\n{tail(log, 40)}")


def _current() -> str:
    return str(connection.settings_dict["NAME"])
