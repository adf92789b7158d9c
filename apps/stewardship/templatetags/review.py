"""What the inbox and the match review share: how cases are called, when they are due, and what a score is made of."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django import template
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from apps.matching import explain_chart
from apps.matching.engine import Explanation
from apps.stewardship import saved, wording
from apps.stewardship.templatetags.hub import icon
from apps.stewardship.templatetags.sync import TROUBLES

register = template.Library()

# kind of a case -> (what a steward reads, in the plural, tag, icon)
KINDS: Mapping[str, tuple[str, str, str, str]] = {
    "match": ("Doubtful match", "Doubtful matches", "violet", "intersect"),
    "change": ("Change", "Changes", "accent", "bookmark-check"),
    "quarantine": ("Set aside", "Set aside", "warn", "shield-exclamation"),
    "exception": ("Sync exception", "Sync exceptions", "bad", "exclamation-triangle"),
    "quality": ("Wrong value", "Wrong values", "warn", "x-circle"),
}
PRIORITIES: Mapping[int, tuple[str, str]] = {
    1: ("urgent", "bad"),
    2: ("high", "warn"),
    3: ("normal", ""),
    4: ("low", ""),
}
_CAUSES: Mapping[str, str] = {
    "hold": "a protected value would change",
    "merge": "a merge that a rule stands against",
    "unmerge": "many customers would be taken apart",
}


@register.filter
def kind_tag(kind: str) -> SafeString:
    word, _, colour, symbol = KINDS.get(kind, (kind, kind, "", "info-circle"))
    return format_html('<span class="tag {}">{} {}</span>', colour, icon(symbol), word)


@register.filter
def kinds_text(kind: str) -> str:
    return KINDS.get(kind, (kind, kind))[1]


@register.filter
def case_cause(cause: str) -> str:
    """The cause of a case of any kind in words."""
    if cause.startswith("wrong_"):
        return f"{wording.attribute_name(cause.removeprefix('wrong_'))} known to be wrong"
    if cause.startswith("too_many_"):
        return f"Too many {wording.attribute_name(cause.removeprefix('too_many_')).lower()}"
    return wording.DOUBTS.get(cause) or TROUBLES.get(cause) or _CAUSES.get(cause) or cause.replace("_", " ")


@register.filter
def priority_tag(priority: int) -> SafeString:
    word, colour = PRIORITIES.get(priority, (str(priority), ""))
    return format_html('<span class="tag {}">{}</span>', colour, word)


def about(span: timedelta) -> str:
    """A span to the unit that matters: "40 min", "5 h", "3 days"."""
    minutes = int(abs(span).total_seconds() // 60)
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes < 48 * 60 else f"{minutes // (24 * 60)} days"


@register.filter
def due_tag(moment: datetime) -> SafeString:
    """How long there is left for a case, or by how much it is late; the moment itself on hover."""
    left = moment - timezone.now()
    local = timezone.localtime(moment)
    late = left < timedelta()
    told = f"{about(left)} late" if late else f"in {about(left)}"
    shape = '<span class="tag bad">{}<time datetime="{}" title="{}">{}</time></span>'
    if not late:
        shape = '<span class="nowrap">{}<time datetime="{}" title="{}">{}</time></span>'
    sign = icon("exclamation-triangle", "overdue") if late else mark_safe("")
    return format_html(shape, sign, local.isoformat(), f"{local:%-d %b %Y, %H:%M}", told)


@register.filter
def nth(things: Sequence[Any], number: int) -> Any:
    """One of a sequence by its number from 0; None where there is none."""
    return things[number] if 0 <= number < len(things) else None


@register.simple_tag
def waterfall(explanation: Explanation, title: str) -> SafeString:
    """A score as bars from where one started to where one ended."""
    drawn = explain_chart.waterfall(explanation, wording.attribute_name)
    return mark_safe(explain_chart.svg(drawn, title))  # noqa: S308 - every text in it is escaped there


@register.filter
def decision_text(action: str) -> str:
    """`apart` -> "Kept apart"."""
    return {"merge": "Merged", "apart": "Kept apart", "link": "Linked", "unmerge": "Taken apart"}.get(action, action)


@register.inclusion_tag("stewardship/_saved_views.html", takes_context=True)
def saved_views(context: dict[str, Any], page: str) -> dict[str, Any]:
    """The views somebody keeps of a page, and the way to keep the present one."""
    request = context["request"]
    query = saved.plain(request.META.get("QUERY_STRING", ""))
    found = [(view, saved.address(view)) for view in saved.views_of(request.user, page)]
    current = next((view for view, _ in found if view.query == query), None)
    return {"views": found, "page": page, "query": query, "current": current, "csrf_token": context.get("csrf_token")}
