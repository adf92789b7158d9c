from django.apps import AppConfig


class CustomersConfig(AppConfig):
    name = "apps.customers"
    label = "customers"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Names the parser of each policy kind this room owns."""
        from apps.customers import holds, ownership, survivorship_policy
        from apps.policies.active import register

        register("survivorship", survivorship_policy.parse_survivorship)
        register("approval", holds.parse_approval)
        register("ownership", ownership.parse_ownership)
