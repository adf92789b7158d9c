"""All customers derived again: when another policy is in force, once a night where trust decays, and on demand.

A run is a row, at most one of them is running, and a newer one takes its place. Customers are walked in the order of their ids; where a
batch differs at all it goes through `refresh`, and the position moves in the same transaction. So a run goes on where it stopped,
whoever drives it. What is derived is looked at without locks first: most customers come out as they stand, and they cost no more than
reading them. Customers that are made or changed meanwhile are derived by the policy in force anyway, for a run waits at its beginning
until every transaction has ended that may have read the policy before (`_may_walk`)."""

import logging
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone

from apps.common.act import Act
from apps.common.errors import Conflict, NotFound
from apps.customers import holds
from apps.customers.golden import (
    Change,
    MemberRow,
    Rules,
    Standing,
    customer_row,
    read_customers,
    read_members,
    rules,
)
from apps.customers.models import RebuildRun
from apps.customers.refresh import refresh
from apps.customers.store import CustomerRow
from apps.policies.active import Active, active, document_hash, parse
from apps.policies.models import Policy

BATCH: Final = 250
ATTEMPTS: Final = 3
NIGHT: Final = 2
"""The hour (of the hub's time zone) from which on a nightly run is due."""
PATIENCE: Final = timedelta(minutes=5)
"""So long a run waits for transactions that are older than it."""
_PAUSE: Final = 0.1
_FIRST: Final = UUID(int=0)
_log = logging.getLogger(__name__)
_WHY: Final = {
    "policy": "another policy is in force",
    "decay": "trust decays with time",
    "manual": "all customers are derived again",
}


# ── runs begin ──────────────────────────────────────────────────────────────────────────────────────────────────────
@transaction.atomic
def begin(*, reason: str, act: Act, supersedes: bool = True) -> RebuildRun:
    """A new run over all customers; one that is running is superseded, or else, without `supersedes`, in the way: raises Conflict."""
    run = RebuildRun(
        policy_hash=active("survivorship").hash, reason=reason, actor=act.actor, correlation_id=act.correlation_id
    )
    while True:
        if supersedes:
            RebuildRun.objects.filter(state="running").update(state="superseded", finished_at=timezone.now())
        RebuildRun.objects.bulk_create([run], ignore_conflicts=True)
        if RebuildRun.objects.filter(id=run.id).exists():
            return run
        if not supersedes:
            raise Conflict("All customers are being derived again already.")


def policy_activated(act: Act) -> None:
    """A policy that golden records are derived by has come into force, in the transaction of the caller."""
    begin(reason="policy", act=act)


def begin_nightly() -> RebuildRun | None:
    """Once a night, if time alone changes values; a run that began since the hour, for whatever reason, is as good."""
    if not active("survivorship").rules.timed:
        return None
    now = timezone.localtime()
    due = now.replace(hour=NIGHT, minute=0, second=0, microsecond=0)
    if now < due:
        due -= timedelta(days=1)
    if RebuildRun.objects.filter(started_at__gte=due).exclude(state="superseded").exists():
        return None
    try:
        return begin(reason="decay", act=Act("hub:rebuild", _WHY["decay"]), supersedes=False)
    except Conflict:
        return None


# ── runs go on ──────────────────────────────────────────────────────────────────────────────────────────────────────
def running() -> RebuildRun | None:
    return RebuildRun.objects.filter(state="running").first()


def ahead(run: RebuildRun) -> int:
    """How many customers it has still to look at."""
    if run.state != "running":
        return 0
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM customer WHERE active AND id > %s", (run.after_id or _FIRST,))
        return int(cursor.fetchone()[0])


def drain(*, seconds: float, patience: float | None = None) -> int:
    """Goes on with the run that is running until it is done, `seconds` at the most; returns how many customers were looked at.

    Any number may do so side by side: one of them works, the others wait for their turn, `patience` seconds at the most."""
    now = worked = time.monotonic()
    ends, seen = now + seconds, 0
    while now < ends:
        looked_at = step()
        now = time.monotonic()
        if looked_at:
            seen, worked = seen + looked_at, now
        elif (patience is not None and now - worked > patience) or running() is None:
            break
        else:
            time.sleep(_PAUSE)  # another process is at work on it, or an older transaction has to end first
    return seen


@transaction.atomic
def step() -> int:
    """The next batch of the run that is running, or its end; returns how many customers it held. 0: nothing is running any more, another
    process is at it, or it may not begin yet."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, reason, after_id, correlation_id, started_at, written * 2 > done FROM rebuild_run WHERE state = 'running'"
            " FOR NO KEY UPDATE SKIP LOCKED"
        )
        row = cursor.fetchone()
        if row is None:
            return 0
        run, reason, after, correlation_id, started_at, most_differ = row
        if started_at is None:
            cursor.execute("UPDATE rebuild_run SET started_at = clock_timestamp() WHERE id = %s", (run,))
            return 0
        if after is None and not _may_walk(cursor, started_at):
            return 0
        customers = _next(after or _FIRST)
        if not customers:
            cursor.execute(
                "UPDATE rebuild_run SET state = 'done', finished_at = clock_timestamp() WHERE id = %s", (run,)
            )
            return 0
        act = Act("hub:rebuild", _WHY[reason], correlation_id=correlation_id)
        told = _batch(customers, act, look_first=not most_differ)
        cursor.execute(
            "UPDATE rebuild_run SET after_id = %s, done = done + %s, written = written + %s, conflicts = conflicts + %s,"
            " failed = failed + %s, last_error = CASE WHEN %s = '' THEN last_error ELSE %s END WHERE id = %s",
            (customers[-1], len(customers), told.written, told.conflicts, told.failed, told.error, told.error, run),
        )
    return len(customers)


def _next(after: UUID) -> list[UUID]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM customer WHERE active AND id > %s ORDER BY id LIMIT %s", (after, BATCH))
        return [id_ for (id_,) in cursor.fetchall()]


def _may_walk(cursor: Any, started_at: Any) -> bool:
    """Whether nobody writes any more who may have read the policy before: what such a one commits after the walk has passed would stay
    as it is. Everybody who derives holds row locks before, and so has a transaction id; the server's own work derives nothing."""
    cursor.execute(
        "SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        " AND backend_type = 'client backend' AND backend_xid IS NOT NULL AND xact_start < %s) OR clock_timestamp() > %s",
        (started_at, started_at + PATIENCE),
    )
    return bool(cursor.fetchone()[0])


@dataclass(slots=True)
class _Told:
    written: int = 0
    conflicts: int = 0
    failed: int = 0
    error: str = ""


def _batch(customers: Sequence[UUID], act: Act, *, look_first: bool) -> _Told:
    """Writes those that differ. One whose records go on moving is left to those who move them: they derive it by the policy in force.

    `look_first`: only those are locked that differ at a first look; where most of them do, that look costs more than it saves."""
    told = _Told()
    suspects = _differing(customers, act) if look_first else customers
    if suspects and _hindrance(suspects, act, told) is not None:
        for customer in suspects:
            error = _hindrance([customer], act, told)
            if error is not None and not isinstance(error, Conflict):
                _log.error("Customer %s cannot be derived again", customer, exc_info=error)
                told.failed += 1
                told.error = f"{customer}: {error}".replace("\0", "")[:2000]
    return told


def _differing(customers: Sequence[UUID], act: Act) -> Sequence[UUID]:
    """Those that differ at a first look, without a lock."""
    try:
        with transaction.atomic():
            return [outlook.standing.id for outlook in outlooks(customers, rules(), act) if outlook.differs]
    except (
        Exception
    ) as error:  # a batch driver: one customer must not end the run; which it is, shows when each is built alone
        _log.warning("A batch of a rebuild is not looked at first: %s", error)
        return customers


def _hindrance(customers: Sequence[UUID], act: Act, told: _Told) -> Exception | None:
    """Derives customers again, all or none, and counts; returns what stood in the way: the last of several conflicts, or any error."""
    last: Conflict | None = None
    for _ in range(ATTEMPTS):
        try:
            told.written += len(refresh(customers, act=act))
            return None
        except Conflict as error:
            told.conflicts += 1
            last = error
        except (
            Exception
        ) as error:  # a batch driver: whatever it is, it is kept with the run, which goes on with the others
            return error
    return last


# ── what would become of them ───────────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True, slots=True)
class Outlook:
    """A customer as it stands and as it would be written; `held`: what would become of its holds."""

    standing: Standing
    row: CustomerRow
    differs: bool
    held: Sequence[holds.HoldChange]


def outlooks(customers: Sequence[UUID], rule: Rules, act: Act) -> Iterator[Outlook]:
    """By the code that rebuilds, without a lock, and nothing is written: four queries. Members are read before customers: whoever changes
    both in between makes a difference that is looked at again under locks."""
    now = timezone.now()
    members: dict[UUID, list[MemberRow]] = defaultdict(list)
    for member in read_members(customers=customers):
        if member.customer is not None:
            members[member.customer].append(member)
    standing = read_customers(customers)
    live, _ = holds.live_holds(customers)
    for id_ in customers:
        known = standing.get(id_)
        if known is None or not known.active or id_ not in members:
            continue
        held: list[holds.HoldChange] = []
        row, differs = customer_row(Change(id_, members[id_]), known, live.get(id_, {}), rule, now, held, act)
        yield Outlook(known, row, differs or bool(held), held)


@dataclass(slots=True)
class Preview:
    """What a run would do: customers looked at, those that would get a version, how many of them by attribute, changes that would wait
    for approval by attribute, and some of the customers, before and after. `silent`: only the reasons for the values differ."""

    policy_hash: str
    customers: int = 0
    changes: int = 0
    silent: int = 0
    attributes: Counter[str] = field(default_factory=Counter)
    held: Counter[str] = field(default_factory=Counter)
    examples: list[dict[str, Any]] = field(default_factory=list)


def preview(
    *, rule: Rules | None = None, examples: int = 10, on_batch: Callable[[int], None] = lambda seen: None
) -> Preview:
    """Every active customer derived by `rule` (None: the policies in force), and nothing written."""
    rule = rule or rules()
    told, after, act = Preview(rule.survivorship.hash), _FIRST, Act("hub:rebuild", _WHY["manual"])
    while customers := _next(after):
        after = customers[-1]
        for outlook in outlooks(customers, rule, act):
            told.customers += 1
            if outlook.differs:
                _count(outlook, told, examples)
        on_batch(told.customers)
    return told


def _count(outlook: Outlook, told: Preview, examples: int) -> None:
    names: Sequence[str] = outlook.row.body.get("attributes", ())
    told.changes += 1
    told.attributes.update(names)
    opening = {change.attribute: change for change in outlook.held if change.opens}
    told.held.update(opening.keys())
    if not names and not opening:
        told.silent += 1
    elif len(told.examples) < examples:
        before, after = outlook.standing.values, outlook.row.values
        told.examples.append({
            "customer": str(outlook.standing.id),
            "attributes": {n: {"before": before.get(n), "after": after.get(n)} for n in names},
            "held": {n: {"kept": change.kept, "proposed": change.proposed} for n, change in opening.items()},
        })  # fmt: skip


def rules_of(version: int) -> Rules:
    """The policies in force, but survivorship by that version of it, a draft or an old one. Raises NotFound."""
    found = Policy.objects.filter(kind="survivorship", version=version).first()
    if found is None:
        raise NotFound(f"There is no survivorship policy {version}.")
    body: Mapping[str, Any] = found.body
    return replace(rules(), survivorship=Active(parse("survivorship", body), document_hash(body), version))
