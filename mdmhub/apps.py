"""The composition root as a Django app: management commands, and Celery's app known to every process."""

from django.apps import AppConfig


class HubConfig(AppConfig):
    """Imports the Celery app when Django is ready, so that every shared task finds it."""

    name = "mdmhub"
    label = "mdmhub"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from mdmhub import celery, checks  # noqa: F401  (imported for their effect, and only once the apps are loaded)
