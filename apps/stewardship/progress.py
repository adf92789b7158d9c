"""How far a run has come, in numbers people read; and the doorbell that starts it."""

import logging
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from celery.exceptions import CeleryError
from django.utils import timezone
from kombu.exceptions import KombuError

from apps.connectors.models import Run
from apps.connectors.tasks import run_jobs

_log = logging.getLogger(__name__)
_LINKED = ("created", "changed", "deleted")


def start() -> None:
    """Rings for a worker. A silent broker does no harm: a beat looks for waiting runs every few seconds."""
    try:
        run_jobs.apply_async(queue="bulk", retry=False)
    except (CeleryError, KombuError, OSError) as error:
        _log.warning("the doorbell for runs did not ring: %s", error)


@dataclass(frozen=True, slots=True)
class Progress:
    """A run as a page shows it."""

    run: Run

    @property
    def ended(self) -> bool:
        return self.run.state in ("succeeded", "failed", "cancelled")

    def _count(self, name: str) -> int:
        return int(self.run.counts.get(name, 0))

    @property
    def read(self) -> int:
        return self._count("read")

    @property
    def linked(self) -> int:
        return sum(self._count(name) for name in _LINKED)

    @property
    def counts(self) -> list[tuple[str, int]]:
        """(word, number) of what became of the records, zeros left out."""
        names = ("created", "changed", "deleted", "unchanged", "stale", "quarantined")
        return [(name, self._count(name)) for name in names if self._count(name)]

    @property
    def unchanged(self) -> int:
        return self._count("unchanged")

    @property
    def stale(self) -> int:
        return self._count("stale")

    @property
    def quarantined(self) -> int:
        return self._count("quarantined")

    @property
    def fraction(self) -> float | None:
        """Done part, 0 to 1; None where it is not known."""
        position: dict[str, Any] = self.run.position or {}
        done = position.get("bytes", position.get("item"))
        if not self.run.total or done is None:
            return None
        return min(1.0, float(done) / self.run.total)

    @property
    def percent(self) -> int | None:
        return None if self.fraction is None else round(100 * self.fraction)

    @property
    def seconds(self) -> float:
        if self.run.started_at is None:
            return 0.0
        return max(0.0, ((self.run.finished_at or timezone.now()) - self.run.started_at).total_seconds())

    @property
    def rate(self) -> int:
        """Records a second so far."""
        return round(self.read / self.seconds) if self.seconds > 0.2 else 0

    @property
    def left(self) -> timedelta | None:
        """About how long it will go on."""
        done = self.fraction
        if self.ended or not done or self.seconds < 2:
            return None
        return timedelta(seconds=round(self.seconds * (1 - done) / done))

    @property
    def warnings(self) -> list[str]:
        return list(self.run.options.get("warnings", ()))
