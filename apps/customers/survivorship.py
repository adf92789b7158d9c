"""From the members' canonical records to one golden record: a pure function of members, policy and moment.

The result does not depend on the order of the members: every choice ends in (system code, external id), which is unique."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from functools import partial
from operator import attrgetter
from typing import Any

from apps.customers.survivorship_conditions import COUNTRY
from apps.customers.survivorship_decide import CONFLICT, DELETED, UNITED, Trace, decide
from apps.customers.survivorship_members import (
    ATTRIBUTES,
    EXTRA,
    PARTS,
    SCALARS,
    SINGLES,
    Golden,
    Member,
    Pin,
    value_of,
)
from apps.customers.survivorship_parts import Said, unite, unite_texts
from apps.customers.survivorship_policy import SurvivorshipPolicy
from apps.customers.survivorship_strategies import Step
from apps.customers.survivorship_trust import effective_trust

__all__ = [
    "ATTRIBUTES", "PARTS", "SCALARS", "Deciding", "Golden", "Member", "Pin", "day_of", "display_name", "effective_trust", "heeded",
    "newest_pins", "sources_of", "survive",
]  # fmt: skip

_ORDER = attrgetter("system", "external_id")


def survive(members: Sequence[Member], policy: SurvivorshipPolicy, at: datetime | None = None) -> Golden:
    """Derived values of one customer at a moment. `members` must not be empty; anchors (kind steward) bring pins and take away ignored
    values, and a record without a value of its own brings nothing.

    `at` may be None for a policy that does not ask for the moment (`policy.timed` is false); raises ValueError for one that does. Without
    it a list's entries hold that say no end."""
    if at is None and policy.timed:
        raise ValueError("This policy lets trust decay, so survivorship needs the moment to count from.")
    ordered = sources_of(members, policy)
    pins = newest_pins(members)
    on = day_of(at)
    values: dict[str, Any] = {}
    lineage: dict[str, dict[str, Any]] = {}
    if len(ordered) == 1:
        _take_all(ordered[0], values, lineage, on)
    elif ordered:
        Deciding(ordered, policy, at, pins, values, lineage).all()
    if ordered and ordered[0].gone:  # so all of them are: nobody has the customer any more
        values["status"] = "closed"
        lineage["status"] = {"rule": DELETED, "of": len(ordered)}
    for attribute, (pin, anchor) in pins.items():
        values[attribute] = unite(attribute, [Said(anchor.id, pin.value)], on) if attribute in PARTS else pin.value
        lineage[attribute] = {"record": anchor.id, "rule": "pin", "of": len(ordered)}
    if lineage.get("name", {}).get("rule") != "pin":
        values["name"] = display_name(values)
    if None in values.values():
        values = {k: v for k, v in values.items() if v is not None}
    return Golden(values, lineage)


def sources_of(members: Sequence[Member], policy: SurvivorshipPolicy) -> list[Member]:
    """The records that say more than their kind, in (system, external id) order; if none does, all of them. Their kind is all that
    records have which a system holds only because the hub made them there. Those that are gone are left out while others are there."""
    known = heeded(members, policy)
    sources = [m for m in known if len(m.canonical) > ("kind" in m.canonical)] or known
    if True in [m.gone for m in sources]:
        sources = [m for m in sources if not m.gone] or sources
    return sorted(sources, key=_ORDER) if len(sources) > 1 else sources


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
    anchors = [m for m in members if m.pins]
    found: dict[str, tuple[Pin, Member]] = {}
    for anchor in sorted(anchors, key=attrgetter("external_id")) if anchors else ():
        for attribute, pin in anchor.pins.items():
            if attribute not in found or found[attribute][0].at <= pin.at:
                found[attribute] = (pin, anchor)
    return found


def day_of(at: datetime | None) -> date | None:
    """The day, in UTC, on which entries of lists hold or not."""
    return None if at is None else at.astimezone(UTC).date()


def _take_all(member: Member, values: dict[str, Any], lineage: dict[str, dict[str, Any]], on: date | None) -> None:
    """The common case: one member, so every value it has."""
    canonical = member.canonical
    only = {"record": member.id, "rule": "only", "of": 1}
    for attribute in SINGLES:
        value = canonical.get(attribute)
        if value is not None:
            values[attribute] = value
            lineage[attribute] = only
    for attribute in PARTS:
        if canonical.get(attribute):
            values[attribute] = unite(attribute, [Said(member.id, canonical[attribute], member.ended)], on)
            lineage[attribute] = only
    if canonical.get("extra"):
        values["extra"] = dict(canonical["extra"])
        lineage["extra"] = only


class Deciding:
    """The values of one customer of several records, as they are decided; an attribute that a condition asks for is decided before.

    `traces`: filled in by attribute (a group's by its first) when somebody wants to know why."""

    __slots__ = ("_at", "_canonicals", "_lineage", "_members", "_on", "_pins", "_policy", "_values", "traces")

    def __init__(
        self,
        members: Sequence[Member],
        policy: SurvivorshipPolicy,
        at: datetime | None,
        pins: Mapping[str, tuple[Pin, Member]],
        values: dict[str, Any],
        lineage: dict[str, dict[str, Any]],
    ) -> None:
        self._members, self._policy, self._at, self._pins = members, policy, at, pins
        self._on = day_of(at)
        self._canonicals = [m.canonical for m in members]
        self._values, self._lineage = values, lineage
        self.traces: dict[str, Trace] | None = None

    def all(self) -> None:
        """Decides every attribute; one that a condition asked for has its lineage already."""
        done = self._lineage
        said: set[str] = set().union(*self._canonicals)
        for group in self._policy.groups:
            if done.keys().isdisjoint(group) and not said.isdisjoint(group):
                self._group(group)
        for attribute in self._policy.singles:
            if attribute in said and attribute not in done:
                self._single(attribute)
        for attribute in PARTS:
            if attribute in said and attribute not in done:
                self._parts(attribute)
        if "extra" in said:
            for name in sorted({n for canonical in self._canonicals for n in canonical.get("extra") or ()}):
                if EXTRA + name not in done:
                    self._extra(EXTRA + name)

    # ── one attribute, or one group ─────────────────────────────────────────────────────────────────────────────────
    def _group(self, group: tuple[str, ...]) -> None:
        lead = group[0]
        said = [tuple(map(canonical.get, group)) for canonical in self._canonicals]
        holders = self._members
        nobody = (None,) * len(group)
        if nobody in said:
            holders = [m for m, own in zip(holders, said, strict=True) if own != nobody]
            said = [own for own in said if own != nobody]
        if not holders:
            return
        left, values, rule = self._decide(lead, holders, said)
        for at, (attribute, value) in enumerate(zip(group, values[0], strict=True)):
            if value is not None or (rule == CONFLICT and any(own[at] is not None for own in said)):
                self._keep(attribute, value, left[0], rule, len(holders))

    def _single(self, attribute: str) -> None:
        said = [canonical.get(attribute) for canonical in self._canonicals]
        holders = self._members
        if None in said:
            holders = [m for m, value in zip(holders, said, strict=True) if value is not None]
            said = [value for value in said if value is not None]
        if holders:
            left, values, rule = self._decide(attribute, holders, said)
            self._keep(attribute, values[0], left[0], rule, len(holders))

    def _parts(self, attribute: str) -> None:
        """Lists are united unless the policy says otherwise, each entry keeping the records it came from; the best member's entries
        stand first."""
        left: Sequence[Member] = [m for m in self._members if m.canonical.get(attribute)]
        if not left:
            return
        holders, rule = left, UNITED
        steps = self._policy.plain.get(attribute) or self._steps(attribute)
        if steps[0].strategy != "aggregate" or self.traces is not None:
            left, said, rule = self._decide(attribute, holders, [m.canonical[attribute] for m in holders])
        if steps[0].strategy == "aggregate":
            rule = UNITED
        elif rule != UNITED:  # one list, from all that sent it
            left = [m for m, value in zip(left, said, strict=True) if value == said[0]]
        ranked = self._ranked(attribute, left) if len(left) > 1 else left
        if self.traces is not None and rule != CONFLICT:
            self.traces[attribute].winners = ranked
        said_by = [Said(m.id, m.canonical[attribute], m.ended) for m in ranked]
        united = unite(attribute, said_by, self._on)
        self._keep(attribute, united, ranked[0], rule, len(holders))

    def _extra(self, attribute: str) -> None:
        name = attribute[len(EXTRA) :]
        holders = [m for m in self._members if name in (m.canonical.get("extra") or ())]
        if not holders:
            return
        said = [m.canonical["extra"][name] for m in holders]
        left, values, rule = self._decide(attribute, holders, said)
        value = values[0]
        if rule == UNITED:
            left = self._ranked(attribute, left)
            value = unite_texts([m.canonical["extra"][name] for m in left], self._policy.lists[attribute])
        self._keep(attribute, value, left[0], rule, len(holders))

    def _keep(self, attribute: str, value: Any, winner: Member, rule: str, of: int) -> None:
        if rule == CONFLICT:
            self._lineage[attribute] = {"rule": rule, "of": of}
            return
        self._lineage[attribute] = {"record": winner.id, "rule": rule, "of": of}
        if attribute.startswith(EXTRA):
            self._values.setdefault("extra", {})[attribute[len(EXTRA) :]] = value
        else:
            self._values[attribute] = value

    # ── what they share ─────────────────────────────────────────────────────────────────────────────────────────────
    def _decide(
        self, attribute: str, holders: Sequence[Member], said: Sequence[Any]
    ) -> tuple[Sequence[Member], Sequence[Any], str]:
        if self.traces is None:
            if len(holders) == 1:
                return holders, said, "only"
            steps = self._policy.plain.get(attribute) or self._steps(attribute)
            return decide(attribute, steps, holders, said, self._policy, self._at)
        trace = self.traces[attribute] = Trace()
        left, values, rule = decide(
            attribute, self._steps(attribute, trace), holders, said, self._policy, self._at, trace
        )
        trace.winners = () if rule == CONFLICT else left if rule == UNITED else left[:1]
        return left, values, rule

    def _steps(self, attribute: str, trace: Trace | None = None) -> Sequence[Step]:
        """The chain of the first branch whose condition holds."""
        for branch in self._policy.branches(attribute):
            if branch.condition is None or branch.condition.holds(self.read):
                if trace is not None and branch.condition is not None:
                    trace.condition = branch.condition.text
                return branch.steps
        raise AssertionError("the last branch of a policy has no condition")

    def _ranked(self, attribute: str, members: Sequence[Member]) -> list[Member]:
        return sorted(members, key=partial(_rank, attribute, self._policy), reverse=True)

    def read(self, name: str) -> Any:
        """The value that a condition asks for: a pinned one as it is pinned, any other as it is decided."""
        if name == COUNTRY:
            addresses = self.read("addresses")
            return addresses[0].get("country") if addresses else None
        if name in self._pins:
            return self._pins[name][0].value
        if name not in self._lineage:
            group = next((g for g in self._policy.groups if name in g), None)
            if group is not None:
                self._group(group)
            elif name in PARTS:
                self._parts(name)
            elif name.startswith(EXTRA):
                self._extra(name)
            else:
                self._single(name)
        return value_of(self._values, name)


def _rank(attribute: str, policy: SurvivorshipPolicy, member: Member) -> tuple[bool, float, datetime, str, str]:
    trust = effective_trust(member, attribute, policy)
    return not member.downgraded, trust, member.updated_at, member.system, member.external_id


def display_name(values: Mapping[str, Any]) -> str | None:
    """What people read: an organisation's name, or given and family name, or the name as one piece."""
    if values.get("kind") == "organization":
        return values.get("organization_name") or values.get("name")
    whole = " ".join(p for p in (values.get("given_name"), values.get("family_name")) if p)
    return whole or values.get("name") or values.get("organization_name")
