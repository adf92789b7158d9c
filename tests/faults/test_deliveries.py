"""Deliveries under fire: workers, database and broker die, targets fail in every way; what counts is what the targets hold in the end.

0 lost: every target holds the last value of everything. 0 double effects: nobody stands there twice. 0 falling: no target ever goes
back to an older version."""

import json
import random
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from apps.connectors import sandbox
from apps.connectors.sandbox.running import Far
from tests import pipeline
from tests.faults.fleet import Fleet, own_fleet

pytestmark = pytest.mark.flow
ILLS = {"error_500": 0.03, "throttle_429": 0.01, "retry_after": 1, "lost_reply": 0.02, "latency_ms": 5}


@dataclass(frozen=True)
class Size:
    customers: int
    rounds: int
    kills: int


@pytest.fixture
def fleet() -> Iterator[Fleet]:
    with own_fleet() as hub:
        yield hub


def record(number: int, turn: int) -> dict[str, Any]:
    """One person, who moves with every turn."""
    moment = f"2026-01-01T00:{turn:02d}:00Z"
    return pipeline.person(
        number, city=f"Ort{turn}", address_line1=f"Weg {number}", country="DE", source_updated_at=moment
    )


def under_fire(hub: Fleet, fars: dict[str, Far], size: Size, folder: Path) -> None:
    """All rounds of changes go in while workers, database and broker die; then everything is left to settle."""
    rng = random.Random(7)
    kills = {"worker": 0, "database": 0, "broker": 0}
    hub.tend()
    time.sleep(3)
    for turn in range(size.rounds):
        path = folder / f"round{turn}.ndjson"
        path.write_text("".join(json.dumps(record(n, turn)) + "\n" for n in range(size.customers)))
        load = hub.start("ingest", str(path), "--system", "support")
        while kills["worker"] < (turn + 1) * size.kills // size.rounds:
            time.sleep(rng.uniform(1.0, 2.5))
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
    " + (SELECT count(*) FROM event WHERE position IS NULL) + (SELECT count(*) FROM source_record WHERE state = 'received')"
    " + (SELECT (SELECT position FROM feed_head) - coalesce((SELECT position FROM feed_reader WHERE name = 'plan'), 0))"
)


def settled(hub: Fleet, seconds: float) -> None:
    ends = time.monotonic() + seconds
    while hub.patiently(LEFT):
        hub.tend()
        assert time.monotonic() < ends, hub.query(
            "SELECT state, trouble, code, max(detail), count(*) FROM delivery GROUP BY 1, 2, 3"
        )
        time.sleep(0.5)


def check(hub: Fleet, fars: dict[str, Far], size: Size) -> None:
    assert hub.query("SELECT * FROM broken_invariants LIMIT 5") == []
    assert (
        hub.query("SELECT trouble, code, detail, count(*) FROM delivery WHERE state = 'failed' GROUP BY 1, 2, 3") == []
    )
    for kind, far in fars.items():
        there = [r for r in far.records() if not r["_deleted"]]
        city = (lambda r: r["city"]) if kind == "erp" else (lambda r: r["address"]["city"])
        customers = hub.one("SELECT count(*) FROM customer WHERE active")  # of so many people two may be one by chance
        assert len({r["_key"] for r in there}) == len(there), f"{kind}: somebody stands there twice"
        assert customers <= len(there) <= size.customers, f"{kind}: {len(there)} records of {customers} customers"
        stale = [r["_id"] for r in there if city(r) != f"Ort{size.rounds - 1}"]
        log = far.requests(log=True)["log"]
        for id_ in stale[:3]:
            tell_all(hub, kind, id_, log)
        assert not stale, f"{kind}: {len(stale)} last values are missing"
        stats = far.requests(log=True)
        last: dict[str, int] = {}
        for entry in stats["log"]:
            version = int(entry["hub_version"])
            before = last.get(entry["id"], 0)
            if version <= before:
                tell_all(hub, kind, entry["id"], log)
            assert version > before, f"{kind}: {entry['id']} went from {before} to {version}"
            last[entry["id"]] = version
        writes = stats["writes"]["create"] + stats["writes"]["update"]
        again = stats["writes"]["unchanged"] + stats["repeats"]
        assert again <= 0.05 * (writes + again), f"{kind}: {again} requests of {writes + again} were told twice"


def tell_all(hub: Fleet, kind: str, external_id: str, log: list[dict[str, Any]]) -> None:
    """Prints what the hub and the target know of one record: for whoever reads why the test failed."""
    where = f"l.external_id = '{external_id}' AND l.system_id = (SELECT id FROM system WHERE code = '{kind}')"
    told = {
        "link": "SELECT l.*, s.customer_id, s.canonical, s.version, c.version, c.addresses, c.updated_at FROM link l"
        " JOIN source_record s ON s.id = l.source_record_id JOIN customer c ON c.id = s.customer_id WHERE ",
        "members": "SELECT m.* FROM link l JOIN source_record s ON s.id = l.source_record_id"
        " JOIN source_record m ON m.customer_id = s.customer_id WHERE ",
        "deliveries": "SELECT d.* FROM link l JOIN source_record s ON s.id = l.source_record_id JOIN delivery d ON d.customer_id"
        " = s.customer_id JOIN connection n ON n.id = d.connection_id AND n.system_id = l.system_id WHERE ",
        "attempts": "SELECT a.* FROM link l JOIN source_record s ON s.id = l.source_record_id JOIN delivery d ON d.customer_id"
        " = s.customer_id JOIN connection n ON n.id = d.connection_id AND n.system_id = l.system_id"
        " JOIN delivery_attempt a ON a.delivery_id = d.id WHERE ",
    }  # fmt: skip
    for name, sql in told.items():
        for row in hub.query(f"SELECT to_jsonb(x)::text FROM ({sql}{where}) x"):
            print(name, row[0])
    for entry in log:
        if entry["id"] == external_id:
            print("log", entry)


def run(hub: Fleet, size: Size, tmp_path: Path) -> None:
    with ExitStack() as stack:
        fars = {k: stack.enter_context(sandbox.running(k, data=tmp_path / f"{k}.db")) for k in ("erp", "billing")}
        hub.prepare({k: {"url": f.url, "key": f.key} for k, f in fars.items()})
        hub.go_live()
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
    run(fleet, Size(customers=5_000, rounds=20, kills=25), tmp_path)
