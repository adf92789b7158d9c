"""The survivorship document: chains of strategies by attribute, groups, trust by source and attribute, and what checks take away."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from apps.common.errors import FieldError, Rejected
from apps.common.pointers import shown
from apps.customers.quality import Quality
from apps.customers.quality_policy import QualityReader
from apps.customers.survivorship_chains import ChainReader, Told, near, under
from apps.customers.survivorship_conditions import COUNTRY, Condition
from apps.customers.survivorship_members import ATTRIBUTES, EXTRA, PARTS, SCALARS, SINGLES
from apps.customers.survivorship_stale import Stale, read_stale
from apps.customers.survivorship_strategies import Step, step

KEYS: Final = ("default", "attributes", "groups", "chains", "lists", "trust", "quality", "stale")


@dataclass(frozen=True, slots=True)
class Branch:
    """A chain and the condition under which it counts; None: always."""

    condition: Condition | None
    steps: tuple[Step, ...]


Branches = tuple[Branch, ...]
UNITED: Final[Branches] = (Branch(None, (step("aggregate"),)),)
"""What becomes of a list of which the policy says nothing: every entry of every record."""


@dataclass(frozen=True, slots=True)
class SurvivorshipPolicy:
    """Of the branches of an attribute the first counts whose condition holds; the last of each has none.

    `together`: a group's first attribute -> the group, which is decided as one by the chain of that attribute; `singles`: attributes
    with one value that stand in no group; `timed`: whether any strategy needs to know the moment; `plain`: the chains of those
    attributes that have one whatever the case."""

    default: Branches
    attributes: Mapping[str, Branches]
    groups: tuple[tuple[str, ...], ...]
    trusts: Mapping[str, Mapping[str, int]]
    lists: Mapping[str, str] = field(default_factory=dict)
    quality: Quality = field(default_factory=lambda: Quality({}))
    together: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    singles: tuple[str, ...] = SINGLES
    timed: bool = False
    plain: Mapping[str, tuple[Step, ...]] = field(default_factory=dict)
    stale: Mapping[str, Stale] = field(default_factory=dict)

    def branches(self, attribute: str) -> Branches:
        return self.attributes.get(attribute) or (UNITED if attribute in PARTS else self.default)

    def trust(self, system: str, kind: str, attribute: str, otherwise: int) -> int:
        """Trust of a system's own row, else of its kind's row, else the system's general trust."""
        trusts = self.trusts
        if system in trusts and attribute in trusts[system]:
            return trusts[system][attribute]
        return trusts[kind].get(attribute, otherwise) if kind in trusts else otherwise


def parse_survivorship(body: Mapping[str, Any]) -> SurvivorshipPolicy:
    """Raises Rejected with a pointer and a sentence for each thing that is wrong."""
    wrong = [FieldError(under("", k), "unknown_field", f"{shown(k)} is no part of it; known are {', '.join(KEYS)}.")
             for k in body if k not in KEYS]  # fmt: skip
    tables = {name: _table(under("", name), body.get(name, {}), wrong) for name in KEYS if name != "default"}
    groups = _groups(tables["groups"], wrong)
    lists = _lists(tables["lists"], wrong)
    reader = ChainReader(tables["chains"], groups, lists, wrong)
    default = _branches(reader.read("/default", body.get("default"), None), ())
    attributes = {}
    for name, value in tables["attributes"].items():
        place = under("", "attributes", name)
        if _is_attribute(place, name, wrong) and _leads(place, name, groups, wrong):
            attributes[name] = _branches(reader.read(place, value, name), UNITED if name in PARTS else default)
    trusts = _trusts(tables["trust"], wrong)
    quality = QualityReader(wrong).read(tables["quality"])
    plain = {n: (attributes.get(n) or (UNITED if n in PARTS else default))[:1] for n in (*ATTRIBUTES, *attributes)}
    policy = SurvivorshipPolicy(
        default, attributes, groups, trusts, lists, quality, {g[0]: g for g in groups},
        tuple(n for n in SINGLES if not any(n in g for g in groups)),
        any(s.timed for branches in (default, *attributes.values()) for b in branches for s in b.steps),
        {n: b.steps for n, branches in plain.items() for b in branches if b.condition is None},
        stale=read_stale(tables["stale"], lambda place, name: _is_attribute(place, name, wrong), wrong),
    )  # fmt: skip
    wrong = wrong or _circles(policy)
    if wrong:
        raise Rejected("The survivorship policy cannot be used.", wrong)
    return policy


def _branches(told: Sequence[Told], otherwise: Branches) -> Branches:
    """The branches of one rule; where none of them is for all cases, those of the default follow."""
    found = tuple(Branch(condition, steps) for condition, steps in told)
    return found if not found or found[-1].condition is None else (*found, *otherwise)


def _table(place: str, value: Any, wrong: list[FieldError]) -> Mapping[str, Any]:
    if isinstance(value, Mapping):
        return value
    wrong.append(
        FieldError(place, "wrong_type", f"{place[1:]} is a table: write [{place[1:]}] with a line for each entry.")
    )
    return {}


def _is_attribute(place: str, name: Any, wrong: list[FieldError]) -> bool:
    if name in ATTRIBUTES and name != "extra":
        return True
    if isinstance(name, str) and name.startswith(EXTRA) and len(name) > len(EXTRA):
        return True
    hint = (
        "write extra.<name> for each declared attribute." if name == "extra" else near(name, ATTRIBUTES, "extra.<name>")
    )
    wrong.append(FieldError(place, "unknown_attribute", f"{shown(name)} is no attribute of a customer; {hint}"))
    return False


def _leads(place: str, name: str, groups: Sequence[Sequence[str]], wrong: list[FieldError]) -> bool:
    """A group has one chain, that of its first attribute: another would never be asked."""
    leader = next((group[0] for group in groups if name in group[1:]), None)
    if leader is not None:
        detail = f"{name} survives together with {leader}, whose chain counts; write the chain for {leader}."
        wrong.append(FieldError(place, "never_used", detail))
    return leader is None


def _groups(told: Mapping[str, Any], wrong: list[FieldError]) -> tuple[tuple[str, ...], ...]:
    groups: list[tuple[str, ...]] = []
    taken: dict[str, str] = {}
    for label, names in told.items():
        place = under("", "groups", label)
        if not isinstance(names, list | tuple) or len(names) < 2:
            detail = 'A group is a list of two attributes or more, such as ["given_name", "family_name"].'
            wrong.append(FieldError(place, "wrong_type", detail))
            continue
        before = len(wrong)
        for at, name in enumerate(names):
            if isinstance(name, str) and name in taken:
                detail = f"{name} stands in the group {taken[name]} already; name it in one group, once."
                wrong.append(FieldError(under(place, at), "repeated", detail))
            elif name not in SCALARS:
                hint = "a list survives whole, entry by entry." if name in PARTS else near(name, SCALARS)
                wrong.append(
                    FieldError(under(place, at), "unknown_attribute", f"{shown(name)} cannot stand in a group; {hint}")
                )
            else:
                taken[name] = label
        if len(wrong) == before:
            groups.append(tuple(names))
    return tuple(groups)


def _lists(told: Mapping[str, Any], wrong: list[FieldError]) -> dict[str, str]:
    """Attribute -> what stands between the entries of its text."""
    for name, between in told.items():
        place = under("", "lists", name)
        if not _is_attribute(place, name, wrong):
            continue
        if not name.startswith(EXTRA):
            detail = f"{name} is a list of its own kind." if name in PARTS else f"{name} holds one value by its kind."
            wrong.append(
                FieldError(place, "unknown_value", f"{detail} Declare text attributes of extra here: extra.<name>.")
            )
        elif not isinstance(between, str) or not between.strip():
            wrong.append(FieldError(place, "wrong_type", 'What stands between two entries, such as "; ".'))
    return dict(told)


def _trusts(told: Mapping[str, Any], wrong: list[FieldError]) -> dict[str, Mapping[str, int]]:
    trusts = {}
    for system, row in told.items():
        trusts[system] = _table(under("", "trust", system), row, wrong)
        for attribute, value in trusts[system].items():
            place = under("", "trust", system, attribute)
            if _is_attribute(place, attribute, wrong):
                _is_number(place, value, wrong)
    return trusts


def _is_number(place: str, value: Any, wrong: list[FieldError]) -> bool:
    good = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 100
    if not good:
        wrong.append(FieldError(place, "out_of_range", f"Write a whole number from 0 to 100, not {shown(value)}."))
    return good


# ── conditions that wait for one another ────────────────────────────────────────────────────────────────────────────
def _circles(policy: SurvivorshipPolicy) -> list[FieldError]:
    """A condition is asked once the attributes it names are decided, so no attribute may wait for itself."""
    lead = {name: group[0] for group in policy.groups for name in group} | {COUNTRY: "addresses"}
    done: set[str] = set()

    def circle(unit: str, waiting: tuple[str, ...]) -> tuple[str, ...]:
        if unit in waiting:
            return (*waiting[waiting.index(unit) :], unit)
        if unit not in done:
            names = {n for b in policy.branches(unit) if b.condition is not None for n in b.condition.names}
            for name in sorted(names):
                if found := circle(lead.get(name, name), (*waiting, unit)):
                    return found
            done.add(unit)
        return ()

    units = (*policy.attributes, *(n for n in ATTRIBUTES if n != "extra"))
    found = next((c for unit in units if (c := circle(lead.get(unit, unit), ()))), None)
    if found is None:
        return []
    named = next((n for n in found if n in policy.attributes), None)
    place = "/default" if named is None else under("", "attributes", named)
    return [
        FieldError(
            place, "circle",
            f"Each of these waits for the next to be decided: {' → '.join(found)}. Give one of them a chain without `if`"
            f"{'' if named else f' in [attributes], such as {found[0]}'}.",
        )
    ]  # fmt: skip
