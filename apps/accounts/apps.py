from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "apps.accounts"
    label = "accounts"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Tells the API's description which scope each operation takes, and registers the check of its guards."""
        from apps.accounts import checks  # noqa: F401  (imported for its effect)
        from apps.accounts.roles import OPERATIONS
        from apps.common.api.schema import SCOPE_OF

        SCOPE_OF.update({name: operation.scope for name, operation in OPERATIONS.items()})
