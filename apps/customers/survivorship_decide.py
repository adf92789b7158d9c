"""One attribute of one customer: from the members that have a value to the one that wins, by a chain of strategies.

Each strategy scores what is left, and the greatest scores stay; a tie goes on to the next. What is left at the end of the chain goes
by (system code, external id), which is unique: so the order of the members never matters."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from apps.customers.survivorship_members import Member
from apps.customers.survivorship_policy import SurvivorshipPolicy
from apps.customers.survivorship_strategies import Step

CONFLICT: Final = "conflict"
"""The rule of an attribute without a value because its records disagree, where the policy asks for unanimity."""
UNITED: Final = "united"
DELETED: Final = "deleted"
"""The step before the chain: records deleted at their source give way to live ones, where their system says so."""


@dataclass(slots=True)
class Stage:
    """What happened at one step, for people: the members that were asked, what each scored, and which stayed. `scores` is None where
    the strategy abstained or knows no scores."""

    rule: str
    step: Step | None
    asked: Sequence[Member]
    scores: Sequence[Any] | None
    kept: Sequence[Member]


@dataclass(slots=True)
class Trace:
    """Filled in where somebody wants to know why; `condition` is that of the branch that counted, `winners` those whose value stands."""

    condition: str | None = None
    steps: Sequence[Step] = ()
    holders: Sequence[Member] = ()
    said: Sequence[Any] = ()
    winners: Sequence[Member] = ()
    stages: list[Stage] = field(default_factory=list)


def decide(
    attribute: str,
    steps: Sequence[Step],
    holders: Sequence[Member],
    said: Sequence[Any],
    policy: SurvivorshipPolicy,
    at: datetime | None,
    trace: Trace | None = None,
) -> tuple[Sequence[Member], Sequence[Any], str]:
    """The members that are left, their values, and the strategy that decided; the first of them wins.

    `holders` all have a value (`said`, in their order) and stand in (system, external id) order. The rule is UNITED or CONFLICT where
    the chain ends so, `only` for a single holder, `agreed` where all say the same, `tie` where no strategy told them apart."""
    left, values = holders, said
    if trace is not None:
        trace.steps, trace.holders, trace.said = steps, holders, said
    unites = steps[-1].strategy == "aggregate"
    if True in [m.downgraded for m in left] and (len(steps) > 1 or not unites):
        left, values = _live(left, values, trace)
    rule = "only" if len(left) == 1 else "tie"
    for step in steps:
        if len(left) == 1:
            break
        if step.score is None:
            rule = _end(step, rule, left, values, trace)
            if rule in (UNITED, CONFLICT):
                break
        else:
            left, values, rule = _best(step, rule, left, values, step.score(left, values, attribute, policy, at), trace)
        if not unites and same(values):
            rule = "agreed" if len(left) == len(holders) else rule
            break
    return left, values, rule


def _live(left: Sequence[Member], values: Sequence[Any], trace: Trace | None) -> tuple[Sequence[Member], Sequence[Any]]:
    """Without records that are deleted at their source, if there are others."""
    gone = [m.downgraded for m in left]
    if False not in gone:
        return left, values
    kept = [m for m in left if not m.downgraded]
    if trace is not None:
        trace.stages.append(Stage(DELETED, None, left, None, kept))
    return kept, [value for value, away in zip(values, gone, strict=True) if not away]


def _best(
    step: Step,
    rule: str,
    left: Sequence[Member],
    values: Sequence[Any],
    scores: Sequence[Any] | None,
    trace: Trace | None,
) -> tuple[Sequence[Member], Sequence[Any], str]:
    """Those with the greatest score; without scores the strategy abstains, and all stay."""
    kept, said = left, values
    if scores is not None:
        best = max(scores)
        many = scores.count(best)
        if many == 1:
            place = scores.index(best)
            kept, said = (left[place],), (values[place],)
        elif many < len(scores):
            kept = [m for m, score in zip(left, scores, strict=True) if score == best]
            said = [value for value, score in zip(values, scores, strict=True) if score == best]
    if trace is not None:
        trace.stages.append(Stage(step.rule, step, left, scores, kept))
    return kept, said, rule if kept is left else step.rule


def _end(step: Step, rule: str, left: Sequence[Member], values: Sequence[Any], trace: Trace | None) -> str:
    """The rule after a strategy that ends a chain: what is left is united, or must be of one mind."""
    ended = UNITED if step.strategy == "aggregate" else rule if same(values) else CONFLICT
    if trace is not None:
        trace.stages.append(Stage(step.rule, step, left, None, () if ended == CONFLICT else left))
    return ended


def same(values: Sequence[Any]) -> bool:
    """Whether all are one value of one type."""
    first = values[0]
    kind = type(first)
    return values.count(first) == len(values) and (kind is str or all(type(value) is kind for value in values))
