"""Tasks of this room: doorbells only, the tables are the truth. Pruning: what is kept for a time, goes."""

import time

from celery import shared_task
from celery.worker import state
from django.conf import settings

from apps.connectors import deliver as delivering
from apps.connectors import idempotency, planner, runs, uploaded
from apps.connectors import poll as polling

PLAN_SECONDS = 1.5
"""A turn of the planner: the relay and the heartbeat, which share its lane, come between two turns."""


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


@shared_task(name="apps.connectors.tasks.plan", ignore_result=True)
def plan() -> None:
    """Works out what targets have to be told, for a while; what is left rings again. Rings for the workers that tell."""
    if planner.drain(seconds=PLAN_SECONDS):
        deliver.apply_async(queue="delivery", expires=10)
        if planner.waiting():
            plan.apply_async(queue="interactive", expires=10)


@shared_task(name="apps.connectors.tasks.deliver", ignore_result=True)
def deliver() -> None:
    """Tells what is due until nothing is, for DRAIN_SECONDS; stops taking more as soon as the worker is asked to end."""
    delivering.drain(seconds=settings.DRAIN_SECONDS, stopped=_is_ending)


def _is_ending() -> bool:
    """Whether a signal has asked this worker to end; the code it is to end with may be 0."""
    return state.should_stop is not None and state.should_stop is not False


@shared_task(name="apps.connectors.tasks.poll", ignore_result=True)
def poll() -> None:
    """Reads what changed in the targets whose turn it is."""
    polling.run_due()
