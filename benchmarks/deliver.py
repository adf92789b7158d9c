#!/usr/bin/env python
"""benchmarks/deliver.py: how fast approved changes reach a target, with workers as processes of their own on this machine.

The target is a sandbox CRM that takes 20 ms for each call. Deliveries/s: N customers wait to be created there, and the workers are
let loose. Change to acknowledged: changes come in at a steady rate for a while; from the moment a customer changed to the target's
answer. Beside it, in the same run and against the same target: a plain Celery task for each record (read the customer, call, write
the answer down), which keeps no order, no lease and no attempt, and forgets what it had in hand when it dies."""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from benchmarks.hub import scratch_hub

ROOT = Path(__file__).resolve().parent.parent
CALL_MS = 20
IN_FLIGHT = 48


@contextmanager
def workers(home: Path, *lanes: tuple[str, Sequence[str]], app: str = "mdmhub") -> Iterator[None]:
    """Celery workers, one for each (queue, options), and beat when there is more than one; they are ended with the block."""
    started = []
    environment = {**os.environ, "HUB_HOME": str(home), "PYTHONPATH": str(ROOT)}
    with (home / "workers.log").open("ab") as log:
        for queue, options in lanes:
            command = [
                sys.executable,
                "-m",
                "celery",
                "-A",
                app,
                "worker",
                "-Q",
                queue,
                "-n",
                f"{queue}@%h",
                "-l",
                "WARNING",
                *options,
            ]
            started.append(subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log))
        if len(lanes) > 1:
            command = [sys.executable, "-m", "celery", "-A", app, "beat", "-l", "WARNING", "--pidfile="]
            started.append(subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log))
        try:
            answering(len(lanes))
            yield
        finally:
            for process in started:
                process.terminate()
            for process in started:
                try:
                    process.wait(20)
                except subprocess.TimeoutExpired:
                    process.kill()


def answering(count: int) -> None:
    """Waits until so many workers answer."""
    from mdmhub.celery import app

    ends = time.monotonic() + 60
    while len(app.control.ping(timeout=0.5)) < count:
        if time.monotonic() > ends:
            raise TimeoutError("the workers do not start; see workers.log")


def connect(far: Any) -> Any:
    from apps.common.act import Act
    from apps.connectors import connections, sandbox

    document = tomllib.loads((Path(sandbox.__file__).parent / "connections" / "crm.toml").read_text())
    document["connection"].update(base_url=far.url, in_flight=IN_FLIGHT, guard_least=10**9, poll_seconds=10**6)
    made = connections.connect(document=document, credentials={"token": far.key}, act=Act("user:a", "benchmark"))
    asked = connections.request_go_live(connection=made.id, act=Act("user:a", "benchmark"))
    connections.decide_go_live(go_live=asked.id, approve=True, act=Act("user:b", "benchmark"))
    return made


def take_in(first: int, last: int, **values: Any) -> None:
    from apps.common.act import Act
    from apps.connectors import inbound
    from apps.connectors.inbound import Door, Item
    from apps.customers.models import System
    from tests.pipeline import person

    door = Door(System.objects.get(code="erp"))
    for start in range(first, last, 250):
        records = [person(n, **values) for n in range(start, min(start + 250, last))]
        inbound.take_in(door=door, items=[Item(r, json.dumps(r)) for r in records], act=Act("client:benchmark", "load"))


def one(sql: str) -> Any:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchone()[0]


def drained(n: int, since: str) -> float:
    """Deliveries/s of the last N that were done since a moment."""
    while one("SELECT count(*) FROM delivery WHERE state IN ('waiting', 'sending', 'uncertain')"):
        time.sleep(0.1)
    seconds = one(
        f"SELECT extract(epoch FROM max(finished_at) - min(first_sent_at))::float8 FROM delivery WHERE created_at >= '{since}' AND state = 'done'"
    )
    done = one(f"SELECT count(*) FROM delivery WHERE created_at >= '{since}' AND state = 'done'")
    assert done >= n, f"{done} of {n} were delivered"
    return float(done / seconds)


def backlog(home: Path, n: int) -> dict[str, float]:
    from apps.connectors import planner
    from apps.events.relay import relay_all

    rates = {}
    for name, values in (("creates", {}), ("updates", {"city": "Ulm", "country": "DE"})):
        since = str(one("SELECT clock_timestamp()"))
        take_in(0, n, **values)
        relay_all()
        planner.drain(seconds=600)
        with workers(home, ("delivery", ("-P", "solo"))):
            subprocess.run(
                [sys.executable, "-c", RING], cwd=ROOT, env={**os.environ, "HUB_HOME": str(home)}, check=True
            )
            rates[name] = drained(n, since)
        planner.drain(seconds=60)
    return rates


RING = "import django; django.setup(); from apps.connectors.tasks import deliver; deliver.apply_async(queue='delivery')"


def steady(home: Path, per_second: int, seconds: int) -> dict[str, float]:
    """Changes at a steady rate while all workers run; seconds from change to acknowledged."""
    with workers(home, ("interactive", ("-c", "1")), ("delivery", ("-P", "solo"))):
        since = str(one("SELECT clock_timestamp()"))
        begun = time.monotonic()
        for turn in range(seconds):
            take_in(turn * per_second, (turn + 1) * per_second, city=f"Ort {turn}", country="DE")
            time.sleep(max(0.0, begun + turn + 1 - time.monotonic()))
        while (
            one("SELECT count(*) FROM delivery WHERE state <> 'done' AND state <> 'superseded'")
            or one(f"SELECT count(*) FROM delivery WHERE created_at >= '{since}'") < per_second * seconds
        ):
            time.sleep(0.2)
        from django.db import connection

        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT extract(epoch FROM finished_at - changed_at)::float8 FROM delivery WHERE state = 'done' AND created_at >= %s",
                (since,),
            )
            waits = sorted(row[0] for row in cursor.fetchall())
    return {"p50": statistics.median(waits), "p95": waits[int(len(waits) * 0.95)], "n": len(waits)}


def plain(home: Path, far: Any, n: int, threads: int) -> float:
    """One Celery task for each record, with as many threads as the hub has calls in flight; records/s."""
    os.environ.update(PLAIN_URL=far.url, PLAIN_KEY=far.key)
    before = far.requests(log=False)["requests"]["total"]
    with workers(home, ("interactive", ("-P", "threads", "-c", str(threads))), app="benchmarks.deliver_plain"):
        begun = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "benchmarks.deliver_plain", str(n)],
            cwd=ROOT,
            env={**os.environ, "HUB_HOME": str(home)},
            check=True,
        )
        while far.requests(log=False)["requests"]["total"] - before < n:
            time.sleep(0.1)
        return n / (time.perf_counter() - begun)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--customers", type=int, default=10_000)
    parser.add_argument("--rate", type=int, default=50, help="changes a second of the steady part")
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with scratch_hub() as home:
        from apps.connectors import sandbox

        with sandbox.running("crm", data=home / "far.db") as far:
            connect(far)
            far.faults(latency_ms=CALL_MS)
            result: dict[str, Any] = {"backlog": backlog(home, options.customers)}
            result["steady"] = steady(home, options.rate, options.seconds)
            result["plain"] = plain(home, far, options.customers, IN_FLIGHT)
    if options.json:
        print(json.dumps(result))
        return
    rates, waits = result["backlog"], result["steady"]
    print(
        f"{options.customers:,} customers, a target of {CALL_MS} ms, {IN_FLIGHT} calls in flight, one delivery worker"
    )
    print(
        f"deliveries/s: {rates['creates']:.0f} creates, {rates['updates']:.0f} updates; a plain task for each record: {result['plain']:.0f}"
    )
    print(
        f"change to acknowledged at {options.rate} changes/s: p50 {waits['p50']:.2f} s, p95 {waits['p95']:.2f} s ({waits['n']} changes)"
    )


if __name__ == "__main__":
    main()
