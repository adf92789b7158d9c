"""Merges that a rule of the policy stands against, asked for all the same: a second person decides."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from apps.common.act import Act
from apps.common.errors import NotFound, Rejected, TooLate
from apps.common.retrying import again, retried
from apps.customers.models import ChangeRequest, Customer, MergeRequest
from apps.matching import judge, merging
from apps.matching.match import Matched

MOST_NAMES = 3


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as people see it. `vetoes`: {rule, sentence, customers, values: [[name, of the one, of the other]]}."""

    id: UUID
    state: str
    author: str
    approver: str
    reason: str
    opened_at: datetime
    decided_at: datetime | None
    title: str
    customers: Sequence[UUID]
    vetoes: Sequence[dict[str, Any]]

    @property
    def is_open(self) -> bool:
        return self.state == ChangeRequest.State.OPEN


@again
@transaction.atomic
def ask(*, customers: Sequence[UUID], act: Act) -> ChangeRequest:
    """Asks a second person for a merge that rules stand against. Nothing is merged by it.

    Raises NotFound, Conflict (one was retired meanwhile, or the same is asked for already), Rejected (fewer than two, no reason, nothing
    stands against it), Vetoed (a rule that nobody may let pass)."""
    ids = sorted(set(customers))
    if len(ids) < 2:
        raise Rejected("A merge needs two different customers.")
    if not act.reason.strip():
        raise Rejected("Say why they are one all the same.")
    names = dict(Customer.objects.select_for_update().filter(id__in=ids).order_by("id").values_list("id", "name"))
    met = merging.between(judge.members_of(ids))
    if not met:
        raise Rejected("No rule stands against this merge: merge them.")
    if never := [m for m in met if not m.second_person]:
        raise merging.Vetoed(never)
    if MergeRequest.objects.filter(change_request__state="open", customers=ids).exists():
        raise TooLate("The same merge is asked for already, and waits for a second person.")
    told = [names[id_] or str(id_) for id_ in ids[:MOST_NAMES]]
    request = ChangeRequest.objects.create(
        kind="merge", author=act.actor, reason=act.reason, correlation_id=act.correlation_id
    )
    MergeRequest.objects.create(
        change_request=request, customers=ids, vetoes=[_kept(m) for m in met],
        title=" · ".join(told) + (f" and {len(ids) - MOST_NAMES} more" if len(ids) > MOST_NAMES else ""),
    )  # fmt: skip
    return request


def _kept(met: merging.Met) -> dict[str, Any]:
    return {
        "rule": met.rule, "sentence": met.sentence, "customers": [str(c) for c in met.customers],
        "values": [list(told) for told in met.values],
    }  # fmt: skip


def decide(*, request: UUID, approve: bool, act: Act) -> Matched | None:
    """Merges, or rejects the request. Only the rules that the request names are let pass, each between the customers it names.

    Raises NotFound, Conflict (decided already, or closed because a customer went into another one), Rejected (the author decides), Vetoed
    (another rule stands against it by now, or one that nobody may let pass any more)."""
    _open(request)  # says at once, without trying again, that it is not
    return retried(lambda: _decide(request, act, approve=approve))


def _open(request: UUID, *, lock: bool = False) -> ChangeRequest:
    rows = ChangeRequest.objects.select_for_update() if lock else ChangeRequest.objects
    row = rows.filter(id=request, kind="merge").first()
    if row is None:
        raise NotFound("There is no such request for a merge.")
    if row.state == ChangeRequest.State.CLOSED:
        raise TooLate("One of these customers went into another one meanwhile, so this request was closed; look again.")
    if row.state != ChangeRequest.State.OPEN:
        raise TooLate(f"This request is {row.state} already.")
    return row


@transaction.atomic
def _decide(request: UUID, act: Act, *, approve: bool) -> Matched | None:
    """Records before the request: who retires one of the customers closes it with their records locked."""
    asked = _open(request).merge
    if approve:
        judge.hold(asked.customers)
    row = _open(request, lock=True)
    if row.author == act.actor:
        raise Rejected("A second person has to decide: you asked for this merge.")
    row.state = ChangeRequest.State.APPROVED if approve else ChangeRequest.State.REJECTED
    row.approver, row.decided_at = act.actor, timezone.now()
    row.save(update_fields=("state", "approver", "decided_at"))
    if not approve:
        return None
    past = {(told["rule"], frozenset(UUID(c) for c in told["customers"])) for told in asked.vetoes}
    return judge.merge(customers=asked.customers, act=act.because(act.reason or row.reason), past=past)


def asked(request: UUID) -> Asked:
    """One request: one query. Raises NotFound."""
    row = MergeRequest.objects.select_related("change_request").filter(change_request_id=request).first()
    if row is None:
        raise NotFound("There is no such request for a merge.")
    return _asked(row)


def asked_for(*, state: str, before: UUID | None = None, limit: int = 50) -> list[Asked]:
    """Requests of one state, the newest first: one query."""
    rows = MergeRequest.objects.select_related("change_request").filter(change_request__state=state)
    if before is not None:
        rows = rows.filter(change_request_id__lt=before)
    return [_asked(row) for row in rows.order_by("-change_request_id")[:limit]]


def _asked(row: MergeRequest) -> Asked:
    request = row.change_request
    return Asked(
        request.id, request.state, request.author, request.approver, request.reason, request.opened_at, request.decided_at,
        row.title, row.customers, row.vetoes,
    )  # fmt: skip
