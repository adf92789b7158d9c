"""One customer: every tab is an address of its own. A retired id leads to what it is part of today."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse

from apps.common.errors import Erased, NotFound, Rejected
from apps.common.ids import uuid7
from apps.connectors import queries as outward
from apps.customers import queries, queries_why
from apps.customers import queries_past as past
from apps.customers.models import SourceRecord, SourceRecordVersion
from apps.customers.queries import CustomerDetail
from apps.customers.queries_ages import lineage_with_ages, lineage_with_ages_by
from apps.customers.queries_relations import related
from apps.matching.queries_joins import joins_of
from apps.stewardship import notes
from apps.stewardship.as_of import LONGEST, at_query, moment
from apps.stewardship.evidence import pairs_of
from apps.stewardship.grid import overview_lines, sources_grid, told
from apps.stewardship.overview import open_doubts, system_looks
from apps.stewardship.permissions import may, page, zone_of

MOST_JOINS = 25
"""Joins, and refusals, that are told without being asked for all of them."""
# (address, label, operation it needs)
_TABS = (
    ("customer", "Overview", "customers.read"),
    ("customer-sources", "Sources", "sources.read"),
    ("customer-lineage", "Lineage", "customers.read"),
    ("customer-history", "History", "customers.read"),
    ("customer-matches", "Matches", "doubts.read"),
    ("customer-distribution", "Distribution", "sync.read"),
)


# What a tab shows of a past moment; the others are of today.
_THEN = {"customer": "customer-as-of", "customer-sources": "customer-sources", "customer-lineage": "customer-lineage"}


def frame(request: HttpRequest, detail: CustomerDetail, tab: str, at: datetime | None = None) -> dict[str, Any]:
    """What every tab's template is given. `at`: a past moment is looked at, and the tabs that can go on with it do."""
    tabs = [
        (name, label, _address(name, detail, at)) for name, label, operation in _TABS if may(request.user, operation)
    ]
    count = notes.count([detail.id, *detail.redirects])
    return {
        "customer": detail, "tab": tab, "tabs": tabs, "looks": system_looks(), "note_count": count, "at": at, "side": detail,
    }  # fmt: skip


def _address(tab: str, detail: CustomerDetail, at: datetime | None) -> str:
    if at is None or tab not in _THEN:
        return reverse(tab, args=(detail.asked,))
    return f"{reverse(_THEN[tab], args=(detail.asked,))}?{at_query(at)}"


def _shown(request: HttpRequest, detail: CustomerDetail, tab: str, status: int = 200, **more: Any) -> HttpResponse:
    """Renders a tab; or goes to the same tab of the customer that a retired id is part of."""
    if detail.replaced:
        messages.info(request, f"{detail.asked} was retired; it is part of this customer now.")
        return redirect(tab, detail.id)
    context = {**frame(request, detail, tab), **more}
    return render(request, f"stewardship/{tab.replace('-', '_')}.html", context, status=status)


@page("customers.read")
def overview(request: HttpRequest, id: UUID) -> HttpResponse:
    """Every value with where it came from, and what people have noted."""
    return overview_page(request, queries.customer_detail(id))


def overview_page(
    request: HttpRequest, detail: CustomerDetail, *, note: Mapping[str, str] | None = None, status: int = 200
) -> HttpResponse:
    """The page itself; `note`: what somebody has typed (`body`) and why it was not taken (`problem`)."""
    singles, parts = overview_lines([] if detail.replaced else queries.lineage(detail.id))
    written = [] if detail.replaced else notes.of([detail.id, *detail.redirects])
    return _shown(
        request, detail, "customer", status, singles=singles, parts=parts, notes=written, note=note, token=uuid7(),
        removes_any=removes_any_note(request.user), own=f"user:{request.user.get_username()}",
    )  # fmt: skip


def removes_any_note(user: Any) -> bool:
    """Who may remove what others have noted: who decides about changes of others, and who administers people."""
    return may(user, "changes.decide") or may(user, "users.write")


@page("customers.read")
def joins(request: HttpRequest, id: UUID) -> HttpResponse:
    """How its records became one: a part that the overview asks for, or a page of its own. `all`: every join, however many."""
    resolved = queries.resolve(id)
    if resolved.replaced:
        return redirect("customer-joins", resolved.customer.id)
    most = None if "all" in request.GET else MOST_JOINS
    why = joins_of([id])[id]
    told = {"why": why, "joins": why.joins[:most], "refused": why.refused[:most]}
    if request.headers.get("HX-Request"):
        context = {"customer": resolved.customer, "looks": system_looks(), **told}
        return render(request, "stewardship/_joins.html", context)
    return render(
        request, "stewardship/customer_joins.html", {**frame(request, queries.detail_of(resolved), "customer"), **told}
    )


@page("sources.read")
def sources(request: HttpRequest, id: UUID) -> HttpResponse:
    """Attributes against sources, the winner marked; `at` a moment as they were then."""
    detail = queries.customer_detail(id)
    if "at" in request.GET:
        return _stood(request, detail, "customer-sources")
    return _shown(request, detail, "customer-sources", rows=sources_grid(detail))


@page("customers.read")
def lineage(request: HttpRequest, id: UUID) -> HttpResponse:
    """Which rule chose each value, under which policy; `at` a moment as it was then."""
    detail = queries.customer_detail(id)
    if "at" in request.GET:
        return _stood(request, detail, "customer-lineage")
    lines, ages = lineage_with_ages(queries.resolve(detail.id).customer)
    return _shown(
        request,
        detail,
        "customer-lineage",
        lines=[told(line, ages) for line in ([] if detail.replaced else lines)],
    )


def _stood(request: HttpRequest, detail: CustomerDetail, tab: str) -> HttpResponse:
    """A tab as it stood at a moment; where there is nothing to see, the page that says why."""
    text = request.GET.get("at", "")
    try:
        at, _ = moment(text, zone_of(request.user))
        then = past.stood(detail.asked, at)
        past.require_kept(then)
    except (Rejected, NotFound, Erased):
        return redirect(f"{reverse('customer-as-of', args=(detail.asked,))}?{urlencode({'at': text[:LONGEST]})}")
    members, known = past.members_and_facts_then(then)
    side = past.detail_by(then, members)
    shown: dict[str, Any] = {"side": side}
    if tab == "customer-lineage":
        lines, ages = lineage_with_ages_by(then, members, known)
        shown["lines"] = [told(line, ages) for line in lines]
    else:
        shown["rows"] = sources_grid(side)
    return render(request, f"stewardship/{tab.replace('-', '_')}.html", {**frame(request, detail, tab, at), **shown})


@page("sources.read")
def why(request: HttpRequest, id: UUID, attribute: str) -> HttpResponse:
    """How one value was chosen: every candidate, and the step of the policy's chain at which it fell out."""
    found = queries_why.why(id, attribute)
    if found.asked != found.customer.id:
        return redirect("customer-why", found.customer.id, attribute)
    detail = queries.customer_detail(id)
    sources = {str(source.record): source for source in detail.sources}
    candidates = [(sources.get(one["record"]), one) for one in found.told["candidates"]]
    context = {"why": found, "told": found.told, "candidates": candidates}
    return render(request, "stewardship/customer_why.html", {**frame(request, detail, "customer-lineage"), **context})


@page("doubts.read")
def matches(request: HttpRequest, id: UUID) -> HttpResponse:
    """Scored pairs of its records, inside and outside, and what is in doubt."""
    detail = queries.customer_detail(id)
    records = [s.record for s in detail.sources]
    pairs = [] if detail.replaced else pairs_of(detail.id, records)
    return _shown(
        request,
        detail,
        "customer-matches",
        inside=[p for p in pairs if p.inside],
        outside=[p for p in pairs if not p.inside],
        relations=[] if detail.replaced else related(detail.id),
        doubts=open_doubts(records=records) if records else [],
    )


@page("sync.read")
def distribution(request: HttpRequest, id: UUID) -> HttpResponse:
    """Where it has gone: for each target what it holds, what it was told, what waits, and what differs."""
    detail = queries.customer_detail(id)
    targets = [] if detail.replaced else outward.distribution(detail.id)
    return _shown(request, detail, "customer-distribution", targets=targets)


@page("sources.read")
def record(request: HttpRequest, id: UUID, record: UUID) -> HttpResponse:
    """A source record as it was received, with its earlier versions."""
    detail = queries.customer_detail(id)
    row = SourceRecord.objects.select_related("system").filter(id=record, customer_id=detail.id).first()
    if row is None:
        raise Http404("This record does not belong to this customer.")
    versions = SourceRecordVersion.objects.filter(source_record=row).order_by("-version")[:20]
    context = {**frame(request, detail, "customer-sources"), "record": row, "versions": versions}
    return render(request, "stewardship/customer_record.html", context)
