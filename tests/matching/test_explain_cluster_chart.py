"""The picture of how records came together: every record a row, every join a knot between its groups, no branch across another."""

import xml.etree.ElementTree as ET
from itertools import pairwise

import pytest
from hypothesis import given

from apps.matching.decide import Component
from apps.matching.explain import Explanation, Line
from apps.matching.explain_cluster import explain_cluster, findings, groups_of
from apps.matching.explain_cluster_chart import ROW, svg, tree
from tests.matching.given import LIMITS, components


def in_a_row(*pairs: tuple[int, int]) -> Component:
    size = max(max(pair) for pair in pairs) + 1
    weights = [12.0 - at / 10 for at in range(len(pairs))]
    a, b = zip(*pairs, strict=True)
    return Component(range(size), range(size), frozenset(), a, b, weights, [0] * len(pairs))


@given(components())
def test_each_join_stands_right_of_what_it_joins_and_between_it(component: Component) -> None:
    size = len(component.ids)
    why = explain_cluster(component, LIMITS)
    drawn = tree(why.joins, size)
    assert sorted(drawn.leaves) == list(range(size))
    assert drawn.height == size * ROW
    assert [knot.number for knot in drawn.knots] == list(range(1, len(why.joins) + 1))
    row = {place: at for at, place in enumerate(drawn.leaves)}
    for knot, join in zip(drawn.knots, why.joins, strict=True):
        assert max(x for x, _ in knot.branches) < knot.x <= 100
        assert min(y for _, y in knot.branches) < knot.y < max(y for _, y in knot.branches)
        rows = sorted(row[place] for place in (*join.one, *join.other))
        assert rows == list(range(rows[0], rows[0] + len(rows))), "a group stands together, so nothing crosses it"
    for one, other in pairwise(sorted(knot.y for knot in drawn.knots)):
        assert other - one >= ROW, "knots leave room for one another"
    assert drawn.loose == {group[0] for group in groups_of(why, range(size)) if len(group) == 1}


@given(components())
def test_joins_among_some_records_name_no_others(component: Component) -> None:
    among = frozenset(range(0, len(component.ids), 2))
    why, whole = explain_cluster(component, LIMITS, among), explain_cluster(component, LIMITS)
    assert {place for join in why.joins for place in (*join.one, *join.other)} <= among
    together = {frozenset(group) for group in groups_of(whole, range(len(component.ids)))}
    for group in groups_of(why, among):
        assert any(set(group) <= wider for wider in together)
    assert sorted(place for group in groups_of(why, among) for place in group) == sorted(among)
    assert why.refused == whole.refused


def test_it_is_well_formed_and_says_in_words_what_it_shows() -> None:
    names = ["CRM <1>", "ERP 2", "Billing " + "9" * 80, "Support 株式会社山田商事東京本店営業部"]
    why = explain_cluster(in_a_row((0, 1), (2, 3), (1, 2)), LIMITS)
    root = ET.fromstring(svg(tree(why.joins, 4), names.__getitem__, 'Who & "who"'))
    assert (root.get("role"), root.findtext("title")) == ("img", 'Who & "who"')
    assert (
        root.findtext("desc") == f"1: {names[0]} and {names[1]}; 2: {names[2]} and {names[3]}; 3: group 1 and group 2"
    )
    assert [leaf.findtext("title") for leaf in root.findall("svg")] == names
    shown = [leaf.findtext("text") or "" for leaf in root.findall("svg")]
    assert shown[:2] == names[:2]
    assert shown[2].startswith("Billing ")
    assert shown[2].endswith("999")
    assert "…" in shown[2]
    assert "…" in shown[3]
    assert [t.text for t in root.findall("text")] == ["1", "2", "3"]
    assert not any("style" in element.attrib for element in root.iter())


def test_records_that_nothing_joined_are_drawn_apart() -> None:
    drawn = tree((), 2)
    assert drawn.loose == {0, 1}
    assert ET.fromstring(svg(drawn, str, "t")).findtext("desc") == "nothing joined"


def test_what_speaks_loudest_is_told_and_nothing_that_says_little() -> None:
    bits = (0.5, 3.0, -4.0, 8.0, -0.9, 1.0)
    lines = tuple(Line(f"c{n}", "same", value, f"{value}", "", "") for n, value in enumerate(bits))
    told = Explanation(lines, -8.0, 0.0, "", sum(bits) - 8, 0.5, (), "hash")
    assert findings(told) == (("8.0", "3.0", "1.0"), ("-4.0",))
    assert findings(told, most=1) == (("8.0",), ("-4.0",))


@pytest.mark.parametrize("size", [2, 12])
def test_a_chain_has_room_for_all_its_knots(size: int) -> None:
    why = explain_cluster(in_a_row(*((at, at + 1) for at in range(size - 1))), LIMITS)
    knots = tree(why.joins, size).knots
    assert len(knots) == size - 1
    assert all(other.x - one.x >= 44 / 11 for one, other in pairwise(knots))
