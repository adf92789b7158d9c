"""What a target would be told: record by record, field by field, before and after."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db import connection as database

from apps.common.jsontext import json_value
from apps.connectors import planning
from apps.connectors.redact import SENSITIVE_NAMES, mask

_NAMES: Final = {
    "organization_name": "Organisation name", "birth_date": "Date of birth", "email": "E-mail", "tax_id": "Tax ID",
    "national_id": "National ID", "lei": "LEI", "iban": "IBAN", "duns": "D-U-N-S", "address_line1": "Address line 1", "address_line2": "Address line 2",
}  # fmt: skip


def field_name(name: str) -> str:
    """A flat name for people: `address_line1` -> "Address line 1", `extra.loyalty_tier` -> "Loyalty tier"."""
    bare = name.removeprefix("extra.")
    return _NAMES.get(bare) or bare.replace("_", " ").capitalize()


@dataclass(frozen=True, slots=True)
class Difference:
    """One field. `before`: what the target holds now as far as the hub knows, `after`: what it shall hold; None for nothing. Sensitive
    values are masked."""

    field: str
    name: str
    before: Any
    after: Any


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Difference]:
    """Every field of `after`, in the order of its names."""
    return [Difference(n, field_name(n), shown(n, before.get(n)), shown(n, after[n])) for n in sorted(after)]


def shown(name: str, value: Any) -> Any:
    """A value as people see it: a sensitive one masked."""
    return mask(value) if name in SENSITIVE_NAMES and value not in (None, "") else value


@dataclass(frozen=True, slots=True)
class PlannedRow:
    """One delivery that waits, or is only planned. `external_id`: of the record there, None for a create."""

    delivery: UUID
    record: UUID
    customer: UUID
    customer_name: str | None
    op: str
    state: str
    version: int
    external_id: str | None
    losers: tuple[str, ...]
    created_at: datetime
    fields: tuple[Difference, ...]


@dataclass(frozen=True, slots=True)
class PlannedPage:
    """`next`: what to give as `after` for the following page; None on the last one."""

    rows: tuple[PlannedRow, ...]
    next: UUID | None


# The page is found in the index of what waits first; only its rows are read whole.
_PLANNED = """
WITH page AS MATERIALIZED (SELECT p.connection_id, p.record_id FROM delivery p WHERE p.connection_id = %s
  AND p.state IN ('planned', 'waiting') AND p.record_id > %s AND p.op = ANY(%s) ORDER BY p.record_id LIMIT %s)
SELECT d.id, d.record_id, d.customer_id, c.name, d.op, d.state, d.version, l.external_id, d.losers::text, d.created_at,
  s.canonical::text, l.last_sent::text, d."values"::text
FROM page JOIN delivery d ON d.connection_id = page.connection_id AND d.record_id = page.record_id AND d.state IN ('planned', 'waiting')
JOIN customer c ON c.id = d.customer_id LEFT JOIN link l ON l.id = d.link_id LEFT JOIN source_record s ON s.id = l.source_record_id
ORDER BY d.record_id
"""
_FIRST: Final = UUID(int=0)
OPS: Final = ("create", "update", "deactivate", "reactivate", "merge")


def planned(connection: UUID, op: str | None = None, after: UUID | None = None, limit: int = 20) -> PlannedPage:
    """What waits for a target, or would be told if it were live, in the order of records: one statement. `op`: only of this kind."""
    with database.cursor() as cursor:
        cursor.execute(_PLANNED, (connection, after or _FIRST, [op] if op else list(OPS), limit + 1))
        rows = cursor.fetchall()
    found = tuple(_row(row) for row in rows[:limit])
    return PlannedPage(found, found[-1].record if len(rows) > limit else None)


def _row(row: tuple[Any, ...]) -> PlannedRow:
    id_, record, customer, name, op, state, version, external_id, losers, at, own, sent, values = row
    told = tuple(differences(believed(own, sent), json_value(values)))
    return PlannedRow(id_, record, customer, name, op, state, version, external_id, tuple(json_value(losers)), at, told)


def believed(own: str | None, sent: str | None) -> dict[str, Any]:
    """Flat values a record of a target holds, from the JSON texts of what it says by itself and of what it was sent."""
    return {**(planning.flat(json_value(own)) if own else {}), **(json_value(sent) if sent else {})}
