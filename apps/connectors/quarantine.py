"""The quarantine desk: a record set aside is mended and sent through again, or discarded with a reason."""

from collections.abc import Mapping as Values
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from apps.common.act import Act
from apps.common.errors import Conflict, FieldError, NotFound, Rejected
from apps.common.jsontext import json_text
from apps.connectors import inbound
from apps.connectors.inbound import Door, Intake, Item, ItemOutcome
from apps.connectors.mapping import Mapping
from apps.connectors.models import Run
from apps.customers.models import Quarantine


def _open(quarantine_id: UUID) -> Quarantine:
    row = Quarantine.objects.select_for_update(of=("self",)).select_related("system").filter(id=quarantine_id).first()
    if row is None:
        raise NotFound("No such quarantined record.")
    if row.state != Quarantine.State.OPEN:
        raise Conflict(f"This record was {row.state} already by {row.resolved_by}.")
    return row


def _door(row: Quarantine) -> Door:
    """The mended record has canonical names already; of the run's mapping only its country and its extension attributes count."""
    run = Run.objects.select_related("mapping").filter(id=row.run_id).first() if row.run_id else None
    if run is None or run.mapping is None:
        return Door(row.system, file_name=row.file_name)
    mapping = Mapping.from_dict(run.mapping.body)
    return Door(row.system, Mapping(default_country=mapping.default_country, extra=mapping.extra), row.file_name)


def resubmit(quarantine_id: UUID, fixed: Values[str, Any], act: Act) -> ItemOutcome:
    """Sends the mended record (canonical names) through; raises Rejected with its problems when it is still wrong.

    The payload as received stays beside the mended one. The record is kept and the row resolved in one transaction; matching
    follows in its own, as for every record, so that its keys are committed before anybody searches."""
    row = Quarantine.objects.select_related("system").filter(id=quarantine_id).first()
    if row is None:
        raise NotFound("No such quarantined record.")

    def resolve(intake: Intake) -> None:
        outcome = intake.outcomes[0]
        if outcome.outcome == "quarantined":
            wrong = [FieldError(f"/{p.field}", p.code, p.detail) for p in outcome.problems]
            raise Rejected("The record still cannot be taken in.", wrong)
        standing = _open(quarantine_id)
        standing.fixed = dict(fixed)
        _resolve(standing, Quarantine.State.RESUBMITTED, act)

    intake = inbound.keep(door=_door(row), items=[Item(fixed, json_text(fixed), row.line)], act=act, also=resolve)
    inbound.finish(intake, act=act)
    return intake.outcomes[0]


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
