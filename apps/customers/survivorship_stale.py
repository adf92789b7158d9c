"""The part of the survivorship document that says when a value has grown too old to be relied on."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from apps.common.errors import FieldError
from apps.common.pointers import shown
from apps.customers.survivorship_chains import near, under
from apps.customers.survivorship_strategies import CLOCKS

MOST_DAYS: Final = 36_500
_KEYS: Final = ("days", "clock")


@dataclass(frozen=True, slots=True)
class Stale:
    """A value is stale when it is older than `days` by `clock`."""

    days: int
    clock: str = "changed"


def read_stale(
    told: Mapping[str, Any], is_attribute: Callable[[str, Any], bool], wrong: list[FieldError]
) -> dict[str, Stale]:
    """Reads `[stale]`: attribute -> days, or { days, clock }. What is wrong is added to `wrong`, each with its place."""
    found = {}
    for name, rule in told.items():
        place = under("", "stale", name)
        if not is_attribute(place, name):
            continue
        table = rule if isinstance(rule, Mapping) else {"days": rule}
        before = len(wrong)
        wrong += [
            FieldError(under(place, key), "unknown_field", f"{shown(key)} is no part of it; known are days and clock.")
            for key in table
            if key not in _KEYS
        ]
        days, clock = table.get("days"), table.get("clock", CLOCKS[0])
        if not isinstance(days, int) or isinstance(days, bool) or not 1 <= days <= MOST_DAYS:
            where = under(place, "days") if table is rule else place
            detail = f"Write the days after which a value is stale, a whole number from 1 to {MOST_DAYS}, such as 365."
            wrong.append(FieldError(where, "missing" if days is None else "out_of_range", detail))
        if clock not in CLOCKS:
            wrong.append(
                FieldError(under(place, "clock"), "unknown_value", f"{shown(clock)} is no clock; {near(clock, CLOCKS)}")
            )
        if len(wrong) == before and isinstance(days, int):
            found[name] = Stale(days, clock)
    return found
