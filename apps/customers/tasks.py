"""Tasks of this room."""

from celery import shared_task

from apps.customers import pins


@shared_task(name="apps.customers.tasks.expire_pins", ignore_result=True)
def expire_pins() -> None:
    """Takes away pins and ignored values that have run out."""
    pins.expire()
