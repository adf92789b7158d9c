"""Tasks of the hub as a whole."""

import time

from celery import shared_task

from mdmhub import sealed
from mdmhub.broker import client

HEARTBEAT_KEY = "hub:heartbeat"


@shared_task(ignore_result=True)
def heartbeat() -> None:
    """Prove that beat, broker and worker are alive: the moment is kept in the broker, where /readyz reads it."""
    with client() as broker:
        broker.set(HEARTBEAT_KEY, time.time(), ex=3600)


SEAL_SECONDS = 2.0
"""A turn of the sealer: it holds the lane in which others ring every second. It seals some 200,000 rows a second, so with a turn every ten
seconds it keeps up with 40,000 a second."""
VERIFY_SECONDS = 10.0
"""A turn of the daily verification: what else waits in its lane comes between two turns."""


@shared_task(ignore_result=True)
def seal() -> None:
    """Seals what happened since; what is left waits for the next beat."""
    sealed.seal(seconds=SEAL_SECONDS)


@shared_task(ignore_result=True)
def verify_audit() -> None:
    """A turn of the daily verification of the audit, if one is due or under way."""
    sealed.verify(seconds=VERIFY_SECONDS)
