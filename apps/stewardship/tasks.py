"""Tasks of this room."""

from celery import shared_task

from apps.stewardship import cases


@shared_task(name="apps.stewardship.tasks.refresh_cases", ignore_result=True)
def refresh_cases() -> None:
    """Brings cases in line with what needs a person."""
    cases.refresh(waits=False)
