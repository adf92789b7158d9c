"""Takes apart what a run, a version of the model or a stretch of time joined (docs/decisions/0011).

What is asked for is fixed once, as a set of acts; then customers are taken apart in transactions of 250 records. Each of them reads
again, under its locks, how its customers came together, so what others did meanwhile is never undone by an old picture."""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from itertools import combinations, product
from uuid import UUID

from django.db import DatabaseError, connection, transaction
from django.db.models import Q
from django.utils import timezone

from apps.common.act import Act
from apps.common.errors import Conflict, FieldError, HubError, NotFound, Rejected
from apps.common.ids import array
from apps.common.retrying import retried
from apps.customers import identity
from apps.customers.models import Judgement
from apps.matching import judge
from apps.matching.came_together import Parting, Stay, joinings, parting
from apps.matching.candidates import clock
from apps.matching.cascading import Child, Cut, children, members_of_children
from apps.matching.edges import neighbourhood
from apps.matching.match import BATCH, Matched, redecide
from apps.matching.models import MatchModel

SHORTEST_HASH = 8
GONE = "Nothing that was asked for holds it together any more."


@dataclass(frozen=True, slots=True, kw_only=True)
class What:
    """Joinings that meet everything that is given. `act`: the correlation id of a run; `model`: a version of the model; from `since` to
    before `until`; `people`: also what people said, otherwise the machine's alone."""

    act: UUID | None = None
    model: int | None = None
    since: datetime | None = None
    until: datetime | None = None
    people: bool = False


@dataclass(frozen=True, slots=True)
class Chosen:
    """What is undone, fixed: `acts` by whom it was joined, `customers` with the number of their records, by id."""

    what: What
    acts: frozenset[UUID]
    customers: tuple[tuple[UUID, int], ...]


@dataclass(frozen=True, slots=True)
class Parted:
    """`joinings` of them that were undone, `pairs` of records that were kept apart, and the customers its records are `into` now.
    `children`: customers that hang on both sides, with what became of each."""

    customer: UUID
    records: int
    joinings: int
    pairs: int
    into: tuple[UUID, ...]
    children: tuple[Child, ...] = ()


@dataclass(slots=True)
class Done:
    """`left`: customers at which nothing was done, and why; `matched`: where all records of `parted` stand."""

    parted: list[Parted] = field(default_factory=list)
    left: dict[UUID, str] = field(default_factory=dict)
    matched: Matched = field(default_factory=Matched)

    def absorb(self, other: "Done") -> None:
        self.parted += other.parted
        self.left |= other.left
        self.matched.absorb(other.matched)


def model_version(named: str) -> int:
    """The version of a model named by its hash, by the first eight characters of it or more, or by its number. Raises NotFound."""
    if len(named) >= SHORTEST_HASH:
        by = Q(hash__startswith=named)
    elif named.isdecimal():
        by = Q(version=int(named))
    else:
        raise _no_model(f"There is no model {named}: give {SHORTEST_HASH} characters of its hash, or its number.")
    found = list(MatchModel.objects.filter(by).values_list("version", flat=True)[:2])
    if len(found) != 1:
        raise _no_model(f"There is {'more than one' if found else 'no'} model {named}.")
    return found[0]


def _no_model(said: str) -> NotFound:
    return NotFound(said, [FieldError("/model", "unknown_model", said)])


# A row of membership that is asked for. By its own columns alone: who said it is looked up once for all acts.
_MINE = """(%(act)s::uuid IS NULL OR m.correlation_id = %(act)s::uuid) AND (%(model)s::int IS NULL OR m.model_version = %(model)s::int)
 AND (%(since)s::timestamptz IS NULL OR m.since >= %(since)s::timestamptz) AND m.since < %(until)s::timestamptz"""
_ACTS = f"""
SELECT DISTINCT m.correlation_id FROM membership m WHERE {_MINE} AND (%(people)s OR m.correlation_id NOT IN (
  SELECT correlation_id FROM judgement WHERE origin = 'person'
  UNION SELECT superseded_by FROM judgement WHERE origin = 'person' AND superseded_by IS NOT NULL))
"""  # noqa: S608 - text of our own
_TOUCHED = f"""
SELECT s.customer_id, array_agg(s.id) FROM source_record s WHERE s.follows_id IS NULL AND s.customer_id IN (
  SELECT r.customer_id FROM membership m JOIN source_record r ON r.id = m.source_record_id AND r.follows_id IS NULL
  WHERE {_MINE} AND m.correlation_id = ANY(%(acts)s::uuid[]) AND r.customer_id IS NOT NULL
  AND (%(customers)s::uuid[] IS NULL OR r.customer_id = ANY(%(customers)s::uuid[])))
GROUP BY s.customer_id HAVING count(*) > 1 ORDER BY s.customer_id
"""  # noqa: S608 - text of our own


def choose(what: What, *, customers: Collection[UUID] = (), limit: int | None = None) -> Chosen:
    """What stands today of the joinings asked for; `customers`: only at these. Changes nothing.

    Raises Rejected (nothing is asked for, or no stretch of time), NotFound (a customer that is unknown or retired)."""
    what = checked(what)
    if customers:
        judge.members_of(customers)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_ACTS, _params(what))
        acts = frozenset(row[0] for row in cursor.fetchall())
        only = array(customers) if customers else None
        cursor.execute(_TOUCHED, {**_params(what), "acts": array(acts), "customers": only})
        touched: list[tuple[UUID, list[UUID]]] = cursor.fetchall()
    of, standing = dict(touched), list[tuple[UUID, int]]()
    for some in _batches([(customer, len(records)) for customer, records in touched], most=BATCH * 8):
        members = {customer: of[customer] for customer in some}
        found = _partings(members, what, acts)
        standing += [(customer, len(members[customer])) for customer in some if found[customer].apart]
        if limit is not None and len(standing) >= limit:
            break
    return Chosen(what, acts, tuple(standing[:limit]))


def checked(what: What) -> What:
    """With an end: what comes after the question is never part of the answer."""
    if what.act is None and what.model is None and what.since is None:
        raise Rejected("Say what is to be undone: a run, a model, or since when.")
    if any(moment is not None and timezone.is_naive(moment) for moment in (what.since, what.until)):
        raise Rejected("A moment needs an offset, such as 2026-03-01T08:30:00Z.")
    now = clock()
    until = min(what.until or now, now)
    if what.since is not None and what.since >= until:
        said = "The stretch of time ends before it begins."
        raise Rejected(said, [FieldError("/since", "no_stretch", said)])
    return replace(what, until=until)


def _params(what: What) -> dict[str, UUID | datetime | int | None]:
    return {name: getattr(what, name) for name in ("act", "model", "since", "until", "people")}


def _batches(customers: Sequence[tuple[UUID, int]], *, most: int = BATCH) -> Iterator[list[UUID]]:
    """Customers with `most` records together; one that has more stands alone."""
    batch: list[UUID] = []
    size = 0
    for customer, records in customers:
        if batch and size + records > most:
            yield batch
            batch, size = [], 0
        batch.append(customer)
        size += records
    if batch:
        yield batch


# ── taking apart ────────────────────────────────────────────────────────────────────────────────────────────────────────
def take_apart(
    *, chosen: Chosen, act: Act, for_ever: bool = True, only: Sequence[tuple[UUID, int]] | None = None,
    on_batch: Callable[[Done], None] = lambda done: None,
) -> Done:  # fmt: skip
    """What came together by the joinings chosen is apart again; not `for_ever`: only what people had said on top of them is brought back to
    what they said it of, and the machine decides again. The whole has one correlation id: `judge.undo` takes it back."""
    return in_batches(
        chosen,
        lambda some: take_some_apart(customers=some, chosen=chosen, act=act, for_ever=for_ever),
        only=only,
        on_batch=on_batch,
    )


def in_batches(
    chosen: Chosen, work: Callable[[Sequence[UUID]], Done], *, only: Sequence[tuple[UUID, int]] | None = None,
    on_batch: Callable[[Done], None] = lambda done: None,
) -> Done:  # fmt: skip
    """`work` on all customers, or on `only` these of them, BATCH records at a time; `on_batch` is told of each batch.

    A batch that others disturb is tried again; of one that cannot be done, halves are tried until the customers that cannot stand alone in
    `left`. Broken off, what is done is done, and the same call goes on with the rest."""
    whole = Done()
    for batch in _batches(chosen.customers if only is None else only):
        done = _some_or_bisect(batch, work)
        whole.absorb(done)
        on_batch(done)
    return whole


def _some_or_bisect(batch: Sequence[UUID], work: Callable[[Sequence[UUID]], Done]) -> Done:
    """A batch driver: it records what it caught."""
    try:
        return work(batch)
    except (HubError, DatabaseError) as error:
        if len(batch) == 1:
            return Done(left={batch[0]: getattr(error, "detail", "") or f"{type(error).__name__}: {error}"})
    middle = len(batch) // 2
    done = _some_or_bisect(batch[:middle], work)
    done.absorb(_some_or_bisect(batch[middle:], work))
    return done


def take_some_apart(*, customers: Sequence[UUID], chosen: Chosen, act: Act, for_ever: bool = True) -> Done:
    """These customers in one transaction: all of them or none. Raises Conflict when others keep moving their records."""
    return retried(lambda: _take_apart(customers, chosen, act, for_ever=for_ever))


@transaction.atomic
def _take_apart(customers: Sequence[UUID], chosen: Chosen, act: Act, *, for_ever: bool) -> Done:
    members, related = _members(customers)
    hanging = partial(_hanging, chosen, for_ever=for_ever)
    kept, theirs = hanging(_found(members, chosen)) if related else ([], set[UUID]())
    _lock(members, theirs, related=related)
    found = _found(members, chosen)
    if related and hanging(found) != (kept, theirs):
        raise Conflict("Customers that hang on these moved while they were being locked; read again.")
    done = Done(left={customer: GONE for customer in customers if customer not in found})
    if not found:
        return done
    _loosen(list(found.values()), {r for customer in found for r in members[customer]}, act)
    pairs = {customer: _pairs(one) if for_ever else [] for customer, one in found.items()}
    if for_ever:
        theirs_apart = [pair for child in kept if child.parts for pair in child.pairs]
        own_apart = [pair for own in pairs.values() for pair in own]
        judge.judge(sorted({*own_apart, *theirs_apart}), verdict="no_match", act=act)
    touched = [r for customer in found for r in members[customer]]
    done.matched = redecide([*touched, *sorted(theirs.difference(touched))], act=act, action="unmerged")
    for customer, one in found.items():
        into = tuple(sorted({done.matched.customer_of[r] for r in members[customer]}))
        own_children = tuple(child for child in kept if child.parent == customer)
        counts = len(members[customer]), len(one.apart), len(pairs[customer])
        done.parted.append(Parted(customer, *counts, into, own_children))
    return done


def _hanging(chosen: Chosen, found: dict[UUID, Parting], *, for_ever: bool) -> tuple[list[Child], set[UUID]]:
    """Who hangs on both sides of what parts, and all records of those that part with it."""
    besides = {customer for customer, _ in chosen.customers}
    kept = children(_cuts(found), for_ever=for_ever, besides=besides)
    return kept, members_of_children(kept)


def _found(members: dict[UUID, list[UUID]], chosen: Chosen) -> dict[UUID, Parting]:
    """The customers in which something is to part."""
    return {customer: one for customer, one in _partings(members, chosen.what, chosen.acts).items() if one.apart}


def _cuts(found: dict[UUID, Parting]) -> dict[UUID, list[Cut]]:
    """Between which records each customer parts."""
    return {customer: [cut for parts in one.apart for cut in combinations(parts, 2)] for customer, one in found.items()}


def _members(customers: Sequence[UUID]) -> tuple[dict[UUID, list[UUID]], bool]:
    """Records by customer, without those that are not there any more; and whether any of them is related to another record."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT customer_id, array_agg(id), bool_or(EXISTS (SELECT FROM relation r WHERE r.record_a_id = s.id AND r.until IS NULL)"
            " OR EXISTS (SELECT FROM relation r WHERE r.record_b_id = s.id AND r.until IS NULL))"
            " FROM source_record s WHERE customer_id = ANY(%s::uuid[]) AND follows_id IS NULL GROUP BY customer_id",
            (array(customers),),
        )
        rows = cursor.fetchall()
    return {customer: sorted(records) for customer, records, _ in rows}, any(related for *_, related in rows)


def _lock(members: dict[UUID, list[UUID]], others: Collection[UUID], *, related: bool) -> None:
    """Locks the records, and `others`, and all they hang together with. Raises Conflict when one came or went meanwhile: read again."""
    records = [*(r for own in members.values() for r in own), *others]
    reach = set(neighbourhood(records).members)
    identity.lock_records(reach)
    if not neighbourhood(records).members.keys() <= reach or _members(list(members)) != (members, related):
        raise Conflict("Members moved while they were being locked; read again.")


def _loosen(found: Sequence[Parting], records: Collection[UUID], act: Act) -> None:
    """Takes acts of people back that stand on what is undone, and says again, in their name, what still stands of them."""
    loose = {act_ for one in found for act_ in one.loose}
    if not loose:
        return
    rows = Judgement.objects.filter(
        superseded_at=None, verdict="match", correlation_id__in=loose, record_a__in=records, record_b__in=records
    )
    said = {row.correlation_id: row for row in rows}
    rows.update(superseded_at=timezone.now(), superseded_by=act.correlation_id)
    still = {(min(p), max(p)): said[by] for one in found for by, pairs in one.still.items() for p in pairs}
    live = Judgement.objects.filter(
        superseded_at=None, record_a__in={a for a, _ in still}, record_b__in={b for _, b in still}
    )
    standing = set(live.values_list("record_a_id", "record_b_id"))
    Judgement.objects.bulk_create(
        Judgement(
            record_a_id=a, record_b_id=b, verdict="match", origin=by.origin, actor=by.actor, reason=by.reason,
            correlation_id=by.correlation_id,
        )
        for (a, b), by in sorted(still.items(), key=lambda item: item[0])
        if (a, b) not in standing
    )  # fmt: skip


def _pairs(one: Parting) -> list[tuple[UUID, UUID]]:
    crossing = (pair for parts in one.apart for a, b in combinations(parts, 2) for pair in product(a, b))
    return sorted({(min(pair), max(pair)) for pair in crossing})


# ── how they came together ──────────────────────────────────────────────────────────────────────────────────────────────
# OFFSET 0: each record's stays and ties by index, whatever size the planner takes the tables for.
_STAYS = f"""
SELECT r.id, m.customer_id, m.since, m.until, m.correlation_id, m.mine FROM unnest(%(records)s::uuid[]) AS r(id), LATERAL (
  SELECT customer_id, since, until, correlation_id, ({_MINE}) AS mine FROM membership m WHERE source_record_id = r.id OFFSET 0) m
ORDER BY r.id, m.since
"""  # noqa: S608 - text of our own
_TIES = """
SELECT j.record_a_id, j.record_b_id, j.correlation_id FROM unnest(%s::uuid[]) AS r(id), LATERAL (
  SELECT record_a_id, record_b_id, correlation_id FROM judgement
  WHERE superseded_at IS NULL AND verdict = 'match' AND record_a_id = r.id OFFSET 0) j
"""


def _partings(members: dict[UUID, list[UUID]], what: What, acts: Collection[UUID]) -> dict[UUID, Parting]:
    """What is to part in each customer; two queries for all of them."""
    records = [r for own in members.values() for r in own]
    stays: dict[UUID, list[Stay]] = {}
    with connection.cursor() as cursor:
        cursor.execute(_STAYS, {**_params(what), "records": array(records)})
        for record, customer, since, until, by, mine in cursor.fetchall():
            stays.setdefault(record, []).append(Stay(customer, since, until, by, undone=mine and by in acts))
        cursor.execute(_TIES, (array(records),))
        ties = cursor.fetchall()
    home = {record: customer for customer, own in members.items() for record in own}
    own_ties: dict[UUID, list[tuple[UUID, UUID, UUID]]] = {}
    for a, b, by in ties:
        if home[a] == home.get(b):
            own_ties.setdefault(home[a], []).append((a, b, by))
    return {
        customer: parting(joinings({r: stays[r] for r in own}), own_ties.get(customer, ()))
        for customer, own in members.items()
    }
