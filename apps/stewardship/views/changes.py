"""Changes that wait for a second person: looked at field by field, approved or rejected."""

from contextlib import suppress
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from apps.common.errors import Conflict, Rejected
from apps.customers.holds import Verdict
from apps.matching import merge_requests
from apps.stewardship import changes
from apps.stewardship.permissions import act_of, may, page

_WORDS = {"approve": True, "reject": False}


@page("doubts.read", post="changes.decide")
def change(request: HttpRequest, id: UUID) -> HttpResponse:
    """One change request; its form decides the fields that somebody has said something about."""
    if changes.is_merge(id):
        return _merge_request(request, id)
    if (unmerge := changes.unmerge_of(id)) is not None:
        return redirect("unmerge", unmerge)
    shown = changes.change(id)
    if request.method == "POST":
        return _decide(request, shown)
    user = f"user:{request.user.get_username()}"
    context = {
        "change": shown,
        "is_author": shown.author == user,
        "may_decide": may(request.user, "changes.decide") and shown.author != user and shown.is_open,
    }
    return render(request, "stewardship/change.html", context)


def _merge_request(request: HttpRequest, id_: UUID) -> HttpResponse:
    """A merge that a rule stands against; its form merges, or says no."""
    if request.method == "POST":
        return _decide_merge(request, id_)
    asked = merge_requests.asked(id_)
    user = f"user:{request.user.get_username()}"
    context = {
        "asked": asked,
        "names": changes.names_of(asked.customers),
        "is_author": asked.author == user,
        "may_decide": may(request.user, "changes.decide") and asked.author != user and asked.is_open,
    }
    return render(request, "stewardship/merge_request.html", context)


def _decide_merge(request: HttpRequest, id_: UUID) -> HttpResponse:
    word = _WORDS.get(request.POST.get("all", ""))
    act = act_of(request, request.POST.get("reason", "").strip())
    try:
        if word is None:
            raise Rejected("Approve it or reject it.")
        changes.decide_merge(request=id_, approve=word, act=act)
    except (Conflict, Rejected) as error:
        messages.error(request, error.detail)
    else:
        messages.success(request, "They are one customer now." if word else "It is rejected; nothing was merged.")
    return redirect("change", id_)


def _decide(request: HttpRequest, shown: changes.Change) -> HttpResponse:
    act = act_of(request, request.POST.get("reason", "").strip())
    word = _WORDS.get(request.POST.get("all", ""))
    count = request.POST.get("alike", "") if word is not None else ""
    try:
        done = changes.decide(
            request=shown.id, verdicts=_verdicts(request, shown), act=act, approve=word is not False,
            alike=int(count) if count.isdecimal() and len(count) < 7 else None,
        )  # fmt: skip
    except (Conflict, Rejected) as error:
        messages.error(request, error.detail)
        return redirect("change", shown.id)
    messages.success(request, f"It is decided, and {done.alike} alike with it." if done.alike else "It is decided.")
    for sentence in sorted(set(done.refused))[:3]:
        messages.warning(request, f"{done.refused.count(sentence)} not: {sentence}")
    return redirect("change", shown.id)


def _verdicts(request: HttpRequest, shown: changes.Change) -> dict[str, Verdict]:
    """What the form says of each field; the whole-request buttons say the same of all that are open."""
    whole = _WORDS.get(request.POST.get("all", ""))
    found: dict[str, Verdict] = {}
    for field in shown.fields:
        word = whole if whole is not None else _WORDS.get(request.POST.get(f"verdict-{field.attribute}", ""))
        if word is None or field.state != "open":
            continue
        seen = b""
        with suppress(ValueError):
            seen = bytes.fromhex(request.POST.get(f"seen-{field.attribute}", ""))
        found[field.attribute] = Verdict(word, seen)
    return found
