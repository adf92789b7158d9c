"""Where a customer's data have gone: for each target what it holds, what it was sent, what waits, and what differs now."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import quote
from uuid import UUID

from django.db import connection as database

from apps.common.ids import array
from apps.common.jsontext import json_value
from apps.connectors import planning
from apps.connectors.outbound import as_kept
from apps.connectors.planning import Far
from apps.connectors.queries_planned import Difference, differences, field_name, shown
from apps.connectors.targets import Target, targets
from apps.customers.golden import Standing, read_customers
from apps.customers.queries import resolve
from apps.policies.active import active


@dataclass(frozen=True, slots=True)
class Held:
    """A record of the customer in a target. `sent`: what it holds because the hub told it (flat name, name for people, value); `own`:
    whether it also says something by itself; `differs`: what it would be told now."""

    link: UUID
    record: UUID
    external_id: str
    url: str
    state: str
    disposition: str
    merged_into: str
    own: bool
    sent: Sequence[tuple[str, str, Any]]
    acknowledged_version: int | None
    acknowledged_at: datetime | None
    differs: Sequence[Difference]


@dataclass(frozen=True, slots=True)
class Pending:
    """A delivery that is planned, waits, is under way, or has failed."""

    id: UUID
    op: str
    state: str
    version: int
    attempts: int
    due_at: datetime
    trouble: str
    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Distribution:
    """One target and one customer. `creates`: what a record it lacks would be made of; `why_not`: why there is none, in a sentence."""

    connection: UUID
    name: str
    system: str
    mode: str
    error: str
    held: list[Held] = field(default_factory=list)
    pending: list[Pending] = field(default_factory=list)
    creates: Sequence[Difference] = ()
    why_not: str = ""


_LINKS = (
    "SELECT l.system_id, l.id, s.id, l.external_id, l.state, l.disposition, s.canonical::text, l.last_sent::text, l.merged_into,"
    " l.acknowledged_version, l.acknowledged_at, l.acknowledged_customer = s.customer_id, y.record_url"
    " FROM source_record s JOIN link l ON l.source_record_id = s.id JOIN system y ON y.id = l.system_id"
    " WHERE s.customer_id = %s AND l.system_id = ANY(%s::int[]) ORDER BY l.state, l.id"
)
_PENDING = (
    "SELECT connection_id, id, op, state, version, attempts, due_at, trouble, code, detail FROM delivery"
    " WHERE customer_id = %s AND state IN ('planned', 'waiting', 'sending', 'uncertain', 'failed') ORDER BY id"
)
_OLDEST = "SELECT id FROM source_record WHERE customer_id = %s AND follows_id IS NULL ORDER BY id LIMIT 1"


def distribution(customer: UUID) -> list[Distribution]:
    """Every target with what it has of a customer: seven statements at most. Retired ids resolve. Raises NotFound."""
    id_ = resolve(customer).customer.id
    known = sorted(targets().values(), key=lambda t: t.name)
    if not known:
        return []
    standing = read_customers([id_])[id_]
    ownership = active("ownership").rules
    with database.cursor() as cursor:
        cursor.execute(_LINKS, (id_, array(t.system for t in known)))
        links: dict[int, list[tuple[Any, ...]]] = {}
        for system, *link in cursor.fetchall():
            links.setdefault(system, []).append(tuple(link))
        cursor.execute(_PENDING, (id_,))
        pending: dict[UUID, list[Pending]] = {}
        for connection, *row in cursor.fetchall():
            pending.setdefault(connection, []).append(Pending(*row))
        cursor.execute(_OLDEST, (id_,))
        oldest = cursor.fetchone()
    found = []
    for target in known:
        one = Distribution(
            target.id, target.name, target.code, target.mode, target.error, pending=pending.get(target.id, [])
        )
        rows = links.get(target.system, [])
        wanted = {} if target.error or oldest is None else _wanted(target, standing, rows, oldest[0], ownership)
        one.held.extend(_held(row, wanted) for row in rows)
        found.append(_with_absence(one, target, standing, wanted, ownership))
    return found


Wanted = Mapping[UUID | None, Mapping[str, Any]]
"""By link (None: a create), the flat values it would be told now."""


def _wanted(
    target: Target, standing: Standing, rows: Sequence[tuple[Any, ...]], oldest: UUID, ownership: Any
) -> Wanted:
    fars = [
        Far(r[0], r[1], r[2], r[3], r[4], planning.flat(json_value(r[5])), json_value(r[6]))
        for r in rows
        if r[3] != "retired"
    ]
    believed = {f.link: f.believed for f in fars}
    image = planning.flat(standing.values)
    steps = planning.plan(image, fars, target.rule(ownership), oldest=oldest).steps
    wanted: dict[UUID | None, Mapping[str, Any]] = {}
    for step in steps:
        kept = as_kept(target, step.values, standing.values["kind"])
        before = believed.get(step.link, {}) if step.link else {}
        wanted[step.link] = {n: v for n, v in kept.items() if step.link is None or v != before.get(n)}
    return wanted


def _held(row: tuple[Any, ...], wanted: Wanted) -> Held:
    link, record, external_id, state, disposition, own, sent, into, version, at, mine, url = row
    says, told = planning.flat(json_value(own)), json_value(sent)
    return Held(
        link, record, external_id, url.replace("{id}", quote(external_id, safe="")) if url else "", state, disposition, into,
        bool(says.keys() - {"kind"}), [(n, field_name(n), shown(n, v)) for n, v in sorted(told.items())],
        version if mine else None, at if mine else None, differences({**says, **told}, wanted.get(link, {})),
    )  # fmt: skip


def _with_absence(
    one: Distribution, target: Target, standing: Standing, wanted: Wanted, ownership: Any
) -> Distribution:
    """Says why a target has no record of the customer, or what would be made there."""
    present = any(h.disposition in ("there", "deactivated") and h.state != "retired" for h in one.held)
    if present:
        return one
    creates = differences({}, wanted[None]) if None in wanted else ()
    return Distribution(
        one.connection, one.name, one.system, one.mode, one.error, one.held, one.pending, creates,
        _why_not(one, target, standing, ownership, creates=bool(creates)),
    )  # fmt: skip


def _why_not(one: Distribution, target: Target, standing: Standing, ownership: Any, *, creates: bool) -> str:
    if one.error:
        return f"The connection cannot be used: {one.error}"
    if not standing.active:
        return "The customer is retired."
    if not standing.released:
        return "It came with an initial load that is not released yet."
    if any(p.state == "failed" for p in one.pending):
        return "It could not be made there: see the exception."
    if creates and one.mode == "observe":
        return "The connection observes: it would be made there once it is live."
    if creates or one.pending:
        return "The connection is paused; it waits." if one.mode == "paused" else "It waits to be made there."
    if any(h.disposition == "gone" for h in one.held):
        return "It was deleted there, and the ownership policy does not make it again."
    kind = str(standing.values.get("kind", ""))
    if kind not in target.rule(ownership).creates:
        return f"The ownership policy makes no {kind} there."
    return "Nothing of it is told there."
