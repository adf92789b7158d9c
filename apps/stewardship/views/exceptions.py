"""The exception desk: what could not be told, by cause; each is told again, corrected, or discarded with a reason."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode

from apps.common.errors import Conflict, HubError, Rejected
from apps.connectors import desk, queries
from apps.connectors.contract import UNKNOWN_OUTCOME
from apps.connectors.queries import DeliveryDetail, FailureGroup, Filters
from apps.stewardship.overview import system_looks
from apps.stewardship.permissions import act_of, may, page, uuid_or_none
from apps.stewardship.telling import column_of, native_fields, neighbours, typed_fields

PAGE = 50


@page("sync.read")
def exceptions(request: HttpRequest) -> HttpResponse:
    """Deliveries that need a person, grouped by target and cause."""
    groups = queries.failures()
    context = {"groups": groups, "looks": system_looks(), "switch": queries.switch_state()}
    return render(request, "stewardship/exceptions.html", context)


def _group(query: Any) -> FailureGroup | None:
    """The group that an address names; None when nothing of it is left."""
    wanted = (query.get("system", ""), query.get("trouble", ""), query.get("code", ""))
    return next((g for g in queries.failures() if (g.system, g.trouble, g.code) == wanted), None)


def _group_address(system: str, trouble: str, code: str) -> str:
    return f"{reverse('exception-group')}?{urlencode({'system': system, 'trouble': trouble, 'code': code})}"


@page("sync.read", post="sync.write")
def group(request: HttpRequest) -> HttpResponse:
    """The deliveries of one group. Sending the form tells the chosen ones again, or discards them with a reason."""
    found = _group(request.GET)
    if found is None:
        messages.info(request, "Nothing of this cause is left.")
        return redirect("exceptions")
    if request.method == "POST":
        return _chosen(request, found)
    after = request.GET.get("after", "")
    filters = Filters(found.connection, "failed", found.trouble, found.code)
    try:
        listed = queries.deliveries(filters, after or None, PAGE)
    except Rejected:  # a cursor that was typed by hand
        return redirect(_group_address(found.system, found.trouble, found.code))
    context = {
        "group": found,
        "deliveries": listed.rows,
        "next": listed.next,
        "after": after,
        "may_write": may(request.user, "sync.write"),
        "looks": system_looks(),
        "switch": queries.switch_state(),
    }
    return render(request, "stewardship/exception_group.html", context)


def _chosen(request: HttpRequest, found: FailureGroup) -> HttpResponse:
    """Each chosen delivery by itself: what somebody else settled meanwhile stays, and is counted."""
    ids = [i for i in map(uuid_or_none, request.POST.getlist("chosen")[:PAGE]) if i is not None]
    reason, discards = _reason(request), request.POST.get("action") == "discard"
    if not ids or (discards and not reason):
        messages.error(request, "Choose at least one delivery" + (" and say why it is not told." if discards else "."))
        return redirect(_group_address(found.system, found.trouble, found.code))
    act = act_of(request, reason or _told_again(found.code))
    done = gone = 0
    for id_ in ids:
        try:
            (desk.discard if discards else desk.retry)(deliveries=[id_], act=act)
            done += 1
        except Rejected as error:
            messages.error(request, error.detail)
            return redirect(_group_address(found.system, found.trouble, found.code))
        except HubError:
            gone += 1
    word = "discarded" if discards else "told again"
    messages.success(request, f"{done} {word}." + (f" {gone} had been settled meanwhile." if gone else ""))
    return redirect(_group_address(found.system, found.trouble, found.code))


def _told_again(code: str) -> str:
    """The reason of a retry for which nobody gave one; where a person has to look first, there is none."""
    return "" if code == UNKNOWN_OUTCOME else "told again from the exception desk"


def _reason(request: HttpRequest) -> str:
    return request.POST.get("reason", "").strip()[:500]


@page("sync.write", post_only=True)
def replay(request: HttpRequest) -> HttpResponse:
    """Tells everything of one group again."""
    found = _group(request.POST)
    if found is None:
        messages.info(request, "Nothing of this cause is left.")
        return redirect("exceptions")
    try:
        act = act_of(request, "replayed from the exception desk")
        count = desk.replay(connection=found.connection, trouble=found.trouble, code=found.code, act=act)
    except HubError as error:
        messages.error(request, error.detail)
    else:
        messages.success(request, f"{count:,} deliveries are told again, each record's in its order.")
    return redirect("exceptions")


@page("sync.read", post="sync.write")
def exception(request: HttpRequest, id: UUID) -> HttpResponse:
    """One delivery with every attempt. Sending the form corrects its native fields and tells it again."""
    found = queries.delivery(id)
    if request.method != "POST":
        return _shown(request, found)
    try:
        desk.edit(
            delivery=id,
            native=typed_fields(request.POST),
            act=act_of(request, _reason(request) or "corrected at the exception desk"),
        )
    except Rejected as error:
        messages.error(request, error.detail)
        return _shown(request, found, errors=error)
    except HubError as error:
        messages.error(request, error.detail)
        return redirect("exception", id)
    messages.success(
        request, "The corrected values are told now. Mend their source too: what the golden record says is told again."
    )
    return _on(found)


def _shown(request: HttpRequest, found: DeliveryDetail, *, errors: Rejected | None = None) -> HttpResponse:
    posted = request.POST if errors is not None else None
    fields = native_fields(found, posted, errors.fields if errors else ())
    named = {f.name for f in fields if f.problem}
    context = {
        "delivery": found,
        "row": found.row,
        "fields": fields,
        "problems": [e.detail for e in (errors.fields if errors else ()) if column_of(e) not in named],
        "reason": _reason(request),
        "is_edited": errors is not None,
        "near": neighbours(found.row),
        "group_address": _group_address(found.row.system, found.row.trouble, found.row.code),
        "can_discard": found.row.state in ("failed", "waiting", "uncertain"),
        "may_write": may(request.user, "sync.write"),
        "looks": system_looks(),
        "switch": queries.switch_state(),
    }
    return render(request, "stewardship/exception.html", context)


def _on(found: DeliveryDetail) -> HttpResponse:
    """To the next delivery of the group; from the last one to the first; when none is left to the desk."""
    near = neighbours(found.row)
    following = near.next or near.previous
    return redirect("exception", following) if following else redirect("exceptions")


@page("sync.write", post_only=True)
def retry(request: HttpRequest, id: UUID) -> HttpResponse:
    """Tells one delivery again as it is, and goes on to the next."""
    found = queries.delivery(id)
    try:
        desk.retry(deliveries=[id], act=act_of(request, _reason(request) or _told_again(found.row.code)))
    except (Rejected, Conflict) as error:
        messages.error(request, error.detail)
        return redirect("exception", id)
    messages.success(request, "It is told again.")
    return _on(found)


@page("sync.write", post_only=True)
def discard(request: HttpRequest, id: UUID) -> HttpResponse:
    """Discards one delivery, with the reason, and goes on to the next."""
    found = queries.delivery(id)
    try:
        desk.discard(deliveries=[id], act=act_of(request, _reason(request)))
    except (Rejected, Conflict) as error:
        messages.error(request, error.detail)
        return redirect("exception", id)
    messages.success(request, "It was discarded and will not be told. It is kept, with your reason.")
    return _on(found)
