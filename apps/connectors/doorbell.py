"""Rings for the worker that runs jobs. The table of runs is the truth: a bell nobody hears costs seconds, not a run."""

import logging

from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from apps.connectors.tasks import run_jobs

logger = logging.getLogger(__name__)


def ring() -> None:
    """Says "look again". A silent broker is logged; the periodic look finds the run."""
    try:
        run_jobs.apply_async(queue="bulk")
    except (OperationalError, RedisError, OSError) as error:
        logger.warning("The broker does not answer (%s); the run waits for the periodic look.", type(error).__name__)
