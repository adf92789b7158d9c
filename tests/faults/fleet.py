"""A hub with its workers, beat and web as processes of their own, each of which a test may kill."""

import fcntl
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import redis

from mdmhub import embedded
from mdmhub.embedded.home import free_ports
from mdmhub.embedded.valkey import Valkey
from mdmhub.env import BASE_DIR, env
from tests.faults.own_hub import OwnHub

PREPARE = """
import json, sys, tomllib, django
django.setup()
from pathlib import Path
from apps.common.act import Act
from apps.connectors import connections, sandbox
from apps.policies import activate
from mdmhub.demo.load import ensure_systems
ensure_systems()
told = json.load(sys.stdin)
targets = {k: {"creates": ["person"], **v.get("policy", {})} for k, v in told.items()}
body = {"owners": {"payment_terms": ["erp"]}, "targets": targets}
made = activate.draft(kind="ownership", body=body, note="", act=Act("a", "x"))
activate.activate(policy=made.id, act=Act("b", "x"))
for kind, place in told.items():
    document = tomllib.loads((Path(sandbox.__file__).parent / "connections" / f"{kind}.toml").read_text())
    document["connection"] |= {"base_url": place["url"], "in_flight": 16, "timeout": 4, "guard_least": 10**9, **place.get("limits", {})}
    made = connections.connect(document=document, credentials={"token": place["key"]}, act=Act("a", "x"))
"""
GO_LIVE = """
import django
django.setup()
from apps.common.act import Act
from apps.connectors import connections
from apps.connectors.models import Connection
for made in Connection.objects.exclude(adapter="webhook"):
    asked = connections.request_go_live(connection=made.id, act=Act("a", "x"))
    connections.decide_go_live(go_live=asked.id, approve=True, act=Act("b", "x"))
"""


@contextmanager
def own_fleet() -> Iterator["Fleet"]:
    """A fleet in a folder of its own; one at a time in a run of the tests, for each keeps both cores busy."""
    with (
        tempfile.TemporaryDirectory(prefix="fleet-") as folder,
        (Path(env().HUB_HOME) / "fleet.lock").open("w") as turn,
    ):
        fcntl.flock(turn, fcntl.LOCK_EX)
        hub = Fleet(Path(folder))
        try:
            yield hub
        finally:
            hub.remove()


class Fleet(OwnHub):
    """A hub with its workers and beat, each of which a test may kill; `tend` starts what died again, as `up` would."""

    LANES = ("interactive", "bulk", "delivery", "delivery")

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        embedded.ensure_running(self.settings)
        self.workers: list[subprocess.Popen[bytes] | None] = [None] * (len(self.LANES) + 1)
        self.log = (path / "workers.log").open("ab")

    def prepare(self, targets: dict[str, Any]) -> None:
        """Connects `targets` (kind -> url, key, limits, policy), which the hub observes."""
        self.python(PREPARE, targets)

    def go_live(self) -> None:
        """Two people let the hub write to every target."""
        self.python(GO_LIVE)

    def python(self, program: str, told: Any = None) -> str:
        """Runs `program` in a process of this hub with `told` as JSON on its standard input; what it printed."""
        done = subprocess.run(
            [sys.executable, "-c", program], input=json.dumps(told), cwd=BASE_DIR, env=self.environment, text=True,
            capture_output=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    def web(self) -> str:
        """Starts the web; its address."""
        port = free_ports(1)[0]
        command = [
            sys.executable,
            "-m",
            "gunicorn",
            "mdmhub.wsgi",
            "--bind",
            f"127.0.0.1:{port}",
            "--no-control-socket",
        ]
        self.workers.append(
            subprocess.Popen(
                command, cwd=BASE_DIR, env=self.environment, stdout=self.log, stderr=self.log, start_new_session=True
            )
        )
        return f"http://127.0.0.1:{port}"

    def tend(self) -> None:
        for at, process in enumerate(self.workers):
            if process is None or process.poll() is not None:
                self.workers[at] = self._start(at)

    def _start(self, at: int) -> "subprocess.Popen[bytes]":
        celery = [sys.executable, "-m", "celery", "-A", "mdmhub"]
        if at == len(self.LANES):
            command = [*celery, "beat", "-l", "WARNING", "--pidfile="]
        else:
            lane = self.LANES[at]
            pool = ["-P", "solo"] if lane == "delivery" else ["-c", "1"]
            command = [
                *celery,
                "worker",
                "-Q",
                lane,
                "-n",
                f"{lane}{at}@%h",
                *pool,
                "-l",
                "WARNING",
                "--without-gossip",
                "--without-mingle",
            ]
        return subprocess.Popen(
            command, cwd=BASE_DIR, env=self.environment, stdout=self.log, stderr=self.log, start_new_session=True
        )

    def kill(self, at: int) -> None:
        process = self.workers[at]
        if process is not None and process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def kill_database(self) -> None:
        pid = self.server.pid()
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        embedded.ensure_running(self.settings)

    def flush_broker(self) -> None:
        redis.Redis.from_url(Valkey(self.server.home).url().replace("redis+socket", "unix")).flushall()

    def patiently(self, sql: str) -> Any:
        """One value, asked again while the database is away."""
        for _ in range(60):
            try:
                return self.one(sql)
            except psycopg.OperationalError:
                time.sleep(0.5)
        return self.one(sql)

    def remove(self) -> None:
        for at in range(len(self.workers)):
            self.kill(at)
        self.log.close()
        super().remove()
