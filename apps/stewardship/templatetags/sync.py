"""What the pages of the way out share: how states, steps and troubles are called."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django import template
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from apps.stewardship import wording
from apps.stewardship.templatetags.hub import duration, icon, shown

register = template.Library()

# state of a delivery -> (what a steward reads, tag, icon)
STATES: Mapping[str, tuple[str, str, str]] = {
    "planned": ("planned", "accent", "bookmark-check"),
    "waiting": ("waiting", "", "clock"),
    "sending": ("being sent", "accent", "hourglass-split"),
    "uncertain": ("outcome unknown", "warn", "question-circle"),
    "done": ("acknowledged", "good", "check-circle"),
    "failed": ("failed", "bad", "x-circle"),
    "superseded": ("replaced", "", "slash-circle"),
    "discarded": ("discarded", "", "slash-circle"),
}
MODES: Mapping[str, tuple[str, str, str]] = {
    "observe": ("observing", "accent", "search"),
    "live": ("live", "good", "check-circle"),
    "paused": ("paused", "warn", "slash-circle"),
}
OPS: Mapping[str, str] = {
    "create": "create",
    "update": "update",
    "deactivate": "deactivate",
    "reactivate": "reactivate",
    "merge": "merge there",
}
TROUBLES: Mapping[str, str] = {
    "transient": "The target is out of order",
    "throttled": "Too many calls",
    "auth": "The credentials are refused",
    "conflict": "The record changed there meanwhile",
    "validation": "The target does not accept the values",
    "not_found": "The record is gone there",
    "duplicate": "The target has such a record already",
    "config": "The set-up is wrong",
    "uncertain": "The outcome is not known",
    "fatal": "The target refused for good",
}
CAUSES: Mapping[str, str] = {
    "created": "the customer is new",
    "changed": "the customer changed",
    "merged": "customers were merged",
    "unmerged": "customers were parted again",
    "retired": "the customer was retired",
    "connected": "the target was connected",
    "reassert": "the target had changed a value it does not own",
    "asked": "a person asked for it",
    "follow-up": "there was more to tell after the step before",
}


def _tag(told: tuple[str, str, str]) -> SafeString:
    word, kind, symbol = told
    return format_html('<span class="tag {}">{} {}</span>', kind, icon(symbol), word)


@register.filter
def state_tag(state: str) -> SafeString:
    return _tag(STATES.get(state, (state, "", "info-circle")))


@register.filter
def state_text(state: str) -> str:
    return STATES.get(state, (state, "", ""))[0]


@register.filter
def mode_tag(mode: str) -> SafeString:
    return _tag(MODES.get(mode, (mode, "", "info-circle")))


@register.filter
def op_text(op: str) -> str:
    return OPS.get(op, op)


@register.filter
def trouble_text(trouble: str) -> str:
    return TROUBLES.get(trouble, trouble or "No reason was given")


@register.filter
def cause_text(cause: str) -> str:
    return CAUSES.get(cause, cause.replace("_", " "))


@register.filter
def age(seconds: float | None) -> str:
    """Seconds something has waited, as people say it."""
    if seconds is None:
        return "nothing waits"
    return f"{seconds / 86400:.0f} days" if seconds > 2 * 86400 else duration(timedelta(seconds=seconds))


@register.filter
def share(part: float | None) -> str:
    """0.987 -> "98.7 %"; never rounded up to everything."""
    if part is None:
        return ""
    return "100 %" if part >= 1 else f"{min(99.9, 100 * part):.1f}".removesuffix(".0") + " %"


@register.filter
def told_value(value: Any, name: str = "") -> SafeString:
    """One flat value as a target is told it."""
    return shown(wording.scalar_text(name, value))


@register.filter
def due(moment: datetime | None) -> SafeString:
    """When something that comes round comes next."""
    if moment is None:
        return format_html("<span>{}</span>", "at its first turn")
    left = (moment - timezone.now()).total_seconds()
    local = timezone.localtime(moment)
    told = "now" if left < 1 else f"in {duration(timedelta(seconds=left))}"
    return format_html(
        '<time datetime="{}" title="{}">{}</time>', local.isoformat(), f"{local:%-d %b %Y, %H:%M:%S}", told
    )
