"""Golden records in bulk: what a text and facets leave, row by row off a cursor that stays in the database."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from apps.customers.queries_narrow import Condition, Narrow, condition
from apps.customers.queries_search import ORDERS, find, holding, tidy
from apps.customers.survivorship import PARTS, SCALARS

AT_ONCE = 500
"""Rows that are fetched from the cursor at a time."""
_JSON = (*PARTS, "extra")


@dataclass(frozen=True, slots=True)
class Exported:
    """One golden record. `values`: effective values as readers get them; `systems`: (code, external id) of its records."""

    id: UUID
    version: int
    updated_at: datetime
    values: dict[str, Any]
    systems: Sequence[tuple[str, str]]


def _wanted(text: str, narrow: Narrow) -> Condition:
    """All that the view shows: of a text that finds more than a list ranks, every customer that holds its words."""
    left = condition(narrow)
    text = tidy(text)
    if not text:
        return left
    among = find(text, Narrow(waiting=narrow.waiting))
    ids = [f.id for f in among.items]
    if not among.more:
        return Condition(f"{left.sql} AND c.id = ANY(%s)", (*left.params, ids))
    held = holding(text)
    words = f"EXISTS (SELECT 1 FROM customer_search d WHERE d.customer_id = c.id AND {held.sql})"  # noqa: S608 - our own text
    return Condition(f"{left.sql} AND (c.id = ANY(%s) OR {words})", (*left.params, ids, *held.params))


@transaction.atomic
def extra_names(text: str, narrow: Narrow) -> list[str]:
    """The declared attributes that any of the customers has, by name."""
    wanted = _wanted(text, narrow)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT DISTINCT k FROM customer c, jsonb_object_keys(c.extra) k WHERE {wanted.sql} ORDER BY k",  # noqa: S608 - our own text
            wanted.params,
        )
        return [row[0] for row in cursor.fetchall()]


def exported(text: str, narrow: Narrow, *, sort: str) -> Iterator[Exported]:
    """Every customer that is left, by name or the last changed first; AT_ONCE of them are in memory.

    The cursor lives as long as the transaction of whoever goes through them: it sees one state of the hub from the first row on."""
    wanted = _wanted(text, narrow)
    order, _ = ORDERS[sort if sort in ORDERS else "changed"]
    columns = ", ".join([*(f"c.{n}" for n in ("kind", *SCALARS)), *(f"c.{n}::text" for n in _JSON)])
    with transaction.atomic(), connection.chunked_cursor() as cursor:
        cursor.execute(
            f"SELECT c.id, c.version, c.updated_at, array(SELECT y.code || ':' || s.external_id FROM source_record s"  # noqa: S608 - our own text
            " JOIN system y ON y.id = s.system_id WHERE s.customer_id = c.id AND y.kind <> 'steward' ORDER BY 1),"
            f" {columns} FROM customer c WHERE {wanted.sql} ORDER BY {order}",
            wanted.params,
        )
        while rows := cursor.fetchmany(AT_ONCE):
            for row in rows:
                yield _exported(row)


def _exported(row: Sequence[Any]) -> Exported:
    id_, version, updated, known, *told = row
    names = ("kind", *SCALARS)
    values = {n: _text(v) for n, v in zip(names, told, strict=False) if v is not None}
    values |= {n: json.loads(v) for n, v in zip(_JSON, told[len(names) :], strict=True)}
    systems = [(code, external) for one in known for code, _, external in [one.partition(":")]]
    return Exported(id_, version, updated, values, systems)


def _text(value: Any) -> str:
    """Dates and amounts as text ("1980-02-29", "1200.00"), as readers get them."""
    return value if isinstance(value, str) else value.isoformat() if hasattr(value, "isoformat") else str(value)
