"""System checks of the whole hub: what is named as a string must exist, and what is shipped must be valid."""

from collections.abc import Iterable
from typing import Any

from django.core.checks import CheckMessage, Error, register
from django.utils.module_loading import import_string

from apps.common.errors import Rejected
from apps.connectors import registry
from apps.policies import active
from mdmhub.flow import EVENTS, STAGES
from mdmhub.schedule import SCHEDULE


@register("hub")
def named_functions_exist(app_configs: Any, **kwargs: Any) -> Iterable[CheckMessage]:
    """Every verb, handler and periodic task that is named as text can be imported."""
    named = (
        [stage.verb for stage in STAGES]
        + [h for event in EVENTS for h in event.handlers]
        + [entry.task for entry in SCHEDULE]
    )
    errors: list[CheckMessage] = []
    for path in named:
        try:
            import_string(path)
        except ImportError as error:
            errors.append(
                Error(
                    f"{path} cannot be imported: {error}",
                    hint="See mdmhub/flow.py and mdmhub/schedule.py.",
                    id="hub.E001",
                )
            )
    return errors


@register("hub")
def adapters_load(app_configs: Any, **kwargs: Any) -> Iterable[CheckMessage]:
    """Every adapter that is named as text can be imported."""
    errors: list[CheckMessage] = []
    for name in registry.ADAPTERS:
        try:
            registry.load(name)
        except (ImportError, AttributeError) as error:
            errors.append(Error(f"The adapter {name} cannot be loaded: {error}", id="hub.E003"))
    return errors


@register("hub")
def shipped_policies_are_valid(app_configs: Any, **kwargs: Any) -> Iterable[CheckMessage]:
    """Every kind of policy ships a document that its owner accepts."""
    errors: list[CheckMessage] = []
    for kind in active.kinds():
        try:
            active.parse(kind, active.shipped(kind))
        except (Rejected, OSError, ValueError) as error:
            fields = "; ".join(f"{f.field}: {f.detail}" for f in getattr(error, "fields", ()))
            errors.append(Error(f"policy/{kind}.toml: {error} {fields}", id="hub.E002"))
    return errors
