"""A target that is down, slow or fed with poison costs nobody else anything."""

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from apps.connectors import sandbox
from apps.connectors.sandbox.running import Far
from tests import pipeline
from tests.faults.fleet import Fleet, own_fleet

pytestmark = pytest.mark.flow
KINDS = ("crm", "erp", "billing", "support")
DONE = (
    "SELECT count(*) FROM delivery d JOIN connection c ON c.id = d.connection_id JOIN system y ON y.id = c.system_id"
    " WHERE y.code = '{}' AND d.state = 'done'"
)


@pytest.fixture
def fleet() -> Iterator[Fleet]:
    with own_fleet() as hub:
        yield hub


def take_in(hub: Fleet, folder: Path, records: list[dict[str, Any]]) -> None:
    path = folder / f"load{time.monotonic_ns()}.ndjson"
    path.write_text("".join(json.dumps(r) + "\n" for r in records))
    hub.manage("ingest", str(path), "--system", "other")


def connected(hub: Fleet, stack: ExitStack, folder: Path, kinds: tuple[str, ...], **limits: Any) -> dict[str, Far]:
    hub.query("INSERT INTO system (code, name, kind, region, trust, delete_policy, one_record_per_customer, record_url, is_active, created_at)"
              " VALUES ('other', 'Other', 'other', '', 60, 'downgrade', false, '', true, now())")  # fmt: skip
    fars = {k: stack.enter_context(sandbox.running(k, data=folder / f"{k}.db")) for k in kinds}
    hub.prepare({k: {"url": f.url, "key": f.key, "limits": limits} for k, f in fars.items()})
    hub.go_live()
    return fars


def waits(hub: Fleet, kind: str) -> list[float]:
    """Seconds from change to acknowledged of everything one target was told."""
    rows = hub.query(
        "SELECT extract(epoch FROM d.finished_at - d.changed_at)::float8 FROM delivery d JOIN connection c ON c.id = d.connection_id"
        f" JOIN system y ON y.id = c.system_id WHERE y.code = '{kind}' AND d.state = 'done'"
    )
    return sorted(row[0] for row in rows)


ILLS = [
    pytest.param({"latency_ms": 12_000}, id="slow"),
    pytest.param({"latency_ms": 29_000}, id="very slow", marks=pytest.mark.slow),
    pytest.param({"error_500": 1.0}, id="down"),
]


@pytest.mark.parametrize("ill", ILLS)
def test_one_of_four_is_ill(ill: dict[str, Any], fleet: Fleet, tmp_path: Path) -> None:
    """The others hear of every change within ten seconds, and the ill one hears of it when it is well again."""
    with ExitStack() as stack:
        fars = connected(fleet, stack, tmp_path, KINDS, timeout=30)
        fars["billing"].faults(**ill)
        fleet.tend()
        time.sleep(4)
        people = 0
        for _ in range(8):
            take_in(fleet, tmp_path, [pipeline.person(n) for n in range(people, people + 10)])
            people += 10
        well = [k for k in KINDS if k != "billing"]
        fleet.wait_for(lambda: all(fleet.one(DONE.format(k)) >= people for k in well), 120)
        for kind in well:
            found = waits(fleet, kind)
            assert found[int(len(found) * 0.95)] < 10, f"{kind} waited for the ill one"
        assert fleet.one(DONE.format("billing")) < people
        if "error_500" in ill:
            fleet.wait_for(lambda: fleet.one("SELECT count(*) FROM circuit WHERE state = 'open'") == 1, 30)
        fars["billing"].faults()
        fleet.query("UPDATE circuit SET probe_at = now() WHERE state <> 'closed'")
        fleet.query("UPDATE delivery SET due_at = now() WHERE state IN ('waiting', 'uncertain')")
        fleet.wait_for(lambda: fleet.one(DONE.format("billing")) >= people, 150)
        assert len({r["email"] for r in fars["billing"].records()}) == people == len(fars["billing"].records())


@pytest.mark.parametrize(
    "people", [pytest.param(1_000, id="1000"), pytest.param(10_000, id="10000", marks=pytest.mark.slow)]
)
def test_poison_goes_to_the_exception_desk_and_the_rest_arrives(people: int, fleet: Fleet, tmp_path: Path) -> None:
    """Ten of them hold a value the target refuses; nobody waits for them."""
    with ExitStack() as stack:
        fars = connected(fleet, stack, tmp_path, ("support",))
        fleet.tend()
        poison = {n * 97 for n in range(10)}
        page = "https://www.poison.example/" + "b" * 260  # the hub keeps it, this target does not
        records = [pipeline.person(n, **({"website": page} if n in poison else {})) for n in range(people)]
        fars["support"].faults()
        take_in(fleet, tmp_path, records)
        customers = fleet.one("SELECT count(*) FROM customer WHERE active")
        fleet.wait_for(
            lambda: (
                fleet.one(DONE.format("support")) + fleet.one("SELECT count(*) FROM delivery WHERE state = 'failed'")
                >= customers
            ),
            240,
        )
        failed = fleet.query("SELECT trouble, code, detail, attempts FROM delivery WHERE state = 'failed'")
        assert (len(failed), fleet.one(DONE.format("support"))) == (10, customers - 10), failed[:3]
        assert {row[0] for row in failed} == {"validation"}
        assert all("website" in row[2] for row in failed)
        assert {row[3] for row in failed} == {1}, "what the target refuses is not tried again"
        assert len(fars["support"].records()) == customers - 10
