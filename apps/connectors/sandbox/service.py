"""One server's answer to one request: the key is looked at, the faults are drawn, the kind does the work."""

import base64
import binascii
import hmac
import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from apps.connectors.sandbox import kind as troubles
from apps.connectors.sandbox.kind import Answer, Kind, Request
from apps.connectors.sandbox.webhooks import Webhooks

READS: Final = frozenset({"GET", "HEAD"})
PAGE: Final = (
    b"<!doctype html><html><head><title>Maintenance</title></head><body><h1>We will be back soon</h1></body></html>"
)


class ConnectionReset(Exception):
    """The connection is to be reset; nothing was done."""


@dataclass
class Service:
    """`key` opens the data addresses and the control addresses; who uses it is called `who` in the history."""

    kind: Kind
    key: str
    who: str = "hub"
    webhooks: Webhooks | None = None
    statuses: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.store, self.faults = self.kind.store, self.kind.faults

    def answer(self, request: Request) -> Answer:
        """Raises ConnectionReset."""
        answer = self._barred(request)
        if answer is None:
            answer = self._struck(request)
        if answer is None:
            answer = self._carried_out(request)
        if self.faults.draw("slow_body_ms", request.method):
            answer.over_seconds = self.faults.switches.slow_body_ms / 1000
        with self._lock:
            self.statuses["lost" if answer.lost else str(answer.status)] += 1
        return answer

    def _carried_out(self, request: Request) -> Answer:
        draw, method = self.faults.draw, request.method
        request.who = self.who
        if not self.kind.waits(request):
            self.faults.wait(method)
        request.clash = method not in READS and draw("conflict", method)
        answer = self.kind.handle(request)
        if draw("huge_answer", method):
            size = self.faults.switches.huge_answer
            answer = Answer(200, b'{"padding":"' + b"x" * max(size - 14, 0) + b'"}')
        answer.lost = draw("lost_reply", method)
        return answer

    def _barred(self, request: Request) -> Answer | None:
        switches = self.faults.switches
        if switches.auth_off or not self._let_in(request):
            return self.kind.trouble(troubles.AUTH)
        if self.faults.too_fast() or self.faults.draw("throttle_429", request.method):
            return self._with_retry_after(self.kind.trouble(troubles.LIMIT))
        if self.faults.draw("request_limit", request.method):
            answer = self.kind.limited()
            return self._with_retry_after(answer) if answer.status == 429 else answer
        if switches.read_only and request.method not in READS:
            return self.kind.trouble(troubles.DENIED)
        return None

    def _struck(self, request: Request) -> Answer | None:
        method, draw = request.method, self.faults.draw
        if draw("reset", method):
            with self._lock:
                self.statuses["reset"] += 1
            raise ConnectionReset
        if draw("error_503_retry_after", method):
            return self._with_retry_after(self.kind.trouble(troubles.DOWN))
        if draw("error_500", method):
            return self.kind.trouble(troubles.BROKEN)
        if draw("html_instead_of_json", method):
            return Answer(self.faults.switches.html_status, PAGE, media="text/html; charset=utf-8")
        if draw("ok_with_error_inside", method):
            return self.kind.failed_inside()
        if draw("redirect", method):
            return Answer(302, None, {"Location": self.faults.switches.redirect})
        return None

    def _with_retry_after(self, answer: Answer) -> Answer:
        answer.headers["Retry-After"] = f"{self.faults.switches.retry_after:g}"
        return answer

    def _let_in(self, request: Request) -> bool:
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "basic" and self.kind.basic:
            try:
                given = base64.b64decode(given, validate=True).decode().removesuffix(":")
            except (binascii.Error, UnicodeDecodeError):
                return False
        elif scheme.lower() != "bearer":
            return False
        return self.fits(given)

    def fits(self, given: str) -> bool:
        """Whether this is the key, in constant time."""
        return hmac.compare_digest(given.encode(), self.key.encode())
