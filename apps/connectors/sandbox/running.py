"""A server for a test: started as a process, driven over its control addresses, ended with the block."""

import json
import secrets
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

ROOT: Final = Path(__file__).resolve().parents[3]
"""The folder from which `apps` can be imported."""


class FarError(Exception):
    """The server refused what the test asked of it."""


@dataclass
class Far:
    """One running server. `url` has no slash at the end; `key` opens its API."""

    kind: str
    data: Path
    key: str
    webhook: str | None = None
    webhook_secret: str | None = None
    url: str = ""
    _process: "subprocess.Popen[str] | None" = field(default=None, repr=False)

    def start(self) -> None:
        """Starts the server, after `kill` at the same address and with the same records. Faults are off again."""
        port = urlsplit(self.url).port if self.url else 0
        words = [self.kind, "--port", str(port), "--data", str(self.data), f"--key={self.key}"]
        words.append("--ends-with-stdin")
        if self.webhook and self.webhook_secret:
            words += ["--webhook", self.webhook, "--webhook-secret", self.webhook_secret]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "apps.connectors.sandbox", *words],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise FarError(f"The {self.kind} did not start; it said why on standard error.")
        self.url = json.loads(line)["url"]

    def kill(self) -> None:
        """Ends the server at once, as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for stream in (self._process.stdin, self._process.stdout):
                if stream is not None:
                    stream.close()
            self._process = None

    @property
    def pid(self) -> int:
        """The server's process, while it runs."""
        assert self._process is not None
        return self._process.pid

    # ── driving it ──────────────────────────────────────────────────────────────────────────────────────────────────
    def faults(self, **switches: Any) -> None:
        """Sets these switches, all others off; without any: everything is well again."""
        self._call("PUT", "/_faults", switches)

    def requests(self, *, log: bool = True) -> dict[str, Any]:
        """The counters, effects and log of `/_stats`."""
        found: dict[str, Any] = json.loads(self._call("GET", f"/_stats?log={int(log)}"))
        return found

    def records(self) -> list[dict[str, Any]]:
        """All records in order of their last change, deleted ones too: native fields and _id, _key, _version, _deleted, …"""
        return [json.loads(line) for line in self._call("GET", "/_records").splitlines()]

    def record(self, record_id: str) -> dict[str, Any]:
        """One record by its id. Raises KeyError."""
        return {record["_id"]: record for record in self.records()}[record_id]

    def load(self, records: Iterable[Mapping[str, Any]]) -> int:
        lines = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
        return int(json.loads(self._call("POST", "/_load", lines.encode()))["loaded"])

    def edit(self, record_id: str, fields: Mapping[str, Any], *, who: str = "somebody") -> dict[str, Any]:
        """Somebody there changes native fields, nested ones by their dotted name too."""
        return self._person("/_edit", {"id": record_id, "fields": dict(fields), "who": who})

    def delete(self, record_id: str, *, who: str = "somebody") -> dict[str, Any]:
        return self._person("/_delete", {"id": record_id, "who": who})

    def merge(self, winner: str, loser: str, *, who: str = "somebody") -> dict[str, Any]:
        return self._person("/_merge", {"winner": winner, "loser": loser, "who": who})

    def empty(self) -> None:
        """Forgets all records, history and counters."""
        self._call("DELETE", "/_records")

    def _person(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self._call("POST", path, body))
        return found

    def _call(self, method: str, path: str, body: Mapping[str, Any] | bytes | None = None) -> bytes:
        connection = HTTPConnection(urlsplit(self.url).netloc, timeout=60)
        sent = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        try:
            connection.request(method, path, sent, {"X-Control": self.key, "Content-Type": "application/json"})
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        if answer.status >= 400:
            raise FarError(f"{method} {path}: {answer.status} {text.decode()[:1_000]}")
        return text


@contextmanager
def running(
    kind: str, *, data: Path, key: str | None = None, webhook: str | None = None, webhook_secret: str | None = None
) -> Iterator[Far]:
    """A server of `kind` ("crm", "erp", "billing", "support") for the time of the block, on a free port; `data` is its file."""
    far = Far(kind, data, key or secrets.token_urlsafe(24), webhook, webhook_secret)
    try:
        far.start()
        yield far
    finally:
        far.kill()
