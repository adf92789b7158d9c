"""The exception desk: what a target refused is told again, mended, or given up; whole groups are replayed; customers are planned again.

A delivery keeps its idempotency key over a retry, so what a target has carried out already has no second effect; one that was mended
gets a new key. Nothing older is ever told after something newer of the same record."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db import connection as database

from apps.common.act import Act
from apps.common.errors import Conflict, FieldError, NotFound, Permanent, Rejected
from apps.common.ids import array
from apps.common.jsontext import storable
from apps.connectors import planner
from apps.connectors.contract import UNKNOWN_OUTCOME, Op, Trouble
from apps.connectors.desk_fields import flattened, held_after, mended, nested
from apps.connectors.models import Connection, Delivery
from apps.connectors.outbound import BULK, INTERACTIVE
from apps.connectors.targets import Target, targets

__all__ = ["MOST", "discard", "edit", "flattened", "nested", "plan_again", "replay", "retry"]
MOST = 250
"""Deliveries of one call, and of one transaction of a replay."""
LEAST_FINDING = 10
"""Characters of a reason that says what was found out about an unknown outcome."""


@transaction.atomic
def retry(*, deliveries: Sequence[UUID], act: Act) -> int:
    """Failed deliveries wait again, to be told now under the same key, with all attempts before them; returns how many.

    All or none. One whose outcome is unknown is found out about before it is told. Raises NotFound, Conflict (it has not failed, or a
    newer one took its place), Rejected (the target cannot be asked: the reason has to say what a person found there)."""
    rows = _locked(deliveries)
    _only(rows, "failed", "Only what has failed can be retried")
    for row in rows:
        if row.code == UNKNOWN_OUTCOME:
            _finding(act, "It may have been carried out, and the target cannot be asked")
    _still_newest(rows)
    return len(_again([r.id for r in rows], act, INTERACTIVE))


@transaction.atomic
def edit(*, delivery: UUID, native: Mapping[str, Any], act: Act) -> Delivery:
    """A failed delivery is told with these native fields instead of its own, under a new key. The hub's own columns stay as they were,
    and so does a value that is given back masked.

    What the target then holds is kept as what it was told; the golden record stays as it is. Raises NotFound, Conflict, Rejected
    (columns the mapping does not write, nothing left to tell), Permanent (the connection's document cannot be used)."""
    (row,) = _locked([delivery])
    _only([row], "failed", "Only what has failed can be edited")
    if row.op == Op.CREATE and (row.trouble == Trouble.UNCERTAIN or row.code == UNKNOWN_OUTCOME):
        raise Conflict(
            "It may have been carried out already: retry it first, to find out. A new key could make a second record."
        )
    _still_newest([row])
    target = _target(row.connection)
    row.native = mended(native, row.native, target)
    row.values = held_after(row.native, row.customer.kind, target)
    row.revision += 1
    row.save(update_fields=("native", "values", "revision"))
    _again([row.id], act, INTERACTIVE)
    row.refresh_from_db()
    return row


@transaction.atomic
def discard(*, deliveries: Sequence[UUID], act: Act) -> int:
    """These are not told; returns how many. A later change of the same customer is planned as ever. All or none.

    Raises NotFound, Conflict (one is over, or is being told right now), Rejected (no reason; of an uncertain one the reason has to say
    what was found at the target)."""
    if not act.reason.strip():
        raise _needs("Say why it shall not be told.")
    rows = _locked(deliveries)
    _only(rows, ("failed", "waiting", "uncertain"), "Only what has failed, waits or is uncertain can be discarded")
    if any(r.state == "uncertain" or r.code == UNKNOWN_OUTCOME or r.trouble == Trouble.UNCERTAIN for r in rows):
        _finding(act, "One of them may have been carried out")
    with database.cursor() as cursor:
        cursor.execute(
            "UPDATE delivery SET state = 'discarded', finished_at = clock_timestamp(), lease_until = NULL, actor = %s, reason = %s"
            " WHERE id = ANY(%s::uuid[])",
            (act.actor, storable(act.reason), array(r.id for r in rows)),
        )
    return len(rows)


def replay(
    *, connection: UUID, trouble: str, code: str | None, act: Act, since: datetime | None = None, dry_run: bool = False
) -> int:
    """A whole group of failed deliveries waits again, behind what people wait for; returns how many. `code` None: whatever the code;
    `since`: only what failed from then on. In transactions of MOST, so that it can be broken off and asked for again.

    What a newer one replaced meanwhile is superseded instead. Raises NotFound, Rejected (outcomes nobody can ask for go one by one)."""
    if code == UNKNOWN_OUTCOME:
        raise Rejected(
            "Their outcome is unknown: look each up in the target, then retry or discard it with what you found."
        )
    _exists(connection)
    group = Delivery.objects.filter(connection_id=connection, state="failed", trouble=trouble).exclude(
        code=UNKNOWN_OUTCOME
    )
    group = group.filter(code=code) if code is not None else group
    group = group.filter(finished_at__gte=since) if since is not None else group
    ids = list(group.order_by("id").values_list("id", flat=True))
    done = 0
    for start in range(0, len(ids), MOST):
        done += _replay_some(ids[start : start + MOST], act, dry_run=dry_run)
    return done


@transaction.atomic
def plan_again(*, act: Act, connection: UUID | None = None, customers: Sequence[UUID] = ()) -> int:
    """Customers whose deliveries are worked out again: these, or every one (for a target, whose plan is the comparison of all);
    returns how many were asked for. Both named: every one. Planning changes nothing where nothing differs. Raises NotFound, Rejected (neither is named)."""
    if connection is None and not customers:
        raise Rejected("Name a target or customers.")
    if connection is None:
        planner.ask(customers, cause="asked", correlation_id=act.correlation_id)
        return len(set(customers))
    _exists(connection)
    return planner.ask_all(cause="asked", correlation_id=act.correlation_id)


def _exists(connection: UUID) -> None:
    if not Connection.objects.filter(id=connection).exclude(adapter="webhook").exists():
        raise NotFound("There is no such target.")


# ── which ones ──────────────────────────────────────────────────────────────────────────────────────────────────────
def _locked(deliveries: Sequence[UUID]) -> list[Delivery]:
    ids = set(deliveries)
    if not ids or len(ids) > MOST:
        raise Rejected(f"Name 1 to {MOST} deliveries; a whole group is replayed.")
    rows = list(
        Delivery.objects.select_for_update(of=("self",)).select_related("connection").filter(id__in=ids).order_by("id")
    )
    missing = ids - {r.id for r in rows}
    if missing:
        raise NotFound(f"There is no delivery {min(missing)}.")
    return rows


def _only(rows: Iterable[Delivery], states: str | Sequence[str], rule: str) -> None:
    for row in rows:
        if row.state not in ((states,) if isinstance(states, str) else states):
            why = f": {row.reason}" if row.state == "superseded" and row.reason else ""
            raise Conflict(f"{rule}; {row.id} is {row.state}{why}.")


def _finding(act: Act, why: str) -> None:
    if len(act.reason.strip()) < LEAST_FINDING:
        raise _needs(f"{why}: look there, and say in the reason what you found.")


def _needs(sentence: str) -> Rejected:
    return Rejected(sentence, [FieldError("/reason", "missing", sentence)])


@dataclass(frozen=True, slots=True)
class _Outdated:
    """Why a delivery must not be told any more: `newer` of the same record, or None when the record went to another customer."""

    newer: UUID | None
    state: str


_NEWER = """
SELECT d.id, n.id, n.state, s.customer_id IS DISTINCT FROM d.customer_id FROM delivery d JOIN source_record s ON s.id = d.record_id
LEFT JOIN LATERAL (SELECT n.id, n.state FROM delivery n WHERE n.customer_id = d.customer_id AND n.connection_id = d.connection_id
  AND n.record_id = d.record_id AND n.id > d.id AND n.version >= d.version AND n.state NOT IN ('superseded', 'discarded')
  ORDER BY n.id DESC LIMIT 1) n ON true
WHERE d.id = ANY(%s::uuid[]) AND (n.id IS NOT NULL OR s.customer_id IS DISTINCT FROM d.customer_id)
"""


def _outdated(ids: Iterable[UUID]) -> dict[UUID, _Outdated]:
    with database.cursor() as cursor:
        cursor.execute(_NEWER, (array(ids),))
        return {id_: _Outdated(newer, state or "") for id_, newer, state, _ in cursor.fetchall()}


def _still_newest(rows: Sequence[Delivery]) -> None:
    for id_, why in _outdated(r.id for r in rows).items():
        if why.newer is None:
            raise Conflict(f"The record of {id_} belongs to another customer now; discard it and plan again.")
        raise Conflict(f"A newer delivery, {why.newer} ({why.state}), has replaced {id_}; discard it.")


# ── once more ───────────────────────────────────────────────────────────────────────────────────────────────────────
# After an attempt whose outcome nobody knows the target is asked before anything is told; unless it cannot be asked, and a person was.
_AGAIN = """
UPDATE delivery d SET state = CASE WHEN d.code <> %s AND EXISTS (SELECT 1 FROM delivery_attempt a
    WHERE a.delivery_id = d.id AND a.trouble = 'uncertain') THEN 'uncertain' ELSE 'waiting' END,
  due_at = clock_timestamp(), lane = %s, burned = 0, lease_until = NULL, finished_at = NULL, actor = %s, reason = %s
WHERE d.id = ANY(%s::uuid[]) AND d.state = 'failed' RETURNING d.id
"""


def _again(ids: Sequence[UUID], act: Act, lane: int) -> list[UUID]:
    """Failed ones wait again. Raises Conflict when something else of the same record came to wait or to be told meanwhile."""
    try:
        with transaction.atomic(), database.cursor() as cursor:
            cursor.execute(_AGAIN, (UNKNOWN_OUTCOME, lane, act.actor, storable(act.reason), array(ids)))
            return [row[0] for row in cursor.fetchall()]
    except IntegrityError as error:
        raise Conflict("Something newer of the same record waits or is being told; look again.") from error


@transaction.atomic
def _replay_some(ids: Sequence[UUID], act: Act, *, dry_run: bool) -> int:
    """Those of `ids` that have still failed and are the newest of their record. One that collides with the planner stays as it is."""
    rows = Delivery.objects.select_for_update(skip_locked=True).filter(id__in=ids, state="failed").order_by("id")
    found = list(rows.values_list("id", flat=True))
    stale = _outdated(found)
    fresh = [id_ for id_ in found if id_ not in stale]
    if dry_run:
        return len(fresh)
    with database.cursor() as cursor:
        cursor.execute(
            "UPDATE delivery SET state = 'superseded', finished_at = clock_timestamp(), reason = 'a newer one took its place'"
            " WHERE id = ANY(%s::uuid[])",
            (array(stale),),
        )
    try:
        return len(_again(fresh, act, BULK))
    except Conflict:
        return sum(_alone(id_, act) for id_ in fresh)


def _alone(id_: UUID, act: Act) -> int:
    try:
        return len(_again([id_], act, BULK))
    except Conflict:
        return 0


def _target(row: Connection) -> Target:
    target = targets().get(row.id)
    if target is None or target.error:
        raise Permanent(f"The document of {row.name} cannot be used: {target.error if target else 'its system is off'}")
    return target
