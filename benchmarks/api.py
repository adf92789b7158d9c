#!/usr/bin/env python
"""benchmarks/api.py N: what a call costs on a hub of N customers, over HTTP against gunicorn.

Three calls, each by machines with tokens of their own: create (POST /source-records, one record, matched and built in the call;
about half of them are new people, the others known ones in another system), match (POST /customers:match with reasons) and
read (GET /customers/{id}); and search beside them. Printed: median and 95th percentile in milliseconds, and the ratio of the 95th
percentile to the promise (below 1 keeps it)."""

import argparse
import http.client
import json
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import quote

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
from benchmarks.hub import scratch_hub  # noqa: E402

PROMISES = {"create": 60.0, "match": 40.0, "read": 15.0, "search": 50.0}
"""Milliseconds at the 95th percentile, with 100,000 customers on 2 cores."""
Call = tuple[str, str, dict[str, Any] | None]


def load(customers: int, seed: int) -> list[Any]:
    """Takes in the generated records of `customers` customers; returns a sample of the records taken."""
    from apps.common.act import Act
    from apps.common.jsontext import json_text
    from apps.connectors import inbound
    from apps.connectors.inbound import Door, Item
    from apps.customers.models import System
    from mdmhub.demo.generator import generate

    doors = {s.code: Door(s) for s in System.objects.all()}
    act, rng, sample = Act("benchmark", "load"), random.Random(seed), []
    waiting: dict[str, list[Any]] = {code: [] for code in doors}
    begun, count = time.perf_counter(), 0
    for record in generate(customers, seed=seed, stories=False):
        waiting[record.system].append(record)
        batch = waiting[record.system]
        if len(batch) == inbound.BATCH:
            inbound.take_in(door=doors[record.system], items=[Item(r.item, json_text(r.item)) for r in batch], act=act)
            sample += rng.sample(batch, 5)
            count += len(batch)
            batch.clear()
    for code, batch in waiting.items():
        if batch:
            inbound.take_in(door=doors[code], items=[Item(r.item, json_text(r.item)) for r in batch], act=act)
            sample += batch[:5]
            count += len(batch)
    print(f"loaded {count:,} records in {time.perf_counter() - begun:.0f} s", file=sys.stderr)
    return sample


def settle() -> None:
    """Works off what waits, and gives the planner its statistics, as a hub that has run for a while has them."""
    from django.core.management import call_command
    from django.db import connection

    call_command("drain", verbosity=0)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")


@contextmanager
def server(threads: int) -> Iterator[int]:
    """gunicorn as `manage.py up` runs it, on a free port."""
    from django.db import connections

    from mdmhub.embedded.home import free_ports
    from mdmhub.management.commands.up import WEB_STATEMENT_MS, web_command

    connections.close_all()
    port = free_ports(1)[0]
    command = [*web_command("127.0.0.1", port, threads=threads), "--log-level", "warning"]
    environment = {**os.environ, "HUB_LOG_LEVEL": "WARNING", "HUB_STATEMENT_TIMEOUT_MS": WEB_STATEMENT_MS}
    process = subprocess.Popen(command, cwd=ROOT, env=environment)
    try:
        for _ in range(300):
            try:
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
                connection.request("GET", "/readyz")
                if connection.getresponse().status in (200, 503):
                    break
            except OSError:
                time.sleep(0.1)
        yield port
    finally:
        process.terminate()
        process.wait(15)


class Caller:
    """One connection kept alive, with a token."""

    def __init__(self, port: int, token: str) -> None:
        self.http = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self.headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def __call__(self, method: str, path: str, body: dict[str, Any] | None) -> bytes:
        self.http.request(method, path, json.dumps(body) if body is not None else None, self.headers)
        answer = self.http.getresponse()
        content = answer.read()
        if answer.status >= 300:
            raise SystemExit(f"{method} {path}: {answer.status} {content[:500]!r}")
        return content


def token(port: int, client_id: str, secret: str) -> str:
    form = f"grant_type=client_credentials&client_id={client_id}&client_secret={secret}"
    http_ = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    http_.request("POST", "/identity/o/api/token", form, {"Content-Type": "application/x-www-form-urlencoded"})
    found: str = json.loads(http_.getresponse().read())["access_token"]
    return found


def measure(port: int, bearer: str, make: Callable[[], Call], calls: int, connections: int) -> list[float]:
    """Milliseconds of `calls` calls, spread over `connections` at a time; the first tenth warms up and is left out."""
    planned = [make() for _ in range(calls + calls // 10)]
    times: list[float] = []
    turn = iter(enumerate(planned))
    lock = threading.Lock()

    def work() -> None:
        caller = Caller(port, bearer)
        while True:
            with lock:
                at, call = next(turn, (-1, None))
            if call is None:
                return
            begun = time.perf_counter()
            answer = caller(*call)
            spent = (time.perf_counter() - begun) * 1000
            if call[1].startswith("/api/v1/source-records") and b'"outcome":"created"' not in answer:
                raise SystemExit(f"a record was not created: {answer[:500]!r}")
            if at >= calls // 10:
                times.append(spent)

    workers = [threading.Thread(target=work) for _ in range(connections)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return sorted(times)


def plans(sample: list[Any], customers: int, seed: int) -> dict[str, Callable[[], Call]]:
    """How a call of each kind is made up."""
    from apps.customers.models import Customer
    from mdmhub.demo.generator import generate

    rng = random.Random(seed)
    ids = [
        str(i)
        for i in Customer.objects.filter(active=True)
        .order_by("id")
        .values_list("id", flat=True)[:: max(customers // 5000, 1)]
    ]
    # Ids and strangers of their own, also on a hub that was kept: its last run's strangers are known there by now.
    moment = time.time_ns()
    strangers = generate(customers + 20_000, seed=moment % 2**31, stories=False)
    serial, stamp = iter(range(10**9)), f"bench-{moment}"

    def create() -> Call:
        known = rng.random() < 0.5
        record = rng.choice(sample) if known else next(strangers)
        system = rng.choice(("crm", "erp", "billing", "support"))
        item = {**record.item, "record_id": f"{stamp}-{next(serial)}"}
        return "POST", f"/api/v1/source-records?system={system}", item

    def match() -> Call:
        item = {k: v for k, v in rng.choice(sample).item.items() if v not in (None, "")}
        return "POST", "/api/v1/customers:match", item

    def read() -> Call:
        return "GET", f"/api/v1/customers/{rng.choice(ids)}", None

    def search() -> Call:
        item = rng.choice(sample).item
        words = [
            item.get(n)
            for n in ("name", "organization_name", "family_name", "email", "phone", "record_id")
            if item.get(n)
        ]
        return "GET", f"/api/v1/customers?limit=20&q={quote(str(rng.choice(words)))}", None

    return {"create": create, "match": match, "read": read, "search": search}


def run(options: argparse.Namespace) -> dict[str, Any]:
    from apps.accounts.clients import create_client, revoke_client
    from apps.accounts.roles import SCOPES
    from apps.common.errors import NotFound
    from apps.customers.models import Customer
    from mdmhub.demo.generator import generate

    standing = Customer.objects.filter(active=True).count()
    if standing < options.customers // 2:
        sample = load(options.customers, options.seed)
    else:
        sample = list(islice(generate(options.customers, seed=options.seed, stories=False), 20_000))
    settle()
    with suppress(NotFound):
        revoke_client(name="bench")
    made = create_client(name="bench", scopes=SCOPES)
    result: dict[str, Any] = {
        "customers": Customer.objects.filter(active=True).count(),
        "connections": options.connections,
    }
    makers = plans(sample, options.customers, options.seed)
    with server(options.threads) as port:
        bearer = token(port, made.client_id, made.secret)
        for name, make in makers.items():
            times = measure(port, bearer, make, options.calls, options.connections)
            p50, p95 = times[len(times) // 2], times[int(len(times) * 0.95)]
            result[name] = {"p50_ms": round(p50, 1), "p95_ms": round(p95, 1), "ratio": round(p95 / PROMISES[name], 2)}
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("customers", type=int, nargs="?", default=100_000)
    parser.add_argument(
        "--calls", type=int, default=1_000, help="calls of each kind that are measured (default: %(default)s)"
    )
    parser.add_argument("--connections", type=int, default=1, help="callers at a time (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=4, help="threads of the server (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument(
        "--keep", type=Path, help="run in this HUB_HOME and keep it; one that is loaded already is used as it is"
    )
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with scratch_hub(options.keep):
        result = run(options)
    if options.json:
        print(json.dumps(result))
        return
    print(f"{result['customers']:,} customers, {result['connections']} caller(s)")
    for name, promise in PROMISES.items():
        r = result[name]
        print(
            f"{name:<8} p50 {r['p50_ms']:>7.1f} ms   p95 {r['p95_ms']:>7.1f} ms   promise {promise:>4.0f} ms   ratio {r['ratio']:.2f}"
        )


if __name__ == "__main__":
    main()
