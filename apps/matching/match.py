"""Match: from received records to membership.

index -> candidates -> scores outside any transaction; then one short transaction locks the whole component, reads it again,
decides and applies the difference. Each transaction takes 250 records or fewer; one bad record never fails its batch."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from django.db import connection, transaction

from apps.common.act import Act
from apps.common.errors import Conflict, Retryable
from apps.common.ids import array
from apps.common.plans import find_by_index
from apps.common.retrying import retried, transient
from apps.customers import identity
from apps.customers.golden import read_members
from apps.matching import candidates, doubts, merging
from apps.matching.decide import Decision, Doubt
from apps.matching.decide_large import decide_capped
from apps.matching.edges import Neighbourhood, Pair, Scored, component_of, neighbourhood, score_pairs, write_edges
from apps.matching.model import ActiveModel, active_model, is_in_force

BATCH = 250
T = TypeVar("T")


@dataclass(slots=True)
class Matched:
    """`customer_of`: record -> customer; `failed`: record -> what the database or the code said of it; `created`: new customers."""

    customer_of: dict[UUID, UUID] = field(default_factory=dict)
    created: set[UUID] = field(default_factory=set)
    written: set[UUID] = field(default_factory=set)
    failed: dict[UUID, str] = field(default_factory=dict)

    def absorb(self, other: "Matched") -> None:
        self.customer_of |= other.customer_of
        self.created |= other.created
        self.written |= other.written
        self.failed |= other.failed


def match(records: Sequence[UUID], *, act: Act, indexed: bool = False) -> Matched:
    """Takes source records through to golden records. `indexed`: their keys are committed already.

    Of a batch that fails, halves are tried until the offending records stand alone in `failed`."""
    result = Matched()
    for start in range(0, len(records), BATCH):
        result.absorb(_match_or_bisect(list(records[start : start + BATCH]), act, indexed=indexed))
    return result


def _match_or_bisect(batch: list[UUID], act: Act, *, indexed: bool) -> Matched:
    """A batch driver: it records what it caught."""
    try:
        return _match_batch(batch, act, indexed=indexed)
    except Exception as error:
        if transient(error):
            raise Retryable("The records are being changed by others; try again.", after=1.0) from error
        if len(batch) == 1:
            return Matched(failed={batch[0]: f"{type(error).__name__}: {error}"})
    middle = len(batch) // 2
    result = _match_or_bisect(batch[:middle], act, indexed=indexed)
    result.absorb(_match_or_bisect(batch[middle:], act, indexed=indexed))
    return result


def _match_batch(batch: list[UUID], act: Act, *, indexed: bool) -> Matched:
    model = active_model()
    follows = _followed(batch)
    if follows:
        batch = list(dict.fromkeys(follows.get(record, record) for record in batch))
    if not indexed or follows:
        index(batch, model)
    done = retried(lambda: _apply(batch, _search(batch, model), model, act, followers=sorted(follows)))
    done.customer_of |= {f: done.customer_of[record] for f, record in follows.items() if record in done.customer_of}
    return done


def _followed(batch: Sequence[UUID]) -> dict[UUID, UUID]:
    """Of the records that follow another, that other: they are never compared, their customer is derived again."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, follows_id FROM source_record WHERE id = ANY(%s::uuid[]) AND follows_id IS NOT NULL",
            (array(batch),),
        )
        return dict(cursor.fetchall())


@dataclass(frozen=True, slots=True)
class _Search:
    """What was found without a lock: the scored pairs, the versions of all records that were compared, and when the search began
    by the database's clock."""

    scored: Mapping[Pair, Scored]
    versions: Mapping[UUID, int]
    began: datetime


def _search(batch: Sequence[UUID], model: ActiveModel) -> _Search:
    """Versions are read before what is compared, so a change in between shows as a version that moved on, never as one that did not."""
    began = candidates.clock()
    pairs = candidates.pairs_for(batch, model.model)
    versions = candidates.versions_of(set(batch).union(*pairs))
    return _Search(score_pairs(pairs, model.model), versions, began)


def index(batch: Sequence[UUID], model: ActiveModel | None = None) -> None:
    """Standardises and indexes source records by their stored canonical form, in a transaction of its own.

    The records are locked, so that nobody changes them between the reading and the writing."""
    with transaction.atomic():
        find_by_index()
        identity.lock_records(batch)
        members = read_members(records=batch)
        candidates.index({m.id: m.member.canonical for m in members}, (model or active_model()).model)


def _apply(
    batch: Sequence[UUID], search: _Search, model: ActiveModel, act: Act, *, followers: Sequence[UUID] = ()
) -> Matched:
    reach = set(neighbourhood(batch, search.scored).members)
    with transaction.atomic():
        _limit_waiting()
        find_by_index()
        locked = identity.lock_records(reach.union(followers))
        if any(search.versions.get(record, version) != version for record, version in locked.items()):
            raise Conflict("A record changed after it was compared.")
        if not is_in_force(model.version):
            raise Retryable("Another model of matching came into force meanwhile; try again.", after=1.0)
        write_edges(batch, search.scored, model.version, searched_at=search.began)
        found = neighbourhood(reach)
        if not found.members.keys() <= reach:
            raise Conflict("The component grew while it was being locked.")
        done = apply_decision(found, touched=batch, compared=batch, model=model, act=act)
        identity.finish(followers)
        return done


def redecide(records: Sequence[UUID], *, act: Act, action: str = "judged") -> Matched:
    """Decides the components of `records` again from stored evidence; the caller has locked their neighbourhood."""
    return apply_decision(neighbourhood(records), touched=records, model=active_model(), act=act, action=action)


def _limit_waiting() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL lock_timeout = '5s'")


def apply_decision(
    found: Neighbourhood, *, touched: Iterable[UUID], model: ActiveModel, act: Act, action: str = "attached",
    compared: Collection[UUID] = (),
) -> Matched:  # fmt: skip
    """Decides every component and brings membership to it; open doubts are brought to what the decision could not settle. `compared`:
    records whose candidates were looked for as they are now."""
    clusters: list[list[UUID]] = []
    open_doubts: list[doubts.NewDoubt] = []
    components = found.components()
    found.vetoes = merging.kept_apart(components)
    for members in components:
        if len(members) == 1:
            clusters.append(members)
            continue
        decision = decide_members(members, found, model)
        grouped: dict[int, list[UUID]] = {}
        for record, label in zip(members, decision.label, strict=True):
            grouped.setdefault(label, []).append(record)
        clusters.extend(grouped.values())
        open_doubts += [
            doubts.NewDoubt(
                members[d.a], members[d.b], d.reason, d.weight, d.sentence + _rule(d, decision, members, found)
            )
            for d in decision.doubts
        ]
    placed = identity.place(
        clusters=clusters, touched=touched, compared=compared, act=act, action=action, model_version=model.version
    )
    doubts.bring(open_doubts, within=[r for c in clusters for r in c])
    _forget_redo(compared)
    return Matched(dict(placed.customer_of), set(placed.created), set(placed.written))


def _rule(doubt: Doubt, decision: Decision, members: Sequence[UUID], found: Neighbourhood) -> str:
    """What the rule says that keeps the two sides of a doubt apart."""
    if doubt.reason != "policy_veto":
        return ""
    sides = {decision.label[doubt.a], decision.label[doubt.b]}
    label = dict(zip(members, decision.label, strict=True))
    told = [veto for (a, b), veto in found.vetoes.items() if {label.get(a), label.get(b)} == sides]
    return f" {min(told, key=lambda veto: veto.name).sentence}" if told else ""


def decide_members(members: Sequence[UUID], found: Neighbourhood, model: ActiveModel) -> Decision:
    """The pure decision of one component; `members` in the order that `components()` gave."""
    return decide_capped(component_of(members, found, model.distinct_systems), model.model.thresholds)


def _forget_redo(records: Iterable[UUID]) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM redo WHERE source_record_id = ANY(%s::uuid[])", (array(records),))
