"""Plan: what each target has to be told of customers, worked out from what it holds; the newest replaces what still waits.

Planning again changes nothing: a delivery that says the same already stands as it is. Nothing is sent here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from apps.common.act import Act
from apps.common.ids import array, uuid7
from apps.common.jsontext import json_text, json_value
from apps.common.plans import find_by_index
from apps.connectors import planning
from apps.connectors.contract import Trouble
from apps.connectors.planning import Far, Plan, Step
from apps.connectors.targets import Target, targets, usable
from apps.customers.golden import Standing, read_customers
from apps.policies.active import active

BATCH = 250
MOST_REASSERTS = 5
"""So often within an hour a value the far side keeps changing is told again; then a person has to look: two systems, or a system and
the hub, correct each other."""
REASSERT = "reassert"
INTERACTIVE, BULK = 0, 1


@dataclass(frozen=True, slots=True)
class Change:
    """A customer to be planned: since when it is what it is, why it is planned, and in which lane its deliveries go."""

    customer: UUID
    changed_at: datetime
    correlation_id: UUID
    cause: str = "change"
    lane: int = INTERACTIVE


@dataclass(slots=True)
class _Known:
    """What the database says of a batch of customers. `open`: by (connection, record), the delivery that waits or has failed;
    `under_way`: what is being told."""

    customers: dict[UUID, Standing]
    oldest: dict[UUID, UUID]
    fars: dict[tuple[UUID, int], list[Far]] = field(default_factory=dict)
    open: dict[tuple[UUID, UUID], "_Open"] = field(default_factory=dict)
    under_way: dict[tuple[UUID, UUID], "_Open"] = field(default_factory=dict)
    records: dict[UUID, set[UUID]] = field(default_factory=dict)
    reasserted: dict[tuple[UUID, UUID], int] = field(default_factory=dict)

    def with_under_way(self, far: Far, target: UUID) -> Far:
        """The record as it will be once what is being told has arrived: a value that goes back while another is on its way to the
        target has to be told again."""
        going = self.under_way.get((target, far.record))
        return replace(far, sent={**far.sent, **going.values}) if going is not None else far


@dataclass(frozen=True, slots=True)
class _Open:
    id: UUID
    customer: UUID
    op: str
    state: str
    values: Mapping[str, Any]
    losers: Sequence[str]
    version: int


@dataclass(slots=True)
class Planned:
    """What planning came to, by connection: `told` new deliveries, `kept` ones that said the same already, `dropped` ones that had
    nothing left to say."""

    told: int = 0
    kept: int = 0
    dropped: int = 0


@transaction.atomic
def plan(changes: Sequence[Change], *, act: Act) -> Planned:
    """Brings the deliveries of up to BATCH customers to what their targets lack. Retired and unreleased customers are told nobody."""
    done = Planned()
    found = usable(targets().values())
    if not found or not changes:
        return done
    find_by_index()
    by_customer = {c.customer: c for c in changes}
    known = _read(list(by_customer), found)
    known.reasserted = _reasserted([c.customer for c in changes if c.cause == REASSERT])
    ownership = active("ownership").rules
    rules = {t.id: t.rule(ownership) for t in found}
    rows: list[tuple[Any, ...]] = []
    stale: list[tuple[UUID, str]] = []
    relabel: list[tuple[UUID, str]] = []
    for id_, standing in known.customers.items():
        if not standing.active or not standing.released or id_ not in known.oldest:
            continue
        image = planning.flat(standing.values)
        for target in found:
            fars = [known.with_under_way(f, target.id) for f in known.fars.get((id_, target.system), [])]
            wanted = planning.plan(image, fars, rules[target.id], oldest=known.oldest[id_])
            relabel += wanted.relabel
            wanted = Plan(tuple(_representable(s, target, image, fars) for s in wanted.steps), wanted.relabel)
            _settle(wanted, target, standing, known=known, change=by_customer[id_], rows=rows, stale=stale, done=done)
    if relabel:
        _relabel(relabel)
    _supersede(stale)
    _insert(rows)
    return done


def _representable(step: Step, target: Target, image: Mapping[str, Any], fars: Sequence[Far]) -> Step:
    """The step with values as the target will give them back: what it cuts or writes otherwise is no difference for ever."""
    if not step.values:
        return step
    kept = as_kept(target, step.values, image["kind"])
    if step.op == "create":
        return replace(step, values=kept)
    far = next(f for f in fars if f.link == step.link)
    believed = far.believed
    if all(kept.get(n) == believed.get(n) for n in step.values):
        return replace(step, values={})
    return replace(step, values={n: kept.get(n) for n in step.values})


def as_kept(target: Target, values: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """Flat values after a way out and in again through the target's mapping and the parser."""
    held = target.read(target.mapping.render(dict(values)), kind)
    return {n: held.get(n) for n in values}


def _settle(
    wanted: Plan, target: Target, standing: Standing, *, known: _Known, change: Change, rows: list[tuple[Any, ...]],
    stale: list[tuple[UUID, str]], done: Planned,
) -> None:  # fmt: skip
    """Holds the wanted steps against what is there: what says the same stays, the rest is replaced."""
    told = {s.record: s for s in wanted.steps if s.values or s.op not in ("update", "create")}
    mine = known.records.get(standing.id, set())
    if any((d := known.under_way.get((target.id, r))) is not None and d.op == "create" for r in mine):
        told = {
            r: s for r, s in told.items() if s.op != "create"
        }  # one is being made; what it comes to is planned again
    for record in mine:
        waiting, going = known.open.get((target.id, record)), known.under_way.get((target.id, record))
        step = told.get(record)
        if step is not None and going is not None and _same(step, going):
            step = None
        if step is not None and waiting is not None and _same(step, waiting) and waiting.customer == standing.id:
            done.kept += 1
            continue
        if waiting is not None:
            stale.append((waiting.id, "a newer one took its place" if step else "nothing is left to tell"))
            done.dropped += step is None
        if step is not None:
            often = change.cause == REASSERT and known.reasserted.get((target.id, record), 0) >= MOST_REASSERTS
            rows.append(_row(step, target, standing, change, stop=often))
            done.told += 1


def _same(step: Step, delivery: _Open) -> bool:
    return (step.op, dict(step.values), list(step.losers)) == (
        delivery.op,
        dict(delivery.values),
        list(delivery.losers),
    )


_PING_PONG = (
    f"The far side has changed this {MOST_REASSERTS} times within the hour, each time after it was told: find out who changes it there, or let"
    " that system own the field."
)


def _row(step: Step, target: Target, standing: Standing, change: Change, *, stop: bool) -> tuple[Any, ...]:
    native = render(target, step.op, step.values, standing.id, step.record, standing.version, standing.values["kind"])
    return (
        uuid7(), target.id, standing.id, step.record, step.link, step.op, change.cause, standing.version,
        "failed" if stop else "planned" if target.mode == "observe" else "waiting", change.lane, json_text(step.values), json_text(native),
        json_text(step.losers), change.correlation_id, change.changed_at, *((Trouble.PING_PONG, _PING_PONG) if stop else ("", "")),
    )  # fmt: skip


def render(
    target: Target, op: str, values: Mapping[str, Any], customer: UUID, record: UUID, version: int, kind: str
) -> dict[str, Any]:
    """The native fields of one delivery: the values, and the hub's own names for the record where the mapping has room for them."""
    told: dict[str, Any] = {**values, "customer_id": str(customer), "hub_version": version, "hub_key": str(record)}
    if op == "create":
        told["kind"] = kind
    return target.mapping.render(told)


_OPEN = (
    "SELECT connection_id, record_id, id, customer_id, op, state, values::text, losers::text, version FROM delivery"
    " WHERE record_id = ANY(%s::uuid[]) AND state IN ('planned', 'waiting', 'failed', 'sending', 'uncertain') ORDER BY id"
)
_FARS = (
    "SELECT s.customer_id, l.system_id, l.id, s.id, l.external_id, l.state, l.disposition, s.canonical::text, l.last_sent::text,"
    " l.merged_into FROM link l JOIN source_record s ON s.id = l.source_record_id"
    " WHERE s.customer_id = ANY(%s::uuid[]) AND l.system_id = ANY(%s::int[]) AND l.state <> 'retired'"
)


def _read(customers: Sequence[UUID], found: Sequence[Target]) -> _Known:
    """Deliveries before links: what is acknowledged in between shows as held, never as lacking."""
    known = _Known(read_customers(customers), {})
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT customer_id, id, follows_id IS NULL FROM source_record WHERE customer_id = ANY(%s::uuid[]) ORDER BY id",
            (array(customers),),
        )
        for customer, record, by_itself in cursor.fetchall():
            known.records.setdefault(customer, set()).add(record)
            if by_itself:
                known.oldest.setdefault(customer, record)
        records = [r for own in known.records.values() for r in own]
        cursor.execute(_OPEN, (array(records),))
        for connection_id, record, *rest in cursor.fetchall():
            delivery = _Open(rest[0], rest[1], rest[2], rest[3], json_value(rest[4]), json_value(rest[5]), rest[6])
            going = delivery.state in ("sending", "uncertain")
            (known.under_way if going else known.open)[connection_id, record] = delivery
        cursor.execute(_FARS, (array(customers), array(t.system for t in found)))
        for customer, system, link, record, external_id, state, disposition, own, sent, into in cursor.fetchall():
            far = Far(
                link, record, external_id, state, disposition, planning.flat(json_value(own)), json_value(sent), into
            )
            known.fars.setdefault((customer, system), []).append(far)
    return known


def _reasserted(customers: Sequence[UUID]) -> dict[tuple[UUID, UUID], int]:
    """By (connection, record): how often within the hour the hub has told again what the far side had changed."""
    if not customers:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT connection_id, record_id, count(*) FROM delivery WHERE customer_id = ANY(%s::uuid[]) AND cause = %s"
            " AND state = 'done' AND finished_at > clock_timestamp() - interval '1 hour' GROUP BY 1, 2",
            (array(customers), REASSERT),
        )
        return {(row[0], row[1]): row[2] for row in cursor.fetchall()}


def _relabel(links: Sequence[tuple[UUID, str]]) -> None:
    told = json_text([{"l": link.hex, "s": state} for link, state in links])
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE link l SET state = n.s, retired_at = CASE WHEN n.s = 'retired' THEN clock_timestamp() END"
            " FROM jsonb_to_recordset(%s::jsonb) AS n(l uuid, s text) WHERE l.id = n.l AND l.state <> n.s",
            (told,),
        )


def _supersede(stale: Sequence[tuple[UUID, str]]) -> None:
    if not stale:
        return
    told = json_text([{"d": id_.hex, "r": reason} for id_, reason in stale])
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE delivery d SET state = 'superseded', finished_at = clock_timestamp(), reason = n.r"
            " FROM jsonb_to_recordset(%s::jsonb) AS n(d uuid, r text)"
            " WHERE d.id = n.d AND d.state IN ('planned', 'waiting', 'failed')",
            (told,),
        )


_COLUMNS = (
    "id", "connection_id", "customer_id", "record_id", "link_id", "op", "cause", "version", "state", "lane", "values",
    "native", "losers", "correlation_id", "changed_at", "trouble", "detail",
)  # fmt: skip
_TYPES = (
    "uuid", "uuid", "uuid", "uuid", "uuid", "text", "text", "int", "text", "smallint", "jsonb", "jsonb", "jsonb", "uuid",
    "timestamptz", "text", "text",
)  # fmt: skip


def _insert(rows: Sequence[tuple[Any, ...]]) -> None:
    """A delivery that another process put in the same place meanwhile stays: the customer is planned again with its next turn."""
    if not rows:
        return
    told = [
        {
            n: (json_value(v) if n in ("values", "native", "losers") else str(v) if v is not None else None)
            for n, v in zip(_COLUMNS, row, strict=True)
        }
        for row in rows
    ]
    names = ", ".join(f'"{n}"' for n in _COLUMNS)
    shape = ", ".join(f'"{n}" {t}' for n, t in zip(_COLUMNS, _TYPES, strict=True))
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO delivery ({names}, revision, due_at, attempts, burned, code, created_at, actor, reason, finished_at)"
            f" SELECT {names}, 0, clock_timestamp(), 0, 0, '', clock_timestamp(), '', '',"
            " CASE WHEN n.state = 'failed' THEN clock_timestamp() END"
            f" FROM jsonb_to_recordset(%s::jsonb) AS n({shape}) ON CONFLICT DO NOTHING",
            (json_text(told),),
        )
