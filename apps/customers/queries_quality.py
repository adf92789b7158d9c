"""Data quality as it was measured last."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from apps.customers.measure_quality import WHOLE
from apps.customers.models import QualityScore
from apps.customers.quality import Check
from apps.policies.active import active_ones


@dataclass(frozen=True, slots=True)
class Failing:
    """A check that values of a system fail; `check`: None where the policy in force does not have it any more."""

    system: str
    system_name: str
    attribute: str
    code: str
    check: Check | None
    records: int
    of: int

    @property
    def share(self) -> float:
        """Of the records that have a value."""
        return self.records / self.of


@dataclass(frozen=True, slots=True)
class Measured:
    """`systems`: (code, name) in order; `attributes`: in order; `scores`: by (system code, attribute), '' for whole records;
    `failing`: what fails most first. `measured_at`: None before the first time."""

    systems: Sequence[tuple[str, str]]
    attributes: Sequence[str]
    scores: Mapping[tuple[str, str], QualityScore]
    failing: Sequence[Failing]
    measured_at: datetime | None


def measured() -> Measured:
    """Two queries."""
    rows = list(QualityScore.objects.select_related("system").order_by("system__code", "attribute"))
    (policy,) = active_ones("survivorship")
    checks = {check.code: check for some in policy.rules.quality.checks.values() for check in some}
    failing = [
        Failing(row.system.code, row.system.name, row.attribute, code, checks.get(code), count, row.records)
        for row in rows
        for code, count in row.failed.items()
    ]
    return Measured(
        list(dict.fromkeys((row.system.code, row.system.name) for row in rows)),
        sorted({row.attribute for row in rows if row.attribute != WHOLE}),
        {(row.system.code, row.attribute): row for row in rows},
        sorted(failing, key=lambda one: (-one.records, one.system, one.code)),
        max((row.measured_at for row in rows), default=None),
    )
