"""Values that are known to be wrong: all customers with the same kind of wrong value, mended one by one or accepted as they are."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from apps.common.errors import NotFound, Rejected
from apps.stewardship import cases
from apps.stewardship.models import Case
from apps.stewardship.permissions import act_of, may, page, uuid_or_none

MOST = 200
"""Customers on one page; what is left comes when these are done."""


@page("doubts.read", post="merges.write")
def quality(request: HttpRequest, id: UUID) -> HttpResponse:
    """The cases of one cause; the form accepts those that are ticked."""
    case = Case.objects.filter(id=id, kind=Case.Kind.QUALITY).first()
    if case is None:
        raise NotFound("There is no such case.")
    live = Case.objects.filter(group_key=case.group_key).exclude(state=Case.State.CLOSED).order_by("title", "id")
    if request.method == "POST":
        return _accept(request, case)
    context = {
        "case": case,
        "lines": list(live[:MOST]),
        "total": live.count(),
        "may_write": may(request.user, "merges.write"),
        "may_pin": may(request.user, "pins.write"),
    }
    return render(request, "stewardship/quality.html", context)


def _accept(request: HttpRequest, case: Case) -> HttpResponse:
    ticked = [i for text in request.POST.getlist("chosen")[:MOST] if (i := uuid_or_none(text)) is not None]
    own = Case.objects.filter(id__in=ticked, group_key=case.group_key).values_list("id", flat=True)
    try:
        if not ticked:
            raise Rejected("Tick at least one line.")
        done = cases.accept(cases=list(own), act=act_of(request, request.POST.get("reason", "").strip()[:500]))
    except Rejected as error:
        messages.error(request, error.detail)
        return redirect("quality", case.id)
    messages.success(request, f"{done} accepted as {'it is' if done == 1 else 'they are'}.")
    rest = Case.objects.filter(group_key=case.group_key).exclude(state=Case.State.CLOSED).order_by("id").first()
    return redirect("quality", rest.id) if rest is not None else redirect("inbox")
