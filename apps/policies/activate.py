"""A policy comes into force when a second person says so; the one before it is retired in the same moment."""

from uuid import UUID

from django.db import transaction
from django.utils import timezone

from apps.common.act import Act
from apps.common.errors import Conflict, NotFound, Rejected
from apps.common.ids import uuid7
from apps.policies import active
from apps.policies.models import Policy


@transaction.atomic
def draft(*, kind: str, body: dict[str, object], note: str, act: Act) -> Policy:
    """A new draft, the next version of its kind. Raises Rejected or Permanent when the document makes no sense."""
    active.parse(kind, body)
    newest = Policy.objects.select_for_update().filter(kind=kind).order_by("-version").first()
    return Policy.objects.create(
        id=uuid7(), kind=kind, version=newest.version + 1 if newest else 1, body=body, hash=active.document_hash(body),
        note=note, author=act.actor,
    )  # fmt: skip


@transaction.atomic
def activate(*, policy: UUID, act: Act) -> Policy:
    """Puts a draft, or a retired version, into force: decisions from now on name its hash. What follows from it, the
    kind's owner sets going in the same transaction: of golden records, that all of them are derived again.

    Raises NotFound, Conflict (it is in force already), Rejected (the author decides, or the document makes no
    sense)."""
    row = Policy.objects.select_for_update().filter(id=policy).first()
    if row is None:
        raise NotFound("No such policy.")
    if row.state == Policy.State.ACTIVE:
        raise Conflict("This version is in force already.")
    if row.author == act.actor:
        raise Rejected("A second person has to put it into force: you are its author.")
    active.parse(row.kind, row.body)
    Policy.objects.filter(kind=row.kind, state=Policy.State.ACTIVE).update(state=Policy.State.RETIRED)
    row.state, row.approver, row.activated_at = Policy.State.ACTIVE, act.actor, timezone.now()
    row.save(update_fields=("state", "approver", "activated_at"))
    active.follow(row.kind, act)
    return row
