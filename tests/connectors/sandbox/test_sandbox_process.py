"""A server as a process: how it starts and ends, what it keeps, what it loads; and the four as a set."""

import json
import os
import signal
import stat
import subprocess
import sys
import time
from http.client import HTTPConnection
from pathlib import Path

import pytest

from apps.connectors.sandbox import FarError, commands, places, running
from apps.connectors.sandbox.running import ROOT
from tests.connectors.sandbox.calls import ACCOUNT, SPEECH, call
from tests.connectors.sandbox.conftest import KINDS


def start(*words: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "apps.connectors.sandbox", *words],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_it_says_where_it_listens_and_ends_at_once(kind: str, tmp_path: Path) -> None:
    with start(kind, "--data", str(tmp_path / "far.db"), "--key", "secret") as process:
        line = json.loads(process.stdout.readline())
        assert line["kind"] == kind
        assert line["url"].startswith("http://127.0.0.1:")
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) == 0
        assert time.monotonic() - began < 2


def test_it_ends_with_standard_input_if_asked(tmp_path: Path) -> None:
    with start("crm", "--data", str(tmp_path / "far.db"), "--key", "secret", "--ends-with-stdin") as process:
        process.stdout.readline()
        process.stdin.close()
        assert process.wait(timeout=10) == 0


@pytest.mark.parametrize(
    "words",
    [["crm", "--data", "x.db"], ["shop", "--data", "x.db", "--key", "k"], ["crm", "--key", "k"],
     ["crm", "--data", "x.db", "--key", "k", "--webhook", "http://127.0.0.1:9/"]],
    ids=["no-key", "no-such-kind", "no-data", "no-secret"],
)  # fmt: skip
def test_a_wrong_command_line_is_told(words: list[str]) -> None:
    with start(*words) as process:
        assert process.wait(timeout=10) == 2
        assert "usage:" in process.stderr.read()


def test_a_taken_port_is_told(tmp_path: Path) -> None:
    with running("crm", data=tmp_path / "one.db") as far:
        port = far.url.rpartition(":")[2]
        with start("crm", "--port", port, "--data", str(tmp_path / "two.db"), "--key", "k") as process:
            assert process.wait(timeout=10) == 1
            assert f"cannot listen on 127.0.0.1 port {port}" in process.stderr.read()


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_answered_outlives_a_crash(kind: str, tmp_path: Path) -> None:
    """Killed in the middle of writing and started again at the same address: what was acknowledged is there, with its order."""
    speech = SPEECH[kind]
    with running(kind, data=tmp_path / "far.db") as far:
        made = [speech.made(far, f"K-{number}", {speech.name: "x"}) for number in range(20)]
        address, before = far.url, far.records()
        far.kill()
        with pytest.raises(ConnectionRefusedError):
            far.records()
        far.start()
        assert far.url == address
        assert far.records() == before
        later = speech.made(far, "K-20", {})
        assert later not in made
        assert [record["_id"] for record in far.records()] == [*made, later]


def test_a_server_that_cannot_start_is_told(tmp_path: Path) -> None:
    with pytest.raises(FarError), running("crm", data=tmp_path):
        pass


def test_one_connection_carries_many_requests(tmp_path: Path) -> None:
    with running("crm", data=tmp_path / "far.db") as far:
        connection = HTTPConnection(far.url.removeprefix("http://"))
        headers = {"Authorization": f"Bearer {far.key}", "Content-Type": "application/json"}
        for number in range(20):
            connection.request("PATCH", f"{ACCOUNT}/MDM_Key__c/K-{number}", json.dumps({"Name": "x"}), headers)
            sock = connection.sock
            assert connection.getresponse().read()
            assert connection.sock is sock is not None
        connection.close()


def test_nothing_of_the_hub_is_loaded() -> None:
    """A system knows nothing of its hub: neither Django nor any other room of the house."""
    program = (
        "import sys, apps.connectors.sandbox.__main__\n"
        "own = ('apps', 'apps.connectors', 'apps.connectors.sandbox')\n"
        "print([name for name in sys.modules if name.partition('.')[0] in ('django', 'rest_framework', 'celery', 'psycopg', 'mdmhub')\n"
        "       or name.startswith('apps') and name not in own and not name.startswith('apps.connectors.sandbox.')])"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_four_keep_their_places(tmp_path: Path) -> None:
    first, again = places(tmp_path), places(tmp_path)
    assert first == again
    assert set(first) == set(KINDS)
    assert len({place.port for place in first.values()}) == 4
    assert len({place.key for place in first.values()}) == 4


def test_secrets_are_for_the_owner_alone_and_on_no_command_line(tmp_path: Path) -> None:
    found = commands(tmp_path, lambda kind: f"http://127.0.0.1:9/{kind}")
    for place in places(tmp_path).values():
        assert stat.S_IMODE(place.keys_file.stat().st_mode) == 0o600
        assert stat.S_IMODE(place.keys_file.parent.stat().st_mode) == 0o700
        line = " ".join(next(words for name, words in found if name == f"sandbox-{place.kind}"))
        assert place.key not in line
        assert place.webhook_secret not in line
        assert f"--webhook http://127.0.0.1:9/{place.kind}" in line


def test_the_commands_start_the_servers_where_they_say(tmp_path: Path) -> None:
    known = places(tmp_path)
    for name, words in commands(tmp_path):
        place = known[name.removeprefix("sandbox-")]
        with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True, env=dict(os.environ)) as process:
            try:
                assert json.loads(process.stdout.readline())["url"] == place.url
                connection = HTTPConnection("127.0.0.1", place.port)
                connection.request("GET", "/_stats", headers={"X-Control": place.key})
                assert connection.getresponse().status == 200
                connection.close()
                assert place.data.exists()
            finally:
                process.terminate()


def test_the_key_may_begin_with_anything(tmp_path: Path) -> None:
    with running("crm", data=tmp_path / "far.db", key="-leading") as far:
        assert call(far, "GET", "/services/data/v62.0/limits").status == 200
