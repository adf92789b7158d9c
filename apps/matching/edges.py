"""Edges: the scored pairs that are kept, and the components they make."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

import numpy as np
from django.db import connection

from apps.common import ids
from apps.common.errors import Conflict
from apps.common.ids import uuid7
from apps.common.jsontext import json_text
from apps.matching import candidates, engine
from apps.matching.parameters import Model

Pair = tuple[UUID, UUID]


@dataclass(frozen=True, slots=True)
class Scored:
    """A pair above the lower threshold. `weight` in bits, `levels` one code per comparison."""

    weight: float
    probability: float
    levels: tuple[int, ...]
    flags: int


def score_pairs(pairs: Iterable[Pair], model: Model) -> dict[Pair, Scored]:
    """Scores candidate pairs in columns; keeps those at or above the lower threshold, and every flagged one near it."""
    listed = sorted(pairs)
    if not listed:
        return {}
    known, features = candidates.features_of(sorted({r for pair in listed for r in pair}))
    row_of = {id_: i for i, id_ in enumerate(known)}
    listed = [p for p in listed if p[0] in row_of and p[1] in row_of]
    if not listed:
        return {}
    left = np.fromiter((row_of[a] for a, _ in listed), dtype=np.int32, count=len(listed))
    right = np.fromiter((row_of[b] for _, b in listed), dtype=np.int32, count=len(listed))
    scores = engine.score(features, features, left, right, model)
    kept = np.flatnonzero(engine.keep(scores, model))
    return {
        listed[i]: Scored(
            round(float(scores.weight[i]), 4),
            round(float(scores.probability[i]), 6),
            tuple(scores.levels[i].tolist()),
            int(scores.flags[i]),
        )
        for i in kept.tolist()
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
        {"i": uuid7().hex, "a": a.hex, "b": b.hex, "w": s.weight, "p": s.probability, "l": s.levels, "f": s.flags}
        for (a, b), s in fresh
    ]
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO edge (id, record_a_id, record_b_id, weight, probability, levels, flags, model_version, scored_at, salt, digest)"
            " SELECT e.i, a, b, w, p, l, f, %s::int, clock_timestamp(), x.salt, sealed_digest(a::text || b::text, x.salt, ROW(w, l, f)::text)"
            " FROM jsonb_to_recordset(%s::jsonb) AS e(i uuid, a uuid, b uuid, w float8, p float8, l smallint[], f smallint),"
            " LATERAL (SELECT uuid_send(gen_random_uuid()) AS salt, e.i AS per_row) x ORDER BY a, b"
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
        parent = {r: r for r in self.members}

        def find(r: UUID) -> UUID:
            while parent[r] != r:
                parent[r] = parent[parent[r]]
                r = parent[r]
            return r

        def join(a: UUID, b: UUID) -> None:
            ra, rb = find(a), find(b)
            if ra != rb:
                parent[max(ra, rb)] = min(ra, rb)

        for a, b in (*self.edges, *self.must):
            join(a, b)
        first: dict[UUID, UUID] = {}
        for record, (_, _, customer) in self.members.items():
            if customer is not None:
                join(record, first.setdefault(customer, record))
        grouped: dict[UUID, list[UUID]] = {}
        for record in sorted(self.members, key=lambda r: self.members[r][:2]):
            grouped.setdefault(find(record), []).append(record)
        return list(grouped.values())


_EDGES = (
    "SELECT record_a_id, record_b_id, weight, flags FROM edge WHERE superseded_at IS NULL AND record_a_id = ANY(%s::uuid[])"
    " UNION ALL SELECT record_a_id, record_b_id, weight, flags FROM edge WHERE superseded_at IS NULL AND record_b_id = ANY(%s::uuid[])"
)
_VERDICTS = (
    "SELECT record_a_id, record_b_id, verdict FROM judgement WHERE superseded_at IS NULL AND verdict <> 'unsure' AND record_a_id = ANY(%s::uuid[])"
    " UNION SELECT record_a_id, record_b_id, verdict FROM judgement"
    " WHERE superseded_at IS NULL AND verdict <> 'unsure' AND record_b_id = ANY(%s::uuid[])"
)
_MEMBERS = (
    "SELECT s.id, s.system_id, s.external_id, s.customer_id FROM source_record s WHERE s.id = ANY(%s::uuid[]) UNION"
    " SELECT s.id, s.system_id, s.external_id, s.customer_id FROM source_record s JOIN source_record o ON o.customer_id = s.customer_id"
    " JOIN system y ON y.id = s.system_id AND y.kind <> 'steward' WHERE o.id = ANY(%s::uuid[])"
)


def neighbourhood(records: Iterable[UUID], scored: Mapping[Pair, Scored] | None = None) -> Neighbourhood:
    """The closure of `records` over live edges, people's matches and shared customers, read afresh: three queries a ring.

    Given a set that is closed already, one ring reads it all. `scored`: edges not yet written, walked as though they were."""
    found = Neighbourhood()
    waiting: dict[UUID, list[UUID]] = {}
    for a, b in scored or ():
        waiting.setdefault(a, []).append(b)
        waiting.setdefault(b, []).append(a)
    frontier, asked = set(records), set[UUID]()
    while frontier:
        asked |= frontier
        _read_ring(found, frontier)
        reached = (
            {r for pair in found.edges for r in pair} | {r for pair in found.must for r in pair} | found.members.keys()
        )
        reached.update(n for r in frontier for n in waiting.get(r, ()))
        frontier = reached - asked
    found.cannot = {p for p in found.cannot if p[0] in found.members and p[1] in found.members}
    return found


def _read_ring(found: Neighbourhood, frontier: Iterable[UUID]) -> None:
    """Adds everything that touches one of `frontier`."""
    both_ends = (ids.array(frontier),) * 2
    with connection.cursor() as cursor:
        cursor.execute(_MEMBERS, both_ends)
        for record, system, external_id, customer in cursor.fetchall():
            found.members[record] = (system, external_id, customer)
        cursor.execute(_EDGES, both_ends)
        for a, b, weight, flags in cursor.fetchall():
            found.edges[a, b] = (weight, flags)
        cursor.execute(_VERDICTS, both_ends)
        for a, b, verdict in cursor.fetchall():
            (found.must if verdict == "match" else found.cannot).add((a, b))
