"""Tasks of the hub as a whole."""

import time

from celery import shared_task

from mdmhub.broker import client

HEARTBEAT_KEY = "hub:heartbeat"


@shared_task(ignore_result=True)
def heartbeat() -> None:
    """Prove that beat, broker and worker are alive: the moment is kept in the broker, where /readyz reads it."""
    with client() as broker:
        broker.set(HEARTBEAT_KEY, time.time(), ex=3600)
