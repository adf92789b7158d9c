"""Tells an address what changed, by the Standard Webhooks rules, from a thread of its own.

A message is tried again RETRIES times with growing delay under the same id and with the same body, then given up. Messages that wait are
kept in memory alone: who kills the server loses them, as it happens with real systems."""

import base64
import hashlib
import heapq
import hmac
import json
import secrets
import threading
import time
from collections import Counter
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Final
from urllib.parse import urlsplit

from apps.connectors.sandbox.kind import Kind
from apps.connectors.sandbox.store import Store

RETRIES: Final = 5
FIRST_DELAY: Final = 0.25
"""Seconds before the second try; each further delay is three times as long: 0.25, 0.75, 2.25, 6.75, 20.25."""
MOST_RECORDS: Final = 50
"""Records in one message."""
TIMEOUT: Final = 10


def signature(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """`secret` is whsec_ and base64."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = b".".join((message_id.encode(), str(timestamp).encode(), body))
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


class Webhooks(threading.Thread):
    """Sends to `url`; `counts`: sent, failed tries, given_up."""

    def __init__(self, kind: Kind, store: Store, url: str, secret: str) -> None:
        super().__init__(name="webhooks", daemon=True)
        self._kind, self._store, self._secret = kind, store, secret
        self._parts = urlsplit(url)
        self._changed: dict[str, None] = {}
        self._waiting: list[tuple[float, int, str, bytes]] = []
        self._wake = threading.Condition()
        self._connection: HTTPConnection | None = None
        self.counts: Counter[str] = Counter()

    def changed(self, ids: list[str]) -> None:
        """These records changed; each is sent once, as it is when its message is made."""
        with self._wake:
            self._changed.update(dict.fromkeys(ids))
            self._wake.notify()

    def run(self) -> None:
        while True:
            ids, again = self._next()
            if ids:
                rows = [row for row in map(self._store.get, ids) if row is not None]
                body = json.dumps({"records": [self._kind.listed(row) for row in rows]}, ensure_ascii=False).encode()
                self._try(0, f"msg_{secrets.token_hex(12)}", body)
            for _, tries, message_id, body in again:
                self._try(tries, message_id, body)

    def _next(self) -> tuple[list[str], list[tuple[float, int, str, bytes]]]:
        """Waits for work: ids that changed, messages whose time has come again."""
        with self._wake:
            while True:
                now = time.monotonic()
                again = []
                while self._waiting and self._waiting[0][0] <= now:
                    again.append(heapq.heappop(self._waiting))
                ids = list(self._changed)[:MOST_RECORDS]
                for record_id in ids:
                    del self._changed[record_id]
                if ids or again:
                    return ids, again
                self._wake.wait(self._waiting[0][0] - now if self._waiting else None)

    def _try(self, tries: int, message_id: str, body: bytes) -> None:
        if self._sent(message_id, body):
            self.counts["sent"] += 1
            return
        self.counts["failed"] += 1
        if tries >= RETRIES:
            self.counts["given_up"] += 1
            return
        due = time.monotonic() + FIRST_DELAY * 3**tries
        with self._wake:
            heapq.heappush(self._waiting, (due, tries + 1, message_id, body))

    def _sent(self, message_id: str, body: bytes) -> bool:
        """Whether the other side took it (2xx)."""
        now = int(time.time())
        headers = {
            "Content-Type": "application/json",
            "webhook-id": message_id,
            "webhook-timestamp": str(now),
            "webhook-signature": signature(self._secret, message_id, now, body),
        }
        made = HTTPSConnection if self._parts.scheme == "https" else HTTPConnection
        try:
            if self._connection is None:
                self._connection = made(self._parts.netloc, timeout=TIMEOUT)
            path = self._parts.path + (f"?{self._parts.query}" if self._parts.query else "")
            self._connection.request("POST", path or "/", body, headers)
            answer = self._connection.getresponse()
            answer.read()
        except (OSError, HTTPException):
            if self._connection is not None:
                self._connection.close()
            self._connection = None
            return False
        return 200 <= answer.status < 300
