"""Tasks of this room."""

from celery import shared_task

from apps.customers import measure_quality as measuring
from apps.customers import pins, rebuild_all
from apps.customers.measure_stale import measure_stale
from apps.customers.refresh import refresh_due

REBUILD_SECONDS = 10.0
"""A turn of a rebuild of all customers: what else waits in its lane comes between two turns."""
REBUILD_PATIENCE = 0.5
"""So long a turn waits when another process is at it: it holds a place in the lane."""


@shared_task(name="apps.customers.tasks.expire_pins", ignore_result=True)
def expire_pins() -> None:
    """Takes away pins and ignored values that have run out."""
    pins.expire()


@shared_task(name="apps.customers.tasks.refresh_due", ignore_result=True)
def refresh_due_customers() -> None:
    """Derives customers again of whose lists an entry begins to hold, or holds no longer."""
    refresh_due()


@shared_task(name="apps.customers.tasks.rebuild_customers", ignore_result=True)
def rebuild_customers() -> None:
    """Goes on with the rebuild of all customers, if one is running, for a turn; what is left rings again."""
    if rebuild_all.running() is None:
        return
    if rebuild_all.drain(seconds=REBUILD_SECONDS, patience=REBUILD_PATIENCE) and rebuild_all.running() is not None:
        rebuild_customers.apply_async(queue="bulk", expires=10)


@shared_task(name="apps.customers.tasks.rebuild_nightly", ignore_result=True)
def rebuild_nightly() -> None:
    """Begins the nightly rebuild when it is due."""
    rebuild_all.begin_nightly()


@shared_task(name="apps.customers.tasks.measure_quality", ignore_result=True)
def measure_quality() -> None:
    """Measures the quality of what every system says, and counts what has grown old, when that is due."""
    if measuring.is_due():
        measuring.measure()
        measure_stale()
