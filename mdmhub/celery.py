"""Celery: three lanes. `interactive` is what somebody waits for, `bulk` what takes long, `delivery` what calls other systems; each
lane has its own worker, so a load cannot keep a steward waiting, nor a slow target a load."""

import os

from celery import Celery
from celery.signals import beat_init
from kombu.entity import Queue

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mdmhub.settings")

LANES = ("interactive", "bulk", "delivery")

app = Celery("mdmhub")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.task_queues = [Queue(lane) for lane in LANES]
app.conf.task_create_missing_queues = False
app.autodiscover_tasks()


@beat_init.connect
def first_beat(**_: object) -> None:
    """Ring once at the start: whoever waits for the hub need not wait for the first interval."""
    app.send_task("mdmhub.tasks.heartbeat", queue="interactive", expires=60)
