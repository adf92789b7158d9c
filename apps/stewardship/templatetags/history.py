"""What the pages over time share: clock times, moments in addresses, and links that are offered to whom they open."""

from datetime import datetime, timedelta

from django import template
from django.template.context import RequestContext
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from apps.stewardship.as_of import at_query
from apps.stewardship.permissions import may
from apps.stewardship.templatetags.hub import shown
from apps.stewardship.timeline_entries import Entry

register = template.Library()
register.filter(at_query)


@register.filter
def clock(moment: datetime) -> SafeString:
    """The time of day to the second, in the user's zone."""
    local = timezone.localtime(moment)
    return format_html('<time datetime="{}">{}</time>', local.isoformat(), f"{local:%H:%M:%S}")


@register.filter
def field_value(moment: datetime) -> str:
    """A moment as a datetime-local field holds it, in the user's zone; to the minute where that is exact, else up to the next
    millisecond: what was made at the moment is made by then."""
    local = timezone.localtime(moment).replace(tzinfo=None)
    if local.microsecond:
        return (local + timedelta(microseconds=999)).isoformat(timespec="milliseconds")
    return local.isoformat(timespec="seconds" if local.second else "minutes")


@register.simple_tag(takes_context=True)
def entry_link(context: RequestContext, entry: Entry) -> SafeString:
    """The link of an entry, for those who may open it; its words come from outside and are shown as such."""
    if entry.link is None or not may(context["request"].user, entry.link.operation):
        return mark_safe("")
    address = reverse(entry.link.page, args=entry.link.arguments)
    return format_html('<a class="small wrap" href="{}">{}</a>', address, shown(entry.link.words))
