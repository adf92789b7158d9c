"""How a choice between sources is told: scores, steps and candidates as people read them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django import template
from django.utils.safestring import SafeString

from apps.stewardship.templatetags.hub import rule_text, value_text, when

register = template.Library()


@register.filter
def score_text(score: Any) -> str | SafeString:
    """A number, a moment, or filled fields and their letters; a dash where nothing was scored."""
    if score is None:
        return "–"
    if isinstance(score, list):
        return " · ".join(str(part) for part in score)
    if isinstance(score, str):
        try:
            return when(datetime.fromisoformat(score))
        except ValueError:
            return score
    return f"{score:g}" if isinstance(score, float) else str(score)


@register.filter
def step_text(step: Mapping[str, Any]) -> str:
    """A strategy with its parameters."""
    told = ", ".join(f"{name} {_plain(value)}" for name, value in step.items() if name not in ("rule", "strategy"))
    return rule_text(step["rule"]) + (f" ({told})" if told else "")


def _plain(value: Any) -> str:
    return " ".join(f"{name} {one}" for name, one in value.items()) if isinstance(value, Mapping) else str(value)


@register.filter
def step_name(steps: Sequence[Mapping[str, Any]], place: int) -> str:
    """What the step at a place is called."""
    return rule_text(steps[place]["rule"])


@register.filter
def candidate_text(value: Any, told: Mapping[str, Any]) -> str | SafeString:
    """What a candidate says: of a group its own attribute, as the others go with it."""
    group = told["group"]
    if group and isinstance(value, list):
        own = value[group.index(told["attribute"])]
        return "–" if own is None else value_text(own, told["attribute"])
    return value_text(value, told["attribute"])
