"""The numbers of the first page: each a small query, each with a list behind it."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection

from apps.connectors.models import Connection, Run
from apps.customers.models import Quarantine, System
from apps.events import queries as feed
from apps.events.models import Event
from apps.matching.models import Doubt

KEPT_FROM = 20_000
KEPT_SECONDS = 30.0


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
    """Counts that read whole tables. `systems`: records, deleted ones and the last arrival by system; `at`: when counted."""

    customers: int
    joined: int
    systems: Mapping[int, tuple[int, int, datetime | None]]
    at: float


def _totals() -> _Totals:
    """Counted anew for a hub of up to KEPT_FROM customers; a larger one's counts may be KEPT_SECONDS old."""
    global _last_totals  # noqa: PLW0603 - one memory per process
    kept = _last_totals
    if kept is not None and kept.customers >= KEPT_FROM and time.monotonic() - kept.at < KEPT_SECONDS:
        return kept
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*), count(*) FILTER (WHERE member_count > 1) FROM customer WHERE active")
        customers, joined = cursor.fetchone()
        cursor.execute(
            "SELECT system_id, count(*), count(*) FILTER (WHERE deleted), max(received_at)"
            " FROM source_record GROUP BY system_id"
        )
        systems = {row[0]: (row[1], row[2], row[3]) for row in cursor.fetchall()}
    _last_totals = _Totals(customers, joined, systems, time.monotonic())
    return _last_totals


_last_totals: _Totals | None = None


def overview() -> Overview:
    """Eight queries at most, whatever the hub holds."""
    totals = _totals()
    return Overview(
        customers=totals.customers,
        joined=totals.joined,
        systems=system_numbers(totals),
        doubts=Doubt.objects.filter(state="open").count(),
        quarantined=Quarantine.objects.filter(state="open").count(),
        runs=list(Run.objects.select_related("system").order_by("-created_at")[:5]),
        feed_position=feed.head(),
        feed_waiting=Event.objects.filter(position=None).count(),
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
        for n, gone, last in [counted.get(s.id, (0, 0, None))]
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
