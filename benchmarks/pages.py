#!/usr/bin/env python
"""benchmarks/pages.py N: how long a steward waits for a page of a hub of N customers, over HTTP against gunicorn.

Each page is asked for with another customer, case or search every time, by two people at once; the first tenth warms up. Printed:
queries of one page, median and 95th percentile in milliseconds, and the ratio of the latter to the promise of 150 ms."""

import argparse
import http.client
import json
import random
import statistics
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from benchmarks import api
from benchmarks.hub import scratch_hub

PROMISE = 150.0
PEOPLE = 2


def cookie() -> str:
    """A session of somebody who may see every page."""
    from django.conf import settings
    from django.contrib.auth import get_user_model
    from django.test import Client

    user = get_user_model().objects.create(username="bench", roles=["steward", "approver", "integrator", "admin"])
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}"


def ids(sql: str) -> list[str]:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(sql)
        return [str(row[0]) for row in cursor.fetchall()]


def pages() -> dict[str, Callable[[], str]]:
    """What is asked for, by the page's name: an address, another one with each call."""
    from apps.stewardship import cases

    while cases.refresh():
        pass
    customers = ids("SELECT id FROM customer WHERE active ORDER BY md5(id::text) LIMIT 500")
    joined = ids("SELECT id FROM customer WHERE active AND member_count > 1 ORDER BY md5(id::text) LIMIT 500")
    found = ids("SELECT id FROM steward_case WHERE kind = 'match' AND state = 'open' ORDER BY md5(id::text) LIMIT 500")
    names = ids("SELECT name FROM customer WHERE active AND name IS NOT NULL ORDER BY md5(id::text) LIMIT 500")
    mails = ids("SELECT value FROM lookup_key WHERE kind = 'email' ORDER BY md5(value) LIMIT 500")
    one = random.choice
    asked: dict[str, Callable[[], str]] = {
        "home": lambda: "/",
        "inbox": lambda: "/inbox/",
        "doubts": lambda: "/doubts/",
        "customers": lambda: "/customers/",
        "customers: narrowed": lambda: (
            f"/customers/?country={one(('DE', 'FR', 'IT'))}&status=active&records={one('123')}"
        ),
        "customers: by name": lambda: "/customers/?sort=name&kind=person",
        "customers: unreachable": lambda: "/customers/?quality=unreachable",
        "search: a name": lambda: f"/customers/?q={quote(one(names))}",
        "search: a name with a typing error": lambda: f"/customers/?q={quote(_mistyped(one(names)))}",
        "search: a name, narrowed": lambda: f"/customers/?q={quote(one(names))}&country=DE&kind=person",
        "search: an e-mail address": lambda: f"/customers/?q={quote(one(mails))}",
        "customer": lambda: f"/customers/{one(customers)}/",
        "customer: sources": lambda: f"/customers/{one(joined)}/sources/",
        "customer: lineage": lambda: f"/customers/{one(joined)}/lineage/",
        "customer: history": lambda: f"/customers/{one(joined)}/history/",
        "customer: as it stood": lambda: (
            f"/customers/{one(joined)}/as-of/?at={time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime())}"
        ),
        "customer: matches": lambda: f"/customers/{one(joined)}/matches/",
        "customer: distribution": lambda: f"/customers/{one(joined)}/distribution/",
        "customer: take records out": lambda: f"/customers/{one(joined)}/unmerge/",
        "quarantine": lambda: "/quarantine/",
        "sync": lambda: "/sync/",
        "exceptions": lambda: "/exceptions/",
        "imports": lambda: "/imports/",
    }
    if found:
        asked["match review"] = lambda: f"/inbox/{one(found)}/"
    return asked


def _mistyped(name: str) -> str:
    at = len(name) // 2
    return name[: at - 1] + name[at] + name[at - 1] + name[at + 1 :] if len(name) > 3 else name


def measure(port: int, session: str, address: Callable[[], str], calls: int) -> list[float]:
    """Milliseconds of `calls` calls, by PEOPLE at once."""
    times: list[float] = []
    left, lock = [calls + calls // 10], threading.Lock()

    def work() -> None:
        person = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        while True:
            with lock:
                left[0] -= 1
                if left[0] < 0:
                    return
                path = address()
            begun = time.perf_counter()
            person.request("GET", path, headers={"Cookie": session})
            answer = person.getresponse()
            answer.read()
            took = (time.perf_counter() - begun) * 1000
            if answer.status != 200:
                raise SystemExit(f"{path}: {answer.status} {answer.getheader('Location')}")
            with lock:
                times.append(took)

    threads = [threading.Thread(target=work) for _ in range(PEOPLE)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(times[calls // 10 :])


def queries(session: str, path: str) -> int:
    """How many statements one page takes."""
    from django.conf import settings
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    client = Client()
    client.cookies[settings.SESSION_COOKIE_NAME] = session.partition("=")[2]
    client.get(path)
    with CaptureQueriesContext(connection) as captured:
        client.get(path)
    return len(captured)


def shown(rows: Mapping[str, Mapping[str, Any]]) -> None:
    print(f"{'page':<36}{'queries':>8}{'median ms':>11}{'p95 ms':>9}{'of 150':>8}")
    for name, row in rows.items():
        print(f"{name:<36}{row['queries']:>8}{row['p50']:>11.0f}{row['p95']:>9.0f}{row['p95'] / PROMISE:>8.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("customers", type=int, nargs="?", default=100_000)
    parser.add_argument("--calls", type=int, default=60, help="of each page")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    random.seed(7)
    with scratch_hub():
        from django.conf import settings

        settings.ALLOWED_HOSTS.append("testserver")
        api.load(options.customers, 7)
        api.settle()
        asked, session = pages(), cookie()
        rows: dict[str, dict[str, Any]] = {name: {"queries": queries(session, f())} for name, f in asked.items()}
        with api.server(4) as port:
            for name, address in asked.items():
                times = measure(port, session, address, options.calls)
                rows[name] |= {"p50": statistics.median(times), "p95": times[int(len(times) * 0.95)]}
    if options.json:
        print(json.dumps(rows))
    else:
        shown(rows)


if __name__ == "__main__":
    main()
