"""A customer over time: one timeline, how it stood at a moment, and two of its versions side by side."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone

from apps.common.errors import Erased, NotFound, Rejected
from apps.customers import queries
from apps.customers.queries import CustomerDetail
from apps.customers.queries_past import first_known
from apps.stewardship import as_of as then
from apps.stewardship.grid import compare_versions
from apps.stewardship.permissions import page, zone_of
from apps.stewardship.timeline import KINDS, timeline
from apps.stewardship.views.customer import frame

MOST_CHOICES = 200
"""Versions that are offered one by one for a comparison; of more, the number is typed."""


@page("customers.read")
def history(request: HttpRequest, id: UUID) -> HttpResponse:
    """All that happened, newest first, with what was merged into it; a retired id keeps its own."""
    detail = queries.customer_detail(id)
    kind, after = request.GET.get("kind", ""), request.GET.get("after", "")
    ids = [detail.asked] if detail.replaced else [detail.id, *detail.redirects]
    try:
        shown = timeline(ids, kind=kind if kind in KINDS else "", after=after)
    except Rejected:
        return redirect("customer-history", id)
    context = {
        **frame(request, detail, "customer-history"),
        "timeline": shown,
        "kind": kind if kind in KINDS else "",
        "after": after,
        "next": shown.next,
        "choose": len(shown.versions) <= MOST_CHOICES,
        "now": timezone.localtime().strftime("%Y-%m-%dT%H:%M"),
    }
    return render(request, "stewardship/customer_history.html", context)


@page("customers.read")
def compare(request: HttpRequest, id: UUID) -> HttpResponse:
    """Two versions side by side."""
    detail = queries.customer_detail(id)
    chosen = [request.GET.get(name, "") for name in ("a", "b")]
    if not all(c.isascii() and c.isdecimal() and len(c) < 9 for c in chosen):
        return redirect("customer-history", id)
    try:
        result = compare_versions(detail, int(chosen[0]), int(chosen[1]))
    except Erased as error:
        messages.info(request, error.detail)
        return redirect("customer-history", id)
    context = {**frame(request, detail, "customer-history"), "compared": result}
    return render(request, "stewardship/customer_compare.html", context)


@page("customers.read")
def as_of(request: HttpRequest, id: UUID) -> HttpResponse:
    """How it stood at a moment; a moment there was not, or at which it was not known yet, gets a sentence."""
    detail = queries.customer_detail(id)
    text = request.GET.get("at", "")
    told = _stood(request, detail, text)
    known = told.get("at") if "stood" in told else None
    context = {**frame(request, detail, "customer" if known else "customer-history", known), **told}
    now = timezone.localtime().strftime("%Y-%m-%dT%H:%M")
    return render(request, "stewardship/customer_as_of.html", {**context, "now": now})


def _stood(request: HttpRequest, detail: CustomerDetail, text: str) -> Mapping[str, Any]:
    """What the page says: `stood`, or a `problem` (`first`: the moment from which on there is something to see)."""
    if not text:
        return {"problem": ""}
    try:
        at, said = then.moment(text, zone_of(request.user))
    except Rejected as error:
        return {"problem": error.detail}
    known = {"at": at, "said": said}
    try:
        return {**known, "stood": then.standing(detail, at)}
    except NotFound:
        first = first_known(detail.asked)
        return {**known, "problem": "The hub did not know this customer at that time.", "first": first}
