"""`manage.py up`, really run: ready, mends itself, ends what it started and only that, keeps the data."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from mdmhub import embedded
from mdmhub.embedded.home import Home, free_ports
from mdmhub.embedded.postgres import Postgres
from mdmhub.embedded.process import running, wait_until
from mdmhub.embedded.valkey import Valkey
from mdmhub.env import BASE_DIR, Env

PATIENCE = 120.0


class Hub:
    """One `manage.py up` of its own home."""

    def __init__(self, folder: Path, port: int) -> None:
        self.home = Home(folder / "hub")
        self.port = port
        self.output = folder / "output.txt"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> str:
        """Start and wait until it is ready; its address."""
        outside = {"DATABASE_URL", "BROKER_URL", "HUB_DURABLE"}
        environment = {name: value for name, value in os.environ.items() if name not in outside}
        environment |= {"HUB_HOME": str(self.home.path), "PORT": str(self.port), "DEMO": "0", "DEBUG": "true"}
        environment["DJANGO_SETTINGS_MODULE"] = "mdmhub.settings"
        with self.output.open("wb") as out:
            command = [sys.executable, str(BASE_DIR / "manage.py"), "up"]
            self.process = subprocess.Popen(command, env=environment, stdout=out, stderr=out, start_new_session=True)
        settled = wait_until(lambda: "ready after" in self.told() or self.process.poll() is not None, PATIENCE)
        assert settled, self.told()
        assert "ready after" in self.told(), self.told()
        return self.told().partition("ready after")[2].split()[2]

    def told(self) -> str:
        return self.output.read_text()

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def family(self) -> list[int]:
        """Every process this hub has started, servers included."""
        known = [child.pid for child in psutil.Process(self.pid).children(recursive=True)]
        servers = (Postgres(self.home).pid(), Valkey(self.home).pid())
        return known + [pid for pid in servers if pid is not None]

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(60)

    def remove(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if self.home.path.exists():
            embedded.stop_all(Env(DATABASE_URL=None, BROKER_URL=None, HUB_HOME=self.home.path))
            shutil.rmtree(self.home.servers_folder(), ignore_errors=True)


def child_of(hub: Hub, word: str) -> int:
    children = psutil.Process(hub.pid).children()
    return next(child.pid for child in children if word in " ".join(child.cmdline()))


def readiness(url: str) -> dict[str, object]:
    try:
        with urllib.request.urlopen(f"{url}readyz", timeout=5) as answer:
            return dict(json.load(answer))
    except OSError:
        return {}


@pytest.fixture
def hubs() -> Iterator[list[Hub]]:
    place = Path(tempfile.mkdtemp(prefix="mdmhub-up-"))
    place.chmod(0o755)
    (first, second) = (place / "first", place / "second")
    first.mkdir(mode=0o755)
    second.mkdir(mode=0o755)
    port = free_ports(1)[0]
    made = [Hub(first, port), Hub(second, port)]
    yield made
    for hub in made:
        hub.remove()
    shutil.rmtree(place, ignore_errors=True)


def test_two_hubs_at_once_and_one_hub_only_once(hubs: list[Hub]) -> None:
    first, second = hubs
    first_url = first.start()
    second_url = second.start()
    assert first_url != second_url
    assert f"port {second.port} is in use" in second.told()
    again = Hub(first.home.path.parent, free_ports(1)[0])
    again.output = first.home.path.parent / "again.txt"
    with pytest.raises(AssertionError, match="this hub already runs at"):
        again.start()
    assert second.stop(signal.SIGTERM) == 0
    assert readiness(first_url)["status"] == "ok", "ending one hub does not touch the other"
    assert first.stop(signal.SIGHUP) == 0


def test_it_mends_itself_when_every_child_is_killed(hubs: list[Hub]) -> None:
    hub = hubs[0]
    url = hub.start()
    before = hub.family()
    for pid in before:
        if running(pid):
            os.kill(pid, signal.SIGKILL)
    well = wait_until(lambda: readiness(url).get("status") == "ok" and child_of(hub, "beat") not in before, 60)
    assert well, hub.told()
    assert "starts again" in hub.told()
    assert "had gone, started again" in hub.told()


def test_ready_killed_altogether_started_again_and_ended_by_ctrl_c(hubs: list[Hub]) -> None:
    """Nothing is lost by the kill, and at the end nothing it has started is left."""
    hub = hubs[0]
    hub.start()
    with psycopg.connect(**Postgres(hub.home).connection(), autocommit=True) as connection:
        connection.execute("CREATE TABLE kept (n int)")
        connection.execute("INSERT INTO kept VALUES (42)")
    for pid in [hub.pid, *hub.family()]:
        if running(pid):
            os.kill(pid, signal.SIGKILL)
    hub.process.wait()
    url = hub.start()
    assert readiness(url)["status"] == "ok"
    with psycopg.connect(**Postgres(hub.home).connection()) as connection:
        assert connection.execute("SELECT n FROM kept").fetchall() == [(42,)]
    family = hub.family()
    assert len(family) >= 8  # web and two of its own, two workers and a child each, beat; two servers
    assert hub.stop() == 0
    assert wait_until(lambda: not any(running(pid) for pid in family), 10), hub.told()
    assert readiness(url) == {}
    assert "its data is kept" in hub.told()
