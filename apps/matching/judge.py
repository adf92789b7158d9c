"""What people decide about identity: match, no match, merge, unmerge. A person's verdict outranks the machine's for ever."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import combinations, product
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from apps.common.act import Act
from apps.common.errors import Conflict, FieldError, NotFound, Rejected, TooLate
from apps.common.retrying import retried
from apps.customers import identity
from apps.customers.models import Customer, Judgement, Membership, Relation, SourceRecord
from apps.customers.moved_on import moved_on
from apps.matching import cascading, merging
from apps.matching.edges import neighbourhood
from apps.matching.match import Matched, redecide

MOST_RECORDS = 500
MOST_NAMED = 5
"""Records that a refusal names."""
Pair = tuple[UUID, UUID]


def _ordered(a: UUID, b: UUID) -> Pair:
    return (a, b) if a < b else (b, a)


def members_of(customers: Iterable[UUID]) -> dict[UUID, list[UUID]]:
    """Source records by active customer, oldest first; raises NotFound for an id that is unknown or retired."""
    ids = list(customers)
    found: dict[UUID, list[UUID]] = {id_: [] for id_ in ids}
    rows = SourceRecord.objects.filter(customer_id__in=ids, follows=None).order_by("id")
    for record, customer in rows.values_list("id", "customer_id"):
        found[customer].append(record)
    missing = [id_ for id_, records in found.items() if not records]
    if missing:
        gone = Customer.objects.filter(id__in=missing, active=False).values_list("id", "replaced_by").first()
        if gone is not None:
            raise TooLate(f"Customer {gone[0]} was merged into {gone[1]} meanwhile; look again.")
        raise NotFound(f"Customer {missing[0]} does not exist.")
    return found


def merge(*, customers: Sequence[UUID], act: Act, past: Collection[merging.Asked] = ()) -> Matched:
    """A person says that two or more customers are one. Verdicts of "no match" between their records are superseded. `past`: rules
    against it that a second person lets pass.

    Raises NotFound, Conflict (one of them was retired meanwhile), Rejected (fewer than two, or too many records), Vetoed (rules of the
    policy stand between any two of them: all are named)."""
    if len(set(customers)) < 2:
        raise Rejected("A merge needs two different customers.")
    members_of(customers)  # says at once, without trying again, when one of them is not there
    return retried(lambda: _merge(sorted(set(customers)), act, past))


@transaction.atomic
def _merge(customers: Sequence[UUID], act: Act, past: Collection[merging.Asked]) -> Matched:
    members = members_of(customers)
    records = sorted(r for own in members.values() for r in own)
    if len(records) > MOST_RECORDS:
        raise Rejected(f"Together they have {len(records)} records; {MOST_RECORDS} is the most one customer can have.")
    _lock_around(records)
    _still(members)
    merging.stop(members, past=past)
    _supersede(records, verdicts=("no_match", "unsure"), act=act)
    judge([_ordered(records[0], other) for other in records[1:]], verdict="match", act=act)
    return redecide(records, act=act, action="merged")


def unmerge(
    *, customer: UUID, records: Sequence[UUID], act: Act, for_ever: bool = True, version: int | None = None
) -> Matched:
    """A person takes source records out of a customer and keeps them apart from the rest; not `for_ever`: only what people had said
    to tie them together is taken back, and the machine decides again. `version`: of the customer as the person saw it.

    Each side becomes what it would be had they never been merged: verdicts of merges that tied them together no longer count. Customers
    that hang on both sides part too, where the policy says so (cascading).
    Raises NotFound, Conflict (a record is no longer in the customer, or another version), Rejected (none, or all of them)."""
    own = members_of([customer])[customer]
    _seen(customer, version)
    if not set(records) <= set(own):
        raise TooLate(_elsewhere(records, own))
    return retried(lambda: _unmerge(customer, sorted(set(records)), act, for_ever=for_ever, version=version))


def _seen(customer: UUID, version: int | None) -> None:
    """Raises Conflict when somebody looked at another version of a customer than there is."""
    if version is not None and (said := moved_on(customer, version)):
        raise TooLate(said)


def _elsewhere(records: Iterable[UUID], own: Iterable[UUID]) -> str:
    """Which of these records are not in the customer (any more), and where they are."""
    gone = sorted(set(records) - set(own))[:MOST_NAMED]
    rows = SourceRecord.objects.filter(id__in=gone).values_list("system__code", "external_id", "customer_id")
    told = [f"{code} {external_id} {f'is of {home} now' if home else 'is of none'}" for code, external_id, home in rows]
    said = "One of these records no longer belongs to this customer"
    return f"{said}: {'; '.join(sorted(told))}. Look again." if told else f"{said}; look again."


@transaction.atomic
def _unmerge(customer: UUID, taken: Sequence[UUID], act: Act, *, for_ever: bool, version: int | None = None) -> Matched:
    members = members_of([customer])
    own = members[customer]
    left = sorted(set(own) - set(taken))
    if not set(taken) <= set(own):
        raise TooLate(_elsewhere(taken, own))
    if not taken or not left:
        raise Rejected("Choose some of the records, not none and not all of them.")
    cuts = {customer: [(taken, left)]}
    kept = cascading.children(cuts, for_ever=for_ever)
    theirs = cascading.members_of_children(kept)
    _lock_around([*own, *theirs])
    _still(members)
    if cascading.children(cuts, for_ever=for_ever) != kept or cascading.members_of_children(kept) != theirs:
        raise Conflict("Customers that hang on this one moved while they were being locked; read again.")
    _seen(customer, version)
    _loosen(taken, left, act)
    if for_ever:
        pairs = [_ordered(a, b) for a, b in product(taken, left)]
        judge([*pairs, *(pair for child in kept if child.parts for pair in child.pairs)], verdict="no_match", act=act)
    return redecide([*taken, *left, *sorted(theirs)], act=act, action="unmerged")


def children_of(*, customer: UUID, records: Sequence[UUID], for_ever: bool = True) -> list[cascading.Child]:
    """The customers that hang on both sides of what `unmerge` would part, and what would become of each: for a preview."""
    own = members_of([customer])[customer]
    taken = sorted(set(records) & set(own))
    left = sorted(set(own) - set(taken))
    return cascading.children({customer: [(taken, left)]}, for_ever=for_ever) if taken and left else []


def _loosen(taken: Sequence[UUID], left: Sequence[UUID], act: Act) -> None:
    """Merges that tied the two sides together are taken back whole. What such a merge said of customers that stay on one side is
    said again; what it said of records that were one customer before is not: that was never a person's verdict."""
    mine, others = set(taken), set(left)
    live = list(
        Judgement.objects.filter(
            verdict="match", superseded_at=None, record_a__in=mine | others, record_b__in=mine | others
        )
    )
    crossing = {j.correlation_id for j in live if (j.record_a_id in mine) != (j.record_b_id in mine)}
    tied = [j for j in live if j.correlation_id in crossing]
    _end([j.id for j in tied], act)
    for merge_id in sorted(crossing, key=lambda m: min(j.decided_at for j in tied if j.correlation_id == m)):
        named = _named(merge_id, tied)
        former = _customers_before(merge_id, named)
        for side in (mine, others):
            kept = sorted(named & side)
            if len({former.get(r) for r in kept}) > 1:
                judge(
                    [_ordered(kept[0], r) for r in kept[1:]], verdict="match", act=replace(act, correlation_id=merge_id)
                )


def _named(merge_id: UUID, tied: Iterable[Judgement]) -> set[UUID]:
    """The records that a merge spoke of. What an earlier one had said it did not say again, so that one's records are of it too."""
    own = [j for j in tied if j.correlation_id == merge_id]
    named = {r for j in own for r in (j.record_a_id, j.record_b_id)}
    earlier = [j for j in tied if j.decided_at < min(j.decided_at for j in own)]
    while (
        more := {r for j in earlier for r in (j.record_a_id, j.record_b_id) if {j.record_a_id, j.record_b_id} & named}
        - named
    ):
        named |= more
    return named


def _customers_before(merge_id: UUID, records: Iterable[UUID]) -> dict[UUID, UUID]:
    """The customer that each record which a merge moved had before; the others stayed in the one that survived."""
    moved = Membership.objects.filter(correlation_id=merge_id, source_record__in=records)
    since = dict(moved.order_by("since").values_list("source_record_id", "since"))
    left = Membership.objects.filter(source_record__in=since, until__in=set(since.values()))
    return {
        r: customer
        for r, until, customer in left.values_list("source_record_id", "until", "customer_id")
        if until == since[r]
    }


def separate(*, record_a: UUID, record_b: UUID, act: Act) -> Matched:
    """Never match: two source records are different customers, transitively. Splits their customer if they share one."""
    return retried(lambda: _verdict(_ordered(record_a, record_b), "no_match", act))


def keep_apart(*, pairs: Sequence[Pair], act: Act, related_as: str = "") -> Matched:
    """Never match, for several pairs of records in one go. `related_as`: they have to do with one another all the same, a kind of
    Relation. Raises NotFound, Rejected (none, more than MOST_RECORDS, no such kind)."""
    if related_as:
        _is_kind(related_as)
    if not 0 < len(pairs) <= MOST_RECORDS:
        raise Rejected(f"Name 1 to {MOST_RECORDS} pairs.")
    return retried(lambda: _apart(sorted({_ordered(*pair) for pair in pairs}), act, related_as))


def _is_kind(kind: str) -> None:
    if kind not in Relation.Kind.values:
        raise Rejected(
            "There is no such kind of relation.", [FieldError("/kind", "unknown_value", "Choose how they are related.")]
        )


@transaction.atomic
def _apart(pairs: Sequence[Pair], act: Act, related_as: str) -> Matched:
    matched = _verdicts(pairs, "no_match", act)
    if related_as:
        beside = Relation.objects.filter(
            until=None, record_a__in=[a for a, _ in pairs], record_b__in=[b for _, b in pairs]
        )
        before = [r.id for r in beside if (r.record_a_id, r.record_b_id) in pairs]
        Relation.objects.filter(id__in=before).update(until=timezone.now())
        Relation.objects.bulk_create(
            Relation(
                record_a_id=a, record_b_id=b, kind=related_as, actor=act.actor, reason=act.reason,
                correlation_id=act.correlation_id,
            )
            for a, b in pairs
        )  # fmt: skip
    return matched


def relate(*, customers: Sequence[UUID], kind: str, act: Act) -> Matched:
    """These customers are not one, but have to do with one another: a kind of Relation. It hangs on the oldest record of each; where a
    rule stands between two of them, on the records that show it.

    Raises NotFound, Conflict (one was retired meanwhile), Rejected (fewer than two, no such kind)."""
    if len(set(customers)) < 2:
        raise Rejected("A link needs two different customers.")
    _is_kind(kind)
    members = members_of(sorted(set(customers)))
    shown = {frozenset(met.customers): met.records for met in merging.between(members)}
    pairs = [
        shown.get(frozenset((a, b))) or _ordered(members[a][0], members[b][0]) for a, b in combinations(members, 2)
    ]
    return keep_apart(pairs=pairs, related_as=kind, act=act)


def undo(*, correlation_id: UUID, act: Act) -> Matched:
    """Takes back what one act said of identity: its verdicts end, those it had replaced count again, and the records are decided as
    though it had never been said. What the machine has found out since stays.

    Raises NotFound, Conflict (somebody has decided about the same records since; it says who)."""
    of_it = Q(correlation_id=correlation_id) | Q(superseded_by=correlation_id)
    if not Judgement.objects.filter(of_it, origin="person").exists():
        raise NotFound("Nothing was decided about identity under this id.")
    return retried(lambda: _undo(correlation_id, act))


def records_of(correlation_id: UUID) -> list[UUID]:
    """The source records of which people said something in one act, by id; the same ones after it was taken back."""
    of_it = Q(correlation_id=correlation_id) | Q(superseded_by=correlation_id)
    pairs = Judgement.objects.filter(of_it, origin="person").values_list("record_a_id", "record_b_id")
    return sorted({record for pair in pairs for record in pair})


@transaction.atomic
def _undo(correlation_id: UUID, act: Act) -> Matched:
    people = Judgement.objects.filter(origin="person")
    records = records_of(correlation_id)
    _lock_around(records)
    said = people.filter(correlation_id=correlation_id).order_by("id")
    made = list({(j.record_a_id, j.record_b_id): j for j in said}.values())  # of one that was said again, the last word
    ended = next((j for j in made if j.superseded_at is not None), None)
    if ended is not None:
        raise TooLate(_why_not_undone(ended))
    replaced = list(people.filter(superseded_by=correlation_id).exclude(correlation_id=correlation_id))
    _end([j.id for j in made], act)
    Relation.objects.filter(correlation_id=correlation_id, until=None).update(until=timezone.now())
    standing = set(_live_among(replaced))
    Judgement.objects.bulk_create(
        Judgement(
            record_a_id=j.record_a_id, record_b_id=j.record_b_id, verdict=j.verdict, origin="person", actor=j.actor,
            reason=j.reason, correlation_id=j.correlation_id,
        )
        for j in replaced
        if (j.record_a_id, j.record_b_id) not in standing
    )  # fmt: skip
    return redecide(records, act=act, action="undone")


def _live_among(judgements: Sequence[Judgement]) -> Iterable[Pair]:
    first, second = [j.record_a_id for j in judgements], [j.record_b_id for j in judgements]
    live = Judgement.objects.filter(superseded_at=None, record_a__in=first, record_b__in=second)
    return live.values_list("record_a_id", "record_b_id")


def _why_not_undone(ended: Judgement) -> str:
    later = Judgement.objects.filter(correlation_id=ended.superseded_by or ended.id).order_by("-decided_at").first()
    if later is None:
        return "It was taken back already."
    verdict = "a match" if later.verdict == "match" else "no match"
    return f"{later.actor.removeprefix('user:')} has said since that these records are {verdict}; undo that first."


def join(*, record_a: UUID, record_b: UUID, act: Act) -> Matched:
    """Two source records are one customer, whatever the machine thinks. Raises NotFound, Vetoed as `merge` does."""
    return retried(lambda: _verdict(_ordered(record_a, record_b), "match", act))


def _verdict(pair: Pair, verdict: str, act: Act) -> Matched:
    return _verdicts([pair], verdict, act)


@transaction.atomic
def _verdicts(pairs: Sequence[Pair], verdict: str, act: Act) -> Matched:
    records = sorted({r for pair in pairs for r in pair})
    there = SourceRecord.objects.filter(id__in=records, follows=None).count()
    if there != len(records) or any(a == b for a, b in pairs):
        raise NotFound("A verdict needs two different source records.")
    _lock_around(records)
    if verdict == "match":
        _stop_between(records)
    judge(pairs, verdict=verdict, act=act)
    return redecide(records, act=act)


def _stop_between(records: Sequence[UUID]) -> None:
    """With the records locked: raises Vetoed where the policy keeps their customers apart."""
    homes = SourceRecord.objects.filter(id__in=records, customer__isnull=False).values_list("customer_id", flat=True)
    merging.stop(members_of(sorted(set(homes))))


def _lock_around(records: Sequence[UUID]) -> None:
    """Locks the component; raises Conflict when it grew meanwhile, so that the caller tries again with the larger one."""
    reach = set(neighbourhood(records).members)
    identity.lock_records(reach)
    if not neighbourhood(records).members.keys() <= reach:
        raise Conflict("The component grew while it was being locked.")


def hold(customers: Iterable[UUID]) -> None:
    """Nobody moves a record of these customers until the end of the transaction. Raises NotFound, Conflict (one was retired, or its
    records moved meanwhile)."""
    members = members_of(customers)
    _lock_around(sorted(r for own in members.values() for r in own))
    _still(members)


def _still(members: Mapping[UUID, list[UUID]]) -> None:
    """With the records locked: raises Conflict when members moved since they were read."""
    if members_of(members) != members:
        raise Conflict("Members moved while they were being locked; read again.")


def _supersede(records: Sequence[UUID], *, verdicts: Sequence[str], act: Act) -> None:
    _end(
        Judgement.objects.filter(
            superseded_at=None, verdict__in=verdicts, record_a__in=records, record_b__in=records
        ).values_list("id", flat=True),
        act,
    )


def _end(judgements: Iterable[UUID], act: Act) -> None:
    Judgement.objects.filter(id__in=list(judgements)).update(
        superseded_at=timezone.now(), superseded_by=act.correlation_id
    )


def judge(pairs: Sequence[Pair], *, verdict: str, act: Act) -> None:
    """A person's verdict on pairs (a < b); the live verdict on each, whoever gave it, is superseded."""
    first, second = {p[0] for p in pairs}, {p[1] for p in pairs}
    known = {
        (j.record_a_id, j.record_b_id): j
        for j in Judgement.objects.filter(superseded_at=None, record_a__in=first, record_b__in=second)
    }
    same = {p for p in pairs if p in known and known[p].verdict == verdict and known[p].origin == "person"}
    stale = [known[p].id for p in pairs if p in known and p not in same]
    if stale:
        _end(stale, act)
    Judgement.objects.bulk_create(
        Judgement(
            record_a_id=a, record_b_id=b, verdict=verdict, origin="person", actor=act.actor, reason=act.reason,
            correlation_id=act.correlation_id,
        )
        for a, b in pairs
        if (a, b) not in same
    )  # fmt: skip
