"""Connections: set up, taken live by two people, paused, and the one switch that stops everything that leaves the hub."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django.db import connection as database
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from apps.common.act import Act
from apps.common.errors import Conflict, NotFound, Permanent, Rejected
from apps.common.ids import uuid7
from apps.connectors import circuit, planner, registry
from apps.connectors.documents import DocumentError
from apps.connectors.mapping import Mapping as ColumnMapping
from apps.connectors.models import Connection, GoLive, OutboundSwitch
from apps.connectors.saved_mappings import save_mapping
from apps.connectors.secrets import seal_credentials
from apps.customers.models import System


@transaction.atomic
def connect(*, document: Mapping[str, Any], credentials: Mapping[str, str], act: Act) -> Connection:
    """A target set up, or set up anew, by its document; a new one observes. Every customer is planned for it. Who had asked to take
    it live had seen what another document would write: that request is rejected.

    Raises DocumentError (Rejected) with every entry that is wrong."""
    problems = registry.check(document)
    if problems:
        raise DocumentError(problems)
    head, document = document["connection"], _with_key_column(document)
    system, _ = System.objects.get_or_create(
        code=head["system"], defaults={"name": head.get("name", head["system"]), "kind": head.get("kind", "other")}
    )
    row = Connection.objects.select_for_update(no_key=True).filter(system=system).order_by("adapter").first()
    row = row or Connection(system=system, name=head.get("name", system.code), mode=Connection.Mode.OBSERVE)
    before = row.settings.get("document")
    row.adapter = head["adapter"]
    row.settings = {**row.settings, "document": dict(document), "mapping": system.code}
    if credentials:
        row.credentials = seal_credentials(credentials)
    row.save()
    if before != row.settings.get("document"):
        _withdraw([row.id], "The target was set up anew; ask again, with what would be written now.")
    save_mapping(system=system, name=system.code, mapping=ColumnMapping.from_dict(document.get("mapping", {})), act=act)
    circuit.ensure([row.id])
    planner.ask_all(cause="connected", correlation_id=act.correlation_id)
    return row


def _with_key_column(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document, whose mapping knows in which column of a record the hub's own key comes back."""
    pointer = document.get("record", {}).get("hub_key") or ""
    mapping = dict(document.get("mapping", {}))
    if pointer and "hub_key" not in mapping:
        mapping["hub_key"] = pointer.strip("/").replace("/", ".")
    return {**document, "mapping": mapping}


def _locked(connection_id: UUID) -> Connection:
    rows = Connection.objects.select_for_update(of=("self",), no_key=True).select_related("system")
    row = rows.filter(id=connection_id).first()
    if row is None or not row.is_target:
        raise NotFound("There is no such target.")
    return row


@transaction.atomic
def pause(*, connection: UUID, act: Act) -> Connection:
    """Nothing more is sent there; what has to be told waits, and the newest replaces what waits. Needs a reason."""
    row = _locked(connection)
    if row.mode != Connection.Mode.LIVE:
        raise Conflict(f"{row.name} is not live; there is nothing to pause.")
    if not act.reason:
        raise Rejected("Say why it is paused.")
    circuit.pause({row.id: act.reason}, by=act.actor)
    row.refresh_from_db()
    return row


@transaction.atomic
def resume(*, connection: UUID, act: Act, guard_hours: float = 0.0) -> Connection:
    """What waits is sent again. `guard_hours`: for so long the guard on the share of records lets everything through."""
    row = _locked(connection)
    if row.mode != Connection.Mode.PAUSED:
        raise Conflict(f"{row.name} is not paused.")
    row.mode, row.paused_reason, row.paused_by, row.paused_at = "live", "", "", None
    row.save(update_fields=("mode", "paused_reason", "paused_by", "paused_at"))
    circuit.ensure([row.id])
    with database.cursor() as cursor:
        cursor.execute(
            "UPDATE circuit SET state = 'closed', failures = 0, trips = 0, window_calls = 0, window_failures = 0, not_before = NULL,"
            " opened_at = NULL, probe_at = NULL, guard_lifted_until = CASE WHEN %s > 0 THEN clock_timestamp() + %s * interval '1 hour' END"
            " WHERE connection_id = %s",
            (guard_hours, guard_hours, row.id),
        )
    return row


@transaction.atomic
def request_go_live(*, connection: UUID, act: Act) -> GoLive:
    """Asks a second person to let the hub write to a target; keeps what the plan would do at this moment. Needs a reason."""
    row = _locked(connection)
    if row.mode != Connection.Mode.OBSERVE:
        raise Conflict(f"{row.name} does not observe; it is {row.mode}.")
    if not act.reason:
        raise Rejected("Say why it may go live.")
    if GoLive.objects.filter(connection=row, state="open").exists():
        raise Conflict("Somebody has asked already; a second person has to decide.")
    return GoLive.objects.create(
        id=uuid7(), connection=row, counts=planned_counts(row.id), author=act.actor, reason=act.reason,
        correlation_id=act.correlation_id,
    )  # fmt: skip


@transaction.atomic
def decide_go_live(*, go_live: UUID, approve: bool, act: Act) -> GoLive:
    """The second person's word. Approved: what was planned is sent from now on, behind what people wait for.

    Raises NotFound, Conflict (decided already), Rejected (the author decides; a rejection without a reason)."""
    asked = GoLive.objects.filter(id=go_live).first()
    if asked is None:
        raise NotFound("There is no such request.")
    target = _locked(
        asked.connection_id
    )  # before the request: who sets it up anew rejects what was asked for the old one
    row = GoLive.objects.select_for_update().get(id=go_live)
    if row.state != GoLive.State.OPEN:
        raise Conflict("It has been decided already.")
    if row.author == act.actor:
        raise Rejected("A second person has to decide: you asked for it.")
    if approve and target.mode != Connection.Mode.OBSERVE:
        raise Conflict(f"{target.name} does not observe any more; it is {target.mode}.")
    if not approve and not act.reason:
        raise Rejected("Say why not.")
    row.state = GoLive.State.APPROVED if approve else GoLive.State.REJECTED
    row.approver, row.decision, row.decided_at = act.actor, act.reason, timezone.now()
    row.save(update_fields=("state", "approver", "decision", "decided_at"))
    if approve:
        _take_live(row.connection_id)
    return row


def _take_live(connection: UUID) -> None:
    """The guard lets the first delivery of everything through: two people have seen how much that is."""
    circuit.ensure([connection])
    with database.cursor() as cursor:
        cursor.execute(
            "SELECT 1 FROM feed_reader WHERE name = %s FOR UPDATE", (planner.READER,)
        )  # a turn that still saw it observe
        cursor.execute("UPDATE connection SET mode = 'live' WHERE id = %s", (connection,))
        cursor.execute(
            "UPDATE circuit SET guard_lifted_until = clock_timestamp() + interval '24 hours' WHERE connection_id = %s",
            (connection,),
        )
        cursor.execute(
            "UPDATE delivery SET state = 'waiting', lane = 1, due_at = clock_timestamp() WHERE connection_id = %s AND state = 'planned'",
            (connection,),
        )


_WITHDRAWN_BY = "hub:withdrawn"


def _withdraw(connections: Sequence[UUID], why: str) -> int:
    return GoLive.objects.filter(connection__in=connections, state=GoLive.State.OPEN).update(
        state=GoLive.State.REJECTED, approver=_WITHDRAWN_BY, decision=why, decided_at=timezone.now()
    )


@transaction.atomic
def withdraw_stale() -> int:
    """Rejects open requests for connections that do not observe any more; returns how many."""
    gone = ~Q(mode=Connection.Mode.OBSERVE) | Q(adapter="webhook")
    stale = Connection.objects.select_for_update(no_key=True).filter(gone, go_lives__state="open").order_by("id")
    return _withdraw(list(stale.values_list("id", flat=True)), "The target does not observe any more.")


def planned_counts(connection: UUID) -> dict[str, int]:
    """What the plan would do to a target: deliveries by kind, and records there that already hold what they should."""
    with database.cursor() as cursor:
        cursor.execute(
            "SELECT op, count(*) FROM delivery WHERE connection_id = %s AND state IN ('planned', 'waiting') GROUP BY op",
            (connection,),
        )
        counts: dict[str, int] = dict(cursor.fetchall())
        cursor.execute(
            "SELECT count(*) FROM link l JOIN connection c ON c.system_id = l.system_id WHERE c.id = %s AND l.state = 'active'",
            (connection,),
        )
        linked = cursor.fetchone()[0]
    touched = sum(n for op, n in counts.items() if op != "create")
    return {**{op: counts.get(op, 0) for op in ("create", "update", "deactivate", "reactivate", "merge")},
            "unchanged": max(0, linked - touched), "linked": linked}  # fmt: skip


@transaction.atomic
def switch(*, stopped: bool, act: Act) -> OutboundSwitch:
    """The one switch: while it is stopped nothing leaves the hub; calls on their way come to their end. Needs a reason to stop."""
    if stopped and not act.reason:
        raise Rejected("Say why everything is stopped.")
    row, _ = OutboundSwitch.objects.update_or_create(
        id=1, defaults={"stopped": stopped, "reason": act.reason, "actor": act.actor, "changed_at": timezone.now()}
    )
    return row


def connection_by_name(name: str) -> Connection:
    """A target by its name or its system's code. Raises NotFound, Permanent for one that is in only."""
    row = Connection.objects.select_related("system").filter(name=name).first()
    row = row or Connection.objects.select_related("system").filter(system__code=name).order_by("adapter").first()
    if row is None:
        raise NotFound(f"There is no connection {name!r}.")
    if not row.is_target:
        raise Permanent(f"{row.name} is in only: nothing is sent there.")
    return row
