"""The inbox: what waits for a person, one line for each cause; whose it is, and what comes next."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any
from uuid import UUID

from django.db import connection
from django.urls import reverse
from django.utils import timezone

WHOSE = ("mine", "free", "team", "all")
STATES = ("open", "deferred", "closed")
DUE = ("today", "overdue")


@dataclass(frozen=True, slots=True)
class Filter:
    """`whose`: mine, free (nobody's), team (anybody's) or all (whatever the state); empty `kind`, `cause` and `due` (today: before the
    user's day ends; overdue): any."""

    whose: str = "team"
    kind: str = ""
    cause: str = ""
    state: str = "open"
    due: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """All cases of one cause, shown by the most urgent of them. `assignee`: "" when nobody has it (any more)."""

    id: UUID
    group: str
    kind: str
    title: str
    cause: str
    sentence: str
    count: int
    priority: int
    opened_at: datetime
    due_at: datetime
    overdue: bool
    assignee: str
    lease_until: datetime | None
    state: str
    deferred_until: datetime | None
    deferred_why: str
    outcome: str
    closed_by: str
    closed_at: datetime | None
    subject: UUID
    customer: UUID | None

    @property
    def address(self) -> str:
        """Where it is worked on."""
        if self.kind == "quarantine":
            return reverse("quarantine-record", args=[self.subject])
        if self.kind == "change":
            return reverse("change", args=[self.subject])
        if self.kind == "exception":
            return reverse("exception", args=[self.subject])
        if self.kind == "quality":
            return reverse("quality", args=[self.id])
        return reverse("review", args=[self.id])


@dataclass(frozen=True, slots=True)
class Counts:
    """Numbers of lines: of each tab (under the filter's kind and cause), of those put off, and by kind and cause among the open ones."""

    mine: int
    free: int
    team: int
    overdue: int
    deferred: int
    kinds: Mapping[str, int]
    causes: Sequence[tuple[str, int]]


_HELD = "k.assignee <> '' AND coalesce(k.lease_until > clock_timestamp(), true)"
_WHOSE = {"mine": f"k.assignee = %(me)s AND {_HELD}", "free": f"NOT ({_HELD})", "team": "true", "all": "true"}
_LINES = """
WITH g AS (SELECT k.group_key, (array_agg(k.id ORDER BY k.priority, k.due_at, k.id))[1] AS first, count(*) AS n, min(k.priority) AS priority,
    min(k.due_at) AS due, max(k.closed_at) AS closed FROM steward_case k WHERE {where}
  GROUP BY k.group_key{apart}{due} ORDER BY {within} LIMIT %(limit)s OFFSET %(skip)s)
SELECT k.id, k.group_key, k.kind, k.title, k.cause, k.sentence, g.n, g.priority, k.opened_at, g.due, g.due < clock_timestamp() AND k.state <> 'closed',
  CASE WHEN {held} THEN k.assignee ELSE '' END, k.lease_until, k.state, k.deferred_until, k.deferred_why, k.outcome, k.closed_by, k.closed_at,
  k.subject, k.customer_id
FROM g JOIN steward_case k ON k.id = g.first ORDER BY {order}
"""
# The order of groups: among all cases that match, and of the page that came of it.
_DUE = {"today": " HAVING min(k.due_at) < %(end)s", "overdue": " HAVING min(k.due_at) < clock_timestamp()"}
_URGENT = ("min(k.priority), min(k.due_at), k.group_key", "g.priority, g.due, g.group_key")
_NEWEST = ("max(k.closed_at) DESC, k.group_key", "g.closed DESC, g.group_key")


def lines(narrow: Filter, *, me: str, skip: int = 0, limit: int = 50) -> list[Line]:
    """The most urgent first, of closed ones the newest: one query."""
    where, params = _where(narrow, me)
    within, order = _NEWEST if narrow.state == "closed" and narrow.whose != "all" else _URGENT
    apart = ", k.state" if narrow.whose == "all" else ""
    with connection.cursor() as cursor:
        cursor.execute(
            _LINES.format(
                where=where, within=within, order=order, held=_HELD, apart=apart, due=_DUE.get(narrow.due, "")
            ),
            {**params, "limit": limit, "skip": skip, "end": _midnight()},
        )
        return [Line(*row) for row in cursor.fetchall()]


def _midnight() -> datetime:
    """When the user's day ends."""
    return timezone.make_aware(datetime.combine(timezone.localdate() + timedelta(days=1), time()))


def _where(narrow: Filter, me: str) -> tuple[str, dict[str, Any]]:
    conditions = [_WHOSE[narrow.whose if narrow.whose in WHOSE else "team"]]
    if narrow.whose != "all":
        conditions.append("k.state = %(state)s")
    for name in ("kind", "cause"):
        if getattr(narrow, name):
            conditions.append(f"k.{name} = %({name})s")
    state = narrow.state if narrow.state in STATES else "open"
    return " AND ".join(conditions), {"me": me, "kind": narrow.kind, "cause": narrow.cause, "state": state}


_COUNTS = f"""
SELECT k.kind, k.cause, k.state, count(DISTINCT k.group_key), count(DISTINCT k.group_key) FILTER (WHERE {_WHOSE["mine"]}),
  count(DISTINCT k.group_key) FILTER (WHERE {_WHOSE["free"]}), count(DISTINCT k.group_key) FILTER (WHERE k.due_at < clock_timestamp())
FROM steward_case k WHERE k.state <> 'closed' GROUP BY 1, 2, 3
"""  # noqa: S608 - text of our own


def counts(me: str, narrow: Filter | None = None) -> Counts:
    """One query over what is not closed."""
    narrow = narrow or Filter()
    with connection.cursor() as cursor:
        cursor.execute(_COUNTS, {"me": me})
        rows = cursor.fetchall()
    kinds: dict[str, int] = {}
    causes: dict[str, int] = {}
    totals = dict.fromkeys(("mine", "free", "team", "overdue", "deferred"), 0)
    for kind, cause, state, n, mine, free, overdue in rows:
        if state == "open":
            kinds[kind] = kinds.get(kind, 0) + n
            if narrow.kind in ("", kind):
                causes[cause] = causes.get(cause, 0) + n
        if narrow.kind not in ("", kind) or narrow.cause not in ("", cause):
            continue
        if state == "deferred":
            totals["deferred"] += n
        else:
            for name, value in (("team", n), ("mine", mine), ("free", free), ("overdue", overdue)):
                totals[name] += value
    return Counts(**totals, kinds=kinds, causes=sorted(causes.items(), key=lambda c: (-c[1], c[0])))


def next_case(me: str, *, kind: str = "", without: Collection[UUID] = ()) -> Line | None:
    """The most urgent line that is mine, else one that is nobody's; none of `without`."""
    for whose in ("mine", "free"):
        for line in lines(Filter(whose=whose, kind=kind), me=me, limit=len(without) + 1):
            if line.id not in without:
                return line
    return None
