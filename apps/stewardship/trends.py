"""The backlog of cases over the last days: how many were opened, closed, and open at the end of each day."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final
from uuid import UUID

from django.db import connection
from django.utils import timezone

DAYS: Final = 30
WIDTH, HEIGHT, LEFT, FOOT, TOP = 620, 200, 54, 28, 10
"""Of the drawing, in its own units: `LEFT` for the numbers, `FOOT` for the days."""
_TICKS: Final = 4
_SLACK = timedelta(hours=1)


def first_id(moment: datetime) -> UUID:
    """Below every id that was made at `moment` or later: a range of a table's key, where its times have no index.

    Ids are made by the program and times by the database: an hour is left for their clocks."""
    return UUID(int=int((moment - _SLACK).timestamp() * 1000) << 80)


@dataclass(frozen=True, slots=True)
class Day:
    """A day in the user's zone; `open`: cases that were open when it ended, or now."""

    day: date
    opened: int
    closed: int
    open: int


@dataclass(frozen=True, slots=True)
class Backlog:
    """`days`: the oldest first. `due_today`, `overdue`: lines of the inbox that are due before the user's day ends, and that are late."""

    days: list[Day]
    due_today: int
    overdue: int

    @property
    def is_empty(self) -> bool:
        return not any(d.opened or d.closed or d.open for d in self.days)


# A case is made when its subject needs a person or later, so those opened since a moment have ids from then on.
_BACKLOG = """
SELECT 'opened', width_bucket(opened_at, %(starts)s::timestamptz[]), count(*) FROM steward_case
  WHERE id >= %(floor)s AND opened_at >= %(begin)s GROUP BY 2
UNION ALL SELECT 'closed', width_bucket(closed_at, %(starts)s::timestamptz[]), count(*) FROM steward_case
  WHERE state = 'closed' AND closed_at >= %(begin)s GROUP BY 2
UNION ALL SELECT 'open', 0, count(*) FROM steward_case WHERE state <> 'closed'
UNION ALL SELECT CASE WHEN g.due < clock_timestamp() THEN 'overdue' ELSE 'today' END, 0, count(*) FROM (
    SELECT min(due_at) AS due FROM steward_case WHERE state = 'open' GROUP BY group_key HAVING min(due_at) < %(end)s) g GROUP BY 1
"""


def _morning(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time()))


def backlog() -> Backlog:
    """The last DAYS days in the user's zone, today among them: one query."""
    today = timezone.localdate()
    days = [today - timedelta(days=n) for n in range(DAYS - 1, -1, -1)]
    starts = [_morning(day) for day in days]
    with connection.cursor() as cursor:
        cursor.execute(
            _BACKLOG,
            {
                "starts": starts, "begin": starts[0], "floor": first_id(starts[0]), "end": _morning(today + timedelta(days=1)),
            },
        )  # fmt: skip
        told = {(what, at): n for what, at, n in cursor.fetchall()}
    left, found = told.get(("open", 0), 0), list[Day]()
    for at in range(DAYS, 0, -1):
        opened, closed = told.get(("opened", at), 0), told.get(("closed", at), 0)
        found.append(Day(days[at - 1], opened, closed, left))
        left += closed - opened
    return Backlog(found[::-1], told.get(("today", 0), 0), told.get(("overdue", 0), 0))


# ── the drawing ─────────────────────────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True, slots=True)
class Bar:
    """One bar; `told` is what is said of it on hover."""

    what: str
    x: float
    y: float
    height: float
    told: str


@dataclass(frozen=True, slots=True)
class Drawing:
    """The backlog as it is drawn: bars for what was opened and closed, a line for what was open. `ticks`: (y, number); `days`: (x, day)."""

    bars: list[Bar]
    line: str
    ticks: list[tuple[float, int]]
    days: list[tuple[float, date]]
    bar: float
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    foot: int = HEIGHT - 6


def drawing(found: Backlog) -> Drawing:
    """Everything in the units of the drawing, from the top left."""
    most = max((max(d.opened, d.closed, d.open) for d in found.days), default=0)
    step = _step(most)
    top = step * max(1, -(-most // step))
    ground, room = HEIGHT - FOOT, (WIDTH - LEFT) / len(found.days)
    scale = (ground - TOP) / top
    bars, points = list[Bar](), list[str]()
    for n, day in enumerate(found.days):
        x = LEFT + n * room
        points.append(f"{x + room / 2:.1f},{ground - day.open * scale:.1f}")
        for what, number, at in (("opened", day.opened, 0.12), ("closed", day.closed, 0.5)):
            if number:
                told = f"{day.day:%-d %b}: {number:,} {what}"
                bars.append(
                    Bar(
                        what, round(x + at * room, 1), round(ground - number * scale, 1), round(number * scale, 1), told
                    )
                )
    ticks = [(round(ground - n * scale, 1), n) for n in range(0, top + 1, step)]
    named = [(round(LEFT + (n + 0.5) * room, 1), d.day) for n, d in enumerate(found.days) if (DAYS - 1 - n) % 7 == 0]
    return Drawing(bars, " ".join(points), ticks, named, round(room * 0.38, 1))


def _step(most: int) -> int:
    """1, 2 or 5 and noughts: a step that reaches `most` in _TICKS steps or fewer."""
    size = 1
    while True:
        for factor in (1, 2, 5):
            if size * factor * _TICKS >= most:
                return size * factor
        size *= 10
