from django.apps import AppConfig


class MatchingConfig(AppConfig):
    name = "apps.matching"
    label = "matching"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Names the parser of the policy this room owns; by another one everything is decided again."""
        from apps.matching import merge_vetoes, merging
        from apps.policies.active import register

        register("merging", merge_vetoes.parse_merging, follow=merging.policy_activated)
