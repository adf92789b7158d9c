"""What comes after a call: the next state of a delivery, and when. Pure."""

from dataclasses import dataclass
from typing import Final

from apps.connectors.contract import RETRIED, Trouble

STEPS: Final = (5, 30, 120, 600, 1_800, 7_200, 18_000, 36_000, 36_000)
"""Seconds before each further attempt, about 28 hours together; a delivery that failed so often goes to the exception desk."""
AT_ONCE: Final = 1.0
"""Seconds after a conflict that was read and taken in: what is told next is based on what is there."""
LEAST_PAUSE: Final = 1.0
PAUSES: Final = frozenset({Trouble.AUTH, Trouble.CONFIG})
"""What no delivery can mend: the whole connection waits for a person."""


@dataclass(frozen=True, slots=True)
class Next:
    """`state` of the delivery, after `delay` seconds; `burns` one of its attempts; `pauses` the whole connection; `holds` all calls
    to the target for `delay` seconds."""

    state: str
    delay: float = 0.0
    burns: bool = False
    pauses: bool = False
    holds: bool = False


def after(trouble: Trouble | None, *, burned: int, retry_after: float | None, chance: float) -> Next:
    """`burned`: attempts that failed before this one; `chance`: a random number from 0 to 1, for full jitter."""
    if trouble is None:
        return Next("done")
    if trouble in PAUSES:
        return Next("waiting", pauses=True)
    if trouble is Trouble.THROTTLED:
        return Next("waiting", max(retry_after or STEPS[0], LEAST_PAUSE), holds=True)
    if trouble not in RETRIED or burned >= len(STEPS):
        return Next("failed", burns=True)
    if trouble is Trouble.CONFLICT:
        return Next("waiting", AT_ONCE + chance * burned, burns=True)
    delay = max(chance * STEPS[burned], retry_after or 0.0, LEAST_PAUSE * chance)
    return Next("uncertain" if trouble is Trouble.UNCERTAIN else "waiting", delay, burns=True)


@dataclass(frozen=True, slots=True)
class Breaker:
    """When a target is left alone. Opens after `in_a_row` failures, or `share` of at least `least` calls within `window` seconds;
    then one probe every `rest` seconds, doubled with each trip up to `longest_rest`."""

    in_a_row: int = 10
    share: float = 0.7
    least: int = 10
    window: float = 300.0
    rest: float = 30.0
    longest_rest: float = 300.0

    def opens(self, *, failures: int, calls: int, failed: int) -> bool:
        return failures >= self.in_a_row or (calls >= self.least and failed >= self.share * calls)

    def rests(self, trips: int) -> float:
        """Seconds until the next probe after the `trips`-th opening in a row."""
        doublings = min(max(trips - 1, 0), 32)  # a target that is away for days trips thousands of times
        return float(min(self.rest * 2.0**doublings, self.longest_rest))
