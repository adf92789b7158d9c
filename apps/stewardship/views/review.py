"""The match review: customers side by side, why the machine did not decide, and the decision of a person, which can be taken back."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme

from apps.common.errors import HubError, NotFound, Rejected
from apps.customers.models import Relation
from apps.matching.merging import Vetoed
from apps.stewardship import cases, decisions
from apps.stewardship import review as shown_review
from apps.stewardship.models import Case
from apps.stewardship.overview import system_looks
from apps.stewardship.permissions import act_of, may, page, uuid_or_none
from apps.stewardship.review import Review
from apps.stewardship.views.inbox import (
    act_on,
    just_decided,
    me_of,
    next_line,
    reason_of,
    remember_decision,
    tomorrow,
)
from apps.stewardship.views.outcome import composer, picks_of

REASONS = (
    "Different people in one household",
    "Parent and child with the same name",
    "Different companies at one address",
    "Different branches of one group",
    "Shared e-mail or telephone number",
    "Same name by chance",
)
"""Offered where somebody says why records are not one customer; anything else can be typed."""
_ELSEWHERE = {"change": "change", "quarantine": "quarantine-record", "exception": "exception", "quality": "quality"}
"""The page of each other kind of case."""
_OWN = ("claim", "take_over", "release", "defer", "take_back")


def _see_other(address: str) -> HttpResponse:
    """What was sent is done; this is the page to look at now, and reloading it sends nothing again."""
    return HttpResponse(status=303, headers={"Location": address})


@page("doubts.read", post="merges.write")
def review(request: HttpRequest, id: UUID) -> HttpResponse:
    """One case. Sending its forms decides it, or says whose work it is and when."""
    if request.method == "POST":
        return _sent(request, id)
    try:
        found = shown_review.review(id)
    except NotFound:
        return redirect(_elsewhere(id))
    return _shown(request, found)


def _elsewhere(id_: UUID) -> str:
    """Where a case of another kind is worked on. Raises NotFound."""
    case = Case.objects.filter(id=id_).exclude(kind=Case.Kind.MATCH).first()
    if case is None:
        raise NotFound("There is no such case.")
    return reverse(_ELSEWHERE[case.kind], args=[case.id if case.kind == Case.Kind.QUALITY else case.subject])


def _shown(request: HttpRequest, found: Review, *, typed: dict[str, Any] | None = None) -> HttpResponse:
    """The page. `typed`: what was sent and refused, so that it need not be typed again."""
    writes, several = may(request.user, "merges.write"), len(found.sides) > 1
    holder = _holder(request, found.assignee, found.lease_until)
    holder["claims"] = holder["claims"] and writes and found.state == Case.State.OPEN
    context = {
        "review": found,
        "case": found.case,
        "state": found.state,
        "links": [(link, found.sides[link.a], found.sides[link.b]) for link in found.links],
        "equal": sum(row.equal for row in found.rows) if several else 0,
        "hides_equal": several and request.COOKIES.get("equal") == "hide",
        "chosen": (typed or {}).get("customers") or [side.customer for side in found.sides],
        "typed": typed or {},
        "may_write": writes,
        "can_decide": writes and found.state != Case.State.CLOSED and several,
        "reasons": REASONS,
        "relations": Relation.Kind.choices,
        "tomorrow": tomorrow(),
        "looks": system_looks(),
        "decided": just_decided(request),
        "last": decisions.last_of(me_of(request)) if writes else None,
        "put_off": Case.objects.filter(id=found.case, state=Case.State.DEFERRED).first(),
        **holder,
    }
    return render(request, "stewardship/review.html", context)


def _holder(request: HttpRequest, assignee: str, lease_until: Any) -> dict[str, Any]:
    """Whose the case is: `holder` "" when it is nobody's (any more). `claims`: opening the page takes it, or holds it longer;
    what somebody was given stays given."""
    held = bool(assignee) and (lease_until is None or lease_until > timezone.now())
    holder = assignee if held else ""
    mine = holder == me_of(request)
    return {
        "holder": holder,
        "lease_until": lease_until if held else None,
        "is_mine": mine,
        "claims": not holder or (mine and lease_until is not None),
    }


def _sent(request: HttpRequest, id_: UUID) -> HttpResponse:
    action = request.POST.get("action", "")
    try:
        if action in ("merge", "apart", "link", "ask"):
            return _decide(request, id_, action)
        if action not in _OWN:
            raise Rejected("There is no such action.")
        act_on(request, action, id_)
    except Rejected as error:
        if isinstance(error, Vetoed):
            return composer(request, id_)
        if action == "ask" or (action == "merge" and picks_of(request)):
            return composer(request, id_, error.detail)
        messages.error(request, error.detail)
        customers = [c for c in map(uuid_or_none, request.POST.getlist("customers")) if c is not None]
        typed = {
            "customers": customers,
            "reason": reason_of(request),
            "until": request.POST.get("until", ""),
            "action": action,
        }
        return _shown(request, shown_review.review(id_), typed=typed)
    except NotFound:
        raise
    except HubError as error:
        messages.error(request, error.detail)
        return _see_other(reverse("review", args=[id_]))
    if action == "defer":
        messages.success(request, "It is deferred.")
        return _on(request, id_)
    return _see_other(reverse("review", args=[id_]))


_UNSAID = {"merge": "merged in the match review", "link": "linked in the match review"}
"""What stands as the reason where none is asked for."""


def _decide(request: HttpRequest, id_: UUID, action: str) -> HttpResponse:
    """Carries a decision out and goes on. Raises what the verbs raise: Conflict says who was faster."""
    customers = [c for c in map(uuid_or_none, request.POST.getlist("customers")) if c is not None]
    act = act_of(request, reason_of(request) or _UNSAID.get(action, ""))
    token = request.POST.get("token", "")
    if action == "link":
        kind = request.POST.get("kind", "")
        made = decisions.link(case=id_, customers=customers, kind=kind, token=token, act=act)
    elif action == "ask":
        asked = decisions.ask(case=id_, customers=customers, token=token, act=act)
        messages.success(request, "A second person is asked; nothing is merged until then.")
        return _see_other(reverse("change", args=[asked]))
    elif action == "merge":
        picks = picks_of(request)
        if any(p.customer is None for p in picks) and not reason_of(request):
            raise Rejected("Say why the value you wrote is right.")
        made = decisions.merge(case=id_, customers=customers, token=token, act=act, picks=picks)
    else:
        made = decisions.keep_apart(case=id_, customers=customers, token=token, act=act)
    remember_decision(request, made)
    return _on(request, id_)


def _on(request: HttpRequest, id_: UUID) -> HttpResponse:
    """To the next doubtful match; when none is left, to the inbox."""
    found = next_line(request, kind=Case.Kind.MATCH, after=id_)
    return _see_other(found.address if found else reverse("inbox"))


@page("merges.write", post_only=True)
def claim(request: HttpRequest, id: UUID) -> HttpResponse:
    """Takes the case for whoever opened it, when nobody has it. The answer to htmx is the part that says whose it is."""
    try:
        made = cases.claim(case=id, act=act_of(request, ""))
    except NotFound:
        raise
    except HubError as error:
        if not request.headers.get("HX-Request"):
            messages.error(request, error.detail)
        made = Case.objects.get(id=id)
    if not request.headers.get("HX-Request"):
        return _see_other(reverse("review", args=[id]))
    context = {"case": made.id, "state": made.state, "may_write": True, "swapped": True}
    context |= _holder(request, made.assignee, made.lease_until) | {"claims": False}
    return render(request, "stewardship/_review_held.html", context)


@page("merges.write", post_only=True)
def undo(request: HttpRequest) -> HttpResponse:
    """Takes a decision back, and stays on the page it was asked from."""
    decision = uuid_or_none(request.POST.get("decision", ""))
    try:
        if decision is None:
            raise NotFound("There is no such decision.")
        made = decisions.undo(decision=decision, act=act_of(request, reason_of(request)))
        messages.success(request, f"Taken back: {made.title}.")
    except HubError as error:
        messages.error(request, error.detail)
    back = request.POST.get("back", "")
    inside = back.startswith("/inbox/") and url_has_allowed_host_and_scheme(back, allowed_hosts=None)
    return _see_other(back if inside else reverse("inbox"))
