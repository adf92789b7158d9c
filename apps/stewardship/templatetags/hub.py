"""What the hub's templates share: icons, times, and values shown so that nothing in them can hide."""

import json
import unicodedata
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django import template
from django.forms import BoundField
from django.template.context import RequestContext
from django.templatetags.static import static
from django.utils import timezone
from django.utils.html import escape, format_html
from django.utils.safestring import SafeString, mark_safe

from apps.customers.survivorship import PARTS
from apps.stewardship import navigation, wording
from apps.stewardship.permissions import may

register = template.Library()
LONG = 300
"""Characters after which a value is folded away."""
_JOINERS = "\u200c\u200d"


@register.simple_tag
def icon(name: str, label: str = "") -> SafeString:
    """An icon of the sprite; with a label it speaks, without one it is decoration."""
    told = format_html('role="img" aria-label="{}"', label) if label else mark_safe('aria-hidden="true"')
    return format_html(
        '<svg class="icon" {}><use href="{}#{}"></use></svg>', told, static("vendor/bootstrap-icons/sprite.svg"), name
    )


@register.filter
def when(moment: datetime | None) -> SafeString:
    """A time as people say it; the exact one, in the user's zone, on hover."""
    if moment is None:
        return mark_safe('<span class="none">never</span>')
    local = timezone.localtime(moment)
    exact = f"{local:%-d %b %Y, %H:%M:%S} {local.tzname()}"
    return format_html(
        '<time datetime="{}" title="{}">{}</time>', local.isoformat(), exact, _spoken(local, timezone.now())
    )


def _spoken(local: datetime, now: datetime) -> str:
    passed = now - local
    if timedelta(seconds=-5) <= passed < timedelta(seconds=60):
        return "just now"
    if timedelta() <= passed < timedelta(hours=1):
        return f"{passed.seconds // 60} min ago"
    if timedelta() <= passed < timedelta(hours=24):
        return f"{passed.seconds // 3600} h ago"
    return f"{local:%-d %b %Y}" if abs(passed) > timedelta(days=7) else f"{local:%-d %b %Y, %H:%M}"


@register.filter
def exact(moment: datetime | None) -> SafeString:
    """A time to the second, in the user's zone."""
    if moment is None:
        return mark_safe('<span class="none">never</span>')
    local = timezone.localtime(moment)
    return format_html(
        '<time datetime="{}">{}</time>', local.isoformat(), f"{local:%-d %b %Y, %H:%M:%S} {local.tzname()}"
    )


def is_hidden(text: str, at: int) -> bool:
    """True for a character that does not show itself: controls, zero-width and direction marks, half surrogates.

    Joiners between letters of scripts that spell with them (Arabic, Indic) are spelling, not hiding."""
    char = text[at]
    category = unicodedata.category(char)
    if char in _JOINERS and 0 < at < len(text) - 1:
        return not ("\u0600" <= text[at - 1] <= "\u0dff" and "\u0600" <= text[at + 1] <= "\u0dff")
    return category in ("Cf", "Cs", "Co", "Cn") or (category == "Cc" and char not in "\n\t")


def _marked(text: str) -> tuple[SafeString, int]:
    pieces, hidden = [], 0
    for at, char in enumerate(text):
        if is_hidden(text, at):
            hidden += 1
            name = unicodedata.name(char, "control character").lower()
            pieces.append(f'<span class="hidden-char" title="{escape(name)}">U+{ord(char):04X}</span>')
        else:
            pieces.append(str(escape(char)))
    return mark_safe("".join(pieces)), hidden  # noqa: S308 - every piece is escaped above


@register.filter
def shown(value: Any) -> SafeString:
    """Any text from outside: its direction kept to itself, hidden characters made visible, long values folded."""
    if value is None or value == "":
        return mark_safe('<span class="none">no value</span>')
    text = value if isinstance(value, str) else json_of(value)
    if text.isprintable() and len(text) <= LONG:
        return format_html('<bdi dir="auto">{}</bdi>', text)
    marked, hidden = _marked(text[:LONG] if len(text) > LONG else text)
    badge = (
        format_html(
            ' <span class="tag warn" title="{}">hidden characters</span>', "Characters that do not show themselves"
        )
        if hidden
        else ""
    )
    if len(text) <= LONG:
        return format_html('<bdi dir="auto">{}</bdi>{}', marked, badge)
    whole, _ = _marked(text)
    return format_html(
        '<details class="long"><summary><bdi dir="auto">{}…</bdi> <span class="tag">{} characters</span>{}</summary>'
        '<bdi dir="auto">{}</bdi></details>',
        marked, f"{len(text):,}", badge, whole,
    )  # fmt: skip


def json_of(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1, default=str)


@register.filter
def value_text(value: Any, attribute: str = "") -> SafeString:
    """A golden or source value of any attribute in one line (lists: one part a line)."""
    if isinstance(value, list):
        lines = [shown(wording.part_text(part)) for part in value]
        return mark_safe("<br>".join(lines)) if lines else shown(None)  # noqa: S308 - made of shown() alone
    return shown(wording.scalar_text(attribute, value))


@register.filter
def pretty_raw(raw: str | None) -> str:
    """A raw payload, indented when it is JSON, else as received."""
    if raw is None:
        return "The payload was erased."
    try:
        return json_of(json.loads(raw)) if len(raw) < 100_000 else raw
    except (ValueError, RecursionError):
        return raw


@register.filter
def attribute_name(name: str) -> str:
    return wording.attribute_name(name)


@register.filter
def country_name(code: str | None) -> str:
    return wording.country_name(code)


@register.filter
def actor_name(actor: str) -> str:
    return wording.actor_name(actor)


@register.filter
def rule_text(rule: str) -> str:
    return wording.RULES.get(rule, rule)


@register.filter
def control(field: BoundField, extra: str = "") -> SafeString:
    """A form field's widget in the hub's look, tied to its help and its errors."""
    kind = getattr(field.field.widget, "input_type", "")
    css = {"checkbox": "form-check-input", "radio": "form-check-input", "select": "form-select"}.get(
        kind, "form-control"
    )
    css = f"{css} {extra}".strip() + (" is-invalid" if field.errors else "")
    attrs: dict[str, str | bool] = {"class": css}
    if field.errors:
        attrs["aria-invalid"] = "true"
    return field.as_widget(attrs=attrs)


@register.filter
def percent(part: float, whole: float) -> int:
    return round(100 * part / whole) if whole else 0


@register.filter
def get(mapping: Mapping[str, Any], key: str) -> Any:
    return mapping.get(key) if mapping else None


@register.simple_tag(takes_context=True)
def with_query(context: RequestContext, **changes: Any) -> str:
    """The page's own address with some query parameters changed; None or '' takes one out."""
    query = context["request"].GET.copy()
    for name, value in changes.items():
        query.pop(name, None)
        if value not in (None, ""):
            query[name] = value
    return "?" + urlencode(list(query.lists()), doseq=True)


@register.inclusion_tag("stewardship/_nav.html", takes_context=True)
def navigation_bar(context: RequestContext) -> dict[str, Any]:
    request = context["request"]
    return {"entries": navigation.entries(request.user, request.path), "request": request}


@register.simple_tag(takes_context=True)
def chosen_theme(context: RequestContext) -> str:
    """`light` or `dark` if the user chose one, else the light page that theme.js turns to the system's."""
    theme = context["request"].COOKIES.get("theme")
    return theme if theme in ("light", "dark") else "light"


@register.simple_tag(takes_context=True)
def shortcuts_on(context: RequestContext) -> bool:
    return bool(context["request"].COOKIES.get("shortcuts") != "off")


@register.inclusion_tag("stewardship/_system.html", takes_context=True)
def system_badge(context: RequestContext, code: str, name: str = "", kind: str = "") -> dict[str, str]:
    """A source system's badge. Where only the code is at hand, the page's `looks` (code -> name, kind) say the rest."""
    known = (context.get("looks") or {}).get(code, ("", ""))
    told = kind or known[1] or code
    return {
        "code": code,
        "name": name or known[0] or wording.system_name(code),
        "kind": told if told in wording.SYSTEM_KINDS else "",
    }


@register.filter
def thousands(number: int | None) -> str:
    """12345 -> "12,345"."""
    return f"{number or 0:,}"


@register.filter
def doubt_text(reason: str) -> str:
    return wording.DOUBTS.get(reason, reason)


@register.filter
def event_text(event: str) -> str:
    return wording.EVENTS.get(event, event)


@register.filter
def why_text(why: str) -> str:
    return wording.WHY.get(why, why)


@register.simple_tag(takes_context=True)
def allowed(context: RequestContext, operation: str) -> bool:
    """Whether the user's roles allow an operation: what one may not do is not offered."""
    return may(context["request"].user, operation)


@register.filter
def part_text(part: Mapping[str, Any]) -> str:
    return wording.part_text(part)


@register.filter
def place_text(part: Mapping[str, Any]) -> str:
    return wording.address_text(part)


@register.filter
def days_text(part: Mapping[str, Any]) -> str:
    return wording.days_text(part)


@register.filter
def shown_raw(text: str) -> SafeString:
    """A payload for a <pre>: hidden characters visible, everything else as it is."""
    marked, _ = _marked(text)
    return marked


@register.filter
def signed(bits: float) -> str:
    """+3.2, −1.5, 0."""
    return "0" if round(bits, 1) == 0 else f"{bits:+.1f}".replace("-", "\u2212")


@register.filter
def bar(bits: float) -> str:
    """The length of a bar for some bits, at most 10."""
    return f"{min(abs(bits), 10):.2f}"


@register.filter
def percent_text(probability: float) -> str:
    """A probability that never claims certainty."""
    if probability > 0.999:
        return "over 99.9 %"
    return "under 0.1 %" if probability < 0.001 else f"{100 * probability:.1f} %"


@register.filter
def code_text(code: str) -> str:
    """`bad_date` -> "bad date"."""
    return str(code).replace("_", " ")


@register.filter
def duration(span: timedelta) -> str:
    """About how long: "40 s", "3 min", "2 h 5 min"."""
    seconds = round(span.total_seconds())
    if seconds < 60:
        return f"{seconds} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


@register.filter
def seconds_text(seconds: float) -> str:
    """2.4 -> "2.4 s"; longer ones in minutes."""
    return f"{seconds:.1f} s" if seconds < 60 else duration(timedelta(seconds=seconds))


@register.filter
def is_list(attribute: str) -> bool:
    return attribute in PARTS


@register.filter
def parts_without(parts: list[Any] | None, others: list[Any] | None) -> list[Any]:
    """The parts of one version that the other does not have in this very form."""
    return [part for part in parts or () if part not in (others or ())]
