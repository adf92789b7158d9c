"""Rings for a worker that looks at, or does, bulk unmerges."""

import logging

from celery.exceptions import CeleryError
from kombu.exceptions import KombuError

from apps.stewardship.tasks import bulk_unmerges

_log = logging.getLogger(__name__)


def ring() -> None:
    """A silent broker does no harm: a beat looks for what waits every few seconds."""
    try:
        bulk_unmerges.apply_async(queue="bulk", retry=False)
    except (CeleryError, KombuError, OSError) as error:
        _log.warning("the doorbell for unmerges did not ring: %s", error)
