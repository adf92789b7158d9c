"""The survivorship document: strategies per attribute, groups, trust per system and attribute."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from apps.common.errors import FieldError, Rejected

STRATEGIES = ("trust", "recent", "oldest", "frequent", "complete")


@dataclass(frozen=True, slots=True)
class SurvivorshipPolicy:
    default: tuple[str, ...]
    attributes: Mapping[str, tuple[str, ...]]
    groups: tuple[tuple[str, ...], ...]
    trusts: Mapping[str, Mapping[str, int]]

    def strategies(self, attribute: str) -> tuple[str, ...]:
        return self.attributes.get(attribute, self.default)

    def trust(self, system: str, kind: str, attribute: str, otherwise: int) -> int:
        """Trust of a system's own row, else of its kind's row, else the system's general trust."""
        for row in (self.trusts.get(system), self.trusts.get(kind)):
            if row and attribute in row:
                return row[attribute]
        return otherwise


def parse_survivorship(body: Mapping[str, Any]) -> SurvivorshipPolicy:
    """Raises Rejected with a pointer for each thing that is wrong."""
    wrong: list[FieldError] = []

    def chain(pointer: str, value: Any) -> tuple[str, ...]:
        if not isinstance(value, list) or not value:
            wrong.append(FieldError(pointer, "wrong_type", "A list of strategies, at least one."))
            return ()
        for strategy in value:
            if strategy not in STRATEGIES:
                wrong.append(FieldError(pointer, "unknown_value", f"{strategy!r} is none of {', '.join(STRATEGIES)}."))
        return tuple(value)

    default = chain("/default", body.get("default"))
    attributes = {name: chain(f"/attributes/{name}", value) for name, value in body.get("attributes", {}).items()}
    groups = tuple(tuple(group) for group in body.get("groups", {}).values())
    trusts = body.get("trust", {})
    for system, row in trusts.items():
        for attribute, value in row.items():
            if not isinstance(value, int) or not 0 <= value <= 100:
                wrong.append(
                    FieldError(f"/trust/{system}/{attribute}", "out_of_range", "A whole number from 0 to 100.")
                )
    if wrong:
        raise Rejected("The survivorship policy cannot be used.", wrong)
    return SurvivorshipPolicy(default, attributes, groups, trusts)
