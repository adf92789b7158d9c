"""Versions of the model: kept as drafts, put in force one at a time, and everything decided again by the one in force.

Activation is one short transaction. Which records still have to be put into the redo queue stands in the model's row, so that
whoever comes next, the command or the sweep, goes on where the last one stopped."""

from typing import Final
from uuid import UUID

from django.db import connection, transaction

from apps.common.errors import Conflict, NotFound
from apps.matching.models import MatchModel
from apps.matching.parameters import Model

BATCH: Final = 10_000
_FIRST: Final = UUID(int=0)


@transaction.atomic
def keep_draft(model: Model) -> MatchModel:
    """Keep a model as a new version; one that is kept already is returned as it is, in whatever state."""
    with connection.cursor() as cursor:
        cursor.execute("LOCK TABLE match_model IN SHARE ROW EXCLUSIVE MODE")  # two that add a version take turns
    known = MatchModel.objects.filter(hash=model.hash).first()
    if known is not None:
        return known
    last = MatchModel.objects.order_by("-version").values_list("version", flat=True).first() or 0
    return MatchModel.objects.create(version=last + 1, state="draft", parameters=model.to_dict(), hash=model.hash)


@transaction.atomic
def activate(version: int) -> None:
    """Put a version in force; what it has to decide again is queued by `queue_some`. Raises NotFound, Conflict (it is in force).

    Batches that compare by the version before are waited for, and those that come later see that it is no longer in force."""
    rows = {row.version: row for row in MatchModel.objects.select_for_update().order_by("version")}
    if version not in rows:
        raise NotFound(f"There is no model {version}.")
    if rows[version].state == "active":
        raise Conflict(f"Model {version} is in force already.")
    MatchModel.objects.filter(state="active").update(state="retired", queued_to=None)
    MatchModel.objects.filter(version=version).update(state="active", queued_to=_FIRST)


def decide_all_again() -> None:
    """Everything is decided once more by the model in force; whoever comes next goes on with it."""
    MatchModel.objects.filter(state="active").update(queued_to=_FIRST)


@transaction.atomic
def queue_some(*, most: int = BATCH) -> int:
    """Put the next records that the model in force has not decided yet into the redo queue; returns how many, 0 when all are in it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT version, queued_to FROM match_model WHERE state = 'active' AND queued_to IS NOT NULL"
            " FOR NO KEY UPDATE SKIP LOCKED"
        )
        row = cursor.fetchone()
        if row is None:
            return 0
        version, after = row
        cursor.execute(
            "SELECT source_record_id FROM match_record WHERE source_record_id > %s ORDER BY source_record_id LIMIT %s",
            (after, most),
        )
        records = [record for (record,) in cursor.fetchall()]
        cursor.execute(
            "INSERT INTO redo (source_record_id, reason, due_at, attempts)"
            " SELECT r, 'another model', clock_timestamp(), 0 FROM unnest(%s::uuid[]) r"
            " ON CONFLICT (source_record_id) DO UPDATE SET due_at = least(redo.due_at, excluded.due_at)",
            (records,),
        )
        cursor.execute(
            "UPDATE match_model SET queued_to = %s WHERE version = %s", (records[-1] if records else None, version)
        )
    return len(records)
