"""Edges: the scored pairs that are kept, and the components they make."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

import numpy as np
from django.db import connection

from apps.common import ids, seal
from apps.common.errors import Conflict
from apps.common.ids import uuid7
from apps.common.jsontext import json_text
from apps.matching import candidates, engine
from apps.matching.decide import Component
from apps.matching.merge_vetoes import Veto
from apps.matching.parameters import Model

Pair = tuple[UUID, UUID]


@dataclass(frozen=True, slots=True)
class Scored:
    """A pair above the lower threshold. `weight` in bits, `levels` one code per comparison."""

    weight: float
    probability: float
    levels: tuple[int, ...]
    flags: int


def score_pairs(pairs: Sequence[Pair], model: Model) -> dict[Pair, Scored]:
    """Scores candidate pairs in columns; keeps those at or above the lower threshold, and every flagged one near it."""
    if not pairs:
        return {}
    known, features = candidates.features_of({r for pair in pairs for r in pair})
    row_of = {id_: i for i, id_ in enumerate(known)}
    rows = [(row_of.get(a, -1), row_of.get(b, -1), at) for at, (a, b) in enumerate(pairs)]
    left, right, place = np.array([row for row in rows if min(row) >= 0], np.int64).reshape(-1, 3).T
    scores = engine.score(features, features, left, right, model)
    kept = np.flatnonzero(engine.keep(scores, model)).tolist()
    weight, probability = scores.weight[kept].tolist(), scores.probability[kept].tolist()
    levels, flags = scores.levels[kept].tolist(), scores.flags[kept].tolist()
    return {
        pairs[at]: Scored(round(w, 4), round(p, 6), tuple(own), f)
        for at, w, p, own, f in zip(place[kept].tolist(), weight, probability, levels, flags, strict=True)
    }


def write_edges(
    touched: Sequence[UUID], scored: Mapping[Pair, Scored], model_version: int, *, searched_at: datetime
) -> None:
    """Brings the live edges of `touched` to `scored`: what differs is superseded and written anew. Evidence is never rewritten.

    An edge that somebody else wrote since `searched_at`, when the search for `scored` began, is newer evidence than its absence
    there: Conflict, search again."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, record_a_id, record_b_id, weight, flags, model_version, scored_at FROM edge WHERE superseded_at IS NULL"
            " AND record_a_id = ANY(%s::uuid[]) UNION SELECT id, record_a_id, record_b_id, weight, flags, model_version, scored_at"
            " FROM edge WHERE superseded_at IS NULL AND record_b_id = ANY(%s::uuid[])",
            (ids.array(touched),) * 2,
        )
        rows = cursor.fetchall()
        if any(row[-1] >= searched_at for row in rows if (row[1], row[2]) not in scored):
            raise Conflict("Somebody else compared one of these records meanwhile.")
        live = {(a, b): (id_, weight, flags, version) for id_, a, b, weight, flags, version, _ in rows}
        stale = [
            id_
            for pair, (id_, weight, flags, version) in live.items()
            if pair not in scored
            or (scored[pair].weight, scored[pair].flags, model_version) != (weight, flags, version)
        ]
        if stale:
            cursor.execute("UPDATE edge SET superseded_at = clock_timestamp() WHERE id = ANY(%s)", (stale,))
        gone = set(stale)
        fresh = [(pair, s) for pair, s in sorted(scored.items()) if pair not in live or live[pair][0] in gone]
        if fresh:
            _insert(fresh, model_version)


def _insert(fresh: Sequence[tuple[Pair, Scored]], model_version: int) -> None:
    rows = [
        {
            "i": uuid7().hex,
            "a": a.hex,
            "b": b.hex,
            "w": s.weight,
            "p": s.probability,
            "l": s.levels,
            "f": s.flags,
            "s": seal.salt_text(),
        }
        for (a, b), s in fresh
    ]
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO edge (id, record_a_id, record_b_id, weight, probability, levels, flags, model_version, scored_at, salt, digest)"
            " SELECT e.i, a, b, w, p, l, f, %s::int, clock_timestamp(), s, sealed_digest(a::text || b::text, s, ROW(w, l, f)::text)"
            " FROM jsonb_to_recordset(%s::jsonb) AS e(i uuid, a uuid, b uuid, w float8, p float8, l smallint[], f smallint, s bytea) ORDER BY a, b"
            " ON CONFLICT (record_a_id, record_b_id) WHERE superseded_at IS NULL DO NOTHING",
            (model_version, json_text(rows)),
        )


@dataclass(slots=True)
class Neighbourhood:
    """Everything reachable from some records: members with (system, external id, customer), edges, and people's verdicts."""

    members: dict[UUID, tuple[int, str, UUID | None]] = field(default_factory=dict)
    edges: dict[Pair, tuple[float, int]] = field(default_factory=dict)
    must: set[Pair] = field(default_factory=set)
    cannot: set[Pair] = field(default_factory=set)
    vetoes: dict[Pair, Veto] = field(default_factory=dict)
    """What the policy keeps apart; filled by who decides."""
    _from: dict[UUID, list[Pair]] = field(default_factory=dict)

    def edges_within(self, members: Iterable[UUID]) -> list[Pair]:
        """The edges of one whole component."""
        if not self._from and self.edges:
            for pair in self.edges:
                self._from.setdefault(pair[0], []).append(pair)
        return [pair for record in members for pair in self._from.get(record, ())]

    def components(self) -> list[list[UUID]]:
        """Records joined by edges, by a person's match, or by their customer.

        A component stands in the order of (system, external id): ties of a decision must not depend on who came first."""
        ordered = sorted(self.members, key=lambda r: self.members[r][:2])
        place = {record: i for i, record in enumerate(ordered)}
        parent = list(range(len(ordered)))

        def find(i: int) -> int:
            while parent[i] != i:
                parent[i] = parent[parent[i]]
                i = parent[i]
            return i

        for a, b in (*self.edges, *self.must):
            parent[find(place[a])] = find(place[b])
        first: dict[UUID, int] = {}
        for i, record in enumerate(ordered):
            customer = self.members[record][2]
            if customer is not None:
                parent[find(i)] = find(first.setdefault(customer, i))
        grouped: dict[int, list[UUID]] = {}
        for i, record in enumerate(ordered):
            grouped.setdefault(find(i), []).append(record)
        return list(grouped.values())


_MEMBER, _EDGE, _VERDICT = range(3)  # what a row of a ring is
# OFFSET 0: first the records asked for, then each one's customer by index, whatever size the planner takes the table for.
_RING = """
SELECT 0, s.id, s.customer_id, s.system_id::float8, 0::smallint, s.external_id
  FROM source_record s WHERE s.id = ANY(%(ids)s::uuid[])
UNION ALL SELECT 0, s.id, s.customer_id, s.system_id, 0, s.external_id
  FROM (SELECT DISTINCT customer_id FROM source_record WHERE id = ANY(%(ids)s::uuid[]) AND customer_id IS NOT NULL OFFSET 0) o,
  LATERAL (SELECT id, customer_id, system_id, external_id FROM source_record f WHERE f.customer_id = o.customer_id AND f.follows_id IS NULL OFFSET 0) s
UNION ALL SELECT 1, record_a_id, record_b_id, weight, flags, ''
  FROM edge WHERE superseded_at IS NULL AND record_a_id = ANY(%(ids)s::uuid[])
UNION ALL SELECT 1, record_a_id, record_b_id, weight, flags, ''
  FROM edge WHERE superseded_at IS NULL AND record_b_id = ANY(%(ids)s::uuid[])
UNION ALL SELECT 2, record_a_id, record_b_id, 0, 0, verdict
  FROM judgement WHERE superseded_at IS NULL AND verdict <> 'unsure' AND record_a_id = ANY(%(ids)s::uuid[])
UNION ALL SELECT 2, record_a_id, record_b_id, 0, 0, verdict
  FROM judgement WHERE superseded_at IS NULL AND verdict <> 'unsure' AND record_b_id = ANY(%(ids)s::uuid[])
"""


def neighbourhood(records: Iterable[UUID], scored: Mapping[Pair, Scored] | None = None) -> Neighbourhood:
    """The closure of `records` over live edges, people's matches and shared customers, read afresh: one query a ring.

    Given a set that is closed already, one ring reads it all. `scored`: edges not yet written, walked as though they were."""
    found = Neighbourhood()
    waiting: dict[UUID, list[UUID]] = {}
    for a, b in scored or ():
        waiting.setdefault(a, []).append(b)
        waiting.setdefault(b, []).append(a)
    asked, frontier = set[UUID](), set(records)
    while frontier:
        new = list(frontier)
        for record in new:  # what is known to lie behind is asked for in the same ring
            new.extend(n for n in waiting.pop(record, ()) if n not in frontier and n not in asked)
        frontier.update(new)
        asked |= frontier
        frontier = _read_ring(found, frontier) - asked
    found.cannot = {p for p in found.cannot if p[0] in found.members and p[1] in found.members}
    return found


def _read_ring(found: Neighbourhood, frontier: Iterable[UUID]) -> set[UUID]:
    """Adds everything that touches one of `frontier`; returns the records that belong together with one of them."""
    reached = set[UUID]()
    with connection.cursor() as cursor:
        cursor.execute(_RING, {"ids": ids.array(frontier)})
        for what, a, b, number, flags, text in cursor.fetchall():
            if what == _MEMBER:
                found.members[a] = (int(number), text, b)
                reached.add(a)
            elif what == _EDGE:
                found.edges[a, b] = (number, flags)
                reached.update((a, b))
            elif text == "match":
                found.must.add((a, b))
                reached.update((a, b))
            else:
                found.cannot.add((a, b))
    return reached


def component_of(members: Sequence[UUID], around: Neighbourhood, distinct_systems: frozenset[int]) -> Component:
    """One component as a decision takes it; `members` in the order that `components()` gave."""
    row = {record: at for at, record in enumerate(members)}

    def places(pair: Pair) -> tuple[int, int]:
        a, b = row[pair[0]], row[pair[1]]
        return (a, b) if a < b else (b, a)

    inside = sorted((*places(pair), *around.edges[pair]) for pair in around.edges_within(members))
    return Component(
        ids=[str(record) for record in members],
        systems=[around.members[record][0] for record in members],
        distinct_systems=distinct_systems,
        a=[edge[0] for edge in inside],
        b=[edge[1] for edge in inside],
        weight=[edge[2] for edge in inside],
        flags=[edge[3] for edge in inside],
        must=sorted(places(pair) for pair in around.must if pair[0] in row),
        cannot=sorted(places(pair) for pair in around.cannot if pair[0] in row and pair[1] in row),
        vetoes=sorted(places(pair) for pair in around.vetoes if pair[0] in row),
    )
