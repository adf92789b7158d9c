"""The merging policy at work: what its rules see of source records, which pairs they keep apart, and what a person is told of it."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connection

from apps.common.act import Act
from apps.common.errors import FieldError, Rejected, Retryable
from apps.common.ids import array
from apps.common.jsontext import json_value
from apps.matching.activation import decide_all_again
from apps.matching.merge_vetoes import Facts, MergePolicy, Veto, pairs_of, told
from apps.policies.active import active

Pair = tuple[UUID, UUID]
_TRIES = 5
Asked = tuple[str, frozenset[UUID]]
"""A rule between two customers: what a second person lets pass."""


@dataclass(frozen=True, slots=True)
class Met:
    """A rule that stands between two customers. `values`: (name, of the one, of the other); `records`: the pair that shows it."""

    rule: str
    sentence: str
    second_person: bool
    customers: Pair
    records: Pair
    values: tuple[tuple[str, str, str], ...]

    @property
    def asked(self) -> Asked:
        return self.rule, frozenset(self.customers)

    @property
    def compared(self) -> str:
        """The values of both sides in words."""
        return "; ".join(
            f"{name.removeprefix('extra.').replace('_', ' ')}: {one or 'none'} and {other or 'none'}"
            for name, one, other in self.values
        )


class Vetoed(Rejected):
    """Rules of the policy stand against a merge; `met` says which. They can be linked instead; `may_ask`: or a second person be asked."""

    def __init__(self, met: Sequence[Met]) -> None:
        self.met = tuple(met)
        self.may_ask = all(m.second_person for m in met)
        way = "Link them instead" + (", or ask a second person for the merge." if self.may_ask else ".")
        said = dict.fromkeys(f"{m.sentence} ({m.compared})" for m in met)
        super().__init__(
            " ".join((*said, way)),
            [
                FieldError(
                    "/customers", "merge_veto",
                    f"{m.rule}: {m.sentence} {m.customers[0]} and {m.customers[1]}: {m.compared}. {way}",
                )
                for m in met
            ],
        )  # fmt: skip


def policy_activated(act: Act) -> None:
    """By other rules everything is decided again, as by another model."""
    decide_all_again()


@dataclass(frozen=True, slots=True)
class _InForce:
    """A policy under its hash; "" for the one that is shipped."""

    hash: str
    rules: MergePolicy


def _in_force() -> _InForce:
    found = active("merging")
    return _InForce(found.hash if found.version else "", found.rules)


_known: list[_InForce] = []
"""The policy that was in force when this process last looked: what it asks of records is asked for together with whether it still is."""

_FACTS = """
SELECT s.id, s.system_id, s.deleted AND y.delete_policy <> 'keep',
  (SELECT jsonb_object_agg(key, value) FROM jsonb_each(s.canonical) WHERE key = ANY(%s))::text,
  coalesce((SELECT hash FROM policy WHERE kind = 'merging' AND state = 'active'), '')
FROM source_record s JOIN system y ON y.id = s.system_id WHERE s.id = ANY(%s::uuid[])
"""


def seen(records: Collection[UUID]) -> tuple[MergePolicy, dict[UUID, Facts | None]]:
    """The policy in force, and what its rules see of these records; None for a deleted one that does not go on counting. One query, two
    more after another policy came into force. Raises Retryable where that happens again and again."""
    if not _known:
        _known.append(_in_force())
    for _ in range(_TRIES):
        using = _known[-1]
        with connection.cursor() as cursor:
            cursor.execute(_FACTS, (list(using.rules.reads), array(records)))
            rows = cursor.fetchall()
        if all(row[4] == using.hash for row in rows):
            return using.rules, {
                id_: None if gone else Facts(system, json_value(text) if text else {})
                for id_, system, gone, text, _ in rows
            }
        _known[:] = [_in_force()]
    raise Retryable("The merging policy is being changed; try again.", after=1.0)


def kept_apart(components: Iterable[Sequence[UUID]]) -> dict[Pair, Veto]:
    """The pairs of records that the machine must not make one, with the rule; one query, none where no component has two records."""
    several = [members for members in components if len(members) > 1]
    if not several:
        return {}
    rules, facts = seen([r for members in several for r in members])
    binding = [veto for veto in rules.vetoes if veto.machine]
    found = {}
    for members in several:
        for (a, b), veto in pairs_of(binding, [facts.get(r) for r in members]).items():
            found[members[a], members[b]] = veto
    return found


def between(members: Mapping[UUID, Sequence[UUID]]) -> list[Met]:
    """Every rule that stands between two of these customers, given with their records: one for each rule and two customers. One query."""
    if len(members) < 2:
        return []
    home = {record: customer for customer, records in members.items() for record in records}
    records = sorted(home)
    rules, facts = seen(records)
    found: list[Met] = []
    for veto in rules.vetoes:
        shown: dict[frozenset[UUID], Met] = {}
        for a, b in sorted(pairs_of([veto], [facts.get(r) for r in records])):
            one, other = records[a], records[b]
            both = frozenset((home[one], home[other]))
            if len(both) == 2 and both not in shown:
                shown[both] = _met(veto, (one, other), home, facts)
        found += shown.values()
    return found


def _met(veto: Veto, records: Pair, home: Mapping[UUID, UUID], facts: Mapping[UUID, Facts | None]) -> Met:
    one, other = sorted(records, key=lambda record: home[record])
    values: list[tuple[str, str, str]] = []
    for name in veto.names:
        own, their = (told(_canonical(facts, record), name) for record in (one, other))
        if own or their:
            values.append((name, own, their))
    return Met(veto.name, veto.sentence, veto.second_person, (home[one], home[other]), (one, other), tuple(values))


def _canonical(facts: Mapping[UUID, Facts | None], record: UUID) -> Mapping[str, Any]:
    found = facts.get(record)
    return found.canonical if found is not None else {}


def stop(members: Mapping[UUID, Sequence[UUID]], *, past: Collection[Asked] = ()) -> None:
    """Raises Vetoed where a rule stands between two of these customers that is not `past`: let pass by a second person."""
    met = [m for m in between(members) if m.asked not in past or not m.second_person]
    if met:
        raise Vetoed(met)
