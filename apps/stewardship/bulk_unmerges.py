"""Bulk unmerge for people: what a run, a model or a stretch of time joined is looked at, agreed on, taken apart and taken back.

Looking and doing are work for a turn of a worker each: a few customers at a time, kept in the row, so that whoever comes next goes on."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from apps.common.act import Act
from apps.common.errors import Conflict, FieldError, HubError, NotFound, Rejected
from apps.common.ids import uuid7
from apps.connectors.models import Run
from apps.customers.models import ChangeRequest
from apps.matching import unjoin
from apps.matching.candidates import clock
from apps.matching.merge_vetoes import MergePolicy
from apps.matching.models import MatchModel
from apps.matching.unjoin import Chosen, What
from apps.policies.active import active
from apps.stewardship import cases, unmerging
from apps.stewardship.models import BulkUnmerge
from apps.stewardship.unmerging import Shown, Totals

MOST_SHOWN: Final = 50
MOST_LEFT: Final = 100
_PART: Final = 25
"""Customers between two looks at the clock."""
_LEASE: Final = timedelta(minutes=2)
_WORK: Final = (BulkUnmerge.State.LOOKING, BulkUnmerge.State.DOING)


def ask(*, what: What, title: str, again: bool, act: Act) -> BulkUnmerge:
    """Has what is asked for looked at; nothing is done by it. Its end is fixed: what comes after the question is never part of it.

    Raises Rejected (no reason, nothing is asked for, no stretch of time)."""
    if not act.reason.strip():
        raise Rejected("Say why it was wrong.", [FieldError("/reason", "missing", "Say why it was wrong.")])
    fixed = unjoin.checked(what)
    return BulkUnmerge.objects.create(
        id=uuid7(), run=what.act, model=what.model, since=what.since, until=fixed.until or clock(), people=what.people, again=again,
        title=title, reason=act.reason.strip(), author=act.actor, asked_at=timezone.now(),
    )  # fmt: skip


def title_of(what: What) -> str:
    """What is asked for in words, in the reader's time zone: "run ERP: k.csv, 3 Mar 2026 09:30, until 4 Mar 2026 00:00"."""
    parts = []
    if what.act is not None:
        run = Run.objects.select_related("system").filter(correlation_id=what.act).first()
        parts.append(f"run {run_label(run) if run is not None else what.act}")
    if what.model is not None:
        model = MatchModel.objects.only("version", "hash", "state").filter(version=what.model).first()
        parts.append(f"model {model_label(model) if model is not None else what.model}")
    ends = (("from", what.since), ("until", what.until))
    return ", ".join([*parts, *(f"{word} {_moment(moment)}" for word, moment in ends if moment is not None)])


def run_label(run: Run) -> str:
    """A run with its system and when it began; `run.system` should be read already."""
    return f"{run.system.name}: {run.file_name or run.kind}, {_moment(run.created_at)}"


def model_label(model: MatchModel) -> str:
    return f"{model.version} ({model.hash[:8]}, {model.state})"


def _moment(moment: datetime) -> str:
    return f"{timezone.localtime(moment):%-d %b %Y %H:%M}"


@transaction.atomic
def confirm(*, id: UUID, act: Act) -> BulkUnmerge:
    """What was looked at is to be done: at once, or from a number of customers on (merging policy) when a second person says so too.

    Raises NotFound, Conflict (not looked at yet, or decided already), Rejected (nothing would be taken apart)."""
    row = _locked(id)
    if row.state != BulkUnmerge.State.LOOKED:
        raise Conflict(f"It is {row.get_state_display()}; look again.")
    if not row.total:
        raise Rejected("Nothing that still stands was joined by it.")
    row.confirmed_by = act.actor
    row.save(update_fields=("confirmed_by",))
    if needs_second_person(row):
        row.change_request = ChangeRequest.objects.create(
            kind="unmerge", author=act.actor, reason=row.reason, correlation_id=row.id
        )
        row.state = BulkUnmerge.State.WAITING
        row.save(update_fields=("change_request", "state"))
        transaction.on_commit(_refresh)
        return row
    return _begin(row)


@transaction.atomic
def decide(*, id: UUID, approve: bool, act: Act) -> BulkUnmerge:
    """A second person lets it be done, or not. Raises NotFound, Conflict (nobody waits for it), Rejected (it is the one who asked)."""
    row = _locked(id)
    if row.state != BulkUnmerge.State.WAITING or row.change_request is None:
        raise Conflict(f"It is {row.get_state_display()}; nobody waits for a decision.")
    asked = ChangeRequest.objects.select_for_update().get(id=row.change_request.id)
    if act.actor in (asked.author, row.author):
        raise Rejected("A second person has to decide: you asked for this.")
    asked.state = ChangeRequest.State.APPROVED if approve else ChangeRequest.State.REJECTED
    asked.approver, asked.decided_at = act.actor, timezone.now()
    asked.save(update_fields=("state", "approver", "decided_at"))
    row.decision = act.reason.strip()
    row.save(update_fields=("decision",))
    transaction.on_commit(_refresh)
    return _begin(row) if approve else _end(row, BulkUnmerge.State.REJECTED)


@transaction.atomic
def cancel(*, id: UUID, act: Act) -> BulkUnmerge:
    """Gives it up; what is done already stays done. Raises NotFound, Conflict (it has ended)."""
    row = _locked(id)
    if row.finished_at is not None:
        raise Conflict(f"It is {row.get_state_display()} already.")
    if row.state == BulkUnmerge.State.WAITING and row.change_request is not None:
        ChangeRequest.objects.filter(id=row.change_request.id).update(state="closed", decided_at=timezone.now())
        transaction.on_commit(_refresh)
    row.cancelled_by = act.actor
    row.save(update_fields=("cancelled_by",))
    was_doing = row.state == BulkUnmerge.State.DOING  # who is at it may just have done some that are not counted
    return _end(row, BulkUnmerge.State.DONE if was_doing else BulkUnmerge.State.CANCELLED)


def undo(*, id: UUID, act: Act) -> int:
    """Takes the whole act back; returns how many customers its records are now. Raises NotFound, Conflict (nothing was done, it was taken
    back already, or somebody has decided about the same records since)."""
    with transaction.atomic():
        row = _locked(id)
        if not may_be_undone(row):
            raise Conflict(f"It is {row.get_state_display()}: there is nothing to take back.")
        customers = unmerging.take_back(
            correlation_id=row.id, act=act.because(act.reason or f"taken back: {row.title}")
        )
        row.state, row.undone_at, row.undone_by = BulkUnmerge.State.UNDONE, timezone.now(), act.actor
        row.save(update_fields=("state", "undone_at", "undone_by"))
    return customers


def may_be_undone(row: BulkUnmerge) -> bool:
    """Whether there is anything to take back: also of one that failed on its way."""
    return row.state == BulkUnmerge.State.DONE or (
        row.state == BulkUnmerge.State.FAILED and row.done.get("customers", 0) > 0
    )


def needs_second_person(row: BulkUnmerge) -> bool:
    """Whether somebody else has to say so too, by the merging policy in force; never before its customers are counted."""
    return (row.total or 0) >= second_person_from()


def second_person_from() -> int:
    """The number of customers from which on somebody else decides, by the merging policy in force."""
    rules: MergePolicy = active("merging").rules
    return rules.unmerge.second_person_from


def listed(*, state: str | None = None, before: UUID | None = None, limit: int) -> list[BulkUnmerge]:
    """Those in a state, or all, the newest first; without the customers of each, which are read one by one."""
    found = BulkUnmerge.objects.select_related("change_request").defer("shown", "left").order_by("-id")
    found = found.filter(state=state) if state is not None else found
    return list((found.filter(id__lt=before) if before is not None else found)[:limit])


def one(id: UUID) -> BulkUnmerge:
    """Raises NotFound."""
    row = BulkUnmerge.objects.select_related("change_request").filter(id=id).first()
    if row is None:
        raise NotFound("There is no such unmerge.")
    return row


def preview_of(row: BulkUnmerge, customer: UUID) -> Shown:
    """One customer as it would be at this moment: carried out, read and taken back.

    Raises NotFound (nothing of it would part), Conflict (it cannot be done now, and why)."""
    chosen = unjoin.choose(_what(row), customers=[customer])
    found: list[Shown] = []
    totals = unmerging.show(chosen=chosen, act=_act(row), for_ever=not row.again, on_shown=found.append)
    if totals.left:
        raise Conflict(next(iter(totals.left.values())))
    if not found:
        raise NotFound("Nothing of this customer would be taken apart.")
    return found[0]


# ── the work ────────────────────────────────────────────────────────────────────────────────────────────────────────
def work(*, seconds: float) -> bool:
    """A turn: looks at, or does, what waits, for so long; whether there is more. A batch driver: it records what it caught."""
    ends = time.monotonic() + seconds
    row = _claim()
    if row is None:
        return False
    try:
        _go_on(row, ends)
    except HubError as error:
        _write(row, state=BulkUnmerge.State.FAILED, error=error.detail, finished_at=timezone.now())
    return BulkUnmerge.objects.filter(state__in=_WORK).exists()


@transaction.atomic
def _claim() -> BulkUnmerge | None:
    """The oldest that nobody is at, for the length of a lease."""
    now = timezone.now()
    free = BulkUnmerge.objects.filter(Q(lease_until=None) | Q(lease_until__lt=now), state__in=_WORK).order_by("id")
    row = free.select_for_update(skip_locked=True, no_key=True).first()
    if row is not None:
        row.turn += 1
        row.lease_until = now + _LEASE
        row.save(update_fields=("turn", "lease_until"))
    return row


def _go_on(row: BulkUnmerge, ends: float) -> None:
    chosen = unjoin.choose(_what(row))
    rest = [one for one in chosen.customers if row.after is None or one[0] > row.after]
    looking = row.state == BulkUnmerge.State.LOOKING
    if looking and row.total is None:
        row.total = len(chosen.customers)
        if not _write(row, total=row.total):
            return
    while rest:
        part, rest = rest[:_PART], rest[_PART:]
        if not (_look if looking else _do)(row, chosen, part):
            return
        if time.monotonic() > ends:
            _write(row, lease_until=None)
            return
    if looking:
        _write(row, state=BulkUnmerge.State.LOOKED, after=None, lease_until=None)
    else:
        _write(row, state=BulkUnmerge.State.DONE, lease_until=None, finished_at=timezone.now())


def _look(row: BulkUnmerge, chosen: Chosen, part: Sequence[tuple[UUID, int]]) -> bool:
    shown = list(row.shown)

    def keep(one: Shown) -> None:
        if len(shown) < MOST_SHOWN:
            shown.append(_kept(one))

    totals = unmerging.show(chosen=chosen, act=_act(row), for_ever=not row.again, on_shown=keep, only=part)
    row.looked, row.shown, row.left = _added(row.looked, totals), shown, _left(row.left, totals)
    return _write(row, looked=row.looked, shown=shown, left=row.left, after=part[-1][0])


def _do(row: BulkUnmerge, chosen: Chosen, part: Sequence[tuple[UUID, int]]) -> bool:
    totals = unmerging.carry_out(
        chosen=chosen, act=_act(row), for_ever=not row.again, on_batch=lambda done: None, only=part
    )
    row.done, row.left = _added(row.done, totals), _left(row.left, totals)
    return _write(row, done=row.done, left=row.left, after=part[-1][0])


def _kept(one: Shown) -> dict[str, Any]:
    """Who would become whom; no values, for they would outlive an erasure."""
    return {
        "customer": str(one.parted.customer),
        "results": [[str(r.customer), r.fate, [list(record) for record in r.records]] for r in one.results],
        "told": [[m.system, m.op, m.mode] for m in one.told],
        "children": [[str(child.customer), child.fate] for child in one.parted.children],
    }


def _added(before: Mapping[str, Any], totals: Totals) -> dict[str, Any]:
    told = Counter({(system, op): n for system, op, n in before.get("told", ())}) + totals.told
    return {
        **{n: before.get(n, 0) + getattr(totals, n) for n in ("customers", "records", "into", "pairs")},
        "told": [[system, op, n] for (system, op), n in sorted(told.items())],
    }


def _left(before: Mapping[str, str], totals: Totals) -> dict[str, str]:
    return dict(list({**before, **{str(id_): why for id_, why in totals.left.items()}}.items())[:MOST_LEFT])


def _what(row: BulkUnmerge) -> What:
    return What(act=row.run, model=row.model, since=row.since, until=row.until, people=row.people)


def _act(row: BulkUnmerge) -> Act:
    by = row.change_request.approver.removeprefix("user:") if row.change_request is not None else ""
    return Act(row.author, f"{row.reason} (approved by {by})" if by else row.reason, correlation_id=row.id)


def _begin(row: BulkUnmerge) -> BulkUnmerge:
    row.state, row.after, row.left, row.lease_until = BulkUnmerge.State.DOING, None, {}, None
    row.save(update_fields=("state", "after", "left", "lease_until"))
    return row


def _end(row: BulkUnmerge, state: BulkUnmerge.State) -> BulkUnmerge:
    row.state, row.finished_at, row.lease_until = state, timezone.now(), None
    row.turn += 1  # whoever is at it writes nothing more
    row.save(update_fields=("state", "finished_at", "lease_until", "turn"))
    return row


def _write(row: BulkUnmerge, **values: Any) -> bool:
    """Keeps how far it is, unless somebody else is at it by now, or it was given up; whether it was kept."""
    lease: dict[str, datetime | None] = {"lease_until": timezone.now() + _LEASE}
    return BulkUnmerge.objects.filter(id=row.id, turn=row.turn).update(**{**lease, **values}) == 1


def _refresh() -> None:
    cases.refresh()


def _locked(id: UUID) -> BulkUnmerge:
    row = BulkUnmerge.objects.select_for_update().filter(id=id).first()
    if row is None:
        raise NotFound("There is no such unmerge.")
    return row
