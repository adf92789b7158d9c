"""How much a source is trusted for an attribute at a moment: the matrix of the policy, its decay, and what failed checks take away."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from apps.customers.quality import Quality
from apps.customers.survivorship_members import Member


class Rules(Protocol):
    """What trust is read from: the survivorship policy."""

    @property
    def quality(self) -> Quality: ...

    @property
    def together(self) -> Mapping[str, tuple[str, ...]]: ...

    def trust(self, system: str, kind: str, attribute: str, otherwise: int) -> int: ...


Score = Callable[[Sequence[Member], Sequence[Any], str, Rules, datetime | None], list[Any] | None]
"""(members, their values, attribute, policy, moment) -> what each scores, the greatest wins; None: it abstains."""

_DAY: Final = timedelta(days=1)
_DIGITS: Final = 2
"""Trust is told to a hundredth: what is nearer than that is a tie, and the chain goes on."""


@dataclass(frozen=True, slots=True)
class Decay:
    """Trust falls from `above` (None: the source's own) to `to` with the age of the value by `clock`. `linear`: evenly over `days`;
    `step`: at once after `days`; `half-life`: half of what is left above `to` in each `days`. It never rises: a source that is
    trusted less than `to` stays as it is."""

    to: int
    days: int
    shape: str = "linear"
    above: int | None = None
    clock: str = "changed"

    def at_age(self, trust: float, age: timedelta | None) -> float:
        """Trust of a value of this age; None: the age is not known, which counts as older than any."""
        top = trust if self.above is None else self.above
        if top <= self.to:
            return top
        if age is None:
            return self.to
        periods = max(age / _DAY, 0.0) / self.days
        if self.shape == "step":
            return top if periods < 1 else self.to
        left = 1 - min(periods, 1.0) if self.shape == "linear" else 0.5**periods
        return round(self.to + (top - self.to) * left, _DIGITS)


def read_decay(told: Mapping[str, Any]) -> Decay:
    """The decay of a policy's `{ from, to, days, shape, clock }`, which has been checked."""
    return Decay(told["to"], told["days"], told.get("shape", "linear"), told.get("from"), told.get("clock", "changed"))


def moment_of(member: Member, clock: str, attribute: str) -> datetime | None:
    """When the value was `changed` at the source, `received` by the hub or `verified`; None where that is not known."""
    if clock == "changed":
        return member.updated_at
    return member.received_at if clock == "received" else member.verified_at.get(attribute)


def effective_trust(
    member: Member, attribute: str, policy: Rules, at: datetime | None = None, decay: Decay | None = None
) -> float:
    """Trust in `member` for `attribute` at a moment, 0–100; -1 for a deleted record whose system downgrades: any live value beats it.

    Without `decay` the moment does not matter. Of a group that survives together a failed check of any attribute counts."""
    if member.downgraded:
        return -1
    trust: float = policy.trust(member.system, member.system_kind, attribute, member.trust)
    if decay is not None:
        if at is None:
            raise ValueError("Trust that decays needs the moment it is asked for.")
        moment = moment_of(member, decay.clock, attribute)
        trust = decay.at_age(trust, None if moment is None else at - moment)
    if member.failed or lowers(policy, attribute):
        failed = failed_codes(member, attribute, policy)
        trust = policy.quality.lowered(trust, [code for codes in failed.values() for code in codes])
    return trust


def lowers(policy: Rules, attribute: str) -> bool:
    """Whether the policy's checks can lower the trust in an attribute, or in one that survives together with it."""
    return not policy.quality.lowering.isdisjoint(policy.together.get(attribute, (attribute,)))


def failed_codes(member: Member, attribute: str, policy: Rules) -> dict[str, list[str]]:
    """The codes of the checks that a record's values failed, by attribute, of an attribute and those that survive together with it."""
    found = {}
    for name in policy.together.get(attribute, (attribute,)):
        checked = policy.quality.failed(member.canonical, name, member.updated_at.date())
        codes = {*member.failed.get(name, ()), *(check.code for check in checked)}
        if codes:
            found[name] = sorted(codes)
    return found


def by_trust(decay: Decay | None = None) -> Score:
    """The score of the strategy `trust`."""
    if decay is None:
        return _undecayed
    return lambda left, said, attribute, policy, at: [effective_trust(m, attribute, policy, at, decay) for m in left]


def _undecayed(left: Sequence[Member], _said: Any, attribute: str, policy: Rules, _at: Any) -> list[float]:
    """The common case, without a call for each member of which nothing is checked and that was not deleted."""
    trust, checked = policy.trust, lowers(policy, attribute)
    return [
        effective_trust(m, attribute, policy)
        if checked or m.downgraded or m.failed
        else trust(m.system, m.system_kind, attribute, m.trust)
        for m in left
    ]
