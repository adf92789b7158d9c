"""The first page, the overview of systems, open doubts, and the user's preferences."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from apps.connectors import queries
from apps.stewardship import inbox, trends
from apps.stewardship.overview import Matches, open_doubts, overview, system_looks, system_numbers
from apps.stewardship.permissions import may, own_page, page, uuid_or_none
from apps.stewardship.preferences import PreferencesForm, groups

PAGE = 50
_YEAR = 365 * 24 * 3600


@page("customers.read")
def home(request: HttpRequest) -> HttpResponse:
    """What the hub holds, each number with its list."""
    now = overview()
    context: dict[str, Any] = {"now": now, "bars": _bars(now.matches)}
    if may(request.user, "doubts.read"):
        found = trends.backlog()
        context |= {
            "work": inbox.counts(f"user:{request.user.get_username()}"),
            "backlog": found,
            "drawing": trends.drawing(found),
        }
    if may(request.user, "sync.read"):
        targets = queries.monitor()
        context |= {
            "targets": targets,
            "waiting": sum(t.waiting + t.sending + t.uncertain for t in targets),
            "failed": sum(t.failed for t in targets),
            "paused": sum(t.mode == "paused" for t in targets),
            "switch": queries.switch_state(),
        }
    return render(request, "stewardship/home.html", context)


def _bars(matches: Matches) -> list[tuple[str, float, float]]:
    """The parts of the bar of matches, one after the other: (which, where it begins, how wide), of 100."""
    parts = [(name, getattr(matches, name)) for name in ("automatic", "people", "apart", "waiting")]
    whole, at, found = sum(n for _, n in parts), 0.0, []
    for name, n in parts:
        if n:
            found.append((name, round(at, 2), round(100 * n / whole, 2)))
            at += 100 * n / whole
    return found


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
    """Time zone (kept with the account); theme, density, shortcuts and their letters (kept in this browser)."""
    form = PreferencesForm(request.POST or None, user=request.user, cookies=request.COOKIES)
    if request.method != "POST" or not form.is_valid():
        return render(request, "stewardship/preferences.html", {"form": form, "groups": groups(form)})
    form.save()
    response = redirect("preferences")
    for name, value in form.cookies().items():
        if value:
            response.set_cookie(name, value, max_age=_YEAR, samesite="Lax")
        else:
            response.delete_cookie(name, samesite="Lax")
    messages.success(request, "Your preferences are kept.")
    return response
