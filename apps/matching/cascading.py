"""Cascade of an unmerge: customers whose records hang on both of the sides that part, by relations between source records.

A person of company A and a person of company B may be one customer only because A and B were taken for one. When A and B part, the policy
says for each kind of relation whether such customers part with them: between the records that are related to the one side and those that
are related to the other. What a person joined by hand stays together."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from uuid import UUID

from django.db.models import Q

from apps.customers.models import Customer, Judgement, Relation, SourceRecord
from apps.matching.came_together import connected
from apps.matching.merge_vetoes import MergePolicy
from apps.policies.active import active

Pair = tuple[UUID, UUID]
Cut = tuple[Collection[UUID], Collection[UUID]]
"""Records on the one and on the other side of what parts."""
SENTENCES: Mapping[str, str] = {
    "parts": "parts too",
    "off": "stays together: the policy does not take it apart along this relation",
    "by_hand": "stays together: a person has joined it by hand",
    "both": "stays together: the same record is related to both sides",
    "again": "stays together: the machine decides again, and nothing is kept apart",
}


@dataclass(frozen=True, slots=True)
class Child:
    """A customer that hangs on both sides of `parent`, by relations of these `kinds`. `out` and `stays`: its records that are related to
    the side that leaves and to the other one; `pairs`: of these what would be kept apart; `fate`: a key of SENTENCES."""

    parent: UUID
    customer: UUID
    name: str
    kinds: tuple[str, ...]
    out: tuple[UUID, ...]
    stays: tuple[UUID, ...]
    pairs: tuple[Pair, ...]
    fate: str

    @property
    def parts(self) -> bool:
        return self.fate == "parts"

    @property
    def sentence(self) -> str:
        return SENTENCES[self.fate]


def cascaded_kinds() -> frozenset[str]:
    """The kinds of relation along which the policy in force takes customers apart."""
    rules: MergePolicy = active("merging").rules
    return rules.unmerge.cascade


def children(
    cuts: Mapping[UUID, Sequence[Cut]], *, for_ever: bool = True, besides: Collection[UUID] = ()
) -> list[Child]:
    """The customers that hang on both sides of any cut, by the customer that is cut; `besides`: they are taken apart by themselves.
    Five queries at the most, one where nothing is related."""
    of_cuts = {r for some in cuts.values() for cut in some for side in cut for r in side}
    related = _related(of_cuts)
    home = dict(
        SourceRecord.objects.filter(id__in={o for some in related.values() for o, _ in some}, follows=None)
        .exclude(customer=None).values_list("id", "customer_id")
    ) if related else {}  # fmt: skip
    kinds = cascaded_kinds() if home else frozenset()
    found: dict[tuple[UUID, UUID], list[_Hanging]] = defaultdict(list)
    for parent, some in cuts.items():
        for cut in some:
            for customer, hanging in _hanging(cut, related, home, kinds):
                if customer not in besides and customer not in cuts:
                    found[parent, customer].append(hanging)
    if not found:
        return []
    tied = _tied({customer for _, customer in found})
    names = dict(Customer.objects.filter(id__in={customer for _, customer in found}).values_list("id", "name"))
    return [
        _child(parent, customer, names.get(customer) or "", hanging, tied, for_ever=for_ever)
        for (parent, customer), hanging in sorted(found.items())
    ]


@dataclass(frozen=True, slots=True)
class _Hanging:
    """One customer at one cut: its records related to either side, by any relation and by those that the policy follows."""

    kinds: frozenset[str]
    out: frozenset[UUID]
    stays: frozenset[UUID]
    pairs: frozenset[Pair]
    followed: bool


def _related(records: Collection[UUID]) -> dict[UUID, list[tuple[UUID, str]]]:
    """Record -> (related record, kind) of every live relation."""
    found: dict[UUID, list[tuple[UUID, str]]] = defaultdict(list)
    rows = Relation.objects.filter(Q(record_a__in=records) | Q(record_b__in=records), until=None)
    for a, b, kind in rows.values_list("record_a_id", "record_b_id", "kind"):
        for own, other in ((a, b), (b, a)):
            if own in records:
                found[own].append((other, kind))
    return dict(found)


def _hanging(
    cut: Cut, related: Mapping[UUID, Sequence[tuple[UUID, str]]], home: Mapping[UUID, UUID], follows: Collection[str]
) -> Iterable[tuple[UUID, _Hanging]]:
    """The customers at one cut that have records on both of its sides."""
    sides: list[dict[UUID, set[tuple[UUID, str]]]] = [defaultdict(set), defaultdict(set)]
    for side, records in zip(sides, cut, strict=True):
        for record in records:
            for other, kind in related.get(record, ()):
                if other in home:
                    side[home[other]].add((other, kind))
    for customer in sides[0].keys() & sides[1].keys():
        mine, theirs = sides[0][customer], sides[1][customer]
        follow = bool({k for _, k in mine} & set(follows)) and bool({k for _, k in theirs} & set(follows))
        used = [{r for r, k in side if not follow or k in follows} for side in (mine, theirs)]
        out, stays = used[0] - used[1], used[1] - used[0]
        pairs = frozenset((min(p), max(p)) for p in product(out, stays))
        kinds = frozenset(k for _, k in mine | theirs)
        yield customer, _Hanging(kinds, frozenset(used[0]), frozenset(used[1]), pairs, follow)


def _tied(customers: Collection[UUID]) -> dict[UUID, UUID]:
    """Record -> what stands for all that people's verdicts of match tie it to, within its customer."""
    rows = Judgement.objects.filter(
        superseded_at=None, verdict="match", origin="person", record_a__customer__in=customers, record_b__customer__in=customers
    )  # fmt: skip
    return connected(rows.values_list("record_a_id", "record_b_id"))


def _child(
    parent: UUID, customer: UUID, name: str, hanging: Sequence[_Hanging], tied: Mapping[UUID, UUID], *, for_ever: bool
) -> Child:
    followed = [one for one in hanging if one.followed]
    told = followed or hanging
    pairs = sorted({pair for one in told for pair in one.pairs})
    if not pairs:
        fate = "both"
    elif any(a in tied and tied[a] == tied.get(b) for a, b in pairs):
        fate = "by_hand"
    elif not followed:
        fate = "off"
    else:
        fate = "parts" if for_ever else "again"
    return Child(
        parent, customer, name, tuple(sorted({k for one in told for k in one.kinds})),
        tuple(sorted({r for one in told for r in one.out})), tuple(sorted({r for one in told for r in one.stays})),
        tuple(pairs), fate,
    )  # fmt: skip


def members_of_children(found: Iterable[Child]) -> set[UUID]:
    """All records of the children that part: they are locked and decided together with what they hang on."""
    customers = {child.customer for child in found if child.parts}
    if not customers:
        return set()
    return set(SourceRecord.objects.filter(customer__in=customers, follows=None).values_list("id", flat=True))
