"""Tasks of this room. Running jobs: a doorbell only, the table is the truth. Pruning: what is kept for a time, goes."""

import time

from celery import shared_task
from django.conf import settings

from apps.connectors import idempotency, runs, uploaded


@shared_task(name="apps.connectors.tasks.run_jobs", ignore_result=True)
def run_jobs() -> None:
    """Works off waiting runs, and those whose process died, for a while; what is left rings again."""
    ends = time.monotonic() + settings.DRAIN_SECONDS
    while time.monotonic() < ends and (run_id := runs.claim()) is not None:
        uploaded.remove_after(runs.execute(run_id, seconds=max(ends - time.monotonic(), 1.0)))
    if runs.waiting():
        run_jobs.apply_async(queue="bulk")


@shared_task(name="apps.connectors.tasks.prune", ignore_result=True)
def prune() -> None:
    """Forgets the keys of old calls and removes uploaded files nobody needs any more."""
    idempotency.prune()
    uploaded.prune()
