"""How old each golden value is, how far it is trusted at this moment, and whether the policy calls it stale."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from apps.customers.survivorship import Deciding, display_name, heeded, newest_pins, sources_of
from apps.customers.survivorship_decide import Trace
from apps.customers.survivorship_members import EXTRA, PARTS, Member, noted_of, value_of
from apps.customers.survivorship_policy import SurvivorshipPolicy
from apps.customers.survivorship_stale import Stale
from apps.customers.survivorship_trust import Decay, effective_trust, moment_of, read_decay

CERTAIN: Final = 100.0
"""Confidence in what a steward has pinned."""
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Aged:
    """`since`: when the youngest of the records that say the value changed, received or verified it, by `clock`; None: not known.
    `confidence`: 0 to 100, the trust in it at this moment; None where no record stands for it. `stale_after`: days, None: never."""

    since: datetime | None
    at: datetime
    clock: str = "changed"
    confidence: float | None = None
    stale_after: int | None = None

    @property
    def days(self) -> int | None:
        """Whole days; None where the age is not known."""
        return None if self.since is None else max(0, (self.at - self.since) // _DAY)

    @property
    def stale(self) -> bool:
        """A value of unknown age counts as older than any."""
        return self.stale_after is not None and (
            self.since is None or self.at - self.since > timedelta(days=self.stale_after)
        )


@dataclass(frozen=True, slots=True)
class Facts:
    """A customer as its ages are told: golden `values` with their `lineage`, and its `members`."""

    values: Mapping[str, Any]
    lineage: Mapping[str, Any]
    members: Sequence[Member]
    sources: Sequence[Member]

    def noted(self, name: str) -> Mapping[str, Any]:
        return noted_of(self.lineage, name)

    def is_pinned(self, name: str) -> bool:
        return self.noted(name).get("rule") == "pin"

    def says(self, name: str) -> Sequence[Member]:
        """The records that say just this value, live ones if there are any; of a list those that any entry comes from. A name that was
        made of its parts is said by those whose parts make it."""
        value = value_of(self.values, name)
        if name in PARTS:
            return self.of({record for part in value or () for record in part.get("from", ())})
        says = [m for m in self.sources if value_of(m.canonical, name) == value]
        if name == "name" and not says:
            says = [m for m in self.sources if display_name(m.canonical) == value]
        return _live(says or [m for m in self.sources if m.id == self.noted(name).get("record")])

    def of(self, records: Collection[str]) -> Sequence[Member]:
        return _live([m for m in self.sources if m.id in records])

    def since(self, name: str, clock: str, says: Sequence[Member]) -> datetime | None:
        """Of a pin the moment it was set: by any clock somebody has made sure of the value then."""
        if self.is_pinned(name):
            pins = newest_pins(self.members)
            return datetime.fromisoformat(pins[name][0].at) if name in pins else None
        return max((moment for m in says if (moment := moment_of(m, clock, name)) is not None), default=None)


def facts(
    values: Mapping[str, Any], lineage: Mapping[str, Any], members: Sequence[Member], policy: SurvivorshipPolicy
) -> Facts:
    """What a steward ignores stands for no value."""
    return Facts(values, lineage, members, heeded(members, policy))


def aged(of: Facts, name: str, rule: Stale, at: datetime) -> Aged:
    """The age of one value, without confidence: what is asked of every customer."""
    return Aged(of.since(name, rule.clock, of.says(name)), at, rule.clock, None, rule.days)


def ages(
    of: Facts, policy: SurvivorshipPolicy, at: datetime, held: Collection[str] = ()
) -> dict[str, tuple[Aged, tuple[Aged, ...]]]:
    """Attribute (`extra.<name>` for declared ones) -> its age, and of a list that of each entry, in its order. A list is as old as its
    youngest entry, and trusted as its best. What a Hold keeps (`held`) is nobody's any more: it has neither."""
    decay_of = _decays(of.members, policy, at)
    lead = {name: group[0] for group in policy.groups for name in group}
    found: dict[str, tuple[Aged, tuple[Aged, ...]]] = {}
    for name in [*(n for n in of.values if n != "extra"), *(EXTRA + n for n in of.values.get("extra") or ())]:
        rule, unit = policy.stale.get(name), lead.get(name, name)
        decay = decay_of(unit)
        clock = rule.clock if rule is not None else decay.clock if decay is not None else "changed"
        limit = rule.days if rule is not None else None

        def told(
            says: Sequence[Member], name: str = name, unit: str = unit, decay: Decay | None = decay
        ) -> float | None:
            if of.is_pinned(name):
                return CERTAIN
            return max((max(0.0, effective_trust(m, unit, policy, at, decay)) for m in says), default=None)

        if name in held:
            found[name] = (Aged(None, at, clock), ())
            continue
        groups = [of.says(name), *(of.of(part.get("from", ())) for part in (of.values[name] if name in PARTS else ()))]
        whole, *entries = [Aged(of.since(name, clock, says), at, clock, told(says), limit) for says in groups]
        found[name] = (whole, tuple(entries))
    return found


def _live(members: Sequence[Member]) -> Sequence[Member]:
    return [m for m in members if not m.downgraded] or members


def _decays(members: Sequence[Member], policy: SurvivorshipPolicy, at: datetime) -> Callable[[str], Decay | None]:
    """How trust in an attribute (of a group its first) decays: by the chain that counts for this customer."""
    deciding = Deciding(sources_of(members, policy), policy, at, newest_pins(members), {}, {})
    traces: dict[str, Trace] = {}
    deciding.traces = traces
    deciding.all()

    def of(unit: str) -> Decay | None:
        steps = traces[unit].steps if unit in traces else ()
        return next((read_decay(step.told["decay"]) for step in steps if "decay" in step.told), None)

    return of
