"""Deliveries as people and programs read them: lists by filter, one with its attempts, and what failed grouped by cause."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote
from uuid import UUID

from django.db import connection as database

from apps.common import cursors
from apps.common.errors import NotFound
from apps.common.jsontext import json_value
from apps.connectors import documents
from apps.connectors.contract import UNKNOWN_OUTCOME, Trouble
from apps.connectors.models import Delivery, DeliveryAttempt
from apps.connectors.queries_planned import Difference, believed, differences
from apps.connectors.redact import Redactor


@dataclass(frozen=True, slots=True)
class Advice:
    """What an error means, how it is mended, and who can: one sentence each."""

    cause: str
    fix: str
    who: str


ADVICE: Final[Mapping[str, Advice]] = {
    Trouble.PING_PONG: Advice(
        "Somebody there, or a rule there, puts the field back each time the hub has told it.",
        "Find out who changes it there and stop that, or let that system own the field in the ownership policy; then plan again.",
        "An integrator, with whoever runs the target.",
    ),
    Trouble.TRANSIENT: Advice(
        "The target was not there, or said that it was out of order, for more than a day.",
        "See that it answers again, then replay the group.",
        "Whoever runs the target.",
    ),
    Trouble.THROTTLED: Advice(
        "The target took too many calls in too short a time.",
        "Lower per_second in the connection's document; what waits is told by itself.",
        "An integrator.",
    ),
    Trouble.AUTH: Advice(
        "The target refuses the credentials.",
        "Enter new ones with the connect command, then resume the connection and replay the group.",
        "An integrator.",
    ),
    Trouble.CONFLICT: Advice(
        "The record was changed there again and again while it was being told.",
        "Find out what edits it there without end, then retry.",
        "A steward, with the people who work in the target.",
    ),
    Trouble.VALIDATION: Advice(
        "The target does not accept a value.",
        "Mend the value in the source it comes from and plan again, or edit what is told; if it is so for many, mend the mapping and replay.",
        "A steward.",
    ),
    Trouble.NOT_FOUND: Advice(
        "The record is not there any more.",
        "Nothing is told until it is back or the policy lets the hub make a new one; discard this.",
        "A steward.",
    ),
    Trouble.DUPLICATE: Advice(
        "The target has another record that it takes for the same.",
        "Let the hub read that record (poll, or load it) and match it, or merge the two there; then plan again.",
        "A steward.",
    ),
    Trouble.CONFIG: Advice(
        "An address, a permission or the mapping is wrong.",
        "Mend the connection's document, connect it anew, resume it and replay the group.",
        "An integrator.",
    ),
    Trouble.UNCERTAIN: Advice(
        "It was sent, but no answer that could be used came back, for more than a day.",
        "Retry: the hub asks the target first whether it was carried out.",
        "A steward.",
    ),
    Trouble.FATAL: Advice(
        "The target, or the hub, failed in a way that trying again does not mend.",
        "Read the last answer; what it says decides between edit, retry and discard.",
        "An integrator.",
    ),
}  # fmt: skip
_UNKNOWN_OUTCOME: Final = Advice(
    "It may have been made there, and this target cannot be asked by our key.",
    "Look for it in the target; retry it if it is not there, discard it if it is, and say what you found.",
    "A steward, with the people who work in the target.",
)


def advice(trouble: str, code: str = "") -> Advice:
    """What to do about a failed delivery."""
    if code == UNKNOWN_OUTCOME:
        return _UNKNOWN_OUTCOME
    return ADVICE.get(trouble, ADVICE[Trouble.FATAL])


@dataclass(frozen=True, slots=True)
class Filters:
    """What a list of deliveries is narrowed to; None for all."""

    connection: UUID | None = None
    state: str | None = None
    trouble: str | None = None
    code: str | None = None
    customer: UUID | None = None
    correlation_id: UUID | None = None
    op: str | None = None


@dataclass(frozen=True, slots=True)
class DeliveryRow:
    """One delivery in a list. `key`: the idempotency key its target is sent."""

    id: UUID
    connection: UUID
    connection_name: str
    system: str
    customer: UUID
    customer_name: str | None
    record: UUID
    external_id: str | None
    op: str
    cause: str
    version: int
    state: str
    lane: int
    revision: int
    attempts: int
    burned: int
    due_at: datetime
    first_sent_at: datetime | None
    created_at: datetime
    changed_at: datetime
    finished_at: datetime | None
    trouble: str
    code: str
    detail: str
    correlation_id: UUID
    actor: str
    reason: str

    @property
    def key(self) -> str:
        return f"{self.id}.{self.revision}"


@dataclass(frozen=True, slots=True)
class Page:
    """`next`: the cursor of the following page; None on the last one."""

    rows: list[DeliveryRow]
    next: str | None


_COLUMNS: Final = (
    "id", "connection_id", "connection__name", "connection__system__code", "customer_id", "customer__name", "record_id",
    "link__external_id", "op", "cause", "version", "state", "lane", "revision", "attempts", "burned", "due_at", "first_sent_at",
    "created_at", "changed_at", "finished_at", "trouble", "code", "detail", "correlation_id", "actor", "reason",
)  # fmt: skip
_BY: Final = {
    "connection": "connection_id", "state": "state", "trouble": "trouble", "code": "code", "customer": "customer_id",
    "correlation_id": "correlation_id", "op": "op",
}  # fmt: skip


def deliveries(filters: Filters | None = None, cursor: str | None = None, limit: int = 50) -> Page:
    """Deliveries, the newest first: one statement. Raises Rejected for a cursor this list did not give out."""
    wanted = filters or Filters()
    narrowed = {column: value for name, column in _BY.items() if (value := getattr(wanted, name)) is not None}
    rows = Delivery.objects.filter(**narrowed).order_by("-id")
    if cursor:
        rows = rows.filter(id__lt=cursors.decode_uuid(cursor))
    found = [DeliveryRow(*row) for row in rows.values_list(*_COLUMNS)[: limit + 1]]
    page = found[:limit]
    return Page(page, cursors.encode([str(page[-1].id)]) if len(found) > limit else None)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One call: what was sent and answered, redacted. `ms`: how long it took."""

    number: int
    started_at: datetime
    ms: int
    trouble: str
    status: int | None
    code: str
    detail: str
    request: str
    response: str


@dataclass(frozen=True, slots=True)
class DeliveryDetail:
    """One delivery with all that is known of it. `fields`: before and after; `native`: how it is told, sensitive values masked (the desk
    takes a mask given back as "unchanged"); `newer`: a later one of the same record, if there is one; `url` opens the record there."""

    row: DeliveryRow
    fields: list[Difference]
    native: Mapping[str, Any]
    losers: list[str]
    url: str
    newer: UUID | None
    advice: Advice | None
    attempts: list[Attempt] = field(default_factory=list)


_DETAIL = """
SELECT d."values"::text, d.native::text, d.losers::text, s.canonical::text, l.last_sent::text, y.record_url, c.settings::text,
  (SELECT n.id FROM delivery n WHERE n.customer_id = d.customer_id AND n.connection_id = d.connection_id AND n.record_id = d.record_id
    AND n.id > d.id AND n.state NOT IN ('superseded', 'discarded') ORDER BY n.id DESC LIMIT 1)
FROM delivery d JOIN connection c ON c.id = d.connection_id JOIN system y ON y.id = c.system_id
LEFT JOIN link l ON l.id = d.link_id LEFT JOIN source_record s ON s.id = l.source_record_id WHERE d.id = %s
"""


def delivery(id: UUID) -> DeliveryDetail:
    """One delivery with its attempts: three statements. Raises NotFound."""
    found = Delivery.objects.filter(id=id).values_list(*_COLUMNS).first()
    if found is None:
        raise NotFound(f"There is no delivery {id}.")
    row = DeliveryRow(*found)
    with database.cursor() as cursor:
        cursor.execute(_DETAIL, (id,))
        values, native, losers, own, sent, url, settings, newer = cursor.fetchone()
    redactor = Redactor(documents.sensitive_names(json_value(settings).get("document", {})))
    tries = DeliveryAttempt.objects.filter(delivery=id).order_by("number")
    names = ("number", "started_at", "ms", "trouble", "status", "code", "detail", "request", "response")
    return DeliveryDetail(
        row, differences(believed(own, sent), json_value(values)), redactor.value(json_value(native)), json_value(losers),
        url.replace("{id}", quote(row.external_id, safe="")) if url and row.external_id else "", newer,
        advice(row.trouble, row.code) if row.state == "failed" else None, [Attempt(*t) for t in tries.values_list(*names)],
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class FailureGroup:
    """What failed at one target for one cause. `detail`: what the target said of one of them."""

    connection: UUID
    connection_name: str
    system: str
    trouble: str
    code: str
    count: int
    oldest: datetime
    newest: datetime
    detail: str
    advice: Advice


_FAILURES = """
SELECT g.connection_id, c.name, y.code, g.trouble, g.code, g.n, g.oldest, g.newest,
  (SELECT d.detail FROM delivery d WHERE d.connection_id = g.connection_id AND d.trouble = g.trouble AND d.code = g.code
    AND d.state = 'failed' LIMIT 1)
FROM (SELECT connection_id, trouble, code, count(*) AS n, min(finished_at) AS oldest, max(finished_at) AS newest
  FROM delivery WHERE state = 'failed' GROUP BY 1, 2, 3) g
JOIN connection c ON c.id = g.connection_id JOIN system y ON y.id = c.system_id ORDER BY g.n DESC, c.name, g.trouble, g.code
"""


def failures() -> list[FailureGroup]:
    """Everything a person has to look at, the largest group first: one statement."""
    with database.cursor() as cursor:
        cursor.execute(_FAILURES)
        return [
            FailureGroup(id_, name, system, trouble, code, n, oldest, newest, detail, advice(trouble, code))
            for id_, name, system, trouble, code, n, oldest, newest, detail in cursor.fetchall()
        ]
