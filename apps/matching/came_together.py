"""How records came to be one customer, read from where each of them belonged when; and what is left when some of it is undone."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

Pair = tuple[UUID, UUID]
Group = tuple[UUID, ...]


@dataclass(frozen=True, slots=True)
class Stay:
    """From when to when a record belonged to a customer, by which act it came there, and whether that is to be undone."""

    customer: UUID
    since: datetime
    until: datetime | None
    act: UUID
    undone: bool


@dataclass(frozen=True, slots=True)
class Joining:
    """`act` made one customer of `groups`, each of which was one before; each group in order, the one with the oldest record first."""

    at: datetime
    act: UUID
    undone: bool
    groups: tuple[Group, ...]


@dataclass(frozen=True, slots=True)
class Parting:
    """`apart`: for each joining that is undone, what no longer belongs together. `loose`: acts of people that stand on such a
    joining and are taken back; `still`: what of each of them stands all the same, as pairs of records."""

    apart: tuple[tuple[Group, ...], ...] = ()
    loose: frozenset[UUID] = frozenset()
    still: Mapping[UUID, tuple[Pair, ...]] = field(default_factory=dict)


def joinings(stays: Mapping[UUID, Sequence[Stay]]) -> list[Joining]:
    """Return how the records of one customer came to be together as they are, the latest joining of each group before its own.

    `stays`: each record's in order of time, the last one open and with the same customer for all. A record that came, left and came
    again counts from when it came last: what was parted since is no joining any more. n records have n - 1 joinings at most."""
    at = {record: len(own) - 1 for record, own in stays.items()}
    found, waiting = [], [list(stays)]
    while waiting:
        block = waiting.pop()
        if len(block) < 2:
            continue
        moment = max(stays[record][at[record]].since for record in block)
        came = [record for record in block if stays[record][at[record]].since == moment]
        arrivals = [stays[record][at[record]] for record in came]
        groups: dict[object, list[UUID]] = defaultdict(list)
        for record in set(block).difference(came):
            groups[stays[record][at[record]].customer].append(record)
        for record in came:
            at[record] -= 1
            before = stays[record][at[record]] if at[record] >= 0 else None
            alone = before is None or before.until != moment
            groups[record if alone or before is None else before.customer].append(record)
        if len(groups) > 1:
            ordered = sorted(tuple(sorted(group)) for group in groups.values())
            undone = any(stay.undone for stay in arrivals)
            found.append(Joining(moment, arrivals[0].act, undone, tuple(ordered)))
        waiting.extend(groups.values())
    return found


def parting(found: Sequence[Joining], ties: Iterable[tuple[UUID, UUID, UUID]]) -> Parting:
    """Return what parts when the joinings that are `undone` had never been. `ties`: what people say is one, as (a, b, act).

    A tie of an act that joined nothing confirms what was together already: groups it ties stay together. A tie of an act that joined
    customers was said of those customers as they were then; where one of them parts, it goes on for the part with its oldest record,
    which is the one that keeps the id."""
    joined = {joining.act for joining in found}
    said: dict[UUID, list[Pair]] = defaultdict(list)
    confirmed = []
    for a, b, act in ties:
        if act in joined:
            said[act].append((a, b))
        else:
            confirmed.append((a, b))
    home = connected(confirmed)
    apart = [parts for joining in found if joining.undone and len(parts := _parts(joining.groups, home)) > 1]
    loose = frozenset(act for act, pairs in said.items() if _crosses(pairs, apart))
    still = {
        act: tuple((joining.groups[0][0], group[0]) for joining in found if joining.act == act and not joining.undone for group in joining.groups[1:])
        for act in loose
    }  # fmt: skip
    return Parting(tuple(apart), loose, still)


def connected(pairs: Iterable[Pair]) -> dict[UUID, UUID]:
    """Return of every record in `pairs` one that stands for all it is connected with."""
    parent: dict[UUID, UUID] = {}

    def find(record: UUID) -> UUID:
        while parent.setdefault(record, record) != record:
            parent[record] = parent[parent[record]]
            record = parent[record]
        return record

    for a, b in pairs:
        parent[find(a)] = find(b)
    return {record: find(record) for record in list(parent)}


def _parts(groups: Sequence[Group], home: Mapping[UUID, UUID]) -> tuple[Group, ...]:
    """Return the groups, those that a person's word ties as one."""
    if not home:
        return tuple(groups)
    tied = connected((home[record], group[0]) for group in groups for record in group if record in home)
    parts: dict[UUID, list[UUID]] = defaultdict(list)
    for group in groups:
        parts[tied.get(group[0], group[0])].extend(group)
    return tuple(sorted(tuple(sorted(part)) for part in parts.values()))


def _crosses(pairs: Iterable[Pair], apart: Iterable[Sequence[Group]]) -> bool:
    """Tell whether these ties hold together what is to part."""
    home = connected(pairs)
    for parts in apart:
        seen: dict[UUID, int] = {}
        for number, part in enumerate(parts):
            if any(seen.setdefault(home[record], number) != number for record in part if record in home):
                return True
    return False
