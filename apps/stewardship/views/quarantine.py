"""The quarantine desk: records that could not be taken in are mended and sent through, or discarded with a reason."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme

from apps.common.errors import Conflict, HubError, Rejected
from apps.connectors import quarantine as desk
from apps.customers.models import Quarantine, System
from apps.stewardship.forms import DiscardForm
from apps.stewardship.mending import Filters, causes, mended, mending, rows
from apps.stewardship.permissions import act_of, may, page, uuid_or_none

PAGE = 50
_STATES = ("open", "resubmitted", "discarded", "all")


@page("quarantine.read")
def quarantine(request: HttpRequest) -> HttpResponse:
    """All records set aside, by state, system, cause and run."""
    state = request.GET.get("state", "open")
    filters = Filters(
        state if state in _STATES else "open",
        request.GET.get("system", ""),
        request.GET.get("cause", ""),
        uuid_or_none(request.GET.get("run", "")),
    )
    found = rows(filters)
    after = uuid_or_none(request.GET.get("after", ""))
    listed = list((found.filter(id__lt=after) if after else found)[: PAGE + 1])
    context = {
        "rows": listed[:PAGE],
        "next": listed[PAGE - 1].id if len(listed) > PAGE else None,
        "after": after,
        "filters": filters,
        "states": _STATES,
        "causes": causes(),
        "systems": System.objects.order_by("name"),
        "may_write": may(request.user, "quarantine.write"),
    }
    return render(request, "stewardship/quarantine.html", context)


@page("quarantine.read", post="quarantine.write")
def record(request: HttpRequest, id: UUID) -> HttpResponse:
    """One record with its problems at their fields; sending the form sends the mended record through."""
    row = get_object_or_404(Quarantine.objects.select_related("system"), id=id)
    if request.method != "POST":
        return _form(request, row)
    try:
        outcome = desk.resubmit(row.id, mended(row, request.POST), act_of(request, "mended in quarantine"))
    except Rejected as error:
        messages.error(request, error.detail)
        return _form(request, row, errors=error)
    except ValueError as error:
        messages.error(request, str(error))
        return _form(request, row, errors=Rejected(str(error)))
    except HubError as error:
        messages.error(request, error.detail)
        return redirect("quarantine-record", row.id)
    messages.success(request, f"The record was taken in: {outcome.outcome}.")
    return redirect("customer", outcome.customer) if outcome.customer else redirect("quarantine-record", row.id)


def _form(request: HttpRequest, row: Quarantine, *, errors: Rejected | None = None) -> HttpResponse:
    posted = request.POST if errors is not None else None
    context = {
        "row": row,
        "mending": mending(row, posted, errors.fields if errors is not None else None),
        "discard": DiscardForm(),
        "may_write": may(request.user, "quarantine.write") and row.state == Quarantine.State.OPEN,
    }
    return render(request, "stewardship/quarantine_record.html", context)


@page("quarantine.write", post_only=True)
def discard(request: HttpRequest, id: UUID) -> HttpResponse:
    """Discards one record, with the reason."""
    try:
        desk.discard(id, act_of(request, "discarded in quarantine"), request.POST.get("reason", ""))
    except (Rejected, Conflict) as error:
        messages.error(request, error.detail)
        return redirect("quarantine-record", id)
    messages.success(request, "The record was discarded. It is kept, with your reason, but does not come in.")
    return redirect("quarantine")


@page("quarantine.write", post_only=True)
def discard_many(request: HttpRequest) -> HttpResponse:
    """Discards the chosen records, one by one: who was mended meanwhile stays, and is counted."""
    done = gone = 0
    back = request.POST.get("back", "")
    target = (
        back
        if url_has_allowed_host_and_scheme(back, allowed_hosts=None) and back.startswith("/")
        else reverse("quarantine")
    )
    chosen = [id_ for id_ in map(uuid_or_none, request.POST.getlist("chosen")[:PAGE]) if id_ is not None]
    form = DiscardForm(request.POST)
    if not chosen or not form.is_valid():
        messages.error(request, "Choose at least one record and say why it is not wanted.")
        return redirect(target)
    act = act_of(request, "discarded in quarantine")
    for id_ in chosen:
        try:
            desk.discard(id_, act, form.cleaned_data["reason"])
            done += 1
        except HubError:
            gone += 1
    messages.success(
        request, f"{done} discarded." + (f" {gone} had been settled by somebody else meanwhile." if gone else "")
    )
    return redirect(target)
