"""Unmerge: source records are chosen, what both sides and the targets would become is shown, and only then is it done."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render

from apps.common.act import Act
from apps.common.errors import Conflict, NotFound, Rejected
from apps.connectors.planning import flat
from apps.customers import queries
from apps.customers.queries import CustomerDetail
from apps.matching import judge
from apps.matching.branches import branch
from apps.stewardship import decisions
from apps.stewardship.overview import system_looks
from apps.stewardship.permissions import act_of, page, uuid_or_none
from apps.stewardship.preview import Preview, preview

_TELLING = (
    "name",
    "organization_name",
    "given_name",
    "family_name",
    "birth_date",
    "email",
    "phone",
    "address_line1",
    "city",
)
"""What a person knows a record by."""


@page("merges.write", post="merges.write")
def unmerge(request: HttpRequest, id: UUID) -> HttpResponse:
    """Records are ticked in the address, so a preview can be sent to somebody; the form below it carries them out. A join of the tree
    ticks its branch: `out` and `of`, its two records."""
    detail = queries.customer_detail(id)
    if detail.replaced:
        messages.info(request, f"{detail.asked} was retired; it is part of this customer now.")
        return redirect("customer-unmerge", detail.id)
    form = request.POST if request.method == "POST" else request.GET
    chosen, for_ever = _chosen(form), form.get("again") != "1"
    if request.method == "POST":
        return _done(request, detail, chosen, for_ever=for_ever)
    gone = ""
    if "out" in form:
        chosen, gone = _branch(detail, form)
    children = judge.children_of(customer=detail.id, records=chosen, for_ever=for_ever) if chosen else []
    shown, problem = _preview(request, detail, chosen, for_ever=for_ever)
    context = {
        "customer": detail,
        "records": [(s, _words(s.canonical)) for s in detail.sources],
        "chosen": chosen,
        "for_ever": for_ever,
        "preview": shown,
        "children": children,
        "problem": gone or problem,
        "looks": system_looks(),
    }
    return render(request, "stewardship/unmerge.html", context)


def _chosen(form: QueryDict) -> list[UUID]:
    return [id_ for text in form.getlist("record")[:500] if (id_ := uuid_or_none(text)) is not None]


def _branch(detail: CustomerDetail, form: QueryDict) -> tuple[list[UUID], str]:
    """What the join of the records `out` and `of` brought in on the side of `out`; or why there is no such join."""
    out, of = (uuid_or_none(form.get(name, "")) or UUID(int=0) for name in ("out", "of"))
    try:
        return branch(customer=detail.id, out=out, of=of), ""
    except Conflict as error:
        return [], error.detail


def _words(canonical: Mapping[str, Any]) -> str:
    values = flat(canonical)
    return " · ".join(str(values[n]) for n in _TELLING if values.get(n))


def _preview(
    request: HttpRequest, detail: CustomerDetail, chosen: Sequence[UUID], *, for_ever: bool
) -> tuple[Preview | None, str]:
    if not chosen:
        return None, ""
    act: Act = act_of(request, "a preview")
    try:
        work = preview(
            lambda: judge.unmerge(customer=detail.id, records=chosen, for_ever=for_ever, act=act), [detail.id], act=act
        )
    except (Conflict, Rejected, NotFound) as error:
        return None, error.detail
    return work, ""


def _done(request: HttpRequest, detail: CustomerDetail, chosen: Sequence[UUID], *, for_ever: bool) -> HttpResponse:
    version = request.POST.get("version", "")
    try:
        decisions.unmerge(
            customer=detail.id, records=chosen, for_ever=for_ever,
            version=int(version) if version.isdecimal() and len(version) < 10 else 0,
            act=act_of(request, request.POST.get("reason", "").strip()[:500] or "unmerged on its page"),
        )  # fmt: skip
    except (Conflict, Rejected, NotFound) as error:
        messages.error(request, error.detail)
        return redirect("customer-unmerge", detail.id)
    messages.success(request, "The records are taken out.")
    return redirect("customer-sources", detail.id)
