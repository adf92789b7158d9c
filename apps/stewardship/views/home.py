"""The first page, the overview of systems, open doubts, and the user's preferences."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from apps.connectors import queries
from apps.stewardship import inbox
from apps.stewardship.forms import PreferencesForm
from apps.stewardship.overview import open_doubts, overview, system_looks, system_numbers
from apps.stewardship.permissions import may, own_page, page, uuid_or_none

PAGE = 50
_YEAR = 365 * 24 * 3600


@page("customers.read")
def home(request: HttpRequest) -> HttpResponse:
    """What the hub holds, each number with its list."""
    context: dict[str, Any] = {"now": overview()}
    if may(request.user, "doubts.read"):
        context["work"] = inbox.counts(f"user:{request.user.get_username()}")
    if may(request.user, "sync.read"):
        targets = queries.monitor()
        context |= {
            "targets": len(targets),
            "waiting": sum(t.waiting + t.sending + t.uncertain for t in targets),
            "failed": sum(t.failed for t in targets),
            "paused": sum(t.mode == "paused" for t in targets),
            "switch": queries.switch_state(),
        }
    return render(request, "stewardship/home.html", context)


@page("systems.read")
def systems(request: HttpRequest) -> HttpResponse:
    """Every source system: what it sent, how far it is trusted, how it is reached."""
    return render(request, "stewardship/systems.html", {"systems": system_numbers(whole=True)})


@page("doubts.read")
def doubts(request: HttpRequest) -> HttpResponse:
    """Pairs the machine would not decide, newest first."""
    after = uuid_or_none(request.GET.get("after", ""))
    listed = open_doubts(after=after, limit=PAGE + 1)
    context = {
        "doubts": listed[:PAGE],
        "next": listed[PAGE - 1].id if len(listed) > PAGE else None,
        "after": after,
        "looks": system_looks(),
    }
    return render(request, "stewardship/doubts.html", context)


@own_page
def preferences(request: HttpRequest) -> HttpResponse:
    """Time zone (kept with the account), theme and shortcuts (kept in this browser)."""
    form = PreferencesForm(request.POST or None, user=request.user, cookies=request.COOKIES)
    if request.method != "POST" or not form.is_valid():
        return render(request, "stewardship/preferences.html", {"form": form})
    form.save()
    response = redirect("preferences")
    for name, value in form.cookies().items():
        if value:
            response.set_cookie(name, value, max_age=_YEAR, samesite="Lax")
        else:
            response.delete_cookie(name, samesite="Lax")
    messages.success(request, "Your preferences are kept.")
    return response
