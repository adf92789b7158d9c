"""kill -9 in the middle of a rebuild of all customers: the run goes on where it stopped, nobody is left out or written twice."""

import json
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import pipeline
from tests.faults.own_hub import OwnHub
from tests.flows.test_intake import write

pytestmark = pytest.mark.flow
MANY = 3_000


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[OwnHub]:
    place = Path(tempfile.mkdtemp(prefix="mdmhub-place-"))
    place.chmod(0o755)  # pytest's own folders are closed to the servers' account
    made = OwnHub(place / "hub")
    path = write(tmp_path / "r.csv", [pipeline.person(n, record_id=f"R{n}") for n in range(MANY)])
    made.manage("ingest", str(path), "--system", "crm")
    made.query('UPDATE source_record SET canonical = canonical || \'{"language": "fr"}\'')
    yield made
    made.remove()
    shutil.rmtree(place, ignore_errors=True)


def test_a_killed_process_leaves_a_run_that_goes_on(hub: OwnHub) -> None:
    """As another policy would have it, every customer comes to another language."""
    process = hub.start("rebuild_customers", "--json")
    hub.wait_for(lambda: int(hub.one("SELECT coalesce(sum(done), 0) FROM rebuild_run")) >= 250)
    process.send_signal(signal.SIGKILL)
    process.wait()
    state, done = hub.query("SELECT state, done FROM rebuild_run")[0]
    assert (state, done < MANY) == ("running", True), "the kill came too late to show anything"
    told = json.loads(hub.manage("rebuild_customers", "--resume", "--json"))
    assert (told["state"], told["done"], told["written"]) == ("done", MANY, MANY)
    assert hub.query("SELECT version, language, count(*) FROM customer GROUP BY 1, 2") == [(2, "fr", MANY)]
    assert hub.one("SELECT count(*) FROM event") == 2 * MANY
    assert hub.query("SELECT * FROM broken_invariants") == []
