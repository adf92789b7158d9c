"""Runs as a task: a doorbell only; the table is the truth."""

import time

from celery import shared_task
from django.conf import settings

from apps.connectors import runs


@shared_task(name="apps.connectors.tasks.run_jobs", ignore_result=True)
def run_jobs() -> None:
    """Works off waiting runs, and those whose process died, for a while; what is left rings again."""
    ends = time.monotonic() + settings.DRAIN_SECONDS
    while time.monotonic() < ends and (run_id := runs.claim()) is not None:
        runs.execute(run_id, seconds=max(ends - time.monotonic(), 1.0))
    if runs.waiting():
        run_jobs.apply_async(queue="bulk")
