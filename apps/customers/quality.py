"""Quality of what one source record says: checks of single values and of values beside one another, and scores made of them.

A value that fails a check stays what it is and stays a candidate; the check takes a share of the trust in it, and of its score. A check
is asked of a value that is there; that one is missing is no failure (a check across attributes may say that it is one)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from statistics import fmean
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from apps.customers.survivorship_conditions import COUNTRY, Condition, number_of
from apps.customers.survivorship_members import ATTRIBUTES, EXTRA, PARTS, value_of

DIGITS: Final = 2
SEVERITIES: Final[Mapping[str, int]] = {"error": 60, "warning": 25, "info": 5}
"""What a failed check takes of a value's score, in percent of what the others left, where the policy does not say otherwise."""
LONGEST: Final = 10_000
"""Characters of a value that a pattern is held against; a longer one fails."""

Fails = Callable[[Any, Mapping[str, Any], date | None], bool]
"""(one value, the record's canonical form, the day on which the source changed it) -> whether it fails."""


@dataclass(frozen=True, slots=True)
class Check:
    """`attribute`: whose value is looked at; of a list only entries of `type` (None: all), of these `part`. `lowers`: percent of the
    trust that is left; `says`: what people read."""

    code: str
    attribute: str
    fails: Fails
    severity: str = "warning"
    lowers: int = 0
    says: str = ""
    type: str | None = None
    part: str = "value"

    def failed(self, canonical: Mapping[str, Any], changed: date | None) -> bool:
        """Whether any value of the record fails."""
        return any(self.fails(value, canonical, changed) for value in self._values(canonical))

    def _values(self, canonical: Mapping[str, Any]) -> Sequence[Any]:
        value = value_of(canonical, self.attribute)
        if self.attribute not in PARTS:
            return () if value is None else (value,)
        entries = [entry for entry in value or () if self.type is None or entry.get("type") == self.type]
        return (
            entries if self.part == "*" else [entry[self.part] for entry in entries if entry.get(self.part) is not None]
        )


@dataclass(frozen=True, slots=True)
class Quality:
    """`percents`: code of a check -> what its failing takes of the trust that is left, in percent. `reserve`: trust does not fall
    below it by failed checks. `checks` by attribute; `weights`: severity -> percent of a score; `lowering`: attributes of which a
    check takes anything of trust."""

    percents: Mapping[str, int]
    reserve: int = 0
    checks: Mapping[str, tuple[Check, ...]] = field(default_factory=dict)
    weights: Mapping[str, int] = field(default_factory=lambda: dict(SEVERITIES))
    lowering: frozenset[str] = frozenset()

    def lowered(self, trust: float, failed: Sequence[str]) -> float:
        """Each check that failed takes its percent of what the others left, so their order does not matter."""
        kept = parts = 1
        for code in set(failed):
            kept, parts = kept * (100 - self.percents.get(code, 0)), parts * 100
        return max(round(trust * kept / parts, DIGITS), min(self.reserve, trust)) if kept < parts else trust

    def failed(self, canonical: Mapping[str, Any], attribute: str, changed: date | None) -> list[Check]:
        """The checks of an attribute that a record's value fails."""
        return [check for check in self.checks.get(attribute, ()) if check.failed(canonical, changed)]

    def score(self, failed: Sequence[Check]) -> float:
        """Of a value, 0 to 100."""
        left = 100.0
        for check in failed:
            left *= 1 - self.weights[check.severity] / 100
        return round(left, DIGITS)


@dataclass(frozen=True, slots=True)
class RecordQuality:
    """`scores`: by attribute that has a value; `score`: their mean, None for a record that says nothing."""

    score: float | None
    scores: Mapping[str, float]
    failed: Mapping[str, Sequence[Check]]


def of_record(canonical: Mapping[str, Any], quality: Quality, changed: date | None) -> RecordQuality:
    """The quality of what one source record says."""
    names = [name for name in ATTRIBUTES if name not in ("kind", "extra") and canonical.get(name)]
    names += [EXTRA + name for name in canonical.get("extra") or ()]
    failed = {name: quality.failed(canonical, name, changed) for name in names}
    scores = {name: quality.score(checks) for name, checks in failed.items()}
    score = round(fmean(scores.values()), DIGITS) if scores else None
    return RecordQuality(score, scores, {name: checks for name, checks in failed.items() if checks})


# ── what can be checked ─────────────────────────────────────────────────────────────────────────────────────────────
def by_pattern(pattern: str) -> Fails:
    """Fails where the whole text does not match. The patterns are RE2's: none takes longer than the text is long."""
    return lambda value, _canonical, _changed: not _matches(pattern, str(value))


@lru_cache(maxsize=100_000)
def _matches(pattern: str, text: str) -> bool:
    return len(text) <= LONGEST and bool(pc.match_substring_regex(pa.scalar(text), f"^(?:{pattern})$").as_py())


def pattern_is_wrong(pattern: str) -> str:
    """What is wrong with a pattern; '' for a good one."""
    try:
        pc.match_substring_regex(pa.scalar(""), f"^(?:{pattern})$")
    except pa.ArrowInvalid as error:
        return str(error)
    return ""


def by_check_digit(value: Any, _canonical: Mapping[str, Any], _changed: date | None) -> bool:
    """Fails for an identifier that a scheme of its country knows and does not confirm."""
    return isinstance(value, Mapping) and value.get("verified") is False


def by_list(values: Sequence[Any]) -> Fails:
    """Fails for what is not listed, whatever its case."""
    known = {str(value).casefold() for value in values}
    return lambda value, _canonical, _changed: str(value).casefold() not in known


def by_condition(condition: Condition) -> Fails:
    """Fails where the condition does not hold of the record's own values."""
    return lambda _value, canonical, _changed: not condition.holds(lambda name: _read(canonical, name))


def _read(canonical: Mapping[str, Any], name: str) -> Any:
    if name != COUNTRY:
        return value_of(canonical, name)
    return next((entry["country"] for entry in canonical.get("addresses") or () if entry.get("country")), None)


def by_range(least: str | None, most: str | None) -> Fails:
    """Fails outside of two bounds, each of which counts in: beside a number as numbers, beside a date (2024-01-31) as text. `most` may be
    `changed`: the day on which the source changed the record."""

    def fails(value: Any, _canonical: Mapping[str, Any], changed: date | None) -> bool:
        upper = (changed.isoformat() if changed else None) if most == "changed" else most
        return (least is not None and _less(value, least)) or (upper is not None and _less(upper, value))

    return fails


def _less(one: Any, other: Any) -> bool:
    a, b = number_of(one), number_of(other)
    return bool(a < b) if a is not None and b is not None else str(one) < str(other)
