"""An evaluation as one page: self-contained HTML, drawings as inline SVG with the same numbers in a table beside each.

No script, no address outside the page. Every pair of text and ground keeps 4.5 : 1, every drawn line 3 : 1, in light and in dark.
"""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any, Final, NamedTuple

WIDTH, HEIGHT, LEFT, FOOT, TOP = 640, 280, 52, 40, 12
"""Of a drawing, in its own units: `LEFT` for the numbers, `FOOT` for what stands below."""
_MOST_DRAWN: Final = 20
Point = tuple[float, float]
_STYLE: Final = """
:root { color-scheme: light dark; --ground: #f5f6f8; --surface: #fff; --line: #dfe3ea; --text: #1b2330; --quiet: #566072; --one: #175a86; --two: #8a3d00; }
@media (prefers-color-scheme: dark) {
  :root { --ground: #10151c; --surface: #181f29; --line: #2a3442; --text: #e4e9f0; --quiet: #a3b0c2; --one: #7cbde8; --two: #f5b98a; }
}
body { margin: 0 auto; max-width: 78rem; padding: 1.5rem; background: var(--ground); color: var(--text); font: 1rem/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; }
h2 { font-size: 1.125rem; margin: 0 0 .5rem; }
section { background: var(--surface); border: 1px solid var(--line); border-radius: .75rem; padding: 1rem 1.25rem; margin: 1rem 0; }
.both { display: grid; grid-template-columns: minmax(0, 3fr) minmax(0, 2fr); gap: 1.5rem; }
@media (max-width: 60rem) { .both { grid-template-columns: minmax(0, 1fr); } }
.table { overflow: auto; max-height: 26rem; }
.table:focus-visible { outline: 2px solid var(--one); }
table { border-collapse: collapse; width: 100%; font-size: .875rem; }
th, td { text-align: left; padding: .25rem .5rem; border-bottom: 1px solid var(--line); }
th { font-weight: 600; }
.n { text-align: right; font-variant-numeric: tabular-nums; }
p { margin: .25rem 0 .75rem; max-width: 60rem; }
.quiet { color: var(--quiet); }
svg { display: block; width: 100%; height: auto; }
svg text { fill: var(--text); font-size: 13px; }
svg .grid { stroke: var(--line); }
svg .mark { stroke: var(--text); stroke-dasharray: 2 4; }
svg polyline { fill: none; stroke-width: 2.5; }
svg polyline.one { stroke: var(--one); }
svg polyline.two { stroke: var(--two); stroke-dasharray: 7 4; }
svg rect.one, svg text.one { fill: var(--one); }
svg rect.two, svg text.two { fill: var(--two); }
"""


class Table(NamedTuple):
    """Rows under their headings; a number stands to the right."""

    caption: str
    head: Sequence[str]
    rows: Sequence[Sequence[Any]]


def html(document: Mapping[str, Any], title: str) -> str:
    """The page of what `evaluation_document` put together; a part that the document lacks is left out."""
    parts = [_quality(document)]
    if "curve" in document:
        parts += [_curve(document), _calibration(document["calibration"])]
    if document.get("keys", {}).get("kinds"):
        parts.append(_keys(document["keys"]))
    if "confusion" in document:
        parts.append(_confusion(document["confusion"]))
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>\n<body><main><h1>{escape(title)}</h1>\n"
        + "\n".join(parts)
        + "\n</main></body></html>\n"
    )


def _quality(document: Mapping[str, Any]) -> str:
    names = {"pairs": "Pairs", "b_cubed": "B-cubed"}
    rows = [
        (f"{names[kind]}: {figure}", f"{share['value']:.4f}", f"{share['low']:.4f} to {share['high']:.4f}")
        for kind, quality in document["quality"].items()
        for figure, share in quality.items()
    ]
    facts = [
        (name.replace("_", " "), document[name])
        for name in (
            "records",
            "entities",
            "clusters",
            "largest",
            "not_in_the_truth",
            "true_pairs",
            "verdicts",
            "matches",
        )
        if name in document
    ]
    for name in ("missed", "wrong"):
        facts += [(f"{name}: {why.replace('_', ' ')}", count) for why, count in document.get(name, {}).items()]
    return _section(
        "How right", "The interval says how far a figure would move with other customers (bootstrap, 95 %).",
        _table(Table("Figures", ("Figure", "Value", "95 % interval"), rows)), _table(Table("Counts", ("What", "Number"), facts)),
    )  # fmt: skip


def _curve(document: Mapping[str, Any]) -> str:
    steps, from_ = document["curve"], document["automatic_from"]["weight"]
    lines = {
        name: [(step["weight"], step[name]) for step in steps if step["pairs"] or name == "recall"]
        for name in ("precision", "recall")
    }
    drawn = _plot(
        f"Precision and recall by weight, from {steps[0]['weight']:g} to {steps[-1]['weight']:g} bits; joined from {from_:g}",
        lines, (steps[0]["weight"], steps[-1]["weight"]), "bits", mark=from_,
    )  # fmt: skip
    rows = [
        (
            f"{s['weight']:g}",
            f"{s['probability']:.4f}",
            f"{s['pairs']:,}",
            f"{s['precision']:.4f}",
            f"{s['recall']:.4f}",
        )
        for s in steps
    ]
    told = f"Of the pairs that weigh so much or more. Pairs are joined without asking from {from_:g} bits (dotted)."
    head = ("Bits", "Probability", "Pairs", "Precision", "Recall")
    return _section("Precision and recall by threshold", told, drawn, _table(Table("By weight", head, rows)))


def _calibration(bands: Sequence[Mapping[str, Any]]) -> str:
    names = [f"{band['from']:g} to {band['to']:g}" for band in bands]
    drawn = _bars(
        "Expected and actual share of pairs that are one customer, by band of probability",
        names, {"expected": [band["expected"] for band in bands], "actual": [band["actual"] for band in bands]}, 1.0,
    )  # fmt: skip
    rows = [
        (name, f"{band['pairs']:,}", f"{band['expected']:.4f}", f"{band['actual']:.4f}")
        for name, band in zip(names, bands, strict=True)
    ]
    return _section(
        "Calibration", "A probability is right when as many of its pairs are one customer as it says.", drawn,
        _table(Table("By band", ("Probability", "Pairs", "Expected", "Actual"), rows)),
    )  # fmt: skip


def _keys(keys: Mapping[str, Any]) -> str:
    kinds = [kind for kind in keys["kinds"] if kind["pairs"]]
    drawn = _bars(
        "True pairs that each kind of key brings together, and that it alone brings", [kind["key"] for kind in kinds],
        {"brings": [kind["pairs"] for kind in kinds], "alone": [kind["alone"] for kind in kinds]},
        max((kind["pairs"] for kind in kinds), default=1),
    )  # fmt: skip
    rows = [(kind["key"], f"{kind['pairs']:,}", f"{kind['alone']:,}") for kind in kinds]
    told = f"{keys['never_met']:,} of {keys['true']:,} true pairs never met under a key."
    return _section("Keys", told, drawn, _table(Table("By key", ("Records share", "Brings", "Alone"), rows)))


def _confusion(rows: Sequence[Mapping[str, Any]]) -> str:
    compared = [row for row in rows if row["level"] != "not compared" and row["comparison"] != "kind"]
    drawn_rows = sorted(compared, key=lambda row: -row["missed"] - row["wrong"])[:_MOST_DRAWN]
    drawn = _bars(
        "Missed and wrong pairs by the level of each comparison", list(map(_level, drawn_rows)),
        {"missed": [row["missed"] for row in drawn_rows], "wrong": [row["wrong"] for row in drawn_rows]},
        max((max(row["missed"], row["wrong"]) for row in drawn_rows), default=1),
    )  # fmt: skip
    told = [(_level(row), f"{row['missed']:,}", f"{row['wrong']:,}") for row in rows]
    return _section(
        "Fields of missed and wrong pairs",
        f"What pairs that were missed show, and pairs that were joined wrongly: drawn are the {_MOST_DRAWN} most frequent.",
        drawn, _table(Table("By level", ("Comparison", "Missed", "Wrong"), told)),
    )  # fmt: skip


def _level(row: Mapping[str, Any]) -> str:
    return f"{row['comparison']}: {row['level']}".replace("_", " ")


def _section(head: str, told: str, *sides: str) -> str:
    both = "".join(f"<div>{side}</div>" for side in sides)
    return (
        f'<section><h2>{escape(head)}</h2><p class="quiet">{escape(told)}</p><div class="both">{both}</div></section>'
    )


def _table(table: Table) -> str:
    def cells(row: Iterable[Any], tag: str) -> str:
        sides = ("", *(' class="n"' for _ in table.head[1:]))
        return "".join(f"<{tag}{side}>{escape(str(cell))}</{tag}>" for side, cell in zip(sides, row, strict=True))

    body = "".join(f"<tr>{cells(row, 'td')}</tr>" for row in table.rows)
    return (
        f'<div class="table" tabindex="0" role="region" aria-label="{escape(table.caption)}"><table><thead><tr>{cells(table.head, "th")}'
        f"</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _plot(title: str, lines: Mapping[str, Sequence[Point]], ends: Point, unit: str, *, mark: float) -> str:
    """Lines of shares (0 to 1) over a number, with a dotted line at `mark`."""
    ground, first, last = HEIGHT - FOOT, *ends

    def at(point: Point) -> str:
        return f"{_across(point[0], first, last):.1f},{ground - point[1] * (ground - TOP):.1f}"

    parts = []
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        y = ground - share * (ground - TOP)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{share:.2f}</text>')
    for number in range(int(first), int(last) + 1, 2):
        x = _across(number, first, last)
        parts.append(f'<text x="{x:.1f}" y="{HEIGHT - FOOT + 18}" text-anchor="middle">{number}</text>')
    parts.append(f'<text x="{WIDTH}" y="{HEIGHT - 4}" text-anchor="end">{escape(unit)}</text>')
    if first <= mark <= last:
        x = _across(mark, first, last)
        parts.append(f'<line class="mark" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{ground}"/>')
    for colour, points in zip(("one", "two"), lines.values(), strict=True):
        parts.append(f'<polyline class="{colour}" points="{" ".join(map(at, points))}"/>')
    parts.append(_legend(list(lines), HEIGHT - 4))
    return _svg(title, HEIGHT, parts)


def _across(number: float, first: float, last: float) -> float:
    return LEFT + (number - first) / ((last - first) or 1.0) * (WIDTH - LEFT - 8)


def _bars(title: str, names: Sequence[str], values: Mapping[str, Sequence[float]], most: float) -> str:
    """Two bars for each name, from the left; names stand above their bars, so that they may be long."""
    step, height = 38, 38 * len(names) + 30
    parts = []
    for n, name in enumerate(names):
        y = n * step
        parts.append(f'<text x="0" y="{y + 13}">{escape(name)}</text>')
        for k, (colour, (what, numbers)) in enumerate(zip(("one", "two"), values.items(), strict=True)):
            width = numbers[n] / (most or 1.0) * WIDTH
            told = f"{name}, {what}: {numbers[n]:,}"
            parts.append(
                f'<rect class="{colour}" x="0" y="{y + 17 + 8 * k}" width="{max(width, 0.5):.1f}" height="7"><title>{escape(told)}</title></rect>'
            )
    parts.append(_legend(list(values), height - 6))
    return _svg(title, height, parts)


def _legend(names: Sequence[str], y: int) -> str:
    first, second = (escape(name) for name in names)
    return (
        f'<rect class="one" x="0" y="{y - 9}" width="10" height="10"/><text class="one" x="15" y="{y}">{first}</text>'
        f'<rect class="two" x="110" y="{y - 9}" width="10" height="10"/><text class="two" x="125" y="{y}">{second}</text>'
    )


def _svg(title: str, height: int, parts: Sequence[str]) -> str:
    inside = "".join(parts)
    return (
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img"><title>{escape(title)}</title>'
        f"<desc>The table beside it says the same.</desc>{inside}</svg>"
    )
