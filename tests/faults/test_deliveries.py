"""Deliveries under fire: workers, database and broker die, targets fail in every way; what counts is what the targets hold in the end.

0 lost: every target holds the last value of everything. 0 double effects: nobody stands there twice. 0 falling: no target ever goes
back to an older version."""

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis

from apps.connectors import sandbox
from apps.connectors.sandbox.running import Far
from mdmhub import embedded
from mdmhub.embedded.valkey import Valkey
from mdmhub.env import BASE_DIR
from tests.faults.own_hub import OwnHub

pytestmark = pytest.mark.flow
ILLS = {"error_500": 0.03, "throttle_429": 0.01, "retry_after": 1, "lost_reply": 0.02, "latency_ms": 5}
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
made = activate.draft(kind="ownership", body={"owners": {}, "targets": {k: {"creates": ["person"]} for k in told}}, note="", act=Act("a", "x"))
activate.activate(policy=made.id, act=Act("b", "x"))
for kind, place in told.items():
    document = tomllib.loads((Path(sandbox.__file__).parent / "connections" / f"{kind}.toml").read_text())
    document["connection"].update(base_url=place["url"], in_flight=16, timeout=4, guard_least=10**9, **place.get("limits", {}))
    made = connections.connect(document=document, credentials={"token": place["key"]}, act=Act("a", "x"))
    asked = connections.request_go_live(connection=made.id, act=Act("a", "x"))
    connections.decide_go_live(go_live=asked.id, approve=True, act=Act("b", "x"))
"""


class Fleet(OwnHub):
    """A hub with its workers and beat, each of which a test may kill; `tend` starts what died again, as `up` would."""

    LANES = ("interactive", "bulk", "delivery", "delivery")

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        embedded.ensure_running(self.settings)
        self.workers: list[subprocess.Popen[bytes] | None] = [None] * (len(self.LANES) + 1)
        self.log = (path / "workers.log").open("ab")

    def prepare(self, targets: dict[str, Any]) -> None:
        done = subprocess.run(
            [sys.executable, "-c", PREPARE], input=json.dumps(targets), cwd=BASE_DIR, env=self.environment, text=True, capture_output=True
        )
        assert done.returncode == 0, done.stderr

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
            command = [*celery, "worker", "-Q", lane, "-n", f"{lane}{at}@%h", *pool, "-l", "WARNING", "--without-gossip", "--without-mingle"]
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


@dataclass(frozen=True)
class Size:
    customers: int
    rounds: int
    kills: int


@pytest.fixture
def fleet() -> Iterator[Fleet]:
    with tempfile.TemporaryDirectory(prefix="fleet-") as folder:
        hub = Fleet(Path(folder))
        try:
            yield hub
        finally:
            hub.remove()


def person(number: int, turn: int) -> dict[str, Any]:
    return {
        "record_id": f"P{number}", "kind": "person", "given_name": f"Vorname{number:05d}x", "family_name": f"Nachname{number * 7919 % 99991:05d}q",
        "email": f"p{number}@mail.example", "phone": f"+49306{number:07d}", "city": f"Ort{turn}", "address_line1": f"Weg {number}", "country": "DE",
    }  # fmt: skip


def under_fire(hub: Fleet, fars: dict[str, Far], size: Size, folder: Path) -> None:
    """All rounds of changes go in while workers, database and broker die; then everything is left to settle."""
    rng = random.Random(7)
    kills = {"worker": 0, "database": 0, "broker": 0}
    hub.tend()
    time.sleep(3)
    for turn in range(size.rounds):
        path = folder / f"round{turn}.ndjson"
        path.write_text("".join(json.dumps(person(n, turn)) + "\n" for n in range(size.customers)))
        load = hub.start("ingest", str(path), "--system", "support")
        while load.poll() is None or kills["worker"] < (turn + 1) * size.kills // size.rounds:
            time.sleep(rng.uniform(0.2, 0.6))
            hub.kill(rng.choice((0, 2, 3)))
            kills["worker"] += 1
            if kills["worker"] % max(size.kills // 3, 1) == 0 and kills["database"] < 3:
                hub.kill_database()
                kills["database"] += 1
            if kills["worker"] % max(size.kills // 2, 1) == 0 and kills["broker"] < 2:
                hub.flush_broker()
                kills["broker"] += 1
            hub.tend()
        while load.wait() != 0:  # its database was killed: the same command goes on where it stopped
            load = hub.start("ingest", str(path), "--system", "support")
    assert kills["worker"] >= size.kills
    assert kills["database"] == 3
    assert kills["broker"] == 2


LEFT = (
    "SELECT (SELECT count(*) FROM delivery WHERE state IN ('waiting', 'sending', 'uncertain')) + (SELECT count(*) FROM plan_due)"
    " + (SELECT count(*) FROM event WHERE position IS NULL)"
    " + (SELECT (SELECT position FROM feed_head) - coalesce((SELECT position FROM feed_reader WHERE name = 'plan'), 0))"
)


def settled(hub: Fleet, seconds: float) -> None:
    ends = time.monotonic() + seconds
    while hub.patiently(LEFT):
        hub.tend()
        assert time.monotonic() < ends, hub.query("SELECT state, trouble, code, max(detail), count(*) FROM delivery GROUP BY 1, 2, 3")
        time.sleep(0.5)


def check(hub: Fleet, fars: dict[str, Far], size: Size) -> None:
    assert hub.query("SELECT * FROM broken_invariants LIMIT 5") == []
    assert hub.query("SELECT trouble, code, detail, count(*) FROM delivery WHERE state = 'failed' GROUP BY 1, 2, 3") == []
    for kind, far in fars.items():
        there = [r for r in far.records() if not r["_deleted"]]
        city = (lambda r: r["city"]) if kind == "erp" else (lambda r: r["address"]["city"])
        assert len(there) == size.customers, f"{kind}: {len(there)} records of {size.customers} customers"
        assert {city(r) for r in there} == {f"Ort{size.rounds - 1}"}, f"{kind}: a last value is missing"
        stats = far.requests(log=True)
        last: dict[str, int] = {}
        for entry in stats["log"]:
            version = int(entry["hub_version"])
            assert version > last.get(entry["id"], 0), f"{kind}: {entry['id']} went from {last[entry['id']]} to {version}"
            last[entry["id"]] = version
        writes = stats["writes"]["create"] + stats["writes"]["update"]
        again = stats["writes"]["unchanged"] + stats["repeats"]
        assert again <= 0.05 * (writes + again), f"{kind}: {again} requests of {writes + again} were told twice"


def run(hub: Fleet, size: Size, tmp_path: Path) -> None:
    with ExitStack() as stack:
        fars = {k: stack.enter_context(sandbox.running(k, data=tmp_path / f"{k}.db")) for k in ("erp", "billing")}
        hub.prepare({k: {"url": f.url, "key": f.key} for k, f in fars.items()})
        for far in fars.values():
            far.faults(seed=7, **ILLS)
        under_fire(hub, fars, size, tmp_path)
        for far in fars.values():
            far.faults()
        settled(hub, 240)
        check(hub, fars, size)


def test_ten_thousand_changes_under_fire(fleet: Fleet, tmp_path: Path) -> None:
    run(fleet, Size(customers=1_000, rounds=10, kills=25), tmp_path)


@pytest.mark.slow
def test_a_hundred_thousand_changes_under_fire(fleet: Fleet, tmp_path: Path) -> None:
    run(fleet, Size(customers=5_000, rounds=20, kills=50), tmp_path)
