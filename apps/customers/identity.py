"""Membership and identity: the only writer of which source record belongs to which customer.

Id rules: a merge keeps the oldest customer (tie: more members, then the smallest id); a split leaves the id with the part that
holds the oldest member, and a part that once had an id of its own gets that id back; an id that the oldest member took to an older
customer stays with those that are left, before one of them is given a new one; a retired id resolves for ever.

Locks: source records in id order, then customers in id order. The caller locks the records of a whole component before it
decides; whatever another transaction adds afterwards waits for the same rows (docs/decisions/0001)."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import connection

from apps.common.act import Act
from apps.common.errors import Conflict
from apps.common.ids import array, uuid7
from apps.customers.golden import Change, MemberRow, read_members, rebuild
from apps.customers.store import Move


@dataclass(frozen=True, slots=True)
class Placed:
    """`customer_of`: every record's customer; `written`: customers with a new version; `created`: new ids."""

    customer_of: Mapping[UUID, UUID]
    written: Sequence[UUID]
    created: frozenset[UUID]


@dataclass(frozen=True, slots=True)
class _Known:
    id: UUID
    active: bool
    created_at: datetime
    members: int


def lock_records(ids: Iterable[UUID]) -> dict[UUID, int]:
    """Row locks in id order; everybody who changes membership takes them first. Returns the versions of the locked records."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, version FROM source_record WHERE id = ANY(%s::uuid[]) ORDER BY id FOR NO KEY UPDATE",
            (array(set(ids)),),
        )
        return dict(cursor.fetchall())


def lock_customers(ids: Iterable[UUID]) -> dict[UUID, _Known]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, active, created_at, member_count FROM customer WHERE id = ANY(%s::uuid[]) ORDER BY id FOR NO KEY UPDATE",
            (array(set(ids)),),
        )
        return {row[0]: _Known(*row) for row in cursor.fetchall()}


def place(
    *,
    clusters: Sequence[Sequence[UUID]],
    touched: Iterable[UUID] = (),
    compared: Collection[UUID] = (),
    act: Act,
    action: str = "attached",
    model_version: int | None = None,
) -> Placed:
    """Brings membership to `clusters` (each a set of source records that are one customer) and rebuilds what changes.

    `touched`: records whose customers are rebuilt though nobody moves; `compared`: those that have been compared as they are now, and so
    have reached the end of the pipeline: whatever else was received meanwhile still waits for its turn. The records are locked by the
    caller; raises Conflict when a customer has members that `clusters` does not name."""
    wanted = [sorted(cluster) for cluster in clusters if cluster]
    members = _members(wanted)
    by_id = {m.id: m for m in members}
    now = {r: by_id[r].customer for cluster in wanted for r in cluster}
    known = lock_customers(c for c in set(now.values()) if c is not None)
    _nobody_missing(members, now)
    ids, reactivated = _choose_ids(wanted, now, known)
    target = {r: ids[i] for i, cluster in enumerate(wanted) for r in cluster}
    kept = set(ids)
    followers = {m.id: _home(m, target, now, kept) for m in members if m.id not in target}
    target_all = {**target, **followers}
    ended = set(compared)
    losers = _successors(known, target, now, kept)
    moves = [
        Move(r, c, by_id[r].customer, _action(by_id[r].customer, c, action, known, losers), ends=r in ended)
        for r, c in target_all.items()
        if by_id[r].customer != c
    ]
    changes = _changes(target_all, by_id, moves, set(touched), losers, reactivated, known)
    written = rebuild(changes, moves=moves, act=act, model_version=model_version)
    finish(sorted(ended - {m.record for m in moves}))
    created = frozenset(i for i in ids if i not in known and i not in reactivated)
    return Placed(target, written, created)


def _members(wanted: Sequence[Sequence[UUID]]) -> list[MemberRow]:
    """The named records and everybody who shares a customer with one of them (those that follow one of them too)."""
    rows = read_members(records=[r for cluster in wanted for r in cluster])
    seen = {m.id for m in rows}
    customers = {m.customer for m in rows if m.customer is not None}
    return rows + [m for m in read_members(customers=sorted(customers)) if m.id not in seen]


def _nobody_missing(members: Sequence[MemberRow], now: Mapping[UUID, UUID | None]) -> None:
    if any(m.id not in now and m.follows is None for m in members):
        raise Conflict("A customer gained a member while its records were being decided; decide again.")


def _choose_ids(
    wanted: Sequence[Sequence[UUID]], now: Mapping[UUID, UUID | None], known: Mapping[UUID, _Known]
) -> tuple[list[UUID], set[UUID]]:
    """One customer id per cluster, by the id rules."""
    oldest: dict[UUID, UUID] = {}
    for record, customer in now.items():
        if customer is not None and (customer not in oldest or record < oldest[customer]):
            oldest[customer] = record
    keeper = {record: customer for customer, record in oldest.items()}
    ids: list[UUID | None] = []
    for cluster in wanted:
        claims = [known[keeper[r]] for r in cluster if r in keeper]
        ids.append(min(claims, key=_seniority).id if claims else None)
    homeless = [i for i, id_ in enumerate(ids) if id_ is None and any(now[r] is not None for r in wanted[i])]
    reactivated = _former_ids([wanted[i] for i in homeless]) if homeless else []
    for i, former in zip(homeless, reactivated, strict=True):
        ids[i] = former
    _left_over(ids, wanted, now, known)
    return [id_ or uuid7() for id_ in ids], {f for f in reactivated if f is not None}


def _seniority(customer: _Known) -> tuple[datetime, int, UUID]:
    return customer.created_at, -customer.members, customer.id


def _left_over(
    ids: list[UUID | None],
    wanted: Sequence[Sequence[UUID]],
    now: Mapping[UUID, UUID | None],
    known: Mapping[UUID, _Known],
) -> None:
    """Gives each part that has no id yet one that nobody keeps: of the customer whose oldest record, among such parts, it holds."""
    part_of = {r: i for i, cluster in enumerate(wanted) if ids[i] is None for r in cluster}
    kept = set(ids)
    staying: dict[UUID, list[UUID]] = defaultdict(list)
    for record in sorted(part_of):
        customer = now[record]
        if customer is not None and customer not in kept:
            staying[customer].append(record)
    for customer in sorted(staying, key=lambda c: _seniority(known[c])):
        part = next((part_of[r] for r in staying[customer] if ids[part_of[r]] is None), None)
        if part is not None:
            ids[part] = customer


def _former_ids(clusters: Sequence[Sequence[UUID]]) -> list[UUID | None]:
    """For each part that was split off: the retired id whose oldest member it holds: the one retired last, of those the oldest; else None."""
    records = [r for cluster in clusters for r in cluster]
    with connection.cursor() as cursor:
        cursor.execute(
            "WITH ended AS MATERIALIZED (SELECT m.customer_id, max(m.until) AS until FROM membership m WHERE m.customer_id IN ("
            "  SELECT c.id FROM customer c WHERE NOT c.active AND c.id IN ("
            "   SELECT customer_id FROM membership WHERE source_record_id = ANY(%s))) GROUP BY m.customer_id)"
            " SELECT DISTINCT ON (m.customer_id) m.customer_id, m.source_record_id, m.until, c.created_at FROM ended e"
            " JOIN membership m ON m.customer_id = e.customer_id AND m.until = e.until JOIN customer c ON c.id = m.customer_id"
            " ORDER BY m.customer_id, m.source_record_id",
            (records,),
        )
        former = sorted(cursor.fetchall(), key=lambda row: (row[3], row[0]))  # the oldest first, then the smallest id
    chosen: list[UUID | None] = []
    for cluster in clusters:
        mine = [(retired_at, customer) for customer, oldest, retired_at, _ in former if oldest in set(cluster)]
        latest = max((retired_at for retired_at, _ in mine), default=None)
        chosen.append(next((customer for retired_at, customer in mine if retired_at == latest), None))
    return chosen


def _home(
    follower: MemberRow, target: Mapping[UUID, UUID], now: Mapping[UUID, UUID | None], kept: Collection[UUID]
) -> UUID:
    """Where a record goes that follows another: a steward's pins, what the hub made in a target."""
    if follower.follows is not None and follower.follows in target:
        return target[follower.follows]
    if follower.customer is not None and follower.customer in kept:
        return follower.customer
    return target[min(r for r, c in now.items() if c == follower.customer)]


def _successors(
    known: Mapping[UUID, _Known], target: Mapping[UUID, UUID], now: Mapping[UUID, UUID | None], kept: set[UUID]
) -> dict[UUID, UUID]:
    """Each customer that keeps no cluster, and where most of its members went (tie: the smallest id)."""
    gone: dict[UUID, Counter[UUID]] = defaultdict(Counter)
    for record, customer in now.items():
        if customer is not None and customer in known and customer not in kept:
            gone[customer][target[record]] += 1
    return {loser: min(went, key=lambda c: (-went[c], c)) for loser, went in gone.items()}


def _action(left: UUID | None, to: UUID, action: str, known: Mapping[UUID, _Known], losers: Mapping[UUID, UUID]) -> str:
    if left is None:
        return "created" if to not in known else action
    if left in losers:
        return "merged"
    return "unmerged" if to not in known else "detached"


def _changes(
    target: Mapping[UUID, UUID], by_id: Mapping[UUID, MemberRow], moves: Sequence[Move], touched: set[UUID],
    losers: Mapping[UUID, UUID], reactivated: set[UUID], known: Mapping[UUID, _Known],
) -> list[Change]:  # fmt: skip
    members: dict[UUID, list[MemberRow]] = defaultdict(list)
    for record, customer in target.items():
        members[customer].append(by_id[record])
    split = {m.left for m in moves if m.left is not None and m.left not in losers}
    affected = {m.customer for m in moves} | split | {target[r] for r in touched if r in target}
    merged: dict[UUID, list[str]] = defaultdict(list)
    for loser, successor in losers.items():
        merged[successor].append(str(loser))
    changes = []
    for customer in sorted(affected):
        change = Change(customer, members[customer])
        if customer in merged:
            change.event, change.body = "customer.merged", {"merged": sorted(merged[customer])}
        elif customer in split or customer in reactivated:
            change.event = "customer.unmerged"
        changes.append(change)
    changes += [
        Change(loser, (), event="customer.retired", successor=successor, reason="merged")
        for loser, successor in sorted(losers.items())
    ]
    return changes


def finish(rest: Sequence[UUID]) -> None:
    """Records that have reached the end of the pipeline without moving."""
    if rest:
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE source_record SET state = 'built', due_at = NULL, attempts = 0, last_error = ''"
                " WHERE id = ANY(%s) AND state <> 'built' AND customer_id IS NOT NULL",
                (list(rest),),
            )
