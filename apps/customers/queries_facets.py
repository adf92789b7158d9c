"""Facets: of the customers a text and the other facets leave, how many have which value.

Everything is counted from *cells*: how many customers are alike in all that facets look at. Cells of the whole hub are few, whatever
its size, and are read in one go; those of a text are of the customers it finds. A facet's own choice does not hide its siblings:
a cell counts for a facet when it fits all the others."""

import json
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.db import connection, connections

from apps.customers.queries_narrow import FACETS, NONE, Narrow
from apps.customers.queries_search import Finds, Hits, browse, find, page, tidy

KEPT_FROM = 2_000
KEPT_SECONDS = 60.0
STALE_SECONDS = 600.0
"""Counts of a hub of KEPT_FROM customers or more are shown for KEPT_SECONDS; then they are counted anew beside the page that asks,
which waits for them only if they are older than STALE_SECONDS."""

Cell = tuple[frozenset[str], ...]
"""The values that customers have, by facet in the order of FACETS."""


@dataclass(frozen=True, slots=True)
class Counts:
    """`values`: facet -> value -> customers. `total`: of those left by all facets; `more`: there are more than were looked at."""

    values: Mapping[str, Mapping[str, int]]
    total: int
    more: bool = False


@dataclass(frozen=True, slots=True)
class Searched:
    """A page of customers with the counts around it."""

    hits: Hits
    counts: Counts


def searched(text: str, narrow: Narrow, *, sort: str, limit: int, after: str | None) -> Searched:
    """Customers that a text (empty: all) and facets leave, a page of them and the counts. Raises Rejected for a foreign cursor."""
    text = tidy(text)
    if not text:
        return Searched(browse(narrow, sort, limit, after), _count(whole(narrow.waiting), narrow))
    among = find(text, Narrow(waiting=narrow.waiting))
    if among.more:
        found = find(text, narrow, among)
        counts = _count_of_many(text, narrow, among, found)
    else:
        cells = _cells_of([f.id for f in among.items], narrow.waiting)
        kept = {id_ for id_, cell in cells.items() if _fits(cell, narrow.chosen)}
        found = Finds([f for f in among.items if f.id in kept], more=False)
        counts = _count(Counter(cells.values()), narrow)
    return Searched(page(found.items, sort if sort in ("name", "changed") else "best", limit, after), counts)


def _count(cells: Mapping[Cell, int], narrow: Narrow) -> Counts:
    """One pass: a cell that misses no facet counts for all of them, one that misses a single facet counts for that one."""
    chosen = [(at, frozenset(narrow.chosen[name])) for at, name in enumerate(FACETS) if name in narrow.chosen]
    values: list[Counter[str]] = [Counter() for _ in FACETS]
    total = 0
    for cell, n in cells.items():
        missed = [at for at, wanted in chosen if not cell[at] & wanted]
        if len(missed) > 1:
            continue
        total += 0 if missed else n
        for at in missed or range(len(FACETS)):
            for value in cell[at]:
                values[at][value] += n
    return Counts(dict(zip(FACETS, values, strict=True)), total)


def _count_of_many(text: str, narrow: Narrow, among: Finds, found: Finds) -> Counts:
    """For a text that finds more than are looked at: each facet is counted over the first of those that the others leave."""
    whose = {name: narrow.without(name) for name in narrow.chosen}
    left = {name: find(text, one, among) for name, one in whose.items()}
    cells = _cells_of(list({f.id for finds in (found, *left.values()) for f in finds.items}), narrow.waiting)
    values = {}
    for at, name in enumerate(FACETS):
        finds = left.get(name, found)
        values[name] = Counter(v for f in finds.items if f.id in cells for v in cells[f.id][at])
    return Counts(values, len(found.items), more=found.more)


def _fits(cell: Cell, chosen: Mapping[str, Sequence[str]]) -> bool:
    return all(cell[FACETS.index(name)].intersection(values) for name, values in chosen.items())


# ── cells ───────────────────────────────────────────────────────────────────────────────────────────────────────────
_OF_SOME = """
SELECT c.id, c.kind, c.countries, coalesce(c.status, '{none}'), array(SELECT s.system_id FROM source_record s WHERE s.customer_id = c.id),
  least(c.member_count, 3), c.id IN ({waiting}), c.reachable, c.flawed
FROM customer c WHERE c.active AND c.id = ANY(%s)
"""
_OF_ALL = """
WITH known AS (SELECT customer_id, array_agg(system_id) AS systems FROM source_record WHERE customer_id IS NOT NULL GROUP BY customer_id)
SELECT count(*), c.kind, c.countries, coalesce(c.status, '{none}'), k.systems, least(c.member_count, 3), w.id IS NOT NULL, c.reachable, c.flawed
FROM customer c LEFT JOIN known k ON k.customer_id = c.id LEFT JOIN (SELECT DISTINCT id FROM ({waiting}) AS x(id)) w ON w.id = c.id
WHERE c.active GROUP BY 2, 3, 4, 5, 6, 7, 8, 9
"""


def _cell(row: Sequence[Any], codes: Mapping[int, str]) -> Cell:
    kind, countries, status, systems, records, waits, reachable, flawed = row
    return (
        frozenset((kind,)),
        frozenset(json.loads(countries) or (NONE,)),
        frozenset((status,)),
        frozenset(codes[s] for s in systems or () if s in codes),
        frozenset((str(records),)),
        frozenset(("yes",) if waits else ()),
        frozenset((*(() if reachable else ("unreachable",)), *(("wrong",) if flawed else ()))),
    )


def _codes() -> dict[int, str]:
    """Code by id, of the systems that people are known in."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, code FROM system WHERE kind <> 'steward'")
        return dict(cursor.fetchall())


def _cells_of(ids: list[UUID], waiting: str) -> dict[UUID, Cell]:
    if not ids:
        return {}
    codes = _codes()
    with connection.cursor() as cursor:
        cursor.execute(_OF_SOME.format(none=NONE, waiting=waiting), (ids,))
        return {row[0]: _cell(row[1:], codes) for row in cursor.fetchall()}


def _cells_of_all(waiting: str) -> Counter[Cell]:
    codes, cells = _codes(), Counter[Cell]()
    with connection.cursor() as cursor:
        cursor.execute(_OF_ALL.format(none=NONE, waiting=waiting))
        for n, *row in cursor.fetchall():
            cells[_cell(row, codes)] += n
    return cells


# ── the whole hub ───────────────────────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True, slots=True)
class _Kept:
    cells: Counter[Cell]
    customers: int
    at: float


_kept: dict[str, _Kept] = {}  # by what waits; one memory per process
_counting: Final = threading.Lock()


def whole(waiting: str) -> Counter[Cell]:
    """Cells of all active customers."""
    kept = _kept.get(waiting)
    age = time.monotonic() - kept.at if kept is not None and kept.customers >= KEPT_FROM else None
    if kept is None or age is None or age > STALE_SECONDS:
        return _read(waiting).cells
    if age > KEPT_SECONDS and _counting.acquire(blocking=False):
        threading.Thread(target=_read_beside, args=(waiting,), name="facets", daemon=True).start()
    return kept.cells


def _read(waiting: str) -> _Kept:
    cells = _cells_of_all(waiting)
    _kept[waiting] = _Kept(cells, cells.total(), time.monotonic())
    return _kept[waiting]


def _read_beside(waiting: str) -> None:
    """In a thread of its own, with a database connection of its own."""
    try:
        _read(waiting)
    finally:
        connections.close_all()
        _counting.release()
