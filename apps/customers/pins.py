"""What stewards say of single values: a pin stands above every source, an ignored value counts as never sent.

Both hang on an anchor, a record of the system `steward` that goes with the source record it follows on merge and unmerge: pins on
the customer's oldest record, an ignored value on the record that sent it. Either may run out at a moment that was said.
What is said of a retired id is said of its successor."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone

from apps.common import seal
from apps.common.act import Act
from apps.common.errors import Conflict, FieldError, NotFound, Rejected
from apps.common.ids import uuid7
from apps.common.jsontext import json_text
from apps.common.retrying import again
from apps.customers import canonical, identity, queries_ids
from apps.customers.golden import Change, MemberRow, read_members, rebuild
from apps.customers.refresh import locked_members
from apps.customers.store import Move
from apps.customers.survivorship import ATTRIBUTES, newest_pins
from apps.customers.systems import steward_system

NEVER = ("kind", "extra")
"""Attributes nobody can pin or ignore."""
EXPIRED = "hub:pins"
MOST_EXPIRED = 500
"""Customers of one turn of `expire`."""

Said = dict[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class _Anchor:
    """What is said on the anchor of one record; `row` is None until there is one."""

    record: UUID
    row: MemberRow | None
    pins: Said
    ignored: Said


@again
@transaction.atomic
def pin(*, customer: UUID, attribute: str, value: Any, act: Act, until: datetime | None = None) -> list[UUID]:
    """A steward's value for one attribute, above every source, for ever or `until` a moment; None takes the pin away. Needs a reason.

    Returns the customers written. Raises Rejected (no reason, unknown attribute, impossible value, a moment that has passed) and
    NotFound."""
    _check(attribute, act, until)
    customer = queries_ids.standing([customer])[customer]
    members = _members_of(customer)
    if value is None:
        return _say(customer, members, act, [_without_pin(a, attribute) for a in _anchors(members)])
    oldest = _sources(members)[0]
    said = _entry(_standard(oldest, attribute, value), act, until)
    standing = newest_pins([m.member for m in members if m.is_anchor]).get(attribute)
    if standing is not None and (standing[0].value, _until_of(members, attribute)) == (
        said["value"],
        said.get("expires_at"),
    ):
        return []
    anchor = _anchor(members, oldest.id)
    if attribute in anchor.pins:
        said["before"] = {k: v for k, v in anchor.pins[attribute].items() if k != "before"}
    return _say(customer, members, act, [_with(anchor, pins={**anchor.pins, attribute: said})])


@again
@transaction.atomic
def ignore(*, customer: UUID, record: UUID, attribute: str, act: Act, until: datetime | None = None) -> list[UUID]:
    """The value that a source record has now counts as though it had not been sent; another one that it sends counts again.

    Returns the customers written. Raises as `pin` does, and Rejected where the record has no value."""
    _check(attribute, act, until)
    customer = queries_ids.standing([customer])[customer]
    members = _members_of(customer)
    source = _source(members, record)
    value = source.member.canonical.get(attribute)
    if value in (None, "", []):
        raise Rejected(
            "There is no value to ignore.", [FieldError("/attribute", "missing", "The record has no such value.")]
        )
    anchor = _anchor(members, record)
    return _say(
        customer, members, act, [_with(anchor, ignored={**anchor.ignored, attribute: _entry(value, act, until)})]
    )


@transaction.atomic
def heed(*, customer: UUID, record: UUID, attribute: str, act: Act) -> list[UUID]:
    """An ignored value counts again. Returns the customers written. Raises Rejected without a reason, and NotFound."""
    _check(attribute, act, None)
    customer = queries_ids.standing([customer])[customer]
    members = _members_of(customer)
    anchor = _anchor(members, _source(members, record).id)
    rest = {a: said for a, said in anchor.ignored.items() if a != attribute}
    return _say(customer, members, act, [_with(anchor, ignored=rest)])


@again
@transaction.atomic
def take_back(*, customer: UUID, correlation_id: UUID, act: Act) -> list[UUID]:
    """Pins that one act has set and that still stand go; those they had replaced stand again. Returns the customers written."""
    members = locked_members([customer]).get(customer, [])
    if not members:
        return []
    changed = []
    for anchor in _anchors(members):
        pins = dict(anchor.pins)
        for attribute, said in anchor.pins.items():
            if said.get("correlation_id") == str(correlation_id):
                before = said.get("before")
                pins = {**pins, attribute: before} if before else {a: p for a, p in pins.items() if a != attribute}
        changed.append(_with(anchor, pins=pins))
    return _say(customer, members, act, changed)


def expire() -> int:
    """Takes away what has run out; returns how many customers were looked at. Each by itself: one that cannot be written now is
    found again with the next turn."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT customer_id FROM source_record WHERE system_id = %s AND customer_id IS NOT NULL"
            " AND jsonb_path_exists(canonical, '$.*.*.expires_at ? (@ <= $now)', jsonb_build_object('now', %s::text)) LIMIT %s",
            (steward_system().id, _text(timezone.now()), MOST_EXPIRED),
        )
        due = [row[0] for row in cursor.fetchall()]
    for customer in due:
        _expire(customer)
    return len(due)


@transaction.atomic
def _expire(customer: UUID) -> None:
    try:
        members = locked_members([customer]).get(customer, [])
    except Conflict:
        return
    now = _text(timezone.now())
    anchors = [_with(a, pins=_lasting(a.pins, now), ignored=_lasting(a.ignored, now)) for a in _anchors(members)]
    _say(customer, members, Act(EXPIRED, "what was said of a value has run out", correlation_id=uuid7()), anchors)


def _lasting(said: Said, now: str) -> Said:
    """What has not run out."""
    return {a: s for a, s in said.items() if "expires_at" not in s or s["expires_at"] > now}


def _check(attribute: str, act: Act, until: datetime | None) -> None:
    if attribute not in ATTRIBUTES or attribute in NEVER:
        raise Rejected(
            "Nothing can be said of this attribute.",
            [FieldError("/attribute", "unknown_value", f"{attribute} cannot be pinned.")],
        )
    if not act.reason:
        raise Rejected("It needs a reason.", [FieldError("/reason", "missing", "Say why this value is right.")])
    if until is not None and until <= timezone.now():
        raise Rejected("It has run out already.", [FieldError("/until", "past", "Choose a day that is still to come.")])


def _members_of(customer: UUID) -> list[MemberRow]:
    members = locked_members([customer]).get(customer, [])
    if not _sources(members):
        raise NotFound("No such active customer.")
    return members


def _sources(members: Sequence[MemberRow]) -> list[MemberRow]:
    """Records that stand by themselves, the oldest first."""
    return sorted((m for m in members if m.follows is None), key=lambda m: m.id)


def _source(members: Sequence[MemberRow], record: UUID) -> MemberRow:
    found = next((m for m in members if m.id == record and not m.is_anchor), None)
    if found is None:
        raise NotFound("This record does not belong to this customer.")
    return found


def _standard(oldest: MemberRow, attribute: str, value: Any) -> Any:
    """The value as a source's would be kept; raises Rejected when no source's would."""
    item = {"record_id": "pin", "kind": oldest.member.canonical["kind"], attribute: value}
    parsed = canonical.parse(item, default_country=canonical.country_of(dict(oldest.member.canonical)))
    wrong = [FieldError("/value", p.code, p.detail) for p in parsed.problems]
    if not wrong and attribute not in parsed.canonical:
        wrong = [FieldError("/value", "missing", "A pin needs a value; null lifts it.")]
    if wrong:
        raise Rejected("This value cannot be pinned.", wrong)
    return parsed.canonical[attribute]


def _entry(value: Any, act: Act, until: datetime | None) -> dict[str, Any]:
    said = {
        "value": value,
        "reason": act.reason,
        "actor": act.actor,
        "at": _text(timezone.now()),
        "correlation_id": str(act.correlation_id),
    }
    return said if until is None else {**said, "expires_at": _text(until)}


def _text(moment: datetime) -> str:
    """In UTC to the microsecond: such texts stand in the order of time."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


# ── anchors ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def _anchors(members: Sequence[MemberRow]) -> list[_Anchor]:
    return [_read(m) for m in members if m.is_anchor]


def _read(row: MemberRow) -> _Anchor:
    body = row.member.canonical
    return _Anchor(UUID(row.external_id), row, body.get("pins", {}), body.get("ignored", {}))


def _anchor(members: Sequence[MemberRow], record: UUID) -> _Anchor:
    """The anchor of a record, as it would be if there is none yet."""
    row = next((m for m in members if m.is_anchor and m.external_id == str(record)), None)
    return _read(row) if row is not None else _Anchor(record, None, {}, {})


def _with(anchor: _Anchor, *, pins: Said | None = None, ignored: Said | None = None) -> _Anchor:
    return _Anchor(
        anchor.record, anchor.row, anchor.pins if pins is None else pins, anchor.ignored if ignored is None else ignored
    )


def _without_pin(anchor: _Anchor, attribute: str) -> _Anchor:
    return _with(anchor, pins={a: p for a, p in anchor.pins.items() if a != attribute})


def _until_of(members: Sequence[MemberRow], attribute: str) -> str | None:
    """When the pin that counts runs out."""
    standing = newest_pins([m.member for m in members if m.is_anchor])[attribute]
    body: Mapping[str, Any] = standing[1].canonical["pins"][attribute]
    return body.get("expires_at")


def _say(customer: UUID, members: Sequence[MemberRow], act: Act, anchors: Sequence[_Anchor]) -> list[UUID]:
    """Writes the anchors that differ, makes those that are lacking, and derives the customer again."""
    moves = []
    for anchor in anchors:
        if anchor.row is None:
            moves.append(Move(_create(anchor, act), customer, None, "attached"))
        elif anchor != _read(anchor.row):
            _write(anchor.row, anchor)
    fresh = read_members(records=[m.record for m in moves], customers=[customer])
    identity.lock_customers([customer])
    return rebuild([Change(customer, fresh)], moves=moves, act=act)


def _sealed(anchor: _Anchor) -> tuple[str, bytes, bytes, bytes]:
    """Text, salt, sealed digest and content digest of an anchor's content."""
    body = {"pins": anchor.pins, **({"ignored": anchor.ignored} if anchor.ignored else {})}
    text, salt = json_text(body), seal.new_salt()
    digest = seal.digest(str(anchor.record).encode(), salt, text.encode())
    return text, salt, digest, seal.digest(b"pins", b"", text.encode())


def _create(anchor: _Anchor, act: Act) -> UUID:
    id_ = uuid7()
    text, salt, digest, content = _sealed(anchor)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO source_record (id, system_id, external_id, kind, raw, raw_salt, raw_digest, canonical, content_digest,"
            " version, received_at, changed_at, deleted, state, attempts, last_error, customer_active, correlation_id, quiet, follows_id)"
            " SELECT %s, %s, %s, kind, %s, %s, %s, %s::jsonb, %s, 1, clock_timestamp(), clock_timestamp(), false, 'received', 0, '',"
            " true, %s, false, id FROM source_record WHERE id = %s",
            (
                id_,
                steward_system().id,
                str(anchor.record),
                text,
                salt,
                digest,
                text,
                content,
                act.correlation_id,
                anchor.record,
            ),
        )
    return id_


def _write(row: MemberRow, anchor: _Anchor) -> None:
    """The version that is replaced is kept like that of any source record."""
    text, salt, digest, content = _sealed(anchor)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO source_record_version (id, source_record_id, version, raw, canonical, content_digest, received_at,"
            " replaced_at, deleted, salt, digest) SELECT %s, id, version, raw, canonical, content_digest, received_at,"
            " clock_timestamp(), deleted, raw_salt, raw_digest FROM source_record WHERE id = %s",
            (uuid7(), row.id),
        )
        cursor.execute(
            "UPDATE source_record SET canonical = %s::jsonb, raw = %s, raw_salt = %s, raw_digest = %s, content_digest = %s,"
            " version = version + 1, changed_at = clock_timestamp() WHERE id = %s",
            (text, text, salt, digest, content, row.id),
        )
