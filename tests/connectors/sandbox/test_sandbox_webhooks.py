"""Webhooks: every change is told, signed, and told again until it is taken; checked with the standard's own library."""

import base64
import json
import queue
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from apps.connectors.sandbox import Far, running
from tests.connectors.sandbox.calls import SPEECH
from tests.connectors.sandbox.conftest import KINDS

SECRET = "whsec_" + base64.b64encode(b"a secret of 32 bytes for a test.").decode()


@dataclass
class Listener:
    """A hub's door: keeps what comes, answers with the next of `answers` (200 when there is none)."""

    url: str = ""
    answers: "queue.Queue[int]" = field(default_factory=queue.Queue)
    came: "queue.Queue[tuple[dict[str, str], bytes, float]]" = field(default_factory=queue.Queue)

    def next(self) -> tuple[dict[str, str], dict[str, Any], float]:
        headers, body, at = self.came.get(timeout=15)
        return headers, json.loads(body), at


@pytest.fixture
def listener() -> Iterator[Listener]:
    made = Listener()

    class Door(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            made.came.put((headers, body, time.monotonic()))
            self.send_response(made.answers.get_nowait() if not made.answers.empty() else 200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Door)
    made.url = f"http://127.0.0.1:{server.server_address[1]}/hooks/far?x=1"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield made
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def far(listener: Listener, tmp_path: Path, request: Any) -> Iterator[Far]:
    kind = request.node.callspec.params["kind"]
    with running(kind, data=tmp_path / "far.db", webhook=listener.url, webhook_secret=SECRET) as server:
        yield server


@pytest.mark.parametrize("kind", KINDS)
def test_a_change_of_any_cause_is_told_and_signed(far: Far, kind: str, listener: Listener) -> None:
    speech = SPEECH[kind]
    record_id = speech.made(far, "K-1", {speech.name: "Anna ü"})
    headers, body, _ = listener.came.get(timeout=15)
    assert Webhook(SECRET).verify(body, headers) == json.loads(body)
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(body.replace(b"Anna", b"Bert"), headers)
    [record] = json.loads(body)["records"]
    assert (str(record[speech.id]), record[speech.name]) == (record_id, "Anna ü")

    far.edit(record_id, {speech.name: "Bert"})
    assert listener.next()[1]["records"][0][speech.name] == "Bert"
    far.delete(record_id)
    mark = {"crm": "IsDeleted", "erp": "@removed", "billing": "deleted", "support": "deleted_at"}[kind]
    assert listener.next()[1]["records"][0][mark]


@pytest.mark.parametrize("kind", ["crm"])
def test_what_is_not_taken_comes_again_under_the_same_id(far: Far, kind: str, listener: Listener) -> None:
    for status in (500, 302, 429):
        listener.answers.put(status)
    far.load([{"Id": "C-1"}])
    tries = [listener.next() for _ in range(4)]
    assert len({headers["webhook-id"] for headers, _, _ in tries}) == 1
    assert len({json.dumps(body) for _, body, _ in tries}) == 1
    pauses = [later[2] - earlier[2] for earlier, later in pairwise(tries)]
    assert pauses == sorted(pauses)
    assert pauses[0] >= 0.2
    assert _counts(far, sent=1) == {"sent": 1, "failed": 3}
    far.edit("C-1", {"Name": "x"})
    assert listener.next()[0]["webhook-id"] != tries[0][0]["webhook-id"]


@pytest.mark.parametrize("kind", ["support"])
def test_many_changes_share_messages_and_none_is_missing(far: Far, kind: str, listener: Listener) -> None:
    far.load({"id": f"T-{number}"} for number in range(120))
    sizes, ids = [], set()
    while len(ids) < 120:
        records = listener.next()[1]["records"]
        sizes.append(len(records))
        ids |= {record["id"] for record in records}
    assert max(sizes) == 50
    assert sum(sizes) == 120


@pytest.mark.parametrize("kind", ["crm"])
def test_a_merge_tells_of_both(far: Far, kind: str, listener: Listener) -> None:
    far.load([{"Id": "C-1"}, {"Id": "C-2"}])
    listener.next()
    far.merge("C-1", "C-2")
    records = {record["Id"]: record["MasterRecordId"] for record in listener.next()[1]["records"]}
    assert records == {"C-1": None, "C-2": "C-1"}


@pytest.mark.parametrize("kind", ["erp"])
def test_a_door_that_is_shut_holds_nobody_up(tmp_path: Path, kind: str) -> None:
    url = "http://127.0.0.1:9/"
    with running(kind, data=tmp_path / "far.db", webhook=url, webhook_secret=SECRET) as far:
        assert SPEECH[kind].create(far, "K-1", {}).status == 201
        assert _counts(far, failed=2)["failed"] >= 2


def _counts(far: Far, **wanted: int) -> dict[str, int]:
    """The counters, as soon as they have come so far."""
    deadline = time.monotonic() + 10
    while True:
        counts = far.requests()["webhooks"]
        if all(counts.get(name, 0) >= number for name, number in wanted.items()):
            return counts
        assert time.monotonic() < deadline, counts
        time.sleep(0.05)
