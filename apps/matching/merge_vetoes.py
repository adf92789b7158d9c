"""What stands against a merge by policy: rules over two source records, one of each customer. Pure; policy/merging.toml tells the shape.

A rule is symmetric and looks at nothing but two records, so it holds between two customers exactly where it holds between two of their
records. Whatever was merged before, those two are still there: no order of merges gets past a rule."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations, product
from typing import Any, Final, NamedTuple

from apps.common.errors import FieldError, Rejected
from apps.common.jsontext import json_text
from apps.common.pointers import shown
from apps.customers.canonical_identifiers import KINDS as IDENTIFIERS
from apps.customers.survivorship_conditions import COUNTRY, NAMES, BadCondition, Condition, parse_condition
from apps.customers.survivorship_members import EXTRA, value_of
from apps.matching.unmerge_policy import UnmergePolicy, read_unmerge

MOST: Final = 50
_TEXTS: Final = {"name": 60, "sentence": 300}
_FLAGS: Final = ("one_system", "second_person", "machine")
_CONDITIONS: Final = ("both", "one", "other")
_KNOWN: Final = frozenset({*_TEXTS, *_FLAGS, *_CONDITIONS, "differ"})


@dataclass(frozen=True, slots=True)
class Veto:
    """One rule. `one` and `other` stand together; `second_person`: somebody else may let it pass; `machine`: it binds the machine too."""

    name: str
    sentence: str
    both: Condition | None = None
    one: Condition | None = None
    other: Condition | None = None
    differ: tuple[str, ...] = ()
    one_system: bool = False
    second_person: bool = False
    machine: bool = True

    @property
    def names(self) -> tuple[str, ...]:
        """All it asks for, in the order in which people are told."""
        asked = {n for c in (self.both, self.one, self.other) if c is not None for n in c.names}
        return (*self.differ, *sorted(asked - set(self.differ)))


@dataclass(frozen=True, slots=True)
class MergePolicy:
    """`unmerge`: what holds for taking apart what was merged."""

    vetoes: tuple[Veto, ...]
    unmerge: UnmergePolicy = field(default_factory=UnmergePolicy)

    @property
    def reads(self) -> tuple[str, ...]:
        """The parts of a canonical record that any rule asks for."""
        return tuple(sorted({_part_of(name) for veto in self.vetoes for name in veto.names}))


class Facts(NamedTuple):
    """What the rules see of one source record."""

    system: int
    canonical: Mapping[str, Any]


class Side(NamedTuple):
    """What decides of one record: which conditions hold, and the values that must not differ, by (name, country)."""

    both: bool
    one: bool
    other: bool
    values: Mapping[tuple[str, str], frozenset[str]]
    system: int


def parse_merging(body: Mapping[str, Any]) -> MergePolicy:
    """Raises Rejected, with a pointer to every mistake and what to write instead."""
    wrong = [
        FieldError(f"/{name}", "unknown_name", f"{shown(name)} is unknown; known are vetoes and unmerge.")
        for name in body
        if name not in ("vetoes", "unmerge")
    ]
    rules = body.get("vetoes", [])
    if not isinstance(rules, list) or len(rules) > MOST:
        raise Rejected(
            "The merging policy cannot be used.",
            [FieldError("/vetoes", "wrong_type", f"vetoes is a list of {MOST} rules at the most.")],
        )
    found = [_veto(rule, f"/vetoes/{at}", wrong) for at, rule in enumerate(rules)]
    names = [veto.name for veto in found]
    wrong += [
        FieldError(f"/vetoes/{at}/name", "duplicate", f"Two rules are called {shown(name)}.")
        for at, name in enumerate(names)
        if name and name in names[:at]
    ]
    unmerge = read_unmerge(body.get("unmerge", {}), wrong)
    if wrong:
        raise Rejected("The merging policy cannot be used.", wrong)
    return MergePolicy(tuple(found), unmerge)


def _veto(rule: Any, where: str, wrong: list[FieldError]) -> Veto:
    if not isinstance(rule, Mapping):
        wrong.append(FieldError(where, "wrong_type", "A rule is a table with name, sentence and what it looks at."))
        return Veto("", "")
    start = len(wrong)
    wrong += [
        FieldError(f"{where}/{n}", "unknown_name", f"{shown(n)} is unknown; known are {', '.join(sorted(_KNOWN))}.")
        for n in rule
        if n not in _KNOWN
    ]
    for name, longest in _TEXTS.items():
        text = rule.get(name)
        if not isinstance(text, str) or not 0 < len(text.strip()) <= longest:
            wrong.append(
                FieldError(f"{where}/{name}", "missing", f"{name} is a text of 1 to {longest} characters for people.")
            )
    wrong += [
        FieldError(f"{where}/{n}", "wrong_type", f"{n} is true or false.")
        for n in _FLAGS
        if not isinstance(rule.get(n, False), bool)
    ]
    conditions: dict[str, Any] = {n: _condition(rule[n], f"{where}/{n}", wrong) for n in _CONDITIONS if n in rule}
    if ("one" in rule) != ("other" in rule):
        wrong.append(FieldError(where, "missing", "one and other stand together: a condition for either record."))
    if not conditions and "differ" not in rule:
        wrong.append(FieldError(where, "missing", "Write what the rule looks at: both, one with other, or differ."))
    differ = _differ(rule.get("differ", []), f"{where}/differ", wrong)
    if len(wrong) > start:
        return Veto(str(rule.get("name", "")), "")
    flags = {n: rule[n] for n in _FLAGS if n in rule}
    return Veto(rule["name"].strip(), rule["sentence"].strip(), differ=differ, **conditions, **flags)


def _condition(text: Any, where: str, wrong: list[FieldError]) -> Condition | None:
    if not isinstance(text, str):
        wrong.append(FieldError(where, "wrong_type", "A condition is a text, such as 'status is active'."))
        return None
    try:
        return parse_condition(text)
    except BadCondition as error:
        wrong.append(FieldError(where, "bad_condition", str(error)))
        return None


def _differ(names: Any, where: str, wrong: list[FieldError]) -> tuple[str, ...]:
    if not isinstance(names, list):
        wrong.append(FieldError(where, "wrong_type", "differ is a list of names."))
        return ()
    for at, name in enumerate(names):
        known = isinstance(name, str) and (
            name in IDENTIFIERS or name in NAMES or (name.startswith(EXTRA) and len(name) > len(EXTRA))
        )
        if not known:
            listed = ", ".join((*IDENTIFIERS, *NAMES))
            detail = f"{shown(name)} cannot be compared; known are {listed} and extra.<name>."
            wrong.append(FieldError(f"{where}/{at}", "unknown_name", detail))
    return tuple(n for n in names if isinstance(n, str))


def _part_of(name: str) -> str:
    if name in IDENTIFIERS:
        return "identifiers"
    if name == COUNTRY:
        return "addresses"
    return "extra" if name.startswith(EXTRA) else name


def read(canonical: Mapping[str, Any], name: str) -> Any:
    """The value of a name in a record, as conditions see it."""
    if name == COUNTRY:
        addresses = canonical.get("addresses") or ()
        return addresses[0].get("country") if addresses else None
    return value_of(canonical, name)


def told(canonical: Mapping[str, Any], name: str) -> str:
    """The same for people; of identifiers all confirmed ones. Empty without a value."""
    if name in IDENTIFIERS:
        held = sorted(_confirmed(canonical, name).items())
        return ", ".join(
            f"{value} ({country})" if country else value for country, values in held for value in sorted(values)
        )
    value = read(canonical, name)
    return "" if value is None else value if isinstance(value, str) else json_text(value)


def _confirmed(canonical: Mapping[str, Any], kind: str) -> dict[str, frozenset[str]]:
    """Confirmed identifiers of one kind, by country."""
    found: dict[str, frozenset[str]] = {}
    for held in canonical.get("identifiers") or ():
        if held.get("type") == kind and held.get("verified") is True and held.get("value"):
            country = held.get("country") or ""
            found[country] = found.get(country, frozenset()) | {str(held["value"])}
    return found


def side_of(veto: Veto, facts: Facts) -> Side | None:
    """What decides of one record; None where the rule can say nothing of it."""
    own = facts.canonical

    def holds(condition: Condition | None) -> bool:
        return condition is not None and condition.holds(lambda name: read(own, name))

    both, one, other = holds(veto.both), holds(veto.one), holds(veto.other)
    if (veto.both and not both) or (veto.one and not one and not other):
        return None
    values: dict[tuple[str, str], frozenset[str]] = {}
    for name in veto.differ:
        if name in IDENTIFIERS:
            values.update(((name, country), held) for country, held in _confirmed(own, name).items())
        elif (value := told(own, name)) != "":
            values[name, ""] = frozenset({value.casefold()})
    return None if veto.differ and not values else Side(both, one, other, values, facts.system)


def stands(veto: Veto, a: Side, b: Side) -> bool:
    """Whether two records meet the rule; the same whichever comes first."""
    if veto.one_system and a.system != b.system:
        return False
    if veto.one and not ((a.one and b.other) or (a.other and b.one)):
        return False
    return not veto.differ or any(not held & b.values[name] for name, held in a.values.items() if name in b.values)


def pairs_of(vetoes: Iterable[Veto], facts: Sequence[Facts | None]) -> dict[tuple[int, int], Veto]:
    """Pairs of places (a < b) that any rule keeps apart, each with the first such rule. None: a record that counts for nothing.

    Records of which a rule sees the same are looked at once."""
    found: dict[tuple[int, int], Veto] = {}
    for veto in vetoes:
        alike = _alike(veto, facts)
        for one, other in combinations(alike, 2):
            if stands(veto, one[0], other[0]):
                for a, b in product(one[1], other[1]):
                    found.setdefault((min(a, b), max(a, b)), veto)
        for side, places in alike:
            if len(places) > 1 and stands(veto, side, side):
                for a, b in combinations(places, 2):
                    found.setdefault((a, b), veto)
    return found


def _alike(veto: Veto, facts: Sequence[Facts | None]) -> list[tuple[Side, list[int]]]:
    """The records a rule can say something of, by what it sees of them."""
    grouped: dict[Any, tuple[Side, list[int]]] = {}
    for place, own in enumerate(facts):
        side = side_of(veto, own) if own is not None else None
        if side is not None:
            system = side.system if veto.one_system else 0
            key = (side.both, side.one, side.other, frozenset(side.values.items()), system)
            grouped.setdefault(key, (side, []))[1].append(place)
    return list(grouped.values())
