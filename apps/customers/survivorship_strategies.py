"""The strategies: each gives every value still in the running a score; those with the greatest go on to the next of the chain.

A score is read from the member and its value alone, but for `frequent`, which counts. Two strategies end a chain whatever is left:
`aggregate` (all of it, united) and `unanimous` (one value or none)."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from apps.customers.survivorship_conditions import number_of
from apps.customers.survivorship_members import Member
from apps.customers.survivorship_trust import Score, by_trust, moment_of, read_decay

NAMES: Final = (
    "trust", "recent", "oldest", "frequent", "longest", "complete", "minimum", "maximum", "aggregate", "unanimous",
)  # fmt: skip
ENDS: Final = ("aggregate", "unanimous")
CLOCKS: Final = ("changed", "received", "verified")
SHAPES: Final = ("linear", "step", "half-life")
_LONG_AGO: Final = datetime(1, 1, 1, tzinfo=UTC)
_SAYS_NOTHING: Final = frozenset({"kind", "empty"})


@dataclass(frozen=True, slots=True)
class Step:
    """One strategy of a chain. `rule`: the word that lineage tells; `told`: its parameters as written, for people; `timed`: whether
    it needs the moment; `score` is None for the strategies of ENDS."""

    strategy: str
    rule: str
    score: Score | None
    told: Mapping[str, Any] = field(default_factory=dict)
    timed: bool = False


def step(strategy: str, told: Mapping[str, Any] | None = None) -> Step:
    """A strategy with its parameters, which have been checked."""
    told = told or {}
    clock = told.get("clock", "changed")
    of = told.get("of", "value")
    if strategy == "trust":
        decay = read_decay(told["decay"]) if "decay" in told else None
        return Step(strategy, strategy, by_trust(decay), told, timed=decay is not None)
    if strategy in ("recent", "oldest"):
        rule = strategy if clock == "changed" else f"{strategy}_{clock}"
        return Step(strategy, rule, _recent(clock) if strategy == "recent" else _oldest(clock), told)
    if strategy == "complete" and of == "record":
        return Step(strategy, "complete_record", _record_complete, told)
    return Step(strategy, strategy, _PLAIN.get(strategy), told)


# ── clocks ──────────────────────────────────────────────────────────────────────────────────────────────────────────
def _recent(clock: str) -> Score:
    if clock == "changed":
        return lambda left, said, attribute, policy, at: [m.updated_at for m in left]

    def score(left: Sequence[Member], _said: Any, attribute: str, _policy: Any, _at: Any) -> list[Any] | None:
        """A record without the clock gives way to one that has it; where none has it, the strategy abstains."""
        moments = [moment_of(m, clock, attribute) for m in left]
        return [m or _LONG_AGO for m in moments] if any(moments) else None

    return score


def _oldest(clock: str) -> Score:
    def score(left: Sequence[Member], _said: Any, attribute: str, _policy: Any, _at: Any) -> list[Any] | None:
        moments = [moment_of(m, clock, attribute) for m in left]
        return [timedelta.min if m is None else _LONG_AGO - m for m in moments] if any(moments) else None

    return score


# ── values ──────────────────────────────────────────────────────────────────────────────────────────────────────────
def _frequent(_left: Sequence[Member], said: Sequence[Any], _attribute: str, _policy: Any, _at: Any) -> list[int]:
    spoken = [repr(value) for value in said]
    counted = Counter(spoken)
    return [counted[one] for one in spoken]


def _longest(_left: Sequence[Member], said: Sequence[Any], _attribute: str, _policy: Any, _at: Any) -> list[int]:
    return [_length(value) for value in said]


def _length(value: Any) -> int:
    """Characters of a text, of a group all its texts', entries of a list."""
    if isinstance(value, tuple):
        return sum(_length(one) for one in value if one is not None)
    return len(value) if isinstance(value, list) else len(str(value))


def _complete(_left: Sequence[Member], said: Sequence[Any], _attribute: str, _policy: Any, _at: Any) -> list[Any]:
    return [_fullness(value) for value in said]


def _fullness(value: Any) -> tuple[int, int]:
    """Filled fields (of a group or of a list's entries; a single value is one), then characters."""
    if isinstance(value, tuple):
        return sum(one is not None for one in value), _length(value)
    if isinstance(value, list):
        filled = [v for part in value for v in (part.values() if isinstance(part, Mapping) else (part,)) if v]
        return len(filled), sum(len(str(v)) for v in filled)
    return 1, len(str(value))


def _record_complete(left: Sequence[Member], _said: Any, _attribute: str, _policy: Any, _at: Any) -> list[int]:
    """Attributes that the whole record has a value for."""
    return [
        sum(
            len(value) if isinstance(value, Mapping) else value not in (None, "", [])
            for name, value in m.canonical.items()
            if name not in _SAYS_NOTHING
        )
        for m in left
    ]


def _maximum(_left: Sequence[Member], said: Sequence[Any], _attribute: str, _policy: Any, _at: Any) -> list[Any]:
    return [_greatness(value, of_text=-1) for value in said]


def _minimum(_left: Sequence[Member], said: Sequence[Any], _attribute: str, _policy: Any, _at: Any) -> list[Any]:
    return [_Least(_greatness(value, of_text=1)) for value in said]


def _greatness(value: Any, *, of_text: int) -> tuple[int, Decimal, str]:
    """Numbers by size, all else by its text (dates stand as 2024-01-31); `of_text`: texts below (-1) or above (1) all numbers, so
    that a text never beats a number, at either end."""
    number = number_of(value)
    return (of_text, Decimal(0), str(value)) if number is None else (0, number, "")


@dataclass(frozen=True, slots=True)
class _Least:
    """Turns an order round: the least is the greatest."""

    of: Any

    def __lt__(self, other: "_Least") -> bool:
        return bool(self.of > other.of)

    def __gt__(self, other: "_Least") -> bool:
        return bool(self.of < other.of)


_PLAIN: Final[Mapping[str, Callable[..., list[Any] | None]]] = {
    "frequent": _frequent, "longest": _longest, "complete": _complete, "minimum": _minimum, "maximum": _maximum,
}  # fmt: skip


def told_score(score: Any) -> Any:
    """A score as plain data, for people: moments as text, numbers and texts as they are."""
    if isinstance(score, _Least):
        score = score.of
    if isinstance(score, timedelta):
        score = None if score == timedelta.min else _LONG_AGO - score
    if isinstance(score, datetime):
        return None if score == _LONG_AGO else score.isoformat()
    if isinstance(score, tuple):
        return list(score) if len(score) == 2 else score[2] if score[0] else str(score[1])
    return score
