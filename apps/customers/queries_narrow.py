"""What narrows a list of customers: facets. Values of one facet are alternatives, facets add up."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from django.db import connection

NONE: Final = "none"
"""The value of a facet for customers that have nothing there: no country, no status."""
FACETS: Final = ("kind", "country", "status", "system", "records", "waits", "quality")
RECORDS: Final = {"1": "c.member_count = 1", "2": "c.member_count = 2", "3": "c.member_count > 2"}
QUALITY: Final = {"unreachable": "NOT c.reachable", "wrong": "c.flawed"}
_NEEDS_CARE: Final = "(NOT c.reachable OR c.flawed)"  # said besides: it is the condition of the index that finds them
_COUNTRY: Final = re.compile(r"[A-Za-z]{2}", re.ASCII)
NOBODY: Final = "SELECT NULL::uuid WHERE false"


@dataclass(frozen=True, slots=True)
class Narrow:
    """`chosen`: facet -> values, none of them empty. `waiting`: SQL of the program's own that gives the ids of customers which wait for
    a person; the facet `waits` has the one value `yes`."""

    chosen: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    waiting: str = NOBODY

    @classmethod
    def of(cls, *, waiting: str = NOBODY, **values: str | Iterable[str] | None) -> "Narrow":
        """Of one value or several for each facet; empty ones narrow nothing."""
        given = {name: (v,) if isinstance(v, str) else tuple(v) for name, v in values.items() if v}
        return cls({name: tuple(dict.fromkeys(given[name])) for name in FACETS if given.get(name)}, waiting)

    def without(self, facet: str) -> "Narrow":
        """The same, but for one facet."""
        return replace(self, chosen={name: values for name, values in self.chosen.items() if name != facet})


@dataclass(frozen=True, slots=True)
class Condition:
    """SQL that narrows customers `c`, and its parameters."""

    sql: str
    params: tuple[Any, ...]


def condition(narrow: Narrow) -> Condition:
    """What narrows stands in the text as far as it can, so that the planner knows how many it leaves: a country or a
    system with few customers is found from their side, one with many by going through the last changed.

    A value that is none of its facet finds nobody. One query where a system is named."""
    chosen, parts, params = narrow.chosen, ["c.active"], list[Any]()
    if "kind" in chosen:
        parts.append(_one_of("c.kind", chosen["kind"]))
        params += chosen["kind"]
    if "status" in chosen:
        known = [s for s in chosen["status"] if s != NONE]
        told = [_one_of("c.status", known)] if known else []
        parts.append(_any([*told, *(["c.status IS NULL"] if NONE in chosen["status"] else [])]))
        params += known
    if "country" in chosen:
        parts.append(_in_countries(chosen["country"]))
    if "system" in chosen:
        ids = ", ".join(str(i) for i in _system_ids(chosen["system"]))
        of_systems = f"s.customer_id = c.id AND s.system_id IN ({ids})"
        parts.append(f"EXISTS (SELECT 1 FROM source_record s WHERE {of_systems})")  # noqa: S608 - numbers of our own
    if "records" in chosen:
        parts.append(_any([RECORDS.get(v, "false") for v in chosen["records"]]))
    if "quality" in chosen:
        parts += [_NEEDS_CARE, _any([QUALITY.get(v, "false") for v in chosen["quality"]])]
    if "waits" in chosen:
        parts.append(f"c.id IN ({narrow.waiting})" if "yes" in chosen["waits"] else "false")
    return Condition(" AND ".join(parts), tuple(params))


def _any(parts: Iterable[str]) -> str:
    told = list(parts)
    return told[0] if len(told) == 1 else f"({' OR '.join(told)})"


def _one_of(column: str, values: Iterable[str]) -> str:
    places = ", ".join("%s" for _ in values)
    return f"{column} IN ({places})"


def _in_countries(values: Iterable[str]) -> str:
    """The addresses decide. The search text names their countries too, and has an index."""
    values = set(values)
    codes = sorted(v.upper() for v in values if _COUNTRY.fullmatch(v))
    told = ["c.countries = '[]'"] if NONE in values else []
    if codes:
        named = " || ".join(f"plainto_tsquery('simple', '{code}')" for code in codes)
        has = _any([f"""strpos(c.countries, '"{code}"') > 0""" for code in codes])
        told.append(
            f"({has} AND EXISTS (SELECT 1 FROM customer_search n"  # noqa: S608 - two letters each
            f" WHERE n.customer_id = c.id AND n.document @@ ({named})))"
        )
    return _any(told or ["false"])


def _system_ids(codes: Iterable[str]) -> list[int]:
    """0, which no system has, where none of the codes is one."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM system WHERE code = ANY(%s)", (list(codes),))
        return [int(row[0]) for row in cursor.fetchall()] or [0]
