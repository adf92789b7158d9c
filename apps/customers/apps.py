from django.apps import AppConfig


class CustomersConfig(AppConfig):
    name = "apps.customers"
    label = "customers"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Names the parser of each policy kind this room owns; by another one of them all customers are derived again."""
        from apps.customers import holds, ownership, survivorship_policy
        from apps.customers.rebuild_all import policy_activated
        from apps.policies.active import register

        register("survivorship", survivorship_policy.parse_survivorship, follow=policy_activated)
        register("approval", holds.parse_approval, follow=policy_activated)
        register("ownership", ownership.parse_ownership, follow=policy_activated)
