"""Plan: what each target has to be told of customers, worked out from what it holds; the newest replaces what still waits.

Planning again changes nothing: a delivery that says the same already stands as it is. Nothing is sent here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from apps.common.ids import array, uuid7
from apps.common.jsontext import json_text, json_value
from apps.common.plans import find_by_index
from apps.common.rowset import rowset
from apps.connectors import locks, planning
from apps.connectors.contract import UNKNOWN_OUTCOME, Trouble
from apps.connectors.planning import Far, Step
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
    `under_way`: what is being told, or perhaps was; `states`: of all of them, by subject and id."""

    customers: dict[UUID, Standing]
    oldest: dict[UUID, UUID]
    fars: dict[tuple[UUID, int], list[Far]] = field(default_factory=dict)
    open: dict[tuple[UUID, UUID], "_Open"] = field(default_factory=dict)
    under_way: dict[tuple[UUID, UUID], "_Open"] = field(default_factory=dict)
    states: dict[tuple[UUID, UUID], dict[UUID, str]] = field(default_factory=dict)
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
    values: Mapping[str, Any]
    losers: Sequence[str]


@dataclass(slots=True)
class _Difference:
    """What has to be written so that the deliveries say what is wanted. `stale` and `relabel`: customer and reason or new state, by
    delivery or link; `subjects`: the (connection, record) these speak of, each with its customer."""

    subjects: dict[tuple[UUID, UUID], UUID] = field(default_factory=dict)
    rows: list[tuple[Any, ...]] = field(default_factory=list)
    stale: dict[UUID, tuple[UUID, str]] = field(default_factory=dict)
    relabel: dict[UUID, tuple[UUID, str]] = field(default_factory=dict)


@transaction.atomic
def plan(changes: Sequence[Change]) -> set[UUID]:
    """Brings the deliveries of up to BATCH customers to what their targets lack. Retired and unreleased customers are told nobody.

    Returns the customers that were overtaken: while they were planned a delivery of theirs was claimed, or came back, or a record
    went elsewhere, so what was worked out for them no longer fits and they have to be planned again."""
    found = usable(targets().values())
    if not found or not changes:
        return set()
    find_by_index()
    by_customer = {c.customer: c for c in changes}
    known = _read(list(by_customer), found)
    known.reasserted = _reasserted([c.customer for c in changes if c.cause == REASSERT])
    ownership = active("ownership").rules
    rules = {t.id: t.rule(ownership) for t in found}
    wrong = _Difference()
    for id_, standing in known.customers.items():
        if not standing.active or not standing.released or id_ not in known.oldest:
            continue
        image = planning.flat(standing.values)
        for target in found:
            fars = [known.with_under_way(f, target.id) for f in known.fars.get((id_, target.system), [])]
            wanted = planning.plan(image, fars, rules[target.id], oldest=known.oldest[id_])
            wrong.relabel |= {link: (id_, state) for link, state in wanted.relabel}
            steps = [_representable(s, target, image, fars) for s in wanted.steps]
            _compare(steps, target, standing, known=known, change=by_customer[id_], wrong=wrong)
    return _left_to_others(wrong, known) | _supersede(wrong.stale) | _insert(wrong.rows) | _relabel(wrong.relabel)


def _left_to_others(wrong: _Difference, known: _Known) -> set[UUID]:
    """Takes hold of the deliveries of the subjects that get other ones. What is in somebody's hand right now, or no longer as it was
    read, is not touched: what was worked out counted on it. Returns the customers of those."""
    held = locks.deliveries_in_hand([id_ for s in wrong.subjects for id_ in known.states.get(s, ())])
    left = {s for s in wrong.subjects if any(held.get(id_) != was for id_, was in known.states.get(s, {}).items())}
    wrong.rows = [row for row in wrong.rows if (row[1], row[3]) not in left]
    for subject in left:
        if subject in known.open:
            wrong.stale.pop(known.open[subject].id, None)
    return {wrong.subjects[s] for s in left}


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


def _compare(
    steps: Sequence[Step], target: Target, standing: Standing, *, known: _Known, change: Change, wrong: _Difference
) -> None:
    """Holds the wanted steps against what is there: what says the same stays, the rest is replaced."""
    told = {s.record: s for s in steps if s.values or s.op not in ("update", "create")}
    mine = known.records.get(standing.id, set())
    if any((d := known.under_way.get((target.id, r))) is not None and d.op == "create" for r in mine):
        told = {r: s for r, s in told.items() if s.op != "create"}  # what the one under way comes to is planned again
    for record in mine:
        waiting, going = known.open.get((target.id, record)), known.under_way.get((target.id, record))
        step = told.get(record)
        if step is not None and going is not None and _same(step, going):
            step = None
        if step is not None and waiting is not None and _same(step, waiting) and waiting.customer == standing.id:
            continue
        if waiting is not None or step is not None:
            wrong.subjects[target.id, record] = standing.id
        if waiting is not None:
            reason = "a newer one took its place" if step else "nothing is left to tell"
            wrong.stale[waiting.id] = standing.id, reason
        if step is not None:
            often = change.cause == REASSERT and known.reasserted.get((target.id, record), 0) >= MOST_REASSERTS
            wrong.rows.append(_row(step, target, standing, change, stop=often))


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


# A create that was given up in doubt may have been carried out: no other one is made beside it until a person has looked.
_UNDER_WAY = (
    "(d.state IN ('sending', 'uncertain') OR (d.state = 'failed' AND d.op = 'create'"
    f" AND (d.trouble = '{Trouble.UNCERTAIN}' OR d.code = '{UNKNOWN_OUTCOME}')))"
)
_OPEN = (
    f"SELECT d.connection_id, d.record_id, {_UNDER_WAY}, d.state, d.id, d.customer_id, d.op, d.values::text, d.losers::text FROM delivery d"
    f" WHERE d.record_id = ANY(%s::uuid[]) AND d.state IN {locks.OPEN}"
    " ORDER BY d.state <> 'failed', d.id"  # beside what waits, what failed before counts for nothing
)
_FARS = (
    "SELECT s.customer_id, l.system_id, l.id, s.id, l.external_id, l.state, l.disposition, s.canonical::text, l.last_sent::text"
    " FROM link l JOIN source_record s ON s.id = l.source_record_id"
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
        for connection_id, record, going, state, id_, customer, op, values, losers in cursor.fetchall():
            delivery = _Open(id_, customer, op, json_value(values), json_value(losers))
            (known.under_way if going else known.open)[connection_id, record] = delivery
            known.states.setdefault((connection_id, record), {})[id_] = state
        cursor.execute(_FARS, (array(customers), array(t.system for t in found)))
        for customer, system, link, record, external_id, state, disposition, own, sent in cursor.fetchall():
            far = Far(link, record, external_id, state, disposition, planning.flat(json_value(own)), json_value(sent))
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


def _supersede(stale: Mapping[UUID, tuple[UUID, str]]) -> set[UUID]:
    """Returns the customers of those that are not waiting any more, or in somebody's hand right now: nobody is waited for."""
    if not stale:
        return set()
    old = rowset("supersede", _NEW, [(id_, reason) for id_, (_, reason) in sorted(stale.items())])
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE delivery SET state = 'superseded', finished_at = clock_timestamp(), reason = f.told"
            f" FROM (SELECT d.id, i.told FROM {old.source} JOIN delivery d ON d.id = i.id"
            "  WHERE d.state IN ('planned', 'waiting', 'failed') FOR UPDATE OF d SKIP LOCKED) f"
            " WHERE delivery.id = f.id RETURNING delivery.id",
            old.params,
        )
        return _others(stale, cursor.fetchall())


def _relabel(links: Mapping[UUID, tuple[UUID, str]]) -> set[UUID]:
    """Returns the customers of links that are in somebody's hand right now."""
    if not links:
        return set()
    new = rowset("relabel", _NEW, [(link, state) for link, (_, state) in sorted(links.items())])
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE link SET state = f.told, retired_at = CASE WHEN f.told = 'retired' THEN clock_timestamp() END"
            f" FROM (SELECT l.id, i.told FROM {new.source} JOIN link l ON l.id = i.id FOR NO KEY UPDATE OF l SKIP LOCKED) f"
            " WHERE link.id = f.id RETURNING link.id",
            new.params,
        )
        return _others(links, cursor.fetchall())


_NEW = {"id": "uuid", "told": "text"}


def _others(asked: Mapping[UUID, tuple[UUID, str]], written: Sequence[tuple[Any, ...]]) -> set[UUID]:
    ids = {row[0] for row in written}
    return {customer for id_, (customer, _) in asked.items() if id_ not in ids}


_COLUMNS = {
    "id": "uuid", "connection_id": "uuid", "customer_id": "uuid", "record_id": "uuid", "link_id": "uuid", "op": "text", "cause": "text",
    "version": "int", "state": "text", "lane": "smallint", "values": "jsonb", "native": "jsonb", "losers": "jsonb",
    "correlation_id": "uuid", "changed_at": "timestamptz", "trouble": "text", "detail": "text",
}  # fmt: skip
# What was read before may be otherwise by now. A record that went to another customer is planned with that one. And nothing is
# created where a create of the customer was claimed, or acknowledged, since its deliveries were read: a target that knows no keys
# of ours would make a second record of it.
_FITTING = f"""
SELECT {", ".join(f"i.{n}" for n in _COLUMNS)}, 0, clock_timestamp(), 0, 0, '', clock_timestamp(), '', '',
  CASE WHEN i.state = 'failed' THEN clock_timestamp() END
FROM {{source}} JOIN source_record s ON s.id = i.record_id AND s.customer_id = i.customer_id
WHERE i.op <> 'create' OR NOT (
  EXISTS (SELECT 1 FROM source_record o JOIN delivery d ON d.record_id = o.id
    WHERE o.customer_id = i.customer_id AND d.connection_id = i.connection_id AND d.op = 'create' AND {_UNDER_WAY})
  OR EXISTS (SELECT 1 FROM connection c JOIN source_record o ON o.customer_id = i.customer_id
    JOIN link l ON l.source_record_id = o.id AND l.system_id = c.system_id
    WHERE c.id = i.connection_id AND l.state <> 'retired' AND l.disposition IN ('there', 'deactivated')))
"""


def _insert(rows: Sequence[tuple[Any, ...]]) -> set[UUID]:
    """Returns the customers of those that no longer fit, or whose place another delivery has taken."""
    if not rows:
        return set()
    new = rowset("plan_delivery", _COLUMNS, rows)
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO delivery ({', '.join(_COLUMNS)}, revision, due_at, attempts, burned, code, created_at, actor, reason,"
            f" finished_at) {_FITTING.format(source=new.source)} ON CONFLICT DO NOTHING RETURNING id",
            new.params,
        )
        written = {row[0] for row in cursor.fetchall()}
    return {row[2] for row in rows if row[0] not in written}
