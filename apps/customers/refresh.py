"""Rebuild of customers whose members did not move: after an approval, a pin, or a change of policy."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from apps.common import seal
from apps.common.act import Act
from apps.common.errors import Conflict, FieldError, NotFound, Rejected
from apps.common.ids import uuid7
from apps.customers import holds, identity
from apps.customers.golden import Change, MemberRow, read_members, rebuild
from apps.customers.models import Hold
from apps.common.jsontext import json_text
from apps.customers.store import Move
from apps.customers.survivorship import ATTRIBUTES
from apps.customers.systems import steward_system


@transaction.atomic
def refresh(customers: Sequence[UUID], *, act: Act, approved: Mapping[UUID, Mapping[str, bytes]] | None = None) -> list[UUID]:
    """Derives `customers` (250 or fewer) again and writes those that differ; raises Conflict if members moved meanwhile."""
    members = _locked_members(customers)
    known = identity.lock_customers(customers)
    changes = [
        Change(id_, members.get(id_, []), approved=(approved or {}).get(id_, {})) for id_ in sorted(customers) if known[id_].active
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
def decide_request(*, change_request: UUID, approve: bool, act: Act) -> list[UUID]:
    """Approves or rejects a change request and lets what was approved become effective; returns the customers written."""
    customers = list(
        Hold.objects.filter(change_request=change_request, state="open").values_list("customer_id", flat=True).distinct()
    )
    _locked_members(customers)
    decided = holds.decide(change_request=change_request, approve=approve, act=act)
    approved: dict[UUID, dict[str, bytes]] = {}
    for hold in Hold.objects.filter(change_request=change_request, state="approved"):
        approved.setdefault(hold.customer_id, {})[hold.attribute] = bytes(hold.proposed_hash)
    return refresh(decided, act=act, approved=approved)


@transaction.atomic
def pin(*, customer: UUID, attribute: str, value: Any, act: Act) -> list[UUID]:
    """A steward's value for one attribute, above every source; None takes the pin away. Needs a reason.

    It hangs on an anchor record of the system `steward`, which follows the customer's oldest record on merge and unmerge.
    Raises Rejected (no reason, unknown attribute) and NotFound."""
    if attribute not in ATTRIBUTES or attribute in ("kind", "extra"):
        raise Rejected("This attribute cannot be pinned.", [FieldError("/attribute", "unknown_value", f"{attribute} cannot be pinned.")])
    if not act.reason:
        raise Rejected("A pin needs a reason.", [FieldError("/reason", "missing", "Say why this value is right.")])
    members = _locked_members([customer]).get(customer, [])
    sources = sorted(m.id for m in members if not m.is_anchor)
    if not sources:
        raise NotFound("No such active customer.")
    anchor = next((m for m in members if m.external_id == str(sources[0])), None)
    pins = dict(anchor.member.canonical.get("pins", {})) if anchor else {}
    if value is None:
        pins.pop(attribute, None)
    else:
        pins[attribute] = {"value": value, "reason": act.reason, "actor": act.actor}
    moves = []
    if anchor is None:
        anchor_id = _create_anchor(sources[0], act)
        moves.append(Move(anchor_id, customer, None, "attached"))
    else:
        anchor_id = anchor.id
    _write_pins(anchor_id, pins)
    fresh = read_members(records=[anchor_id, *(m.id for m in members)])
    identity.lock_customers([customer])
    return rebuild([Change(customer, fresh)], moves=moves, act=act)


def _create_anchor(oldest: UUID, act: Act) -> UUID:
    salt = seal.new_salt()
    anchor = uuid7()
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO source_record (id, system_id, external_id, kind, raw, raw_salt, raw_digest, canonical, content_digest,"
            " version, received_at, changed_at, deleted, state, attempts, last_error, customer_active, correlation_id, quiet)"
            " SELECT %s, %s, %s, kind, '{}', %s, %s, '{}', '', 1, clock_timestamp(), clock_timestamp(), false, 'received', 0, '',"
            " true, %s, false FROM source_record WHERE id = %s",
            (anchor, steward_system().id, str(oldest), salt, seal.digest(str(oldest).encode(), salt, b"{}"), act.correlation_id, oldest),
        )
    return anchor


def _write_pins(anchor: UUID, pins: Mapping[str, Any]) -> None:
    """The anchor's content is its pins; the version they replace is kept like that of any source record."""
    text = json_text({"pins": pins})
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO source_record_version (id, source_record_id, version, raw, canonical, content_digest, received_at,"
            " replaced_at, deleted, salt, digest) SELECT gen_random_uuid(), id, version, raw, canonical, content_digest, received_at,"
            " clock_timestamp(), deleted, raw_salt, raw_digest FROM source_record WHERE id = %s AND content_digest <> %s",
            (anchor, seal.digest(b"pins", b"", text.encode())),
        )
        cursor.execute(
            "UPDATE source_record SET canonical = %s, raw = %s, content_digest = %s, version = version + 1,"
            " changed_at = clock_timestamp() WHERE id = %s",
            (text, text, seal.digest(b"pins", b"", text.encode()), anchor),
        )
