"""What a steward looks at to decide who is who: the customers of one case side by side, and why the machine did not decide."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection
from rapidfuzz.distance import Levenshtein

from apps.common.errors import NotFound
from apps.common.ids import array
from apps.common.jsontext import json_value
from apps.connectors.planning import flat
from apps.customers.models import Customer
from apps.customers.queries import values_of
from apps.matching import candidates, engine
from apps.matching.explain import Explanation
from apps.matching.model import active_model
from apps.stewardship.models import Case

MOST_SIDES = 8


@dataclass(frozen=True, slots=True)
class Side:
    """A column: one customer. `records`: how many source records it has, of `systems`."""

    customer: UUID
    name: str
    kind: str
    version: int
    records: int
    systems: list[str]
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Cell:
    """A value with the system it is from and when it was new there; `count`: how many values the customer's sources have for it."""

    value: str = ""
    system: str = ""
    changed_at: datetime | None = None
    count: int = 0


@dataclass(frozen=True, slots=True)
class Piece:
    """Characters of a value that are, or are not, the same in the first value of the row."""

    text: str
    same: bool


@dataclass(frozen=True, slots=True)
class Row:
    """One attribute, a cell for each column; `pieces` in the order of the cells. `equal`: nobody says anything else."""

    attribute: str
    cells: list[Cell]
    pieces: list[list[Piece]]
    equal: bool


@dataclass(frozen=True, slots=True)
class Link:
    """One doubt: `a` and `b` are columns, `records` the two source records the machine compared."""

    doubt: UUID
    a: int
    b: int
    records: tuple[UUID, UUID]
    weight: float | None
    probability: float | None
    reason: str
    sentence: str
    why_not: str
    explanation: Explanation | None


@dataclass(frozen=True, slots=True)
class Review:
    """`token` stands for what is shown: a decision is refused when it is something else by then. `more`: customers left out."""

    case: UUID
    group: str
    title: str
    state: str
    outcome: str
    closed_by: str
    assignee: str
    lease_until: datetime | None
    due_at: datetime
    priority: int
    sides: list[Side]
    more: int
    rows: list[Row]
    links: list[Link]
    token: str


def review(case: UUID) -> Review:
    """Six queries, however many customers and records there are. Raises NotFound: no such case, or it is about something else."""
    row = Case.objects.filter(id=case, kind="match").first()
    if row is None:
        raise NotFound("There is no such case.")
    doubts = _doubts(row)
    ids = sorted({customer for d in doubts for customer in (d[3], d[4]) if customer})
    shown = ids[:MOST_SIDES]
    customers = {c.id: c for c in Customer.objects.filter(id__in=shown)}
    sources = _sources(shown)
    sides = [_side(customers[i], sources.get(i, [])) for i in shown if i in customers]
    column = {side.customer: n for n, side in enumerate(sides)}
    links = _links([d for d in doubts if d[3] in column and d[4] in column and d[3] != d[4]], column)
    return Review(
        case=row.id, group=row.group_key, title=row.title, state=row.state, outcome=row.outcome, closed_by=row.closed_by,
        assignee=row.assignee, lease_until=row.lease_until, due_at=row.due_at, priority=row.priority, sides=sides,
        more=len(ids) - len(sides), rows=_rows([customers[s.customer] for s in sides], sources), links=links,
        token=_token(links, sides),
    )  # fmt: skip


def _token(links: Sequence[Link], sides: Sequence[Side]) -> str:
    told = [*sorted(str(link.doubt) for link in links), *(f"{s.customer} {s.version}" for s in sides)]
    return hashlib.sha256("\n".join(told).encode()).hexdigest()[:32]


_DOUBTS = """
SELECT d.id, d.record_a_id, d.record_b_id, a.customer_id, b.customer_id, d.reason, d.sentence, d.weight, e.probability, e.weight, e.flags
FROM steward_case k JOIN doubt d ON d.id = k.subject JOIN source_record a ON a.id = d.record_a_id JOIN source_record b ON b.id = d.record_b_id
  LEFT JOIN edge e ON e.record_a_id = d.record_a_id AND e.record_b_id = d.record_b_id AND e.superseded_at IS NULL
WHERE k.kind = 'match' AND {which} ORDER BY d.id
"""


def _doubts(case: Case) -> list[tuple[Any, ...]]:
    """Those of the whole group while it is open; of a closed case its own."""
    live = case.state != Case.State.CLOSED
    which = "k.group_key = %s AND k.state <> 'closed'" if live else "k.id = %s"
    with connection.cursor() as cursor:
        cursor.execute(_DOUBTS.format(which=which), (case.group_key if live else case.id,))
        return list(cursor.fetchall())


@dataclass(frozen=True, slots=True)
class _Source:
    system: str
    changed_at: datetime
    values: Mapping[str, Any]


def _sources(customers: Sequence[UUID]) -> dict[UUID, list[_Source]]:
    """Source records by customer, the one that changed last first; those that say nothing by themselves are left out."""
    found: dict[UUID, list[_Source]] = {}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT s.customer_id, y.code, coalesce(s.source_updated_at, s.changed_at) AS at, s.canonical::text FROM source_record s"
            " JOIN system y ON y.id = s.system_id WHERE s.customer_id = ANY(%s::uuid[]) AND y.kind <> 'steward'"
            " AND s.follows_id IS NULL AND NOT s.deleted ORDER BY at DESC, s.id",
            (array(customers),),
        )
        for customer, system, changed_at, text in cursor.fetchall():
            found.setdefault(customer, []).append(_Source(system, changed_at, flat(json_value(text))))
    return found


def _side(customer: Customer, sources: Sequence[_Source]) -> Side:
    return Side(
        customer.id, customer.name or "", customer.kind, customer.version, len(sources), sorted({s.system for s in sources}),
        customer.created_at,
    )  # fmt: skip


def _rows(customers: Sequence[Customer], sources: Mapping[UUID, Sequence[_Source]]) -> list[Row]:
    golden = [flat(values_of(c)) for c in customers]
    names = dict.fromkeys(n for values in golden for n in values)
    return [
        _row(n, [_cell(n, v.get(n), sources.get(c.id, [])) for c, v in zip(customers, golden, strict=True)])
        for n in names
    ]


def _cell(name: str, value: Any, sources: Sequence[_Source]) -> Cell:
    if value in (None, ""):
        return Cell()
    said = [s for s in sources if s.values.get(name) not in (None, "")]
    own = next((s for s in said if s.values[name] == value), None)
    count = len({str(s.values[name]) for s in said} | {str(value)})
    return Cell(str(value), own.system if own else "", own.changed_at if own else None, count)


def _row(attribute: str, cells: list[Cell]) -> Row:
    said = [c.value for c in cells if c.value]
    return Row(
        attribute, cells, [_pieces(said[0], c.value) for c in cells], len(set(said)) == 1 and len(said) == len(cells)
    )


def _pieces(first: str, value: str) -> list[Piece]:
    """The characters of `value` as they differ from `first`."""
    if not value:
        return []
    steps = Levenshtein.opcodes(first, value)
    pieces = [Piece(value[s.dest_start : s.dest_end], s.tag == "equal") for s in steps]
    return [p for p in pieces if p.text]


def _links(doubts: Sequence[tuple[Any, ...]], column: Mapping[UUID, int]) -> list[Link]:
    model = active_model().model
    ids, table = candidates.features_of(sorted({r for d in doubts for r in d[1:3]}))
    features = dict(zip(ids, table.to_pylist(), strict=True))
    return [_link(d, column, features, model) for d in doubts]


def _link(d: tuple[Any, ...], column: Mapping[UUID, int], features: Mapping[UUID, Any], model: engine.Model) -> Link:
    id_, a, b, first, second, reason, sentence, weight, probability, edge_weight, flags = d
    both = features.get(a), features.get(b)
    explained = engine.explain(both[0], both[1], model) if both[0] and both[1] else None
    weight = weight if weight is not None else edge_weight
    why_not = engine.why_not_automatic(edge_weight, flags, model) if edge_weight is not None else ""
    return Link(id_, column[first], column[second], (a, b), weight, probability, reason, sentence, why_not, explained)
