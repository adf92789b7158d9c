"""From the members' canonical records to one golden record: a pure function of members and policy.

The result does not depend on the order of the members: every choice ends in (system code, external id), which is unique."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, NamedTuple

from apps.customers.survivorship_parts import unite
from apps.customers.survivorship_policy import SurvivorshipPolicy

SCALARS = (
    "name", "given_name", "family_name", "organization_name", "birth_date", "website",
    "currency", "language", "payment_terms", "credit_limit", "status",
)  # fmt: skip
PARTS = ("addresses", "contact_points", "identifiers")
ATTRIBUTES = ("kind", *SCALARS, *PARTS, "extra")
_SAYS_NOTHING = frozenset({"kind"})  # all that a record has which a system holds only because the hub made it
_LONG_AGO = datetime(1, 1, 1, tzinfo=UTC)


class Pin(NamedTuple):
    """A steward's value, and when it was set (ISO 8601 in UTC, to the microsecond): of two pins of one attribute the newer counts."""

    at: str
    value: Any


@dataclass(frozen=True, slots=True)
class Member:
    """One source record of a customer. `pins` and `ignored`: a steward's anchor alone has them, by attribute; `ignored` are values of
    the record that it names as its `external_id`."""

    id: str
    system: str
    system_kind: str
    external_id: str
    trust: int
    updated_at: datetime
    canonical: Mapping[str, Any]
    downgraded: bool = False
    pins: Mapping[str, Pin] = field(default_factory=dict)
    ignored: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Golden:
    """`values`: every attribute that has one, JSON-able. `lineage`: attribute -> {record, rule, of} (of: records that had a value)."""

    values: dict[str, Any]
    lineage: dict[str, dict[str, Any]]


def survive(members: Sequence[Member], policy: SurvivorshipPolicy) -> Golden:
    """Derived values of one customer. `members` must not be empty; anchors (kind steward) bring pins and take away ignored values,
    and a record without a value of its own brings nothing."""
    known = heeded(members, policy)
    sources = [m for m in known if m.canonical.keys() - _SAYS_NOTHING] or known
    ordered = sorted(sources, key=lambda m: (m.system, m.external_id)) if len(sources) > 1 else list(sources)
    values: dict[str, Any] = {}
    lineage: dict[str, dict[str, Any]] = {}
    if len(ordered) == 1:
        _take_all(ordered[0], values, lineage)
    elif ordered:
        _choose_all(ordered, policy, values, lineage)
    for attribute, (pin, anchor) in newest_pins(members).items():
        values[attribute] = unite(attribute, [(anchor.id, pin.value)]) if attribute in PARTS else pin.value
        lineage[attribute] = {"record": anchor.id, "rule": "pin", "of": len(ordered)}
    if lineage.get("name", {}).get("rule") != "pin":
        values["name"] = display_name(values)
    return Golden({k: v for k, v in values.items() if v is not None}, lineage)


def heeded(members: Sequence[Member], policy: SurvivorshipPolicy) -> list[Member]:
    """The source records, without the values that a steward ignores; of a group that survives together all of it goes. A value that
    has changed since counts."""
    ignored = {m.external_id: m.ignored for m in members if m.ignored}
    known = [m for m in members if m.system_kind != "steward"]
    return [_without(m, ignored[m.id], policy) if m.id in ignored else m for m in known] if ignored else known


def _without(member: Member, ignored: Mapping[str, Any], policy: SurvivorshipPolicy) -> Member:
    gone = {a for a, value in ignored.items() if member.canonical.get(a) == value}
    gone.update(*(group for group in policy.groups if gone & set(group)))
    return replace(member, canonical={a: v for a, v in member.canonical.items() if a not in gone})


def newest_pins(members: Sequence[Member]) -> dict[str, tuple[Pin, Member]]:
    """The pin that counts for each pinned attribute, with the anchor it hangs on."""
    found: dict[str, tuple[Pin, Member]] = {}
    for anchor in sorted((m for m in members if m.pins), key=lambda m: m.external_id):
        for attribute, pin in anchor.pins.items():
            if attribute not in found or found[attribute][0].at <= pin.at:
                found[attribute] = (pin, anchor)
    return found


def _take_all(member: Member, values: dict[str, Any], lineage: dict[str, dict[str, Any]]) -> None:
    """The common case: one member, so every value it has."""
    canonical = member.canonical
    only = {"record": member.id, "rule": "only", "of": 1}
    for attribute in ("kind", *SCALARS):
        value = canonical.get(attribute)
        if value is not None:
            values[attribute] = value
            lineage[attribute] = only
    for attribute in PARTS:
        if canonical.get(attribute):
            values[attribute] = unite(attribute, [(member.id, canonical[attribute])])
            lineage[attribute] = only
    if canonical.get("extra"):
        values["extra"] = dict(canonical["extra"])
        lineage["extra"] = only


def _choose_all(
    members: Sequence[Member], policy: SurvivorshipPolicy, values: dict[str, Any], lineage: dict[str, dict[str, Any]]
) -> None:
    grouped: set[str] = set()
    for group in policy.groups:
        grouped.update(group)
        holders = [m for m in members if any(m.canonical.get(a) is not None for a in group)]
        if holders:
            lead = group[0]
            winner, rule = choose(
                lead, holders, policy, value_of=lambda m, g=group: tuple(m.canonical.get(a) for a in g)
            )
            for attribute in group:
                if winner.canonical.get(attribute) is not None:
                    values[attribute] = winner.canonical[attribute]
                    lineage[attribute] = {"record": winner.id, "rule": rule, "of": len(holders)}
    for attribute in ("kind", *SCALARS):
        if attribute in grouped:
            continue
        holders = [m for m in members if m.canonical.get(attribute) is not None]
        if holders:
            winner, rule = choose(attribute, holders, policy)
            values[attribute] = winner.canonical[attribute]
            lineage[attribute] = {"record": winner.id, "rule": rule, "of": len(holders)}
    _unite_parts(members, policy, values, lineage)


def _unite_parts(
    members: Sequence[Member], policy: SurvivorshipPolicy, values: dict[str, Any], lineage: dict[str, dict[str, Any]]
) -> None:
    """Lists are united, each entry keeping the records it came from; the best member's entries stand first."""
    for attribute in PARTS:
        holders = [m for m in members if m.canonical.get(attribute)]
        if holders:
            ranked = sorted(holders, key=partial(_rank, attribute, policy), reverse=True)
            values[attribute] = unite(attribute, [(m.id, m.canonical[attribute]) for m in ranked])
            lineage[attribute] = {"record": ranked[0].id, "rule": "united", "of": len(holders)}
    extras: dict[str, Any] = {}
    holders = [m for m in members if m.canonical.get("extra")]
    for name in sorted({n for m in holders for n in m.canonical["extra"]}):
        having = [m for m in holders if name in m.canonical["extra"]]
        winner, rule = choose(f"extra.{name}", having, policy, value_of=lambda m, n=name: m.canonical["extra"][n])
        extras[name] = winner.canonical["extra"][name]
        lineage[f"extra.{name}"] = {"record": winner.id, "rule": rule, "of": len(having)}
    if extras:
        values["extra"] = extras


def _rank(attribute: str, policy: SurvivorshipPolicy, member: Member) -> tuple[int, datetime, str, str]:
    return effective_trust(member, attribute, policy), member.updated_at, member.system, member.external_id


def effective_trust(member: Member, attribute: str, policy: SurvivorshipPolicy) -> int:
    """Trust in `member` for `attribute`, 0–100; -1 for a deleted record whose system downgrades: any live value beats it."""
    if member.downgraded:
        return -1
    return policy.trust(member.system, member.system_kind, attribute, member.trust)


def choose(
    attribute: str, holders: Sequence[Member], policy: SurvivorshipPolicy, *, value_of: Any = None
) -> tuple[Member, str]:
    """The winning member and the strategy that decided. `holders` all have a value and stand in (system, external id) order."""
    read = value_of or (lambda m: m.canonical[attribute])
    left = list(holders)
    if len(left) > 1 and any(m.downgraded for m in left) and not all(m.downgraded for m in left):
        left = [m for m in left if not m.downgraded]
    rule = "only" if len(left) == 1 else "tie"
    for strategy in policy.strategies(attribute):
        if len(left) == 1:
            break
        scores = _scores(strategy, attribute, left, policy, read)
        best = max(scores)
        kept = [m for m, score in zip(left, scores, strict=True) if score == best]
        if len(kept) < len(left):
            left, rule = kept, strategy
        if len({repr(read(m)) for m in left}) == 1:
            rule = "agreed" if len(left) == len(holders) else rule
            break
    return left[0], rule


def _scores(strategy: str, attribute: str, left: Sequence[Member], policy: SurvivorshipPolicy, read: Any) -> list[Any]:
    if strategy == "trust":
        return [effective_trust(m, attribute, policy) for m in left]
    if strategy == "recent":
        return [m.updated_at for m in left]
    if strategy == "oldest":
        return [-(m.updated_at - _LONG_AGO).total_seconds() for m in left]
    values = [repr(read(m)) for m in left]
    if strategy == "frequent":
        return [values.count(v) for v in values]
    return [len(v) for v in values]


def display_name(values: Mapping[str, Any]) -> str | None:
    """What people read: an organisation's name, or given and family name, or the name as one piece."""
    if values.get("kind") == "organization":
        return values.get("organization_name") or values.get("name")
    whole = " ".join(p for p in (values.get("given_name"), values.get("family_name")) if p)
    return whole or values.get("name") or values.get("organization_name")
