"""The quarantine desk: a record set aside is mended and sent through again, or discarded with a reason."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from apps.common.act import Act
from apps.common.errors import Conflict, FieldError, NotFound, Rejected
from apps.connectors import inbound
from apps.connectors.inbound import Door, Item, ItemOutcome
from apps.customers.models import Quarantine
from apps.common.jsontext import json_text


def _open(quarantine_id: UUID) -> Quarantine:
    row = Quarantine.objects.select_for_update(of=("self",)).select_related("system").filter(id=quarantine_id).first()
    if row is None:
        raise NotFound("No such quarantined record.")
    if row.state != Quarantine.State.OPEN:
        raise Conflict(f"This record was {row.state} already by {row.resolved_by}.")
    return row


@transaction.atomic
def resubmit(quarantine_id: UUID, fixed: Mapping[str, Any], act: Act) -> ItemOutcome:
    """Sends the mended record (canonical names) through; raises Rejected with its problems when it is still wrong.

    The payload as received stays beside the mended one."""
    row = _open(quarantine_id)
    with transaction.atomic():
        outcome = inbound.take_in(door=Door(row.system, file_name=row.file_name), items=[Item(fixed, json_text(fixed), row.line)], act=act)[0]
        if outcome.outcome == "quarantined":
            transaction.set_rollback(True)
    if outcome.outcome == "quarantined":
        raise Rejected(
            "The record still cannot be taken in.", [FieldError(f"/{p.field}", p.code, p.detail) for p in outcome.problems]
        )
    row.fixed = dict(fixed)
    _resolve(row, Quarantine.State.RESUBMITTED, act)
    return outcome


@transaction.atomic
def discard(quarantine_id: UUID, act: Act, reason: str) -> None:
    """Says that a quarantined record shall not come in, and why; it is kept."""
    if not reason.strip():
        raise Rejected("A reason is needed.", [FieldError("/reason", "missing", "Say why this record is not wanted.")])
    row = _open(quarantine_id)
    row.fixed = {"discarded_because": reason.strip()}
    _resolve(row, Quarantine.State.DISCARDED, act)


def _resolve(row: Quarantine, state: str, act: Act) -> None:
    row.state, row.resolved_by, row.resolved_at = state, act.actor, timezone.now()
    row.save(update_fields=("state", "resolved_by", "resolved_at", "fixed"))
