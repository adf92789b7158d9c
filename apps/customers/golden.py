"""Rebuild: from members to derived values, from derived to effective values, and one new version where either differs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.db import connection
from django.utils import timezone

from apps.common.act import Act
from apps.common.ids import array
from apps.common.jsontext import json_value
from apps.customers import due, holds, stale, store
from apps.customers.survivorship import PARTS, SCALARS, Golden, Member, Pin, survive
from apps.customers.survivorship_lineage import unpack
from apps.policies.active import Active, active_ones

MOST_NAMES = 20
"""Other names by which a customer of many records is found."""
_READ_DERIVED = ", ".join(
    [f"{n}::text" if n in ("birth_date", "credit_limit") else n for n in ("kind", *SCALARS)]
    + [f"{n}::text" for n in (*PARTS, "extra", "held", "lineage")]
)


@dataclass(slots=True)
class Standing:
    """A customer as it stands in the database; `values` are effective."""

    id: UUID
    version: int
    active: bool
    replaced_by: UUID | None
    member_count: int
    policy_hash: str
    released: bool
    values: dict[str, Any]
    held: dict[str, Any]
    lineage: dict[str, Any]


class MemberRow:
    """A source record with its current customer; what survivorship needs of it is read when it is asked for."""

    __slots__ = ("_member", "_row", "customer", "external_id", "follows", "id", "is_anchor")

    def __init__(self, row: tuple[Any, ...]) -> None:
        self.id: UUID = row[0]
        self.customer: UUID | None = row[1]
        self.is_anchor: bool = row[3] == "steward"
        self.external_id: str = row[6]
        self.follows: UUID | None = row[10]
        self._row = row
        self._member: Member | None = None

    @property
    def member(self) -> Member:
        if self._member is None:
            self._member = member_of(self._row)
        return self._member


@dataclass(slots=True)
class Change:
    """What shall become of one customer: its members from now on, and the event that tells it.

    `approved`: hashes of proposed values, by attribute, that a second person has just let through; `releases`: what an initial
    load kept quiet is told from now on."""

    customer: UUID
    members: Sequence[MemberRow]
    event: str = "customer.changed"
    body: dict[str, Any] = field(default_factory=dict)
    successor: UUID | None = None
    reason: str = ""
    approved: Mapping[str, bytes] = field(default_factory=dict)
    releases: bool = False


def read_customers(ids: Sequence[UUID]) -> dict[UUID, Standing]:
    """Current rows by id, values JSON-able (dates and numbers as text): one query."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT id, version, active, replaced_by, member_count, policy_hash, released, {_READ_DERIVED}"
            " FROM customer WHERE id = ANY(%s::uuid[])",
            (array(ids),),
        )
        return {row[0]: _standing(row) for row in cursor.fetchall()}


def _standing(row: tuple[Any, ...]) -> Standing:
    scalars = ("kind", *SCALARS)
    cut = 7 + len(scalars)
    values = {n: v for n, v in zip(scalars, row[7:cut], strict=True) if v is not None}
    loaded = [json_value(text) for text in row[cut:]]
    parts, extra, held, lineage = loaded[: len(PARTS)], *loaded[len(PARTS) :]
    values.update((n, v) for n, v in zip(PARTS, parts, strict=True) if v)
    if extra:
        values["extra"] = extra
    return Standing(row[0], row[1], row[2], row[3], row[4], row[5], row[6], values, held, unpack(lineage))


_MEMBERS = (
    "SELECT s.id, s.customer_id, y.code, y.kind, y.trust, y.delete_policy, s.external_id, s.canonical::text,"
    " coalesce(s.source_updated_at, s.changed_at)::text, s.deleted, s.follows_id,"
    " s.received_at::text FROM source_record s JOIN system y ON y.id = s.system_id WHERE "
)


def read_members(*, records: Sequence[UUID] = (), customers: Sequence[UUID] = ()) -> list[MemberRow]:
    """Source records by id, and all members of some customers."""
    found: dict[UUID, MemberRow] = {}
    with connection.cursor() as cursor:
        for condition, ids in (("s.id = ANY(%s::uuid[])", records), ("s.customer_id = ANY(%s::uuid[])", customers)):
            if ids:
                cursor.execute(_MEMBERS + condition, (array(ids),))
                found.update((row[0], MemberRow(row)) for row in cursor.fetchall() if row[0] not in found)
    return list(found.values())


def member_of(row: tuple[Any, ...]) -> Member:
    """A source record as survivorship reads it, out of a row as `_MEMBERS` reads it."""
    id_, _, code, kind, trust, delete_policy, external_id, canonical, updated_at, deleted, _, received_at = row
    body = json_value(canonical)
    anchor = body if kind == "steward" else {}
    pins = {a: Pin(p["at"], p["value"]) for a, p in anchor.get("pins", {}).items()}
    ignored = {a: i["value"] for a, i in anchor.get("ignored", {}).items()}
    return Member(
        id=str(id_), system=code, system_kind=kind, external_id=external_id, trust=trust,
        updated_at=datetime.fromisoformat(updated_at),
        canonical=body, pins=pins, ignored=ignored, received_at=datetime.fromisoformat(received_at),
        **(_deleted(delete_policy, updated_at) if deleted else {}),
    )  # fmt: skip


def _deleted(policy: str, updated_at: str) -> dict[str, Any]:
    """What becomes of a record that its system has deleted."""
    match policy:
        case "downgrade":
            return {"downgraded": True}
        case "end_date":
            return {"downgraded": True, "ended": datetime.fromisoformat(updated_at).astimezone(UTC).date()}
        case "cascade":
            return {"gone": True}
    return {}


@dataclass(frozen=True, slots=True)
class Rules:
    """The three policies a rebuild reads, once per batch."""

    survivorship: Active
    approval: Active
    ownership: Active


def rules() -> Rules:
    return Rules(*active_ones("survivorship", "approval", "ownership"))


def rebuild(
    changes: Sequence[Change], *, moves: Sequence[store.Move] = (), act: Act, model_version: int | None = None
) -> list[UUID]:
    """Derives, applies holds, and writes every customer of `changes` that differs; returns the ids of those written.

    The caller holds the row locks of the customers and of their members. Without a difference nothing is written."""
    rule, now = rules(), timezone.now()
    standing = read_customers([c.customer for c in changes])
    live, merges = holds.live_holds(list(standing)) if standing else ({}, {})
    rows: list[store.CustomerRow] = []
    unchanged: list[store.CustomerRow] = []
    held: list[holds.HoldChange] = []
    for change in changes:
        row, differs = customer_row(
            change, standing.get(change.customer), live.get(change.customer, {}), rule, now, held, act
        )
        if differs:
            rows.append(row)
        elif len(row.external_keys) > 1:  # what it is found by may be another all the same: names that lost
            unchanged.append(row)
    store.write(rows=rows, moves=moves, act=act, model_version=model_version, unchanged=unchanged)
    if held:
        holds.write_changes(held, act)
    gone = {c.customer for c in changes if c.successor is not None}
    stale.close_merges(request for request, named in merges.items() if named & gone)
    _keep_days([c for c in changes if c.customer not in gone], now)
    return [row.id for row in rows]


def _keep_days(changes: Sequence[Change], now: datetime) -> None:
    """On which day each of them is derived again, because an entry of its lists begins or ends then."""
    today = now.astimezone(UTC).date()
    days = {c.customer: due.due((m.member for m in c.members), today) for c in changes}
    if coming := {id_: day for id_, day in days.items() if day is not None}:
        due.keep(coming)


def customer_row(
    change: Change, standing: Standing | None, live: Mapping[str, holds.LiveHold], rule: Rules,
    now: datetime, held: list[holds.HoldChange], act: Act,
) -> tuple[store.CustomerRow, bool]:  # fmt: skip
    """The customer as it shall stand, and whether that is another than it stands now."""
    if change.successor is not None and standing is not None:
        held.extend(holds.HoldChange(change.customer, a, close=h.id) for a, h in live.items())
        return _retired(change, standing), True
    golden = survive([m.member for m in change.members], rule.survivorship.rules, now)
    effective, kept = _effective(change, standing, golden, live, rule, held, act)
    known = [m.member for m in change.members if not m.is_anchor]
    row = store.CustomerRow(
        id=change.customer, values=effective, held=kept, lineage=golden.lineage,
        member_count=sum(1 for m in change.members if m.follows is None),
        policy_hash=rule.survivorship.hash, released=not act.quiet, event="customer.created", body=dict(change.body),
        external_keys=[f"{m.system}:{m.external_id}" for m in known], also=_other_names(known, effective),
    )  # fmt: skip
    if standing is None:
        return row, True
    row.version, row.event = standing.version, change.event
    row.released = change.releases or (standing.released and not act.quiet)
    differs = sorted(
        n for n in (*effective.keys() | standing.values.keys(),) if effective.get(n) != standing.values.get(n)
    )
    same = not differs and standing.active and kept == standing.held and golden.lineage == standing.lineage
    same = same and (standing.released or not change.releases)
    if same and standing.member_count == row.member_count and change.event == "customer.changed":
        return row, False
    row.body["attributes"] = differs
    if not standing.active:
        row.body["reactivated"] = True
    return row, True


def _other_names(members: Sequence[Member], values: Mapping[str, Any]) -> list[str]:
    """Names that sources have for the customer and the golden record has not: people go on asking for them."""
    if len(members) < 2:
        return []
    told: dict[str, str] = {}
    for member in members:
        own = member.canonical
        parts = " ".join(str(own[n]) for n in ("given_name", "family_name") if own.get(n))
        for name in (own.get("name"), own.get("organization_name"), parts):
            if name:
                told.setdefault(str(name).casefold(), str(name))
    golden = " ".join(
        str(values.get(n) or "") for n in ("name", "organization_name", "given_name", "family_name")
    ).casefold()
    return [name for folded, name in told.items() if folded not in golden][:MOST_NAMES]


def _retired(change: Change, standing: Standing) -> store.CustomerRow:
    """A merged-away customer keeps its last values; its id goes on resolving to the successor."""
    return store.CustomerRow(
        id=standing.id, values=standing.values, held={}, lineage=standing.lineage, member_count=0, policy_hash=standing.policy_hash,
        version=standing.version, active=False, replaced_by=change.successor, retired_reason=change.reason or "merged",
        released=standing.released, event="customer.retired", body={**change.body, "replaced_by": str(change.successor)},
    )  # fmt: skip


def _effective(
    change: Change, standing: Standing | None, golden: Golden, live: Mapping[str, holds.LiveHold], rule: Rules,
    held: list[holds.HoldChange], act: Act,
) -> tuple[dict[str, Any], dict[str, Any]]:  # fmt: skip
    """Effective values, and the derived value of every attribute that is held back.

    A customer that comes back goes on from the values it had in force when it was retired."""
    if standing is None:
        return golden.values, {}
    effective, kept = dict(golden.values), {}
    by_id = {str(m.id): m.member for m in change.members}
    protected = rule.approval.rules.protected
    for attribute in (*protected, *(live.keys() - set(protected))):  # what is no longer protected is let go
        derived, now = golden.values.get(attribute), standing.values.get(attribute)
        known = live.get(attribute)
        if known is None and derived == now:
            continue
        winner = by_id.get(golden.lineage.get(attribute, {}).get("record", ""))
        owned = winner is not None and rule.ownership.rules.owns(
            system=winner.system, kind=winner.system_kind, attribute=attribute
        )
        approved = change.approved.get(attribute) == holds.value_hash(derived)
        left = standing.active and change.event == "customer.unmerged"  # with the members that gave the value
        free = known is None and (now is None or left)
        protects = attribute in protected and not (owned or approved or act.quiet or free)
        value, hold_change = holds.settle(
            customer=change.customer, attribute=attribute, derived=derived, effective=now, live=known, protects=protects
        )
        if hold_change is not None:
            held.append(hold_change)
        if value != derived:
            kept[attribute] = derived
        if value is None:
            effective.pop(attribute, None)
        else:
            effective[attribute] = value
    return effective, kept
