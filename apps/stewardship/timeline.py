"""A customer over time: one line of moments, the newest first, over everything that happened to it and to what was merged into it.

A moment is what one act brought about: entries of one correlation id stand together under their cause, in the order in which things
follow from one another. An id that is used again after a pause (a client may send the same one all day) begins a new moment."""

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from apps.common import cursors
from apps.common.errors import Rejected
from apps.stewardship import timeline_index as index
from apps.stewardship.timeline_entries import Entry, entries
from apps.stewardship.timeline_index import Item

PAUSE: Final = timedelta(hours=1)
"""Between two entries of one correlation id: after it a new moment begins."""
TOGETHER: Final = 60
"""Entries of one moment at the most; what one act did beyond them stands in further moments."""
PAGE: Final = 40
"""Entries after which a page ends; a moment is never torn."""
KINDS: Final[Mapping[str, str]] = {
    index.VERSION: "Golden record",
    index.RECORD: "Source records",
    index.MEMBER: "Attached and detached",
    index.DECISION: "Decisions",
    index.PIN: "Pins",
    index.HOLD: "Changes to approve",
    index.DELIVERY: "Deliveries",
    index.RELATION: "Relations",
    index.NOTE: "Notes",
}
# How soon after it the act is written that something belongs to whose own row does not say it.
_REACH: Final = {
    index.RECORD: timedelta(minutes=2), index.PIN: timedelta(seconds=5), index.HOLD: timedelta(seconds=30),
}  # fmt: skip
_RANK: Final = {kind: n for n, kind in enumerate((
    index.DECISION, index.NOTE, index.PIN, index.HOLD, index.RECORD, index.RELATION, index.MEMBER, index.VERSION, index.DELIVERY,
))}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Moment:
    """What one act brought about. `at`, `actor`, `why`: of its cause; `correlation_id` None: of none that is known."""

    at: datetime
    actor: str
    why: str
    correlation_id: UUID | None
    entries: Sequence[Entry]


@dataclass(frozen=True, slots=True)
class Timeline:
    """One page. `counts`: entries by kind over all pages; `versions`: (number, when) of the id looked at, the newest first; `next`: the
    cursor of the following page, None on the last one."""

    moments: Sequence[Moment]
    counts: Sequence[tuple[str, str, int]]
    versions: Sequence[tuple[int, datetime]]
    next: str | None


@dataclass(frozen=True, slots=True)
class _Group:
    """Items of one moment, in the order they are told; the first one in time gives its place."""

    items: Sequence[Item]
    correlation_id: UUID | None

    @property
    def place(self) -> tuple[datetime, str]:
        first = min(self.items, key=_time)
        return first.at, f"{first.key.hex}.{first.number}.{first.part}"


def timeline(ids: Sequence[UUID], *, kind: str = "", after: str = "") -> Timeline:
    """One page of what happened to `ids`: the one that is looked at, then those merged into it. Nine statements at the most, however
    much there is. `kind`: of KINDS, entries of it alone. Raises Rejected for a cursor that no page gave out."""
    known = index.items(ids)
    groups = sorted(_groups(_adopted(known)), key=lambda g: g.place, reverse=True)
    if kind:
        narrowed = [(g, [i for i in g.items if i.kind == kind]) for g in groups]
        chosen = [(g, own) for g, own in narrowed if own]
    else:
        chosen = [(g, list(g.items)) for g in groups]
    page, following = _page(chosen, after)
    told = entries([i for _, own in page for i in own], ids)
    counts = Counter(i.kind for i in known)
    versions = sorted(((i.number, i.at) for i in known if i.kind == index.VERSION and i.key == ids[0]), reverse=True)
    return Timeline(
        [_moment(group, [told[key] for i in own if (key := (i.key, i.number, i.part)) in told]) for group, own in page],
        [(name, label, counts[name]) for name, label in KINDS.items() if counts[name]], versions, following,
    )  # fmt: skip


def _time(item: Item) -> datetime:
    return item.at


def _moment(group: _Group, told: Sequence[Entry]) -> Moment:
    actor = next((i.actor for i in group.items if i.actor), "")
    why = next((i.reason for i in group.items if i.reason), "")
    return Moment(group.place[0], actor, why, group.correlation_id, told)


# ── moments ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def _adopted(known: Iterable[Item]) -> list[Item]:
    """Items whose row does not know its correlation id stand with the version or membership written soon after them; who lifted a pin,
    and why, is known from there too. A person's word goes with nothing that another one did."""
    items = list(known)
    anchors = sorted((i for i in items if i.correlation_id and i.kind in (index.VERSION, index.MEMBER)), key=_time)
    times = [a.at for a in anchors]
    found = []
    for item in items:
        if item.correlation_id is None and item.kind in _REACH:
            begin, end = bisect_left(times, item.at), bisect_right(times, item.at + _REACH[item.kind])
            same = (anchors[n] for n in range(begin, end) if anchors[n].customer == item.customer)
            anchor = next((a for a in same if item.actor in ("", a.actor)), None)
            found.append(_with(item, anchor) if anchor is not None else item)
        else:
            found.append(item)
    return found


def _with(item: Item, anchor: Item) -> Item:
    if item.kind != index.PIN or item.actor:
        return replace(item, correlation_id=anchor.correlation_id)
    why = anchor.reason or item.reason
    return replace(item, correlation_id=anchor.correlation_id, actor=anchor.actor, reason=why)


def _groups(items: Iterable[Item]) -> list[_Group]:
    by_act: dict[UUID, list[Item]] = {}
    groups = []
    for item in items:
        if item.correlation_id is None:
            groups.append(_Group([item], None))
        else:
            by_act.setdefault(item.correlation_id, []).append(item)
    for act, own in by_act.items():
        own.sort(key=lambda i: (i.at, _RANK[i.kind], i.key, i.number, i.part))
        begin = 0
        for n in range(1, len(own) + 1):
            if n == len(own) or own[n].at - own[n - 1].at > PAUSE or n - begin >= TOGETHER:
                groups.append(_Group(_as_it_follows(own[begin:n]), act))
                begin = n
    return groups


def _as_it_follows(items: Sequence[Item]) -> list[Item]:
    """First what caused it, then who went where, then what became of it: rows of one transaction are written in another order. What
    comes in after something was made of what came before begins anew."""
    waves: list[list[Item]] = [[]]
    for item in items:
        if item.kind == index.RECORD and any(i.kind in (index.VERSION, index.MEMBER) for i in waves[-1]):
            waves.append([])
        waves[-1].append(item)
    return [i for wave in waves for i in sorted(wave, key=lambda i: (_RANK[i.kind], i.at))]


def _page(
    groups: Sequence[tuple[_Group, list[Item]]], after: str
) -> tuple[list[tuple[_Group, list[Item]]], str | None]:
    """The groups of one page, and the cursor of the next."""
    left = list(groups)
    if after:
        text, key = cursors.decode(after, str, str)
        try:
            place = (datetime.fromisoformat(text), key)
            left = [g for g in groups if g[0].place < place]
        except (ValueError, TypeError) as error:
            raise Rejected("The cursor is not one this list gave out.") from error
    page: list[tuple[_Group, list[Item]]] = []
    size = 0
    for group, own in left:
        if page and size + len(own) > PAGE:
            at, key = page[-1][0].place
            return page, cursors.encode([at.isoformat(), key])
        page.append((group, own))
        size += len(own)
    return page, None
