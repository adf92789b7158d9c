"""Tasks of this room."""

from celery import shared_task

from apps.stewardship import bulk_unmerges as unmerges
from apps.stewardship import cases

UNMERGE_SECONDS = 10.0
"""A turn of a bulk unmerge: what else waits in its lane comes between two turns."""


@shared_task(name="apps.stewardship.tasks.refresh_cases", ignore_result=True)
def refresh_cases() -> None:
    """Brings cases in line with what needs a person."""
    cases.refresh(waits=False)


@shared_task(name="apps.stewardship.tasks.bulk_unmerges", ignore_result=True)
def bulk_unmerges() -> None:
    """Looks at, or does, what waits of bulk unmerges, for a turn; what is left rings again."""
    if unmerges.work(seconds=UNMERGE_SECONDS):
        bulk_unmerges.apply_async(queue="bulk", expires=10)
