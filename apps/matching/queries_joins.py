"""How customers came together: which of their records joined which, on what evidence or whose word, and what was refused.

The records, pairs and verdicts around a customer are read as a decision reads them, and decided as a decision does; so what is told
is what the machine would do today. Nothing is stored."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

import numpy as np
from django.db import connection

from apps.common.ids import array
from apps.matching import candidates, engine
from apps.matching.doubts import MERGED_THERE
from apps.matching.edges import Neighbourhood, Pair, component_of, neighbourhood
from apps.matching.explain import Explanation, explain_scored
from apps.matching.explain_cluster import Why, explain_cluster, findings, groups_of
from apps.matching.merging import kept_apart
from apps.matching.model import ActiveModel, active_model
from apps.matching.parameters import Model

KEPT_APART = "person"
"""The reason of a refusal that is a person's word."""
_SENTENCE = "A person said that these are different customers."


@dataclass(frozen=True, slots=True)
class Record:
    """A source record, and the customer it belongs to with that one's name."""

    id: UUID
    system: str
    external_id: str
    customer: UUID | None
    name: str | None


@dataclass(frozen=True, slots=True)
class Joined:
    """The records `a` and `b` joined the groups `one` (that of `a`) and `other`, places in `Joins.records`.

    why: person, identifier or weight. weight in bits, with its probability: None for a person's word, which has `actor` and
    `reason` instead. `told`, `against`: what speaks loudest for one customer and against it, in sentences; nothing where the two were not
    found alike at all."""

    a: Record
    b: Record
    why: str
    weight: float | None
    probability: float | None
    one: tuple[int, ...]
    other: tuple[int, ...]
    actor: str = ""
    reason: str = ""
    told: tuple[str, ...] = ()
    against: tuple[str, ...] = ()

    @property
    def smaller(self) -> tuple[Record, Record, int]:
        """Of the two groups the one with fewer records (else that of `b`): its record, the other record, and how many it has."""
        first, second = len(self.one), len(self.other)
        return (self.a, self.b, first) if first < second else (self.b, self.a, second)


@dataclass(frozen=True, slots=True)
class Refused:
    """`own`, a record of the customer, and another record that were not joined; `inside`: the other is the customer's too.

    why: a reason of a doubt, or KEPT_APART with `actor` and `reason`. weight in bits, where the pair has one."""

    own: Record
    other: Record
    inside: bool
    why: str
    sentence: str
    weight: float | None
    actor: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Joins:
    """Of one customer. `records`: those that are compared, by system and external id; `joins` as they were made, the strongest first;
    `groups`: what the joins make of the records, one group where today's evidence holds them all; `refused`: what would have
    made the customer larger, and what speaks against it as it is; `followers`: records that go with another and are never
    compared."""

    records: tuple[Record, ...] = ()
    joins: tuple[Joined, ...] = ()
    groups: tuple[tuple[int, ...], ...] = ()
    refused: tuple[Refused, ...] = ()
    followers: tuple[tuple[Record, UUID], ...] = ()


@dataclass(slots=True)
class _Found:
    """What one customer's decision says: `own` are its records and `places` theirs among the `members` of its component."""

    own: list[UUID] = field(default_factory=list)
    places: Sequence[int] = ()
    why: Why = field(default_factory=lambda: Why((), ()))
    members: Sequence[UUID] = ()

    def pair(self, a: int, b: int) -> Pair:
        return _ordered(self.members[a], self.members[b])

    def pairs(self) -> Iterable[Pair]:
        """Those that are told of."""
        yield from (self.pair(join.a, join.b) for join in self.why.joins)
        yield from (self.pair(doubt.a, doubt.b) for doubt in self.why.refused)


def joins_of(customers: Iterable[UUID]) -> dict[UUID, Joins]:
    """How each of these customers came together; empty for one that has no records (unknown or retired). Eight queries, however many
    customers, records and pairs there are."""
    asked = list(dict.fromkeys(customers))
    active = active_model()
    around = neighbourhood(_reached(asked))
    found = _decided(asked, around, active)
    said = _said(asked)
    pairs = {pair for one in found.values() for pair in one.pairs()}
    records, follows = _records(asked, {r for pair in (*pairs, *(s.pair for s in said)) for r in pair}, found)
    facts = _facts(pairs)
    joined = [one.pair(join.a, join.b) for one in found.values() for join in one.why.joins]
    loudest = _findings([pair for pair in joined if facts[pair].probability is not None], active.model)
    return {
        customer: Joins(
            records=tuple(records[r] for r in one.own),
            joins=tuple(_joined(one, records, facts, loudest)),
            groups=_in_own(one, groups_of(one.why, one.places)),
            refused=tuple(_refused(customer, one, records, said)),
            followers=tuple((records[r], of) for r, of in follows.items() if records[r].customer == customer),
        )
        for customer, one in found.items()
    }


# ── reading and deciding ────────────────────────────────────────────────────────────────────────────────────────────
# OFFSET 0: each customer's records, each record's pairs and each pair's customer by index, whatever the planner takes the sizes for.
_REACHED = """
WITH RECURSIVE reached(customer) AS (
  SELECT unnest(%s::uuid[])
  UNION SELECT o.customer_id FROM reached r,
    LATERAL (SELECT id FROM source_record WHERE customer_id = r.customer AND follows_id IS NULL OFFSET 0) s,
    LATERAL (SELECT record_b_id AS id FROM edge WHERE superseded_at IS NULL AND record_a_id = s.id
      UNION ALL SELECT record_a_id FROM edge WHERE superseded_at IS NULL AND record_b_id = s.id
      UNION ALL SELECT record_b_id FROM judgement WHERE superseded_at IS NULL AND verdict = 'match' AND record_a_id = s.id
      UNION ALL SELECT record_a_id FROM judgement WHERE superseded_at IS NULL AND verdict = 'match' AND record_b_id = s.id OFFSET 0) e,
    LATERAL (SELECT customer_id FROM source_record WHERE id = e.id AND customer_id <> r.customer OFFSET 0) o)
SELECT s.id FROM reached r, LATERAL (SELECT id FROM source_record WHERE customer_id = r.customer AND follows_id IS NULL OFFSET 0) s
"""


def _reached(customers: Sequence[UUID]) -> list[UUID]:
    """The records that hang together with these customers': of a set that is closed already `neighbourhood` reads a single ring,
    however far the last record is away. Were one missing, it would be read in a ring more."""
    with connection.cursor() as cursor:
        cursor.execute(_REACHED, (array(customers),))
        return [row[0] for row in cursor.fetchall()]


def _decided(asked: Sequence[UUID], around: Neighbourhood, active: ActiveModel) -> dict[UUID, _Found]:
    found = {customer: _Found() for customer in asked}
    components = around.components()
    around.vetoes = kept_apart(components)
    for members in components:
        own: dict[UUID, list[int]] = {}
        for at, record in enumerate(members):
            customer = around.members[record][2]
            if customer in found:
                own.setdefault(customer, []).append(at)
        if not own:
            continue
        component = component_of(members, around, active.distinct_systems)
        for customer, places in own.items():
            among = frozenset(places)
            why = explain_cluster(component, active.model.thresholds, among)
            near = tuple(doubt for doubt in why.refused if doubt.a in among or doubt.b in among)
            found[customer] = _Found([members[at] for at in places], places, replace(why, refused=near), members)
    return found


# ── what people said, and what else is known of the pairs that are told ─────────────────────────────────────────────────
@dataclass(frozen=True, slots=True)
class _Said:
    """That a record of `customer` and one of another are not one: a person's word, or a doubt that no decision takes back."""

    customer: UUID
    own: UUID
    other: UUID
    why: str
    sentence: str
    actor: str
    reason: str

    @property
    def pair(self) -> Pair:
        return _ordered(self.own, self.other)


# Of what one person said of two customers the first word is enough: an unmerge speaks of every pair of records.
_SAID = """
SELECT DISTINCT ON (s.customer_id, j.what, o.customer_id) s.customer_id, j.own, j.other, j.what, j.sentence, j.actor, j.reason
FROM (SELECT id, customer_id FROM source_record WHERE customer_id = ANY(%(customers)s::uuid[])) s, LATERAL (
  SELECT 'person' AS what, record_a_id AS own, record_b_id AS other, '' AS sentence, actor, reason, decided_at AS at FROM judgement
    WHERE superseded_at IS NULL AND verdict = 'no_match' AND origin = 'person' AND record_a_id = s.id
  UNION ALL SELECT 'person', record_b_id, record_a_id, '', actor, reason, decided_at FROM judgement
    WHERE superseded_at IS NULL AND verdict = 'no_match' AND origin = 'person' AND record_b_id = s.id
  UNION ALL SELECT reason, record_a_id, record_b_id, sentence, '', '', opened_at FROM doubt
    WHERE state = 'open' AND reason = %(doubt)s AND record_a_id = s.id
  UNION ALL SELECT reason, record_b_id, record_a_id, sentence, '', '', opened_at FROM doubt
    WHERE state = 'open' AND reason = %(doubt)s AND record_b_id = s.id OFFSET 0) j,
  LATERAL (SELECT customer_id FROM source_record WHERE id = j.other OFFSET 0) o
WHERE o.customer_id <> s.customer_id ORDER BY s.customer_id, j.what, o.customer_id, j.at, j.own, j.other
"""


def _said(customers: Sequence[UUID]) -> list[_Said]:
    with connection.cursor() as cursor:
        cursor.execute(_SAID, {"customers": array(customers), "doubt": MERGED_THERE})
        return [_Said(*row) for row in cursor.fetchall()]


_RECORDS = (
    "SELECT s.id, y.code, s.external_id, s.customer_id, c.name, s.follows_id FROM source_record s JOIN system y ON y.id = s.system_id"
    " LEFT JOIN customer c ON c.id = s.customer_id WHERE s.id = ANY(%s::uuid[])"
    " UNION SELECT s.id, y.code, s.external_id, s.customer_id, c.name, s.follows_id FROM source_record s JOIN system y ON y.id = s.system_id"
    " LEFT JOIN customer c ON c.id = s.customer_id WHERE s.customer_id = ANY(%s::uuid[]) AND s.follows_id IS NOT NULL"
    " AND y.kind <> 'steward' ORDER BY 2, 3"
)


def _records(
    asked: Sequence[UUID], told: set[UUID], found: Mapping[UUID, _Found]
) -> tuple[dict[UUID, Record], dict[UUID, UUID]]:
    """Every record that is told of, and of those that follow another, that other."""
    wanted = told.union(*(one.own for one in found.values()))
    with connection.cursor() as cursor:
        cursor.execute(_RECORDS, (array(wanted), array(asked)))
        rows = cursor.fetchall()
    return {row[0]: Record(*row[:5]) for row in rows}, {row[0]: row[5] for row in rows if row[5] is not None}


@dataclass(frozen=True, slots=True)
class _Facts:
    probability: float | None = None
    actor: str = ""
    reason: str = ""


_FACTS = """
SELECT p.a, p.b, e.probability, coalesce(j.actor, ''), coalesce(j.reason, '') FROM unnest(%s::uuid[], %s::uuid[]) AS p(a, b)
  LEFT JOIN LATERAL (SELECT probability FROM edge WHERE superseded_at IS NULL AND record_a_id = p.a AND record_b_id = p.b LIMIT 1) e ON true
  LEFT JOIN LATERAL (SELECT actor, reason FROM judgement WHERE superseded_at IS NULL AND verdict = 'match'
    AND record_a_id = p.a AND record_b_id = p.b LIMIT 1) j ON true
"""


def _facts(pairs: set[Pair]) -> dict[Pair, _Facts]:
    with connection.cursor() as cursor:
        cursor.execute(_FACTS, (array(a for a, _ in pairs), array(b for _, b in pairs)))
        return {(row[0], row[1]): _Facts(*row[2:]) for row in cursor.fetchall()}


def _findings(pairs: Sequence[Pair], model: Model) -> dict[Pair, Explanation]:
    """What today's model says of pairs, in columns; nothing of a pair whose record is not indexed."""
    ids, table = candidates.features_of({record for pair in pairs for record in pair})
    row = {record: at for at, record in enumerate(ids)}
    known = [pair for pair in pairs if pair[0] in row and pair[1] in row]
    if not known:
        return {}
    left, right = (np.array([row[pair[side]] for pair in known], np.int64) for side in (0, 1))
    scores = engine.score(table, table, left, right, model)
    return dict(zip(known, explain_scored(table, (left, right), scores, model), strict=True))


# ── telling ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
def _ordered(a: UUID, b: UUID) -> Pair:
    return (a, b) if a < b else (b, a)


def _in_own(one: _Found, groups: Iterable[Sequence[int]]) -> tuple[tuple[int, ...], ...]:
    """Groups of places in the component as places among the customer's own records."""
    place = {record: at for at, record in enumerate(one.own)}
    return tuple(tuple(place[one.members[at]] for at in group) for group in groups)


def _joined(
    one: _Found, records: Mapping[UUID, Record], facts: Mapping[Pair, _Facts], loudest: Mapping[Pair, Explanation]
) -> Iterable[Joined]:
    for join in one.why.joins:
        pair = one.pair(join.a, join.b)
        known, explanation = facts.get(pair, _Facts()), loudest.get(pair)
        person = join.why == "person"
        told, against = findings(explanation) if explanation is not None else ((), ())
        first, second = _in_own(one, (join.one, join.other))
        yield Joined(
            records[one.members[join.a]], records[one.members[join.b]], join.why, join.weight,
            None if person else known.probability, first, second,
            actor=known.actor if person else "", reason=known.reason if person else "", told=told, against=against,
        )  # fmt: skip


def _refused(customer: UUID, one: _Found, records: Mapping[UUID, Record], said: Iterable[_Said]) -> list[Refused]:
    """People's words first, then what speaks against the customer as it is, then the heaviest."""
    own = set(one.own)
    found = [
        Refused(
            records[s.own], records[s.other], inside=False, why=s.why,
            sentence=_SENTENCE if s.why == KEPT_APART else s.sentence, weight=None, actor=s.actor, reason=s.reason,
        )
        for s in said
        if s.customer == customer and s.own in records and s.other in records
    ]  # fmt: skip
    for doubt in one.why.refused:
        a, b = one.members[doubt.a], one.members[doubt.b]
        first, second = (a, b) if a in own else (b, a)
        inside = second in own
        found.append(Refused(records[first], records[second], inside, doubt.reason, doubt.sentence, doubt.weight))
    return sorted(found, key=lambda r: (r.why != KEPT_APART, not r.inside, -(r.weight or 0.0)))
