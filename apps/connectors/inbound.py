"""Records come in: mapped, parsed, received, indexed, matched. The bad ones are set aside with their cause; nothing is dropped.

One batch is two short transactions: the first keeps everything that arrived (records, quarantine, the run's position), the second
decides who is who. What the first kept and the second did not reach is found again by the sweep."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import DatabaseError, connection, transaction

from apps.common.act import Act
from apps.common.errors import Retryable
from apps.common.jsontext import json_text, storable
from apps.common.plans import find_by_index
from apps.common.retrying import retried, transient
from apps.connectors import links, planner
from apps.connectors.mapping import Mapping as ColumnMapping
from apps.connectors.outbound import REASSERT
from apps.customers import canonical
from apps.customers.canonical import Problem
from apps.customers.models import System
from apps.customers.receive import Incoming, Merge, Outcome, receive
from apps.customers.set_aside import Aside, set_aside
from apps.matching import candidates
from apps.matching import match as matching
from apps.matching.model import active_model

BATCH = matching.BATCH
_NEWS = ("created", "changed", "deleted")


@dataclass(slots=True)
class Item:
    """One record at the door. `values` is None when the reader could not make sense of it; `raw` is what arrived, as text."""

    values: Mapping[str, Any] | None
    raw: str
    line: int | None = None
    problems: tuple[Problem, ...] = ()
    patch: bool = False


@dataclass(slots=True)
class ItemOutcome:
    """What became of one item: created, changed, deleted, unchanged, stale or quarantined; and whose record it is now."""

    outcome: str
    external_id: str | None = None
    record: UUID | None = None
    customer: UUID | None = None
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()
    quarantine: UUID | None = None


@dataclass(slots=True)
class Intake:
    """What the first transaction kept: outcomes in the order of the items, and the records that go on to matching."""

    outcomes: list[ItemOutcome]
    to_match: list[UUID] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Door:
    """Where items come from: the system they speak for, how its columns are read, and what the run is called. `read_at`: when they
    were read there, by the database's clock, if the hub itself did."""

    system: System
    mapping: ColumnMapping | None = None
    file_name: str = ""
    keep_unknown: bool = True
    read_at: datetime | None = None


def take_in(*, door: Door, items: Sequence[Item], act: Act) -> list[ItemOutcome]:
    """Takes up to some hundred items through to golden records; outcomes in their order."""
    intake = keep(door=door, items=items, act=act)
    finish(intake, act=act)
    return intake.outcomes


def keep(*, door: Door, items: Sequence[Item], act: Act, also: Callable[[Intake], None] | None = None) -> Intake:
    """The first transaction: everything that arrived is in the database when it commits. `also` runs inside it, and again when
    the transaction has to be done again because another process had the records."""
    return retried(lambda: _keep(door, items, act, also))


def _keep(door: Door, items: Sequence[Item], act: Act, also: Callable[[Intake], None] | None) -> Intake:
    prepared = [_prepare(door, item) for item in items]
    with transaction.atomic():
        find_by_index()
        intake = Intake([p.outcome for p in prepared])
        good = [p for p in prepared if p.incoming is not None]
        again = _receive_news(door, good, act)
        intake.to_match = list(
            dict.fromkeys(p.outcome.record for p in good if p.outcome.record and p.outcome.outcome in _NEWS)
        )
        _set_aside(door, [p for p in prepared if p.outcome.outcome == "quarantined"], act)
        _note_drift(door.system, [p.unknown for p in prepared])
        if intake.to_match:
            newest = {
                p.outcome.record: p.incoming.canonical
                for p in good
                if p.incoming and p.outcome.outcome in _NEWS and not p.follows
            }
            candidates.index({r: c for r, c in newest.items() if r is not None}, active_model().model)
        if also is not None:
            also(intake)
        planner.ask_causes(again)
    return intake


def finish(intake: Intake, *, act: Act) -> None:
    """The second transaction: matching; fills in the customers. A record that cannot be matched, or that others keep changing, is
    left to the sweep, which counts its attempts and quarantines it in the end."""
    customers: dict[UUID, UUID] = {}
    if intake.to_match:
        with suppress(Retryable):
            customers = matching.match(intake.to_match, act=act, indexed=True).customer_of
    known = [o.record for o in intake.outcomes if o.record is not None and o.record not in customers]
    customers |= _customers_of(known)
    for outcome in intake.outcomes:
        if outcome.record is not None:
            outcome.customer = customers.get(outcome.record)


@dataclass(slots=True)
class _Prepared:
    item: Item
    outcome: ItemOutcome
    incoming: Incoming | None = None
    unknown: Mapping[str, Any] = field(default_factory=dict)
    follows: bool = False


def _prepare(door: Door, item: Item) -> _Prepared:
    """Mapping and parsing of one item: pure."""
    if item.values is None or item.problems:
        return _Prepared(item, ItemOutcome("quarantined", problems=item.problems))
    values: Mapping[str, Any] = item.values
    unmapped: Mapping[str, Any] = {}
    if door.mapping is not None:
        values, unmapped = door.mapping.apply(values)
    parsed = canonical.parse(
        values,
        default_country=door.mapping.default_country if door.mapping else None,
        declared_extra=door.mapping.extra if door.mapping else {},
    )
    unknown = {**parsed.unknown, **unmapped}
    problems = parsed.problems
    if unknown and not door.keep_unknown:
        problems += tuple(
            Problem(
                name, "unknown_field", f"{name} is no canonical name; declare it in a mapping or send ?unknown=keep."
            )
            for name in unknown
        )
    if problems or parsed.external_id is None:
        return _Prepared(
            item,
            ItemOutcome("quarantined", parsed.external_id, problems=problems, warnings=parsed.warnings),
            None,
            unknown,
        )
    incoming = Incoming(
        external_id=parsed.external_id,
        raw=item.raw,
        canonical=parsed.canonical,
        content_digest=canonical.content_digest(parsed.canonical, parsed.deleted),
        source_updated_at=parsed.source_updated_at,
        deleted=parsed.deleted,
    )
    if item.patch or parsed.deleted:
        incoming.merge = _merger(values, parsed, door)
    return _Prepared(item, ItemOutcome("", parsed.external_id, warnings=parsed.warnings), incoming, unknown)


def _merger(values: Mapping[str, Any], parsed: canonical.Parsed, door: Door) -> Merge:
    """A patch, or a deletion (which says nothing of the values), is laid over what is stored: absent keeps, null empties."""
    extra = door.mapping.extra if door.mapping else {}

    def merge(stored: Mapping[str, Any]) -> tuple[dict[str, Any], bytes]:
        if parsed.deleted:
            return dict(stored), canonical.content_digest(dict(stored), deleted=True)
        country = canonical.country_of(dict(stored))
        change = canonical.parse(values, default_country=country, patch=True, declared_extra=extra)
        whole = canonical.patch(dict(stored), change)
        return whole, canonical.content_digest(whole, deleted=False)

    return merge


def _receive_news(door: Door, prepared: Sequence[_Prepared], act: Act) -> dict[UUID, tuple[str, UUID]]:
    """Receives what the system says by itself: what it says because the hub told it is no news. Returns the customers to be planned
    again, with cause and correlation id."""
    arrived = [p.incoming for p in prepared if p.incoming is not None]
    if not arrived:
        return {}
    adopted: Mapping[UUID, UUID] = {}
    if door.mapping is not None:
        keys = {p.incoming.external_id: door.mapping.key_in(p.item.values or {}) for p in prepared if p.incoming}
        adopted = links.adopt(door.system.id, {external_id: key for external_id, key in keys.items() if key})
    echoes = links.echoes_of(door.system.id, [i.external_id for i in arrived], door.read_at)
    for p in prepared:
        if p.incoming is not None:
            echoes.listen(p.incoming, door.mapping.version_in(p.item.values or {}) if door.mapping else None)
    _receive(door, prepared, act)
    taken = {p.outcome.external_id: p.outcome.outcome for p in prepared if p.outcome.external_id}
    corrected = echoes.note(taken)
    asked = {customer: ("follow-up", correlation) for customer, correlation in adopted.items()}
    return asked | dict.fromkeys(corrected, (REASSERT, act.correlation_id))


def _receive(door: Door, prepared: Sequence[_Prepared], act: Act) -> None:
    """Receives in one go; when the database refuses a record, halves are tried until it stands alone and is set aside."""
    if not prepared:
        return
    try:
        with transaction.atomic():
            outcomes: list[Outcome] = receive(
                system_id=door.system.id, records=[p.incoming for p in prepared if p.incoming is not None], act=act
            )
    except DatabaseError as error:
        if transient(error):
            raise
        if len(prepared) == 1:
            prepared[0].outcome.outcome = "quarantined"
            prepared[0].outcome.problems = (Problem(*_named(error)),)
            return
        middle = len(prepared) // 2
        _receive(door, prepared[:middle], act)
        _receive(door, prepared[middle:], act)
        return
    for p, outcome in zip(prepared, outcomes, strict=True):
        p.outcome.record, p.outcome.outcome, p.follows = outcome.record, outcome.outcome, outcome.follows is not None


def _named(error: DatabaseError) -> tuple[str, str, str]:
    """(field, code, detail) of a database error: the column or constraint it names."""
    diagnosis = getattr(error.__cause__, "diag", None)
    place = getattr(diagnosis, "column_name", None) or getattr(diagnosis, "constraint_name", None) or "record"
    return place, "refused_by_database", str(getattr(diagnosis, "message_primary", None) or error)


def _set_aside(door: Door, prepared: Sequence[_Prepared], act: Act) -> None:
    kept = set_aside([
        Aside(
            door.system, p.item.raw, p.outcome.problems, act.correlation_id, external_id=p.outcome.external_id or "",
            run_id=act.run_id, file_name=door.file_name, line=p.item.line,
        )
        for p in prepared
    ])  # fmt: skip
    for p, id_ in zip(prepared, kept, strict=True):
        p.outcome.quarantine = id_


def _note_drift(system: System, unknowns: Iterable[Mapping[str, Any]]) -> None:
    """Fields nobody declared are counted, with a sample; they stay in raw."""
    seen: dict[str, list[Any]] = {}
    for unknown in unknowns:
        for name, value in unknown.items():
            seen.setdefault(storable(str(name))[:200], []).append(value)
    if not seen:
        return
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO field_drift (system_id, field, seen, sample, first_seen_at, last_seen_at)"
            " VALUES (%s, %s, %s, %s, clock_timestamp(), clock_timestamp())"
            " ON CONFLICT (system_id, field) DO UPDATE SET seen = field_drift.seen + excluded.seen,"
            " sample = excluded.sample, last_seen_at = excluded.last_seen_at",
            [
                (system.id, name, len(values), storable(json_text(values[-1]))[:200])
                for name, values in sorted(seen.items())
            ],
        )


def _customers_of(records: Sequence[UUID]) -> dict[UUID, UUID]:
    if not records:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, customer_id FROM source_record WHERE id = ANY(%s) AND customer_id IS NOT NULL", (list(records),)
        )
        return dict(cursor.fetchall())
