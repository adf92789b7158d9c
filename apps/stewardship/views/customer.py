"""One customer: every tab is an address of its own. A retired id leads to what it is part of today."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from apps.connectors import queries as outward
from apps.customers import queries
from apps.customers.models import SourceRecord, SourceRecordVersion
from apps.customers.queries import CustomerDetail
from apps.customers.queries_relations import related
from apps.stewardship.evidence import pairs_of
from apps.stewardship.grid import compare_versions, overview_lines, sources_grid, told
from apps.stewardship.overview import open_doubts, system_looks
from apps.stewardship.permissions import may, page

VERSIONS = 25
# (address, label, operation it needs)
_TABS = (
    ("customer", "Overview", "customers.read"),
    ("customer-sources", "Sources", "sources.read"),
    ("customer-lineage", "Lineage", "customers.read"),
    ("customer-history", "History", "customers.read"),
    ("customer-matches", "Matches", "doubts.read"),
    ("customer-distribution", "Distribution", "sync.read"),
)


def _frame(request: HttpRequest, detail: CustomerDetail, tab: str) -> dict[str, Any]:
    """What every tab's template is given."""
    tabs = [(name, label) for name, label, operation in _TABS if may(request.user, operation)]
    return {"customer": detail, "tab": tab, "tabs": tabs, "looks": system_looks()}


def _shown(request: HttpRequest, detail: CustomerDetail, tab: str, **more: Any) -> HttpResponse:
    """Renders a tab; or goes to the same tab of the customer that a retired id is part of."""
    if detail.replaced:
        messages.info(request, f"{detail.asked} was retired; it is part of this customer now.")
        return redirect(tab, detail.id)
    return render(request, f"stewardship/{tab.replace('-', '_')}.html", {**_frame(request, detail, tab), **more})


@page("customers.read")
def overview(request: HttpRequest, id: UUID) -> HttpResponse:
    """Every value with where it came from."""
    detail = queries.customer_detail(id)
    singles, parts = overview_lines([] if detail.replaced else queries.lineage(id))
    return _shown(request, detail, "customer", singles=singles, parts=parts)


@page("sources.read")
def sources(request: HttpRequest, id: UUID) -> HttpResponse:
    """Attributes against sources, the winner marked."""
    detail = queries.customer_detail(id)
    return _shown(request, detail, "customer-sources", rows=sources_grid(detail))


@page("customers.read")
def lineage(request: HttpRequest, id: UUID) -> HttpResponse:
    """Which rule chose each value, under which policy."""
    detail = queries.customer_detail(id)
    return _shown(
        request,
        detail,
        "customer-lineage",
        lines=[told(line) for line in ([] if detail.replaced else queries.lineage(id))],
    )


@page("customers.read")
def history(request: HttpRequest, id: UUID) -> HttpResponse:
    """All versions, newest first; a retired id keeps its own."""
    detail = queries.customer_detail(id)
    before = request.GET.get("before", "")
    versions = queries.history(detail.asked, int(before) if before.isdecimal() and len(before) < 9 else None, VERSIONS)
    more = versions[-1].version if versions and versions[-1].version > 1 else None
    context = {**_frame(request, detail, "customer-history"), "versions": versions, "more": more, "before": before}
    return render(request, "stewardship/customer_history.html", context)


@page("customers.read")
def compare(request: HttpRequest, id: UUID) -> HttpResponse:
    """Two versions side by side."""
    detail = queries.customer_detail(id)
    chosen = [request.GET.get(name, "") for name in ("a", "b")]
    if not all(c.isdecimal() and len(c) < 9 for c in chosen):
        return redirect("customer-history", id)
    result = compare_versions(detail.asked, int(chosen[0]), int(chosen[1]))
    context = {**_frame(request, detail, "customer-history"), "compared": result}
    return render(request, "stewardship/customer_compare.html", context)


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
    context = {**_frame(request, detail, "customer-sources"), "record": row, "versions": versions}
    return render(request, "stewardship/customer_record.html", context)
