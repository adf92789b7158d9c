"""The relay as a task: a doorbell only; the table is the truth."""

from celery import shared_task

from apps.events.relay import relay_all


@shared_task(name="apps.events.tasks.relay", ignore_result=True)
def relay() -> None:
    relay_all()
