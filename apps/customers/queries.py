"""Reading customers: the one place where pages, the API and commands ask what the hub knows.

Every query is a small, fixed number of SQL statements. Ids that were retired resolve for ever."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection

from apps.common.errors import NotFound
from apps.common.rows import first
from apps.customers.models import Customer
from apps.customers.queries_history import AttributeChange, Version, history
from apps.customers.queries_members import Members, Pin, Source, members_of
from apps.customers.queries_search import Hit, Hits, search
from apps.customers.queries_values import values_of
from apps.customers.survivorship import ATTRIBUTES, PARTS
from apps.customers.survivorship_decide import CONFLICT
from apps.events.queries import Entry, changes

__all__ = [
    "AttributeChange", "AttributeLineage", "CustomerDetail", "Entry", "Hit", "Hits", "PartLineage", "Pin",
    "Resolved", "Source", "SourceValue", "Version", "changes", "customer_detail", "detail_of",
    "history", "lineage",
    "lineage_of", "resolve", "search", "values_of",
]  # fmt: skip

_MOST_HOPS = 20


@dataclass(frozen=True, slots=True)
class Resolved:
    """`customer` is what `asked` stands for today; `replaced`: another id than the one asked for."""

    customer: Customer
    asked: UUID
    replaced: bool


@dataclass(frozen=True, slots=True)
class CustomerDetail:
    """A customer with everything its page shows. `values` are effective; `held`: attribute -> derived value kept back
    by a Hold; `redirects`: retired ids that lead here now."""

    id: UUID
    asked: UUID
    replaced: bool
    active: bool
    version: int
    kind: str
    name: str | None
    values: Mapping[str, Any]
    held: Mapping[str, Any]
    lineage: Mapping[str, Mapping[str, Any]]
    policy_hash: str
    member_count: int
    released: bool
    created_at: datetime
    updated_at: datetime
    sources: Sequence[Source]
    pins: Sequence[Pin]
    redirects: Sequence[UUID]


@dataclass(frozen=True, slots=True)
class SourceValue:
    """One record's value of one attribute; `updated_at` says how old it is, `ignored` that a steward lets it count as never sent."""

    value: Any
    record: UUID
    system: str
    system_name: str
    external_id: str
    updated_at: datetime
    ignored: bool = False


@dataclass(frozen=True, slots=True)
class PartLineage:
    """One address, contact point or identifier of the golden record and the records it came from, best first."""

    part: Mapping[str, Any]
    sources: Sequence[Source]


@dataclass(frozen=True, slots=True)
class AttributeLineage:
    """Where one value comes from. `rule`: only, agreed, trust, recent, …, united (lists), composed (a name made of its
    parts), pin, conflict (no value: the sources disagree, and the policy wants them of one mind).

    `held`: a Hold keeps `value`; `proposed` is what the rule would say. `parts` is filled for lists."""

    attribute: str
    value: Any
    rule: str
    policy_hash: str
    winner: SourceValue | None
    others: Sequence[SourceValue]
    held: bool = False
    proposed: Any = None
    parts: Sequence[PartLineage] = ()
    pin: Pin | None = None


def resolve(id: UUID) -> Resolved:
    """The customer that `id` stands for today; NotFound for an id the hub never gave. Two queries for a retired id."""
    customer = first(Customer, "id = %s", id)
    if customer is None:
        raise NotFound(f"There is no customer {id}.")
    asked = customer.id
    for _ in range(_MOST_HOPS):
        after = None if customer.active else customer.replaced_by
        successor = first(Customer, "id = %s", after) if after is not None else None
        if successor is None:
            break
        customer = successor
    return Resolved(customer, asked, customer.id != asked)


def customer_detail(id: UUID) -> CustomerDetail:
    """Everything about one customer: three queries, four for a retired id."""
    return detail_of(resolve(id))


def detail_of(resolved: Resolved) -> CustomerDetail:
    """Everything about a customer that was resolved already: two queries."""
    c = resolved.customer
    members = members_of(c.id)
    return CustomerDetail(
        id=c.id, asked=resolved.asked, replaced=resolved.replaced, active=c.active, version=c.version, kind=c.kind,
        name=c.name,
        values=values_of(c), held=c.held, lineage=c.lineage, policy_hash=c.policy_hash, member_count=c.member_count,
        released=c.released, created_at=c.created_at, updated_at=c.updated_at, sources=members.sources,
        pins=[members.pins[a] for a in sorted(members.pins)], redirects=_redirects(c.id),
    )  # fmt: skip


def _redirects(successor: UUID) -> list[UUID]:
    """The retired ids that lead to a customer, the first retired first."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT retired_id FROM redirect WHERE successor_id = %s AND until IS NULL ORDER BY since", (successor,)
        )
        return [row[0] for row in cursor.fetchall()]


def lineage(id: UUID) -> list[AttributeLineage]:
    """Every attribute that has a value, or would have one if its sources agreed, in the order of the canonical form: two queries, three
    for a retired id."""
    return lineage_of(resolve(id).customer)


def lineage_of(customer: Customer) -> list[AttributeLineage]:
    """The same for a customer that was read already: one query."""
    return lineage_by(customer, members_of(customer.id))


def lineage_by(customer: Any, members: Members) -> list[AttributeLineage]:
    """The same of a Customer, or of one of its history rows, and of the members it had with it."""
    values = values_of(customer)
    extra = values.get("extra", {})
    disagreed = {name for name, noted in customer.lineage.items() if noted["rule"] == CONFLICT}
    declared = sorted({f"extra.{name}" for name in extra} | {name for name in disagreed if name.startswith("extra.")})
    told = []
    for name in [*(a for a in ATTRIBUTES if a != "extra"), *declared]:
        value = extra.get(name[6:]) if name.startswith("extra.") else values.get(name)
        if value is not None or name in customer.held or name in disagreed:
            told.append(_told(name, value, customer, members))
    return told


def _told(name: str, value: Any, customer: Any, members: Members) -> AttributeLineage:
    source_of = members.by_id()
    noted = customer.lineage.get(name) or customer.lineage.get(name.split(".", maxsplit=1)[0]) or {}
    rule, record = noted.get("rule", "none"), noted.get("record", "")
    if name == "name" and noted.get("rule") != "pin":
        composed = _composed_from(value, customer, source_of.get(record))
        if composed is not None:
            rule, record = "composed", customer.lineage.get(composed, {}).get("record", record)
    winner = source_of.get(record)
    others = [_value_of(s, name) for s in members.sources if s is not winner]
    parts = []
    if name in PARTS:
        parts = [PartLineage(p, [source_of[r] for r in p.get("from", ()) if r in source_of]) for p in value or ()]
    held = name in customer.held
    return AttributeLineage(
        attribute=name, value=value, rule=rule, policy_hash=customer.policy_hash,
        winner=_value_of(winner, name) if winner is not None else None,
        others=[o for o in others if o.value is not None], held=held, proposed=customer.held.get(name), parts=parts,
        pin=members.pins.get(name) if noted.get("rule") == "pin" else None,
    )  # fmt: skip


def _composed_from(value: Any, customer: Any, winner: Source | None) -> str | None:
    """The attribute a display name was made of, when no record sent it as it stands."""
    if winner is not None and winner.canonical.get("name") == value:
        return None
    order = (
        ("organization_name",)
        if customer.kind == "organization"
        else ("family_name", "given_name", "organization_name")
    )
    return next((a for a in order if a in customer.lineage), None)


def _value_of(source: Source, name: str) -> SourceValue:
    canonical = source.canonical
    value = canonical.get("extra", {}).get(name[6:]) if name.startswith("extra.") else canonical.get(name)
    return SourceValue(
        value, source.record, source.system, source.system_name, source.external_id, source.updated_at, name in source.ignored
    )  # fmt: skip
