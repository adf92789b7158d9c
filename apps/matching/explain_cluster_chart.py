"""How records came together as a picture: a tree as inline SVG, each record a line, each join a numbered knot.

Colours are left to the style sheet of the page, by class; nothing here is a style of its own. The knots bear the numbers of the joins
in the list of words beside the picture; the drawing is called by its title and described by all its joins.
"""

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final, Protocol

FEWEST, MOST = 2, 12
"""Records of which a picture says more than words."""
ROW: Final = 32
"""Pixels from one record to the next."""
_TEXT, _LINE, _KNOT = 14, 23, 9
"""Of one row: the base line of its text and the height of its line; how large half a knot is."""
_NAMES: Final = 50.0
"""Per cent of the breadth that names may take; the joins stand in the rest."""
_LAST: Final = 94.0
_LONGEST: Final = 22
"""Letters of a name; wide ones count twice."""


class Joining(Protocol):
    """A join of the groups `one` and `other` (places); why: person, identifier or weight."""

    @property
    def one(self) -> Sequence[int]: ...
    @property
    def other(self) -> Sequence[int]: ...
    @property
    def why(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Knot:
    """A join: where it stands (x in per cent, y in pixels), and where the two branches come from."""

    number: int
    why: str
    x: float
    y: float
    branches: tuple[tuple[float, float], tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Tree:
    """`leaves`: places from top to bottom; `loose`: those that nothing joins; `height` in pixels."""

    leaves: Sequence[int]
    loose: frozenset[int]
    knots: Sequence[Knot]
    height: int


def tree(joins: Sequence[Joining], size: int) -> Tree:
    """Return the drawing of `size` records (places 0 …) and their joins in the order in which they were made: later ones further to
    the right, no two branches across one another."""
    rows: dict[int, list[int]] = {place: [place] for place in range(size)}
    for join in joins:
        whole = rows[join.one[0]] + rows[join.other[0]]
        rows.update(dict.fromkeys(whole, whole))
    leaves = [place for first in range(size) if rows[first][0] == first for place in rows[first]]
    loose = frozenset(place for place in range(size) if len(rows[place]) == 1)
    row = {place: number for number, place in enumerate(leaves)}
    at = {place: (0.0, float(row[place] * ROW + _LINE)) for place in leaves}
    knots = []
    for number, join in enumerate(joins):
        branches = at[join.one[0]], at[join.other[0]]
        x = _NAMES + (_LAST - _NAMES) * ((number + 1) / len(joins))
        between = max(row[place] for place in join.one) + 0.5  # two rows that no other join parts: knots have room
        knot = Knot(number + 1, join.why, x, between * ROW + _LINE, branches)
        knots.append(knot)
        at.update(dict.fromkeys((*join.one, *join.other), (knot.x, knot.y)))
    return Tree(leaves, loose, knots, size * ROW)


def svg(drawn: Tree, called: Callable[[int], str], title: str) -> str:
    """Return the drawing as an <svg> element to stand in a page; `called` names the record at a place, every text is escaped."""
    told = "; ".join(_told(knot, drawn, called) for knot in drawn.knots) or "nothing joined"
    return (
        f'<svg class="joins" width="100%" height="{drawn.height}" role="img"><title>{escape(title)}</title>'
        f"<desc>{escape(told)}</desc>\n"
        + "".join(_leaf(row, called(place), loose=place in drawn.loose) for row, place in enumerate(drawn.leaves))
        + "".join(map(_branches, drawn.knots))
        + "".join(map(_knot, drawn.knots))
        + "</svg>"
    )


def _told(knot: Knot, drawn: Tree, called: Callable[[int], str]) -> str:
    """A branch from the left edge is a record, any other an earlier knot."""
    ends = []
    for x, y in knot.branches:
        earlier = next((k.number for k in drawn.knots if x and (k.x, k.y) == (x, y)), 0)
        ends.append(f"group {earlier}" if earlier else called(drawn.leaves[int(y - _LINE) // ROW]))
    return f"{knot.number}: {ends[0]} and {ends[1]}"


def _leaf(row: int, name: str, *, loose: bool) -> str:
    """A name over its line; clipped where the joins begin."""
    line = f'<line x1="0" x2="{_NAMES:g}%" y1="{_LINE}" y2="{_LINE}"/>' if loose else ""
    return (
        f'<svg y="{row * ROW}" width="{_NAMES:g}%" height="{ROW}"><title>{escape(name)}</title>'
        f'<text x="0" y="{_TEXT}">{escape(_short(name))}</text>{line}</svg>\n'
    )


def _branches(knot: Knot) -> str:
    (x1, y1), (x2, y2) = knot.branches
    x = f"{knot.x:.2f}%"
    return (
        f'<line x1="{x1:.2f}%" x2="{x}" y1="{y1:g}" y2="{y1:g}"/><line x1="{x2:.2f}%" x2="{x}" y1="{y2:g}" y2="{y2:g}"/>'
        f'<line x1="{x}" x2="{x}" y1="{y1:g}" y2="{y2:g}"/>\n'
    )


def _knot(knot: Knot) -> str:
    x = f"{knot.x:.2f}%"
    return (
        f'<circle class="{escape(knot.why)}" cx="{x}" cy="{knot.y:g}" r="{_KNOT}"/>'
        f'<text class="number" x="{x}" y="{knot.y + 4:g}" text-anchor="middle">{knot.number}</text>\n'
    )


def _short(name: str) -> str:
    """A long name without its middle: the system it begins with and the end of the id say most."""
    if _breadth(name) <= _LONGEST:
        return name
    end = len(name)
    while end > len(name) // 2 and _breadth(name[end - 1 :]) <= _LONGEST * 6 // 10:
        end -= 1
    begin = 1
    while _breadth(name[: begin + 1]) + _breadth(name[end:]) < _LONGEST:
        begin += 1
    return f"{name[:begin]}…{name[end:]}"


def _breadth(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)
