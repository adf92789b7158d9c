"""The numbers of the first page: each a small query, each with a list behind it."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection
from django.utils import timezone

from apps.connectors.models import Connection, Run
from apps.customers.models import System
from apps.stewardship.trends import DAYS, first_id

KEPT_FROM = 10_000
KEPT_SECONDS = 30.0

WAITING = """
SELECT k.customer_id FROM steward_case k WHERE k.state <> 'closed'
UNION SELECT r.customer_id FROM doubt d JOIN source_record r ON r.id = d.record_a_id WHERE d.state = 'open'
UNION SELECT r.customer_id FROM doubt d JOIN source_record r ON r.id = d.record_b_id WHERE d.state = 'open'
UNION SELECT h.customer_id FROM hold h WHERE h.state = 'open'
"""
"""Ids of the customers that a person has to do something about: of a case, of either side of a doubt, of a hold."""


@dataclass(frozen=True, slots=True)
class SystemNumbers:
    """One system with what it has sent. `last`: when its newest record arrived."""

    system: System
    records: int
    deleted: int
    last: datetime | None
    quarantined: int = 0
    connections: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Quality:
    """Of `customers` golden records: how many nobody can reach, how many hold a value known to be wrong; the systems that sent anything
    of late."""

    customers: int
    unreachable: int
    flawed: int
    set_aside: list["SetAside"]

    @property
    def unreachable_share(self) -> float:
        return self.unreachable / self.customers if self.customers else 0.0

    @property
    def flawed_share(self) -> float:
        return self.flawed / self.customers if self.customers else 0.0


@dataclass(frozen=True, slots=True)
class SetAside:
    """Of the records that came from a system within DAYS, those that were set aside."""

    system: System
    records: int
    received: int

    @property
    def share(self) -> float:
        return self.records / self.received


@dataclass(frozen=True, slots=True)
class Matches:
    """Of the last DAYS: records brought to others by the machine and by people, and pairs that people keep apart; pairs that wait now."""

    automatic: int
    people: int
    apart: int
    waiting: int

    @property
    def joined(self) -> int:
        return self.automatic + self.people


@dataclass(frozen=True, slots=True)
class Overview:
    """What the hub holds now. `joined`: customers known by more than one record."""

    customers: int
    joined: int
    systems: list[SystemNumbers]
    doubts: int
    quarantined: int
    runs: list[Run]
    feed_position: int
    feed_waiting: int
    matches: Matches
    quality: Quality

    @property
    def records(self) -> int:
        return sum(s.records for s in self.systems)

    @property
    def per_customer(self) -> float:
        return self.records / self.customers if self.customers else 0.0

    @property
    def joined_percent(self) -> int:
        return round(100 * self.joined / self.customers) if self.customers else 0

    @property
    def is_empty(self) -> bool:
        return not self.records and not self.quarantined and not self.runs


@dataclass(frozen=True, slots=True)
class _Totals:
    """Counts that read whole tables. `systems`: records, deleted ones, the last arrival, and those received and set aside within DAYS,
    by system; `at`: when counted."""

    customers: int
    joined: int
    unreachable: int
    flawed: int
    systems: Mapping[int, tuple[int, int, datetime | None, int, int]]
    matched: tuple[int, int, int]
    at: float


# Of customers the index customer_traits is read alone.
_CUSTOMERS = """
SELECT count(*), count(*) FILTER (WHERE member_count > 1), count(*) FILTER (WHERE NOT reachable), count(*) FILTER (WHERE flawed)
FROM customer WHERE active
"""
_SYSTEMS = """
SELECT y.id, coalesce(r.n, 0), coalesce(r.gone, 0), r.last, coalesce(r.late, 0), coalesce(q.n, 0) FROM system y
LEFT JOIN (SELECT system_id, count(*) AS n, count(*) FILTER (WHERE deleted) AS gone, max(received_at) AS last,
    count(*) FILTER (WHERE received_at >= %(since)s) AS late FROM source_record GROUP BY 1) r ON r.system_id = y.id
LEFT JOIN (SELECT system_id, count(*) AS n FROM quarantine WHERE id >= %(floor)s AND received_at >= %(since)s GROUP BY 1) q ON q.system_id = y.id
"""
# What moved through the matching names the model; what follows another record (pins, records made in targets) does not. A person's
# act is known by the verdicts given in it, whoever else's record was on its way.
_MATCHES = """
WITH said AS (SELECT DISTINCT correlation_id FROM judgement WHERE origin = 'person' AND verdict = 'match' AND decided_at >= %(since)s)
SELECT count(*) FILTER (WHERE p.correlation_id IS NULL), count(p.correlation_id),
  (SELECT count(*) FROM judgement WHERE origin = 'person' AND verdict = 'no_match' AND superseded_at IS NULL AND decided_at >= %(since)s)
FROM membership m LEFT JOIN said p ON p.correlation_id = m.correlation_id
WHERE m.id >= %(floor)s AND m.since >= %(since)s AND m.action IN ('attached', 'merged', 'judged') AND m.model_version IS NOT NULL
"""


def _totals() -> _Totals:
    """Counted anew for a hub of up to KEPT_FROM customers; a larger one's counts may be KEPT_SECONDS old. Three queries."""
    global _last_totals  # noqa: PLW0603 - one memory per process
    kept = _last_totals
    if kept is not None and kept.customers >= KEPT_FROM and time.monotonic() - kept.at < KEPT_SECONDS:
        return kept
    since = timezone.now() - timedelta(days=DAYS)
    late: dict[str, Any] = {"since": since, "floor": first_id(since)}
    with connection.cursor() as cursor:
        cursor.execute(_CUSTOMERS)
        customers, joined, unreachable, flawed = cursor.fetchone()
        cursor.execute(_SYSTEMS, late)
        systems = {row[0]: row[1:] for row in cursor.fetchall()}
        cursor.execute(_MATCHES, late)
        matched = cursor.fetchone()
    _last_totals = _Totals(customers, joined, unreachable, flawed, systems, matched, time.monotonic())
    return _last_totals


_last_totals: _Totals | None = None


_NOW = """
SELECT (SELECT count(*) FROM doubt WHERE state = 'open'), (SELECT count(*) FROM quarantine WHERE state = 'open'),
  (SELECT count(*) FROM event WHERE position IS NULL), (SELECT position FROM feed_head WHERE id = 1)
"""


def overview() -> Overview:
    """Six queries at most, whatever the hub holds."""
    totals = _totals()
    systems = system_numbers(totals)
    with connection.cursor() as cursor:
        cursor.execute(_NOW)
        doubts, quarantined, feed_waiting, feed_position = cursor.fetchone()
    aside = [
        SetAside(s.system, gone, gone + kept)
        for s in systems
        for kept, gone in [totals.systems[s.system.id][3:] if s.system.id in totals.systems else (0, 0)]
        if gone + kept
    ]
    return Overview(
        customers=totals.customers,
        joined=totals.joined,
        systems=systems,
        doubts=doubts,
        quarantined=quarantined,
        runs=list(Run.objects.select_related("system").order_by("-created_at")[:5]),
        feed_position=feed_position or 0,
        feed_waiting=feed_waiting,
        matches=Matches(*totals.matched, waiting=doubts),
        quality=Quality(totals.customers, totals.unreachable, totals.flawed, aside),
    )


def system_numbers(totals: _Totals | None = None, *, whole: bool = False) -> list[SystemNumbers]:
    """Every system but the stewards' own, by name; `whole`: with quarantine counts and connections."""
    counted = (totals or _totals()).systems
    waiting: dict[int, int] = {}
    if whole:
        with connection.cursor() as cursor:
            cursor.execute("SELECT system_id, count(*) FROM quarantine WHERE state = 'open' GROUP BY system_id")
            waiting = dict(cursor.fetchall())
    ways: dict[int, list[tuple[str, str]]] = {}
    if whole:
        for system, name, mode in Connection.objects.order_by("name").values_list("system_id", "name", "mode"):
            ways.setdefault(system, []).append((name, mode))
    return [
        SystemNumbers(s, n, gone, last, waiting.get(s.id, 0), tuple(ways.get(s.id, ())))
        for s in System.objects.exclude(kind="steward").order_by("name")
        for n, gone, last in [counted.get(s.id, (0, 0, None, 0, 0))[:3]]
    ]


def system_looks() -> dict[str, tuple[str, str]]:
    """Code -> (name, kind) of every system, for badges."""
    return {code: (name, kind) for code, name, kind in System.objects.values_list("code", "name", "kind")}


_DOUBTS = (
    "SELECT d.id, d.reason, d.sentence, d.weight, d.opened_at, a.id, ya.code, a.external_id, a.customer_id, ca.name,"
    " b.id, yb.code, b.external_id, b.customer_id, cb.name FROM doubt d"
    " JOIN source_record a ON a.id = d.record_a_id JOIN system ya ON ya.id = a.system_id"
    " LEFT JOIN customer ca ON ca.id = a.customer_id"
    " JOIN source_record b ON b.id = d.record_b_id JOIN system yb ON yb.id = b.system_id"
    " LEFT JOIN customer cb ON cb.id = b.customer_id"
    " WHERE d.state = 'open'{narrow} ORDER BY d.id DESC LIMIT %s"
)


@dataclass(frozen=True, slots=True)
class DoubtRow:
    """An open doubt as a list shows it: both records with their systems and customers."""

    id: UUID
    reason: str
    sentence: str
    weight: float | None
    opened_at: datetime
    sides: tuple["Side", "Side"]


@dataclass(frozen=True, slots=True)
class Side:
    record: UUID
    system: str
    external_id: str
    customer: UUID | None
    name: str | None


def open_doubts(*, after: UUID | None = None, limit: int = 50, records: list[UUID] | None = None) -> list[DoubtRow]:
    """Open doubts, newest first: one query. `records`: only those that touch one of these records."""
    narrow, params = "", list[Any]()
    if records is not None:
        narrow = " AND (d.record_a_id = ANY(%s) OR d.record_b_id = ANY(%s))"
        params += [records, records]
    if after is not None:
        narrow += " AND d.id < %s"
        params.append(after)
    with connection.cursor() as cursor:
        cursor.execute(_DOUBTS.format(narrow=narrow), (*params, limit))
        return [
            DoubtRow(row[0], row[1], row[2], row[3], row[4], (Side(*row[5:10]), Side(*row[10:15])))
            for row in cursor.fetchall()
        ]
