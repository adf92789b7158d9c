from django.apps import AppConfig


class ConnectorsConfig(AppConfig):
    name = "apps.connectors"
    label = "connectors"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Tells the API where the keys of its callers are kept."""
        from apps.common.api.idempotency import keep_in
        from apps.connectors.idempotency import KeyTable

        keep_in(KeyTable())
