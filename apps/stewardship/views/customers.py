"""Search: one box that finds customers, with filters and pages."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from apps.common.errors import Rejected
from apps.customers import queries
from apps.customers.models import System
from apps.stewardship import wording
from apps.stewardship.permissions import page

PAGE = 25
_KINDS = {"person", "organization"}


@page("customers.read")
def customers(request: HttpRequest) -> HttpResponse:
    """All customers, or those the text finds. A retired id leads straight to what it is part of today."""
    asked = {name: request.GET.get(name, "").strip() for name in ("q", "kind", "country", "system")}
    filters: dict[str, Any] = {
        "kind": asked["kind"] if asked["kind"] in _KINDS else None,
        "country": asked["country"][:2] or None,
        "system": asked["system"] or None,
    }
    after = request.GET.get("after") or None
    try:
        hits = queries.search(asked["q"], **filters, limit=PAGE, after=after)
    except Rejected:
        return redirect("customers")
    if len(hits.items) == 1 and hits.items[0].why in ("customer id", "retired id"):
        if hits.items[0].why == "retired id":
            messages.info(request, f"{asked['q']} was retired; it is part of this customer now.")
        return redirect("customer", hits.items[0].id)
    systems = list(System.objects.exclude(kind="steward").order_by("name"))
    context = {
        "looks": {s.code: (s.name, s.kind) for s in systems},
        "hits": hits.items,
        "next": hits.next,
        "after": after,
        "asked": asked,
        "filtered": any(filters.values()),
        "countries": wording.countries(),
        "systems": systems,
    }
    return render(request, "stewardship/customers.html", context)
