"""How records became one, as a picture."""

from django import template
from django.template.context import RequestContext
from django.utils.safestring import SafeString, mark_safe

from apps.matching import explain_cluster_chart as chart
from apps.matching.queries_joins import Joins
from apps.stewardship import wording
from apps.stewardship.templatetags.hub import is_hidden

register = template.Library()


@register.simple_tag(takes_context=True)
def joins_tree(context: RequestContext, why: Joins) -> SafeString:
    """The tree of a customer's joins; nothing where words say it as well, or better."""
    if not why.joins or not chart.FEWEST <= len(why.records) <= chart.MOST:
        return mark_safe("")
    looks = context.get("looks") or {}

    def called(place: int) -> str:
        record = why.records[place]
        name = looks.get(record.system, ("", ""))[0] or wording.system_name(record.system)
        return _visible(f"{name} {record.external_id}")

    drawn = chart.svg(chart.tree(why.joins, len(why.records)), called, "Which records joined which")
    return mark_safe(drawn)  # noqa: S308 - every text in it is escaped there


def _visible(text: str) -> str:
    """Characters that do not show themselves, or turn the text around, are marked; the list of words names them."""
    return "".join("\ufffd" if is_hidden(text, at) else char for at, char in enumerate(text))
