"""Rebuild of customers whose members did not move: after an approval, a pin, or a change of policy."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone

from apps.common import seal
from apps.common.act import Act
from apps.common.errors import Conflict, FieldError, NotFound, Rejected
from apps.common.ids import uuid7
from apps.common.jsontext import json_text
from apps.customers import canonical, holds, identity
from apps.customers.golden import Change, MemberRow, read_members, rebuild
from apps.customers.models import Hold
from apps.customers.store import Move
from apps.customers.survivorship import ATTRIBUTES, newest_pins
from apps.customers.systems import steward_system


@transaction.atomic
def refresh(
    customers: Sequence[UUID],
    *,
    act: Act,
    approved: Mapping[UUID, Mapping[str, bytes]] | None = None,
    releases: bool = False,
) -> list[UUID]:
    """Derives `customers` (250 or fewer) again and writes those that differ; raises Conflict if members moved meanwhile.

    `releases`: what an initial load kept quiet is told from now on."""
    members = _locked_members(customers)
    known = identity.lock_customers(customers)
    changes = [
        Change(id_, members.get(id_, []), approved=(approved or {}).get(id_, {}), releases=releases)
        for id_ in sorted(customers)
        if known[id_].active
    ]
    return rebuild([c for c in changes if c.members], act=act)


def _locked_members(customers: Sequence[UUID]) -> dict[UUID, list[MemberRow]]:
    before = {m.id for m in read_members(customers=customers)}
    identity.lock_records(before)
    rows = read_members(customers=customers)
    if {m.id for m in rows} != before:
        raise Conflict("Members moved while they were being locked; try again.")
    members: dict[UUID, list[MemberRow]] = {}
    for row in rows:
        if row.customer is not None:
            members.setdefault(row.customer, []).append(row)
    return members


@transaction.atomic
def decide_request(
    *, change_request: UUID, act: Act, approve: bool = True, verdicts: Mapping[str, holds.Verdict] | None = None
) -> list[UUID]:
    """Approves or rejects a change request, whole or by attribute (`verdicts`), and lets what was approved become effective; returns
    the customers written. Raises as holds.decide does."""
    customers = list(
        Hold.objects.filter(change_request=change_request, state="open")
        .values_list("customer_id", flat=True)
        .distinct()
    )
    _locked_members(customers)
    decided = holds.decide(change_request=change_request, approve=approve, verdicts=verdicts, act=act)
    approved: dict[UUID, dict[str, bytes]] = {}
    for hold in Hold.objects.filter(change_request=change_request, state="approved"):
        approved.setdefault(hold.customer_id, {})[hold.attribute] = bytes(hold.proposed_hash)
    return refresh(decided, act=act, approved=approved)


@transaction.atomic
def pin(*, customer: UUID, attribute: str, value: Any, act: Act) -> list[UUID]:
    """A steward's value for one attribute, above every source; None takes the pin away. Needs a reason.

    It hangs on an anchor record of the system `steward`, which goes with the customer's oldest record on merge and unmerge.
    Returns the customers written. Raises Rejected (no reason, unknown attribute, impossible value) and NotFound."""
    if attribute not in ATTRIBUTES or attribute in ("kind", "extra"):
        raise Rejected(
            "This attribute cannot be pinned.",
            [FieldError("/attribute", "unknown_value", f"{attribute} cannot be pinned.")],
        )
    if not act.reason:
        raise Rejected("A pin needs a reason.", [FieldError("/reason", "missing", "Say why this value is right.")])
    members = _locked_members([customer]).get(customer, [])
    sources = sorted((m for m in members if m.follows is None), key=lambda m: m.id)
    if not sources:
        raise NotFound("No such active customer.")
    anchors = [m for m in members if m.is_anchor]
    if value is None:
        moves = _lift(anchors, attribute)
    else:
        moves = _hang(customer, anchors, sources[0], attribute, _standard(sources[0], attribute, value), act)
    fresh = read_members(records=[m.record for m in moves], customers=[customer])
    identity.lock_customers([customer])
    return rebuild([Change(customer, fresh)], moves=moves, act=act)


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


def _lift(anchors: Sequence[MemberRow], attribute: str) -> list[Move]:
    """Takes the pin from every anchor: after a merge there may be several."""
    for anchor in anchors:
        pins = dict(anchor.member.canonical["pins"])
        if pins.pop(attribute, None) is not None:
            _write_pins(anchor, pins)
    return []


def _hang(
    customer: UUID, anchors: Sequence[MemberRow], oldest: MemberRow, attribute: str, value: Any, act: Act
) -> list[Move]:
    """Hangs the pin on the oldest record's anchor, which is made on first need."""
    standing = newest_pins([a.member for a in anchors]).get(attribute)
    if standing is not None and standing[0].value == value:
        return []
    pinned = {
        "value": value,
        "reason": act.reason,
        "actor": act.actor,
        "at": timezone.now().isoformat(timespec="microseconds"),
    }
    anchor = next((a for a in anchors if a.external_id == str(oldest.id)), None)
    if anchor is not None:
        _write_pins(anchor, {**anchor.member.canonical["pins"], attribute: pinned})
        return []
    return [Move(_create_anchor(oldest, {attribute: pinned}, act), customer, None, "attached")]


def _sealed(external_id: str, pins: Mapping[str, Any]) -> tuple[str, bytes, bytes, bytes]:
    """Text, salt, sealed digest and content digest of an anchor's content."""
    text, salt = json_text({"pins": pins}), seal.new_salt()
    return text, salt, seal.digest(external_id.encode(), salt, text.encode()), seal.digest(b"pins", b"", text.encode())


def _create_anchor(oldest: MemberRow, pins: Mapping[str, Any], act: Act) -> UUID:
    anchor = uuid7()
    text, salt, digest, content = _sealed(str(oldest.id), pins)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO source_record (id, system_id, external_id, kind, raw, raw_salt, raw_digest, canonical, content_digest,"
            " version, received_at, changed_at, deleted, state, attempts, last_error, customer_active, correlation_id, quiet, follows_id)"
            " SELECT %s, %s, %s, kind, %s, %s, %s, %s::jsonb, %s, 1, clock_timestamp(), clock_timestamp(), false, 'received', 0, '',"
            " true, %s, false, id FROM source_record WHERE id = %s",
            (
                anchor,
                steward_system().id,
                str(oldest.id),
                text,
                salt,
                digest,
                text,
                content,
                act.correlation_id,
                oldest.id,
            ),
        )
    return anchor


def _write_pins(anchor: MemberRow, pins: Mapping[str, Any]) -> None:
    """The anchor's content is its pins; the version they replace is kept like that of any source record."""
    text, salt, digest, content = _sealed(anchor.external_id, pins)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO source_record_version (id, source_record_id, version, raw, canonical, content_digest, received_at,"
            " replaced_at, deleted, salt, digest) SELECT gen_random_uuid(), id, version, raw, canonical, content_digest, received_at,"
            " clock_timestamp(), deleted, raw_salt, raw_digest FROM source_record WHERE id = %s",
            (anchor.id,),
        )
        cursor.execute(
            "UPDATE source_record SET canonical = %s::jsonb, raw = %s, raw_salt = %s, raw_digest = %s, content_digest = %s,"
            " version = version + 1, changed_at = clock_timestamp() WHERE id = %s",
            (text, text, salt, digest, content, anchor.id),
        )
