"""kill -9 in the middle of a load, then the same command again: it goes on, nothing is lost and nothing twice."""

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.own_hub import OwnHub
from tests.flows.test_intake import write
from tests.pipeline import person

pytestmark = pytest.mark.flow
RECORDS = 3_000


@pytest.fixture(scope="module")
def hub() -> Iterator[OwnHub]:
    place = Path(tempfile.mkdtemp(prefix="mdmhub-place-"))
    place.chmod(0o755)  # pytest's own folders are closed to the servers' account
    made = OwnHub(place / "hub")
    yield made
    made.remove()
    shutil.rmtree(place, ignore_errors=True)


def load_file(tmp_path: Path, letter: str) -> Path:
    first = ord(letter) * RECORDS  # other people in each file
    return write(tmp_path / f"{letter}.csv", [person(first + n, record_id=f"{letter}{n}") for n in range(RECORDS)])


def all_in(hub: OwnHub, letter: str) -> None:
    """Every record of the file is in, built, once; counts add up; every promise holds."""
    hub.manage("drain", "--verbosity", "0")
    found = hub.query(
        f"SELECT count(*), count(DISTINCT external_id), count(customer_id) FROM source_record WHERE external_id LIKE '{letter}%'"
    )
    assert found == [(RECORDS, RECORDS, RECORDS)]
    assert hub.one("SELECT count(*) FROM source_record WHERE state <> 'built'") == 0
    read, created = hub.query(
        f"SELECT sum((counts->>'read')::int), sum((counts->>'created')::int) FROM run WHERE file_name = '{letter}.csv'"
    )[0]
    assert (read, created) == (RECORDS, RECORDS)
    assert hub.query("SELECT * FROM broken_invariants") == []


def taken(hub: OwnHub, letter: str) -> int:
    return int(hub.one(f"SELECT count(*) FROM source_record WHERE external_id LIKE '{letter}%'"))


def test_a_killed_ingest_goes_on(hub: OwnHub, tmp_path: Path) -> None:
    path = load_file(tmp_path, "k")
    process = hub.start("ingest", str(path), "--system", "crm", "--json")
    hub.wait_for(lambda: taken(hub, "k") >= 500)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert taken(hub, "k") < RECORDS, "the kill came too late to show anything"
    again = hub.start("ingest", str(path), "--system", "crm")
    output, progress = again.communicate(timeout=300)
    assert again.returncode == 0, progress
    assert "Going on with the run" in progress
    assert f"{RECORDS:,} records in = {RECORDS:,} linked" in output
    assert hub.one("SELECT count(*) FROM source_record WHERE state <> 'built'") == 0, (
        "what the killed process kept was not matched"
    )
    assert hub.one("SELECT count(*) FROM run WHERE file_name = 'k.csv'") == 1
    all_in(hub, "k")


def test_a_killed_database_loses_nothing(hub: OwnHub, tmp_path: Path) -> None:
    path = load_file(tmp_path, "d")
    process = hub.start("ingest", str(path), "--system", "crm", "--json")
    hub.wait_for(lambda: taken(hub, "d") >= 500)
    pid = hub.server.pid()
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    _, errors = process.communicate(timeout=120)
    assert process.returncode != 0
    assert "Traceback" not in errors, errors
    assert '"state": "succeeded"' in hub.manage("ingest", str(path), "--system", "crm", "--json")
    all_in(hub, "d")
