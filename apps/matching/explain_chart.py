"""An explanation as a picture: bits for and against, bar by bar, from the starting point to the weight, as inline SVG.

Colours are left to the style sheet of the page, by class; nothing here is a style of its own. What the bars say is said in words
too: the drawing is called by its title and described by all its steps, and each bar says its sentence.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

from apps.matching.explain import Explanation

ROW: Final = 34
"""Pixels from one bar to the next."""
_TEXT, _BAR, _THICK = 13, 18, 9
"""Of one row: the base line of its text, the top of its bar, and how thick it is."""
_BEFORE_TOTAL: Final = 60
"""How far left of the sum so far a bar's own bits stand."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One step. `start`, `width`: per cent of the breadth; `y`: pixels from the top; `total`: the sum so far, in bits; kind: prior,
    good, bad or sum."""

    label: str
    sentence: str
    bits: str
    total: str
    kind: str
    start: str
    width: str
    y: int


@dataclass(frozen=True, slots=True)
class Waterfall:
    """`zero`: where nothing speaks either way, in per cent; `height`: in pixels."""

    bars: Sequence[Bar]
    zero: str
    height: int


def signed(bits: float) -> str:
    """Bits with their sign: a real minus, and 0 without one."""
    text = f"{bits:+.1f}".replace("-", "\u2212")
    return "0" if text[1:] == "0.0" else text


def _called(comparison: str) -> str:
    return comparison.replace("_", " ").capitalize()


def waterfall(explanation: Explanation, called: Callable[[str], str] = _called) -> Waterfall:
    """Return the bars of an explanation: first the starting point, last the sum of all; `called` names a comparison."""
    steps = [("Starting point", "how rare it is that two records are one customer", explanation.prior)]
    steps += [(called(line.comparison), line.sentence, line.bits) for line in explanation.lines if line.bits]
    if explanation.kinship:
        steps.append(("Kinship", explanation.kinship_sentence, explanation.kinship))
    ends = [0.0]
    for _, _, bits in steps:
        ends.append(ends[-1] + bits)
    low, high = min(*ends, explanation.weight), max(*ends, explanation.weight)
    breadth = (high - low) or 1.0

    def bar(at: int, told: tuple[str, str, float], begin: float, end: float, kind: str) -> Bar:
        return Bar(
            told[0], told[1], signed(told[2]), signed(end), kind,
            start=f"{100 * (min(begin, end) - low) / breadth:.2f}", width=f"{100 * abs(told[2]) / breadth:.2f}", y=at * ROW,
        )  # fmt: skip

    bars = [
        bar(at, step, ends[at], ends[at + 1], "prior" if not at else "good" if step[2] > 0 else "bad")
        for at, step in enumerate(steps)
    ]
    bars.append(bar(len(steps), ("Sum", "all of them together", explanation.weight), 0.0, explanation.weight, "sum"))
    return Waterfall(bars, f"{-100 * low / breadth:.2f}", len(bars) * ROW)


def svg(drawn: Waterfall, title: str) -> str:
    """Return the drawing as an <svg> element to stand in a page; every text in it is escaped."""
    told = ", ".join(f"{bar.label} {bar.bits}" for bar in drawn.bars)
    inside = "\n".join(map(_bar, drawn.bars))
    return (
        f'<svg class="waterfall" width="100%" height="{drawn.height}" role="img"><title>{escape(title)}</title>'
        f"<desc>{escape(told)} bits</desc>\n"
        f'<line class="zero" x1="{drawn.zero}%" x2="{drawn.zero}%" y1="0" y2="{drawn.height}"/>\n{inside}\n</svg>'
    )


def _bar(bar: Bar) -> str:
    moved, total = "", ""
    if bar.kind != "sum":
        moved = f' transform="translate(-{_BEFORE_TOTAL})"'
        total = f'<text class="total" x="100%" y="{_TEXT}" text-anchor="end">= {bar.total}</text>'
    return (
        f'<svg y="{bar.y}" width="100%" height="{ROW}"><title>{escape(bar.sentence)}</title>'
        f'<text x="0" y="{_TEXT}">{escape(bar.label)}</text>'
        f'<text class="bits" x="100%" y="{_TEXT}" text-anchor="end"{moved}>{bar.bits}</text>{total}'
        f'<rect class="{bar.kind}" x="{bar.start}%" y="{_BAR}" width="{bar.width}%" height="{_THICK}" rx="2"/></svg>'
    )
