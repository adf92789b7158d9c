"""Decisions of stewards about who is who: merged, kept apart, unmerged, and taken back while nothing has superseded them."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from apps.common.act import Act
from apps.common.errors import Conflict, FieldError, NotFound, Rejected
from apps.customers import pins
from apps.customers.models import Customer
from apps.customers.moved_on import moved_on
from apps.matching import judge, merge_requests
from apps.stewardship import cases, composing
from apps.stewardship.models import Case, Decision
from apps.stewardship.review import Review, review

DECIDING_SECONDS = 60
"""After this time somebody else may decide, if the process that carried a decision out has died."""


def merge(
    *, case: UUID, customers: Sequence[UUID], token: str, act: Act, picks: Sequence[composing.Pick] = ()
) -> Decision:
    """These customers of the case are one. `token`: what the page was made from; `picks`: values a person chose against the rules.

    Raises NotFound, Conflict (decided meanwhile, by whom; or not what the page showed any more), Rejected (fewer than two of its own,
    or a pick that cannot be)."""
    return _decide(
        case, "merge", customers, token, act,
        lambda shown, act: composing.merge(customers=customers, picks=picks, act=act),
    )  # fmt: skip


def keep_apart(*, case: UUID, customers: Sequence[UUID], token: str, act: Act) -> Decision:
    """None of these customers is another of them. Raises as `merge` does, and Rejected without a reason."""
    if not act.reason.strip():
        raise Rejected("Say why they are not one.", [FieldError("/reason", "missing", "Say why they are not one.")])
    return _decide(case, "apart", customers, token, act, lambda shown, act: _apart(shown, customers, act))


def link(*, case: UUID, customers: Sequence[UUID], kind: str, token: str, act: Act) -> Decision:
    """They are not one, but have to do with one another: a kind of Relation. Raises as `merge` does, and Rejected for another kind."""
    return _decide(
        case, "link", customers, token, act, lambda shown, act: _apart(shown, customers, act, related_as=kind)
    )


def ask(*, case: UUID, customers: Sequence[UUID], token: str, act: Act) -> UUID:
    """Asks a second person for a merge that rules stand against; returns the change request. The case stays open until it is decided.

    Raises as `merge` does, and as merge_requests.ask."""
    with transaction.atomic():
        _, group = cases.open_group(case)
        _as_shown(case, group, customers, token)
        asked = merge_requests.ask(customers=customers, act=act)
    cases.refresh()
    return asked.id


def _apart(shown: Review, customers: Sequence[UUID], act: Act, *, related_as: str = "") -> object:
    chosen = {n for n, side in enumerate(shown.sides) if side.customer in set(customers)}
    pairs = [link.records for link in shown.links if {link.a, link.b} <= chosen]
    if not pairs:
        raise Rejected("Nothing is in doubt between the records you chose.")
    return judge.keep_apart(pairs=pairs, act=act, related_as=related_as)


def unmerge(*, customer: UUID, records: Sequence[UUID], version: int, act: Act, for_ever: bool = True) -> Decision:
    """Takes source records out of a customer. `version`: of the customer as the page showed it; `for_ever`: nothing but a person brings
    them together again. Raises NotFound, Conflict (it has changed since, a record is elsewhere), Rejected (none, or all of them)."""
    row = Customer.objects.filter(id=customer).first()
    if row is None:
        raise NotFound("There is no such customer.")
    if said := moved_on(customer, version, seen="you opened the page"):
        raise Conflict(said)
    decision = Decision.objects.create(
        action="unmerge", title=row.name or str(row.id), reason=act.reason, actor=act.actor
    )
    try:
        judge.unmerge(
            customer=customer, records=records, for_ever=for_ever, version=version,
            act=replace(act, correlation_id=decision.id),
        )  # fmt: skip
    except BaseException:
        decision.delete()
        raise
    decision.done_at = timezone.now()
    decision.save(update_fields=("done_at",))
    cases.refresh()
    return decision


def undo(*, decision: UUID, act: Act) -> Decision:
    """Takes a decision back. Raises NotFound, Conflict: it was taken back already, or what superseded it."""
    with transaction.atomic():
        row = Decision.objects.select_for_update().filter(id=decision, done_at__isnull=False).first()
        if row is None:
            raise NotFound("There is no such decision.")
        if row.undone_at is not None:
            raise Conflict(f"It was taken back already by {row.undone_by.removeprefix('user:')}.")
    _take_back(row, act.because(act.reason or f"undone: {row.title}"))
    Decision.objects.filter(id=row.id).update(undone_at=timezone.now(), undone_by=act.actor)
    cases.refresh()
    row.refresh_from_db()
    return row


@transaction.atomic
def _take_back(decision: Decision, act: Act) -> None:
    """Who is who, and the values that were pinned with it."""
    matched = judge.undo(correlation_id=decision.id, act=act)
    for customer in sorted(set(matched.customer_of.values())):
        pins.take_back(customer=customer, correlation_id=decision.id, act=act)


def last_of(actor: str) -> Decision | None:
    """The newest decision of somebody that is not taken back yet."""
    found = Decision.objects.filter(actor=actor, done_at__isnull=False, undone_at=None)
    return found.order_by("-decided_at").first()


def _decide(
    case: UUID, action: str, customers: Sequence[UUID], token: str, act: Act, carry_out: Callable[[Review, Act], object]
) -> Decision:
    if len(set(customers)) < 2:
        raise Rejected("Choose two records or more.")
    decision, shown, group = _begin(case, action, customers, token, act)
    try:
        carry_out(shown, replace(act, correlation_id=decision.id))
    except BaseException:
        Decision.objects.filter(id=decision.id).delete()
        Case.objects.filter(id__in=group).update(deciding_until=None)
        raise
    decision.done_at = timezone.now()
    decision.save(update_fields=("done_at",))
    Case.objects.filter(id__in=group).update(deciding_until=None)
    cases.refresh()
    Case.objects.filter(id__in=group, state="closed", closed_by="").update(closed_by=act.actor)
    return decision


@transaction.atomic
def _begin(
    case: UUID, action: str, customers: Sequence[UUID], token: str, act: Act
) -> tuple[Decision, Review, list[UUID]]:
    """Marks the group as being decided, so that of two who decide at once the second one is told."""
    row, group = cases.open_group(case)
    shown = _as_shown(case, group, customers, token)
    ids = [k.id for k in group]
    Case.objects.filter(id__in=ids).update(deciding_until=timezone.now() + timedelta(seconds=DECIDING_SECONDS))
    names = [s.name or str(s.customer) for s in shown.sides if s.customer in set(customers)]
    decision = Decision.objects.create(
        action=action, group_key=row.group_key, title=" · ".join(names), reason=act.reason, actor=act.actor
    )
    return decision, shown, ids


def _as_shown(case: UUID, group: Sequence[Case], customers: Sequence[UUID], token: str) -> Review:
    """What the page shows now. Raises Conflict (somebody is deciding, or it showed something else), Rejected (customers of another case)."""
    if any(k.deciding_until is not None and k.deciding_until > timezone.now() for k in group):
        raise Conflict("Somebody is deciding about it at this moment; look again.")
    shown = review(case)
    if shown.token != token:
        raise Conflict("The records have changed since you opened the page; look at them again.")
    if set(customers) - {s.customer for s in shown.sides}:
        raise Rejected("One of the records you chose is not part of this case.")
    return shown
