"""The sweep as a task."""

from celery import shared_task

from apps.matching.sweep import drain as drain_batches


@shared_task(name="apps.matching.tasks.drain", ignore_result=True)
def drain() -> None:
    drain_batches()
