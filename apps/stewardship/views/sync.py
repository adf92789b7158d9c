"""The sync monitor: how every target is doing; one target with its plan, its deliveries, and the way to going live."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode

from apps.common.errors import HubError, Rejected
from apps.connectors import connections, desk, queries
from apps.connectors.queries import Filters, Switch, TargetHealth
from apps.stewardship.overview import system_looks
from apps.stewardship.permissions import act_of, may, page, uuid_or_none
from apps.stewardship.templatetags.sync import OPS, STATES

PAGE = 20
GUARD_HOURS = (0.0, 1.0, 4.0, 24.0)
"""For how long a person who resumes a target may lift its guard."""


def _shape(found: list[TargetHealth], switch: Switch) -> str:
    """What decides which forms a page offers: when it changes, a page that refreshes its numbers is loaded anew."""
    rows = [f"{t.system}.{t.mode}.{t.go_live.id.hex if t.go_live else ''}" for t in found]
    return "~".join([*rows, "stopped" if switch.stopped else ""])


def _frame(request: HttpRequest, found: list[TargetHealth], switch: Switch) -> dict[str, Any]:
    """What both pages are given. `still`: the page does not refresh its numbers by itself."""
    return {
        "switch": switch,
        "seen": _shape(found, switch),
        "still": "still" in request.GET,
        "guard_hours": GUARD_HOURS,
        "looks": system_looks(),
    }


def _refreshed(request: HttpRequest, found: list[TargetHealth], switch: Switch) -> HttpResponse | None:
    """The numbers alone, for a page that asks for them every few seconds; None for a page that is opened."""
    if not request.headers.get("HX-Request"):
        return None
    if request.GET.get("seen", "") != _shape(found, switch):
        return HttpResponse(status=204, headers={"HX-Refresh": "true"})
    return render(request, "stewardship/_sync_refreshed.html", {"targets": found, "switch": switch})


@page("sync.read", post="outbound.stop")
def sync(request: HttpRequest) -> HttpResponse:
    """Every target. Sending the form turns the one switch that stops everything."""
    if request.method == "POST":
        return _switch(request)
    found, switch = queries.monitor(), queries.switch_state()
    response = _refreshed(request, found, switch)
    if response is None:
        context = {"targets": found, **_frame(request, found, switch)}
        response = render(request, "stewardship/sync.html", context)
    response["Vary"] = "HX-Request, Cookie"
    return response


def _switch(request: HttpRequest) -> HttpResponse:
    stop = request.POST.get("action") == "stop"
    try:
        connections.switch(stopped=stop, act=act_of(request, _reason(request)))
    except HubError as error:
        messages.error(request, error.detail)
    else:
        messages.success(
            request,
            "Nothing leaves the hub any more; what has to be told waits." if stop else "Targets are told again.",
        )
    return redirect("sync")


def _reason(request: HttpRequest) -> str:
    return request.POST.get("reason", "").strip()[:500]


def _target(code: str) -> TargetHealth:
    """The target of the system with this code."""
    found = next((t for t in queries.monitor() if t.system == code), None)
    if found is None:
        raise Http404("There is no such target.")
    return found


@page("sync.read")
def target(request: HttpRequest, code: str) -> HttpResponse:
    """One target: its numbers, what it would be told while it observes, and its latest deliveries."""
    found, switch = _target(code), queries.switch_state()
    response = _refreshed(request, [found], switch)
    if response is None:
        context = {"target": found, **_frame(request, [found], switch)}
        context |= _deliveries(request, found) | _samples(request, found) | _decision(request, found)
        response = render(request, "stewardship/sync_target.html", context)
    response["Vary"] = "HX-Request, Cookie"
    return response


def _deliveries(request: HttpRequest, found: TargetHealth) -> dict[str, Any]:
    """The latest deliveries of a target, by state."""
    state = request.GET.get("state", "")
    state = state if state in STATES else ""
    after = request.GET.get("after", "")
    try:
        listed = queries.deliveries(Filters(found.connection, state or None), after or None, PAGE)
    except Rejected:  # a cursor that was typed by hand
        listed, after = queries.deliveries(Filters(found.connection, state or None), None, PAGE), ""
    return {
        "deliveries": listed.rows,
        "next": listed.next,
        "after": after,
        "state": state,
        "states": list(STATES),
    }


def _samples(request: HttpRequest, found: TargetHealth) -> dict[str, Any]:
    """What a target that observes would be told: how much of each kind, and some of it field by field."""
    if found.mode != "observe":
        return {}
    op = request.GET.get("op", "")
    op = op if op in OPS else ""
    begin = uuid_or_none(request.GET.get("from", ""))
    listed = queries.planned(found.connection, op or None, begin, PAGE)
    return {
        "counts": connections.planned_counts(found.connection),
        "samples": listed.rows,
        "samples_next": listed.next,
        "samples_from": begin,
        "op": op,
        "ops": list(OPS),
    }


def _decision(request: HttpRequest, found: TargetHealth) -> dict[str, Any]:
    """Who may decide the open request to go live; its author never may."""
    mine = found.go_live is not None and found.go_live.author == act_of(request, "").actor
    return {
        "may_ask": may(request.user, "connections.write"),
        "may_decide": may(request.user, "connections.approve") and not mine,
        "is_mine": mine,
    }


def _back(code: str, **query: str) -> HttpResponse:
    address = reverse("sync-target", args=[code])
    return redirect(f"{address}?{urlencode(query)}" if query else address)


@page("connections.write", post_only=True)
def pause(request: HttpRequest, code: str) -> HttpResponse:
    """Pauses one target, with a reason."""
    found = _target(code)
    try:
        connections.pause(connection=found.connection, act=act_of(request, _reason(request)))
        messages.success(request, f"{found.name} is paused. What it has to be told waits for it.")
    except HubError as error:
        messages.error(request, error.detail)
    return _back(code)


@page("connections.write", post_only=True)
def resume(request: HttpRequest, code: str) -> HttpResponse:
    """Lets one target be told again; with hours, its guard stays out of the way for so long."""
    found = _target(code)
    try:
        hours = next((h for h in GUARD_HOURS if f"{h:g}" == request.POST.get("guard_hours", "")), 0.0)
        connections.resume(connection=found.connection, act=act_of(request, _reason(request)), guard_hours=hours)
        messages.success(request, f"{found.name} is told again.")
    except HubError as error:
        messages.error(request, error.detail)
    return _back(code)


@page("connections.write", post_only=True)
def ask(request: HttpRequest, code: str) -> HttpResponse:
    """Asks a second person to take a target live."""
    found = _target(code)
    try:
        connections.request_go_live(connection=found.connection, act=act_of(request, _reason(request)))
        messages.success(request, "You asked to go live. A second person has to decide; until then nothing is sent.")
    except HubError as error:
        messages.error(request, error.detail)
    return _back(code)


@page("connections.approve", post_only=True)
def decide(request: HttpRequest, code: str, id: UUID) -> HttpResponse:
    """The second person's word."""
    found = _target(code)
    approve = request.POST.get("action") == "approve"
    try:
        connections.decide_go_live(go_live=id, approve=approve, act=act_of(request, _reason(request)))
    except HubError as error:
        messages.error(request, error.detail)
    else:
        told = f"{found.name} is live: what was planned is sent now." if approve else "The request was rejected."
        messages.success(request, told)
    return _back(code)


@page("connections.write", post_only=True)
def plan_again(request: HttpRequest, code: str) -> HttpResponse:
    """Has every customer worked out again for the targets."""
    found = _target(code)
    try:
        count = desk.plan_again(connection=found.connection, act=act_of(request, _reason(request) or "planned again"))
        messages.success(request, f"{count:,} customers are worked out again, behind what people wait for.")
    except HubError as error:
        messages.error(request, error.detail)
    return _back(code)
