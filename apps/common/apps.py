import gc

from django.apps import AppConfig


class CommonConfig(AppConfig):
    name = "apps.common"
    label = "common"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Collect garbage seldom. A batch makes some hundred thousand small objects that die by themselves, and what a process
        has loaded lives as long as it: looking through both again and again costs a fifth of the time of a load."""
        gc.freeze()
        gc.set_threshold(50_000, 20, 50)
