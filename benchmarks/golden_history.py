"""What the past costs: readings as of a random moment, and how much history every change adds. Called by benchmarks/golden.py."""

import random
import statistics
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from benchmarks.hub import scratch_hub

ROUNDS = 4
"""How often every customer's record changes after it was taken in."""
_TABLES = ("historical_customer", "source_record_version", "event", "membership", "redirect")


def as_of(wanted: int, readings: int, take_in: Callable[[int], None]) -> dict[str, dict[str, Any]]:
    """p50 and p95 in milliseconds of each reading of `readings` random customers at random moments, today's beside it; what a change adds
    to the tables of history in bytes; the size of the database."""
    with scratch_hub():
        from benchmarks.load import broken

        take_in(wanted)
        before = _sizes()
        changes = _change_all()
        after = _sizes()
        _execute("VACUUM ANALYZE")
        report = {**_times(readings), **_growth(before, after, changes)}
        report["broken_invariants"] = {"found": broken()}
    return report


_ONE_EACH = """
SELECT DISTINCT ON (s.customer_id) y.code, s.external_id FROM source_record s JOIN system y ON y.id = s.system_id
WHERE s.customer_id IS NOT NULL AND s.follows_id IS NULL AND NOT s.deleted
ORDER BY s.customer_id, y.code <> 'crm', s.id
"""
"""Of every customer the record whose website is trusted most."""


def _change_all() -> int:
    """One source record of every customer says another website, again and again, by the way records take; returns how many versions of customers that made."""
    from apps.common.act import Act
    from apps.common.jsontext import json_text
    from apps.connectors import inbound
    from apps.customers.models import System
    from apps.matching.sweep import drain

    made = _one("SELECT count(*) FROM historical_customer")
    systems = {s.code: s for s in System.objects.all()}
    records: dict[str, list[str]] = {}
    for code, external_id in _rows(_ONE_EACH):
        records.setdefault(code, []).append(external_id)
    for number in range(ROUNDS):
        for code, ids in records.items():
            for at in range(0, len(ids), inbound.BATCH):
                items = [{"record_id": i, "website": f"w{number}.example.org"} for i in ids[at : at + inbound.BATCH]]
                inbound.take_in(
                    door=inbound.Door(systems[code]),
                    items=[inbound.Item(i, json_text(i), patch=True) for i in items],
                    act=Act("benchmark", f"round {number}"),
                )
    drain(most=10_000_000)
    return int(_one("SELECT count(*) FROM historical_customer") - made)


def _times(readings: int) -> dict[str, dict[str, Any]]:
    from apps.customers import queries, queries_ages, queries_past, queries_sources

    chosen = random.Random(5)
    ids = [row[0] for row in _rows("SELECT id FROM customer")]
    first, last = _rows("SELECT min(history_date), max(history_date) FROM historical_customer")[0]
    born = dict(_rows("SELECT id, min(history_date) FROM historical_customer GROUP BY id"))
    keys = _rows(
        "SELECT y.code, s.external_id FROM source_record s JOIN system y ON y.id = s.system_id AND y.kind <> 'steward'"
    )
    sample = chosen.choices(ids, k=readings)
    moments = [_between(chosen, born[id_], last) for id_ in sample]
    records = chosen.choices(keys, k=readings)
    known = dict(_rows("SELECT y.code || ':' || s.external_id, coalesce(min(v.received_at), s.received_at) FROM source_record s JOIN system y"
                       " ON y.id = s.system_id LEFT JOIN source_record_version v ON v.source_record_id = s.id GROUP BY y.code, s.id"))  # fmt: skip
    record_moments = [_between(chosen, known[f"{code}:{id_}"], last) for code, id_ in records]
    pairs = list(zip(sample, moments, strict=True))
    return {
        "versions": {"customers": len(ids), "versions": _one("SELECT count(*) FROM historical_customer"), "over_s": round((last - first).total_seconds())},
        "customer, today": _spent([lambda i=i: queries.customer_detail(i) for i in sample]),
        "customer, as of": _spent([lambda i=i, t=t: queries_past.as_of(i, t) for i, t in pairs]),
        "lineage, as of": _spent([lambda i=i, t=t: queries_ages.lineage_with_ages_then(queries_past.stood(i, t)) for i, t in pairs]),
        "members, as of": _spent([lambda i=i, t=t: queries_past.membership_then(queries_past.stood(i, t)) for i, t in pairs]),
        "record, as of": _spent([lambda k=k, t=t: queries_sources.source_record(*k, t) for k, t in zip(records, record_moments, strict=True)]),
    }  # fmt: skip


def _between(chosen: random.Random, first: datetime, last: datetime) -> datetime:
    return first + timedelta(seconds=chosen.random() * (last - first).total_seconds())


def _spent(readings: Sequence[Callable[[], object]]) -> dict[str, float]:
    """Milliseconds of each, the first ten for warming up."""
    spent = []
    for read in readings:
        begun = time.perf_counter()
        read()
        spent.append((time.perf_counter() - begun) * 1000)
    cut = statistics.quantiles(spent[10:], n=100)
    return {"p50_ms": round(cut[49], 2), "p95_ms": round(cut[94], 2), "max_ms": round(max(spent[10:]), 2)}


def _sizes() -> dict[str, int]:
    """Bytes of each table of history with its indexes, and of the database."""
    found = {name: int(_one(f"SELECT pg_total_relation_size('{name}')")) for name in _TABLES}
    return {**found, "database": int(_one("SELECT pg_database_size(current_database())"))}


def _growth(before: dict[str, int], after: dict[str, int], changes: int) -> dict[str, dict[str, Any]]:
    customers = int(_one("SELECT count(*) FROM customer WHERE active"))
    each = {name: round((after[name] - before[name]) / changes) for name in _TABLES if after[name] > before[name]}
    return {
        "bytes a change": {"changes": changes, **each, "together": sum(each.values())},
        "bytes a customer": {
            "database": round(after["database"] / customers), "before_changes": round(before["database"] / customers),
            "versions_each": round(_one("SELECT count(*) FROM historical_customer") / customers, 1),
        },
    }  # fmt: skip


def _rows(sql: str, *params: Any) -> list[tuple[Any, ...]]:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        found: list[tuple[Any, ...]] = cursor.fetchall()
    return found


def _one(sql: str) -> Any:
    return _rows(sql)[0][0]


def _execute(sql: str) -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(sql)
