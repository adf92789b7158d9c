"""What every page is told of this browser's density and letters."""

import json
from typing import Any

from django import template
from django.template.context import RequestContext

from apps.stewardship import letters

register = template.Library()


@register.simple_tag(takes_context=True)
def keyboard(context: RequestContext) -> dict[str, Any]:
    """`density`; `here`: the letters that differ on this page, as JSON; `groups`: (title, [(letter, what it does)]); `go`: before a page."""
    request = context["request"]
    kept = letters.chosen(request.COOKIES)
    match = request.resolver_match
    return {
        "density": "compact" if request.COOKIES.get("density") == "compact" else "",
        "here": json.dumps(letters.on_page(kept, match.url_name or "" if match else ""), ensure_ascii=False),
        "groups": [
            (g.title, [(kept.get((g.name, own), own), meaning) for own, meaning in g.keys]) for g in letters.GROUPS
        ],
        "go": kept.get(("everywhere", "g"), "g"),
    }
