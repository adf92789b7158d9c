"""The picture of an explanation: bars begin where the one before ended, and the words say the same. Why a cluster is one."""

import xml.etree.ElementTree as ET

import pytest
from hypothesis import given

from apps.matching import engine
from apps.matching.comparison_levels import FORCED, VETO
from apps.matching.decide import Component, decide
from apps.matching.explain import Explanation, Line
from apps.matching.explain_chart import svg, waterfall
from apps.matching.explain_cluster import as_text, explain_cluster
from tests.matching.given import LIMITS, MODEL, canonical, components


def explained(prior: float, *bits: float, kinship: float = 0.0) -> Explanation:
    lines = tuple(Line(f"field_{n}", "same", b, f"sentence {n}", "a", "b") for n, b in enumerate(bits))
    return Explanation(lines, prior, kinship, "relatives", round(prior + sum(bits) + kinship, 2), 0.5, (), "hash")


def test_each_bar_begins_where_the_one_before_ended() -> None:
    drawn = waterfall(explained(-8.0, 6.0, 0.0, -2.0, 9.0, kinship=-1.0))
    bars = drawn.bars
    assert [b.label for b in bars] == ["Starting point", "Field 0", "Field 2", "Field 3", "Kinship", "Sum"], (
        "0 bits: no bar"
    )
    assert [b.kind for b in bars] == ["prior", "good", "bad", "good", "bad", "sum"]
    assert [b.total for b in bars] == ["\u22128.0", "\u22122.0", "\u22124.0", "+5.0", "+4.0", "+4.0"]
    low, high = -8.0, 5.0
    ends = [(0, -8), (-8, -2), (-2, -4), (-4, 5), (5, 4), (0, 4)]
    for bar, (begin, end) in zip(bars, ends, strict=True):
        assert float(bar.start) == pytest.approx(100 * (min(begin, end) - low) / (high - low), abs=0.01)
        assert float(bar.width) == pytest.approx(100 * abs(end - begin) / (high - low), abs=0.01)
    assert [b.y for b in bars] == sorted({b.y for b in bars})
    assert float(drawn.zero) == pytest.approx(100 * 8 / 13, abs=0.01)


def test_a_score_of_nothing_is_drawn_too() -> None:
    drawn = svg(waterfall(explained(0.0)), "Score")
    assert "<title>Score</title><desc>Starting point 0, Sum 0 bits</desc>" in drawn


def test_a_real_pair_is_drawn_as_well_formed_svg_that_a_strict_page_takes() -> None:
    sides = [
        canonical(given_name="Zoë", family_name="<Ögüt> & Sons", birth_date=day) for day in ("1980-05-04", "1980-04-05")
    ]
    features = engine.standardise(sides).to_pylist()
    explanation = engine.explain(*features, MODEL)
    drawn = svg(waterfall(explanation), 'What "it" is made of')
    root = ET.fromstring(drawn)
    assert root.get("role") == "img"
    assert root.findtext("title") == 'What "it" is made of'
    bars = root.findall("svg")
    assert len(bars) == 2 + sum(bool(line.bits) for line in explanation.lines) + bool(explanation.kinship)
    assert all(bar.findtext("title") for bar in bars)
    assert not any("style" in element.attrib for element in root.iter())


# ── why a cluster is one ────────────────────────────────────────────────────────────────────────────────────────────
def component(size: int, *edges: tuple[int, int, float, int], must: tuple[tuple[int, int], ...] = ()) -> Component:
    a, b, weight, flags = zip(*edges, strict=True)
    return Component(range(size), [0] * size, frozenset(), a, b, weight, flags, must=must)


def test_joins_come_strongest_first_and_refusals_with_their_sentence() -> None:
    edges = ((0, 1, 9.0, 0), (1, 2, 8.0, 0), (0, 2, 7.5, 0), (2, 3, 9.0, VETO), (3, 4, 2.0, FORCED))
    why = explain_cluster(component(6, *edges, must=((3, 5),)), LIMITS)
    assert [(j.a, j.b, j.weight, j.why) for j in why.joins] == [
        (3, 5, None, "person"), (3, 4, 2.0, "identifier"), (0, 1, 9.0, "weight"), (1, 2, 8.0, "weight"),
    ]  # fmt: skip
    assert (why.joins[1].one, why.joins[1].other) == ((3, 5), (4,))
    assert [(d.a, d.b, d.reason) for d in why.refused] == [(2, 3, "veto")]
    told = as_text(why, "ABCDEF".__getitem__)
    assert told[1] == "(D, F) and E were joined by D and E: one confirmed identifier."
    assert told[2] == "A and B were joined: 9.0 bits."
    assert told[4] == f"C and D were kept apart. {why.refused[0].sentence}"


@given(components())
def test_the_joins_make_the_clusters_that_were_decided(component: Component) -> None:
    why, decision = explain_cluster(component, LIMITS), decide(component, LIMITS)
    label = list(range(len(component.ids)))
    for join in why.joins:
        one, other = label[join.a], label[join.b]
        assert one != other
        assert {place for place, own in enumerate(label) if own in (one, other)} == {*join.one, *join.other}
        label = [min(one, other) if own in (one, other) else own for own in label]
    assert label == decision.label
    assert list(why.refused) == decision.doubts
