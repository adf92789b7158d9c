"""The merge composer: what a merge comes to, value by value, before it is done; who stays, and what targets would be told."""

from collections.abc import Collection
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from apps.common.errors import Conflict, NotFound, Rejected
from apps.customers.models import Relation
from apps.customers.survivorship import SCALARS
from apps.matching.merging import Asked, Met, Vetoed
from apps.stewardship.composing import OWN, Composition, Pick, compose
from apps.stewardship.overview import system_looks
from apps.stewardship.permissions import act_of, page, uuid_or_none
from apps.stewardship.review import Review, review


@page("merges.write", post_only=True)
def merge_preview(request: HttpRequest, id: UUID) -> HttpResponse:
    """Of the customers ticked on the review, with the values picked so far. Nothing is changed by it."""
    return composer(request, id)


def composer(request: HttpRequest, id: UUID, problem: str = "") -> HttpResponse:
    """The page for what was sent. `problem`: why it was not carried out."""
    shown = review(id)
    own = {s.customer for s in shown.sides}
    ticked = {uuid_or_none(text) for text in request.POST.getlist("customers")[:100]}
    chosen = [s.customer for s in shown.sides if s.customer in ticked & own]
    vetoed: Vetoed | None = None
    composed: Composition | None
    try:
        try:
            composed, wrong = _composed(request, chosen)
        except Vetoed as stopped:
            vetoed = stopped
            composed, wrong = _in_spite(request, chosen, stopped)
    except (Conflict, NotFound, Rejected) as error:
        messages.error(request, error.detail)
        return redirect("review", id)
    context = _context(request, shown, composed, chosen, wrong or problem)
    context |= {"vetoed": vetoed, "vetoes": _names(shown, vetoed), "relations": Relation.Kind.choices}
    return render(request, "stewardship/review_outcome.html", context)


def _in_spite(request: HttpRequest, chosen: list[UUID], stopped: Vetoed) -> tuple[Composition | None, str]:
    """What it would come to if a second person let it pass; None where nobody may."""
    if not stopped.may_ask:
        return None, ""
    return _composed(request, chosen, past=[met.asked for met in stopped.met])


def _names(shown: Review, vetoed: Vetoed | None) -> list[tuple[Met, str, str]]:
    """Each rule that stands against it, with the names of the two customers."""
    names = {side.customer: side.name or str(side.customer) for side in shown.sides}
    found = vetoed.met if vetoed is not None else ()
    return [(met, names.get(met.customers[0], ""), names.get(met.customers[1], "")) for met in found]


def _composed(request: HttpRequest, chosen: list[UUID], *, past: Collection[Asked] = ()) -> tuple[Composition, str]:
    """The composition and what is wrong with the picks: then it is shown without them."""
    act, picks = act_of(request, "a preview"), picks_of(request)
    try:
        return compose(customers=chosen, picks=picks, act=act, past=past), ""
    except Vetoed:
        raise
    except Rejected as error:
        if not picks:
            raise
        problem = " ".join(dict.fromkeys(f.detail for f in error.fields)) or error.detail
        return compose(customers=chosen, picks=[], act=act, past=past), f"{problem} The rules choose again."


def _context(
    request: HttpRequest, shown: Review, composed: Composition | None, chosen: list[UUID], problem: str
) -> dict[str, object]:
    sides = {s.customer: s for s in shown.sides}
    return {
        "review": shown,
        "chosen": chosen,
        "sides": [sides[c] for c in chosen],
        "composed": composed,
        "preview": composed.preview if composed else None,
        "problem": problem,
        "reason": request.POST.get("reason", "")[:500],
        "looks": system_looks(),
    }


def picks_of(request: HttpRequest) -> list[Pick]:
    """What a form picks: `pick-<attribute>` is a customer or "own", whose text is `own-<attribute>`; `whole`: a customer whose values
    are all picked."""
    whole = uuid_or_none(request.POST.get("whole", ""))
    found = []
    for name in SCALARS:
        choice = request.POST.get(f"pick-{name}", "")
        customer = whole if whole is not None and f"has-{name}-{whole}" in request.POST else uuid_or_none(choice)
        if customer is not None:
            found.append(Pick(name, customer))
        elif choice == OWN:
            found.append(Pick(name, None, request.POST.get(f"own-{name}", "").strip()))
    return found
