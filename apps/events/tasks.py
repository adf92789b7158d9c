"""The relay as a task: a doorbell only; the table is the truth."""

from celery import current_app, shared_task
from django.conf import settings

from apps.events.relay import relay_all


@shared_task(name="apps.events.tasks.relay", ignore_result=True)
def relay() -> None:
    """Gives positions; whoever follows the feed is rung for."""
    if relay_all():
        for task, lane in settings.AFTER_RELAY:
            current_app.send_task(task, queue=lane, expires=10)
