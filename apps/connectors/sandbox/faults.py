"""What can be made to go wrong at a server, switched at run time with `PUT /_faults`; it concerns the data addresses alone."""

import random
import threading
import time
from collections import Counter, deque
from dataclasses import asdict, dataclass, fields
from typing import Any


@dataclass
class Switches:
    """Every switch, off. A likelihood is 0..1 and drawn for each request; `seed` makes the draws the same again."""

    latency_ms: float = 0
    """Wait before the effect, plus up to `latency_jitter_ms` more."""
    latency_jitter_ms: float = 0
    slow_body_ms: float = 0
    """The answer's body comes in small pieces over this time."""
    error_500: float = 0
    """Likelihood of 500 without an effect."""
    error_503_retry_after: float = 0
    """Likelihood of 503 with Retry-After, without an effect."""
    throttle_429: float = 0
    """Likelihood of 429 with Retry-After, without an effect."""
    request_limit: float = 0
    """The same in the kind's own manner: the CRM answers 403 REQUEST_LIMIT_EXCEEDED and no Retry-After; the others as above."""
    retry_after: float = 1
    """Seconds that Retry-After names; whole numbers are written whole."""
    rate_per_second: float = 0
    """More requests than this within one second get 429. 0: no limit."""
    lost_reply: float = 0
    """Likelihood that the effect is done and the connection closed without an answer."""
    reset: float = 0
    """Likelihood that the connection is reset before any effect."""
    html_instead_of_json: float = 0
    """Likelihood of an HTML page with `html_status`, without an effect."""
    html_status: int = 502
    ok_with_error_inside: float = 0
    """Likelihood of 200 whose body says that it failed, without an effect."""
    huge_answer: int = 0
    """The effect is done, then this many bytes of JSON come as the answer. 0: off."""
    redirect: str = ""
    """302 to this address, without an effect."""
    conflict: float = 0
    """Likelihood that somebody there edits the record right before our write."""
    status_word: str = ""
    """Every record is shown with this status."""
    auth_off: bool = False
    """401 for everyone."""
    read_only: bool = False
    """403 for every write."""
    times: int = 0
    """The likelihoods, `huge_answer`, `redirect` and `slow_body_ms` strike this many times, then no more. 0: without end."""
    methods: str = ""
    """These and the latency strike only these methods, e.g. "POST,PATCH". Empty: all."""
    idempotency_seconds: float = 86_400
    """How long billing keeps the answer to an idempotency key."""
    search_lag_ms: float = 0
    """How long billing's search does not see a new customer."""
    seed: int = 0


TYPES = {part.name: part.type for part in fields(Switches)}
LIKELIHOODS = frozenset({
    "error_500", "error_503_retry_after", "throttle_429", "request_limit", "lost_reply", "reset", "html_instead_of_json",
    "ok_with_error_inside", "conflict",
})  # fmt: skip


class Faults:
    """The switches of one server, and the dice. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.struck: Counter[str] = Counter()
        self._recent: deque[float] = deque()
        self.switches = Switches()
        self._dice = random.Random(0)
        self._left = 0

    def put(self, wanted: dict[str, Any]) -> list[str]:
        """Sets the switches to `wanted`, all others off; returns what is wrong with it (then nothing changed)."""
        problems = [problem for name, value in wanted.items() if (problem := _problem(name, value))]
        if not problems:
            with self._lock:
                self.switches = Switches(**wanted)
                self._dice = random.Random(self.switches.seed)
                self._left = self.switches.times
                self._recent.clear()
        return problems

    def shown(self) -> dict[str, Any]:
        return asdict(self.switches)

    def draw(self, name: str, method: str) -> bool:
        """Whether the fault `name` strikes this request."""
        likelihood = getattr(self.switches, name)
        if not likelihood:
            return False
        with self._lock:
            switches = self.switches
            if switches.methods and method not in switches.methods.split(","):
                return False
            if switches.times and not self._left:
                return False
            if name in LIKELIHOODS and likelihood < 1 and self._dice.random() >= likelihood:
                return False
            self._left -= 1 if switches.times else 0
            self.struck[name] += 1
        return True

    def note(self, name: str) -> None:
        with self._lock:
            self.struck[name] += 1

    def too_fast(self) -> bool:
        """Whether this request is one too many within the last second."""
        limit = self.switches.rate_per_second
        if not limit:
            return False
        with self._lock:
            now = time.monotonic()
            while self._recent and self._recent[0] <= now - 1:
                self._recent.popleft()
            if len(self._recent) >= limit:
                self.struck["rate_per_second"] += 1
                return True
            self._recent.append(now)
        return False

    def wait(self, method: str) -> None:
        switches = self.switches
        if switches.methods and method not in switches.methods.split(","):
            return
        if switches.latency_ms or switches.latency_jitter_ms:
            with self._lock:
                more = self._dice.random() * switches.latency_jitter_ms
            time.sleep((switches.latency_ms + more) / 1000)


def _problem(name: str, value: Any) -> str | None:
    if name not in TYPES:
        return f"There is no switch {name}; there are: {', '.join(TYPES)}."
    wanted = TYPES[name]
    if wanted is bool:
        fits = isinstance(value, bool)
    elif wanted is str:
        fits = isinstance(value, str)
    else:
        numbers = (int,) if wanted is int else (int, float)
        fits = isinstance(value, numbers) and not isinstance(value, bool) and value >= 0
        fits = fits and (name not in LIKELIHOODS or value <= 1)
    return None if fits else f"{name} does not take {value!r}."
