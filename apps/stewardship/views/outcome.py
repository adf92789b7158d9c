"""What a merge would come to, shown before it is done: who stays, what changes, what targets would be told."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from apps.common.errors import Conflict, NotFound, Rejected
from apps.matching import judge
from apps.stewardship.overview import system_looks
from apps.stewardship.permissions import act_of, page, uuid_or_none
from apps.stewardship.preview import preview
from apps.stewardship.review import review


@page("merges.write", post_only=True)
def merge_preview(request: HttpRequest, id: UUID) -> HttpResponse:
    """Of the customers ticked on the review. Nothing is changed by it."""
    shown = review(id)
    own = {s.customer for s in shown.sides}
    ticked = {uuid_or_none(text) for text in request.POST.getlist("customers")[:100]}
    chosen = [c for c in sorted(own) if c in ticked]
    act = act_of(request, "a preview")
    try:
        outcome = preview(lambda: judge.merge(customers=chosen, act=act), chosen, act=act)
    except (Conflict, NotFound, Rejected) as error:
        messages.error(request, error.detail)
        return redirect("review", id)
    context = {"review": shown, "chosen": chosen, "preview": outcome, "looks": system_looks()}
    return render(request, "stewardship/review_outcome.html", context)
