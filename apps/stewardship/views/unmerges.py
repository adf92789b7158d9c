"""Bulk unmerge: what a run, a model or a stretch of time joined is chosen, looked at, agreed on, done and taken back."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from apps.common.errors import Conflict, HubError, NotFound, Rejected
from apps.connectors.models import Run
from apps.matching.cascading import SENTENCES
from apps.matching.models import MatchModel
from apps.matching.unjoin import What
from apps.stewardship import bulk_unmerges, changes, unmerge_bell, unmerging
from apps.stewardship.forms import BulkUnmergeForm
from apps.stewardship.models import BulkUnmerge
from apps.stewardship.overview import system_looks
from apps.stewardship.permissions import act_of, may, page, uuid_or_none

PAGE = 30
MOST_RUNS = 100
_WORKING = (BulkUnmerge.State.LOOKING, BulkUnmerge.State.DOING)


@page("merges.write")
def unmerges(request: HttpRequest) -> HttpResponse:
    """Every one that was asked for, the newest first."""
    before = uuid_or_none(request.GET.get("after", ""))
    listed = bulk_unmerges.listed(before=before, limit=PAGE + 1)
    following = listed[PAGE - 1].id if len(listed) > PAGE else None
    context = {"rows": listed[:PAGE], "next": following, "after": before}
    return render(request, "stewardship/unmerges.html", context)


@page("merges.write", post="merges.write")
def new(request: HttpRequest) -> HttpResponse:
    """The question. Nothing is done by it."""
    runs, models = _runs(), _models()
    form = BulkUnmergeForm(
        request.POST if request.method == "POST" else None,
        runs=runs, models=models, initial={"run": request.GET.get("run", "")},
    )  # fmt: skip
    if request.method == "POST" and form.is_valid():
        told = form.cleaned_data
        try:
            what = _what(told)
            row = bulk_unmerges.ask(
                what=what, title=bulk_unmerges.title_of(what), again=told["again"], act=act_of(request, told["reason"])
            )
        except (Rejected, NotFound) as error:
            form.add_error(None, error.detail)
        else:
            unmerge_bell.ring()
            return redirect("unmerge", row.id)
    status = 422 if request.method == "POST" else 200
    return render(request, "stewardship/unmerge_new.html", {"form": form}, status=status)


def _runs() -> list[tuple[str, str]]:
    rows = Run.objects.select_related("system").order_by("-id")[:MOST_RUNS]
    return [(str(run.id), bulk_unmerges.run_label(run)) for run in rows]


def _models() -> list[tuple[str, str]]:
    rows = MatchModel.objects.only("version", "hash", "state").order_by("-version")
    return [(str(model.version), bulk_unmerges.model_label(model)) for model in rows]


def _what(told: dict[str, Any]) -> What:
    """Raises Rejected and NotFound."""
    return What(
        act=unmerging.act_of_run(UUID(told["run"])) if told["run"] else None,
        model=int(told["model"]) if told["model"] else None, since=told["since"], until=told["until"], people=told["people"],
    )  # fmt: skip


@page("merges.write", post="merges.write")
def unmerge(request: HttpRequest, id: UUID) -> HttpResponse:
    """One: what it comes to, and the next step."""
    row = bulk_unmerges.one(id)
    if request.method != "POST":
        return render(request, "stewardship/unmerge_bulk.html", _context(request, row))
    step = request.POST.get("step", "")
    try:
        said = _step(request, row, step)
    except HubError as error:
        messages.error(request, error.detail)
    else:
        messages.success(request, said)
        unmerge_bell.ring()
    return redirect("unmerge", id)


def _step(request: HttpRequest, row: BulkUnmerge, step: str) -> str:
    """Does what a button says; the sentence that says so. Raises as the verbs do."""
    act = act_of(request, request.POST.get("reason", "").strip()[:500])
    if step == "confirm":
        found = bulk_unmerges.confirm(id=row.id, act=act)
        return (
            "Somebody else has to say so too." if found.state == BulkUnmerge.State.WAITING else "They are taken apart."
        )
    if step == "cancel":
        bulk_unmerges.cancel(id=row.id, act=act)
        return "It is given up."
    if step == "undo":
        customers = bulk_unmerges.undo(id=row.id, act=act)
        return f"Taken back: its records are {customers:,} customer{'' if customers == 1 else 's'} now."
    raise Rejected("There is no such step.")


@page("changes.decide", post_only=True)
def decide(request: HttpRequest, id: UUID) -> HttpResponse:
    """A second person's word."""
    word = {"approve": True, "reject": False}.get(request.POST.get("all", ""))
    try:
        if word is None:
            raise Rejected("Approve it or reject it.")
        act = act_of(request, request.POST.get("reason", "").strip()[:500])
        bulk_unmerges.decide(id=id, approve=word, act=act)
    except (Conflict, Rejected) as error:
        messages.error(request, error.detail)
    else:
        messages.success(request, "They are taken apart." if word else "It is rejected; nothing was done.")
        unmerge_bell.ring()
    return redirect("unmerge", id)


@page("merges.write")
def progress(request: HttpRequest, id: UUID) -> HttpResponse:
    """The part that asks for itself again while somebody is at it; then the whole page once more, with its next step."""
    row = bulk_unmerges.one(id)
    if row.state in _WORKING:
        return render(request, "stewardship/_unmerge_progress.html", _context(request, row))
    return HttpResponse(status=204, headers={"HX-Refresh": "true"})


@page("merges.write")
def customer(request: HttpRequest, id: UUID, customer: UUID) -> HttpResponse:
    """One customer of it, as it would be at this moment."""
    row = bulk_unmerges.one(id)
    shown, problem = None, ""
    try:
        shown = bulk_unmerges.preview_of(row, customer)
    except HubError as error:
        problem = error.detail
    children = shown.parted.children if shown is not None else ()
    context = {"row": row, "preview": shown, "children": children, "problem": problem, "looks": system_looks()}
    return render(request, "stewardship/unmerge_one.html", context)


def _context(request: HttpRequest, row: BulkUnmerge) -> dict[str, Any]:
    user = f"user:{request.user.get_username()}"
    names = dict(changes.names_of([UUID(shown["customer"]) for shown in row.shown]))
    counts = row.done if row.state in ("doing", "done", "undone") else row.looked
    return {
        "row": row, "counts": counts, "is_author": row.author == user, "working": row.state in _WORKING, "looks": system_looks(),
        "percent": round(100 * min(1.0, (counts.get("customers", 0) + len(row.left)) / row.total)) if row.total else None,
        "shown": [{**shown, "name": names.get(UUID(shown["customer"]), "")} for shown in row.shown],
        "left": [(id_, why) for id_, why in row.left.items()], "sentences": SENTENCES,
        "may_undo": bulk_unmerges.may_be_undone(row),
        "needs_second": bulk_unmerges.needs_second_person(row),
        "may_decide": row.state == "waiting" and row.author != user and may(request.user, "changes.decide"),
    }  # fmt: skip
