"""How long there is left is said to the unit that matters; the bars of a waterfall join where one ends and the next begins."""

from datetime import timedelta

import pytest
from django.template.loader import render_to_string

from apps.matching.explain import Explanation, Line
from apps.stewardship.templatetags.review import about, case_cause, nth, waterfall


@pytest.mark.parametrize(
    ("span", "told"),
    [(timedelta(minutes=40), "40 min"), (timedelta(hours=5, minutes=59), "5 h"), (timedelta(hours=47), "47 h"),
     (timedelta(days=-3), "3 days")],
    ids=range(4),
)  # fmt: skip
def test_about(span: timedelta, told: str) -> None:
    assert about(span) == told


def test_causes_of_every_kind_have_words() -> None:
    assert case_cause("review_band") == "between the thresholds"
    assert case_cause("validation") == "The target does not accept the values"
    assert case_cause("bad_date") == "bad date"
    assert (nth([1, 2], 1), nth([1, 2], 2), nth([], 0)) == (2, None, None)


def explained(prior: float, *bits: float, kinship: float = 0.0) -> Explanation:
    lines = tuple(Line(f"field_{n}", "same", b, f"sentence {n}", "a", "b") for n, b in enumerate(bits))
    return Explanation(lines, prior, kinship, "relatives", round(prior + sum(bits) + kinship, 2), 0.5, (), "hash")


def test_each_bar_begins_where_the_one_before_ended() -> None:
    told = waterfall(explained(-8.0, 6.0, 0.0, -2.0, 9.0, kinship=-1.0), "Score")
    bars = told["bars"]
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
    assert float(told["zero"]) == pytest.approx(100 * 8 / 13, abs=0.01)


def test_a_score_of_nothing_is_drawn_too() -> None:
    drawn = render_to_string("stewardship/_review_waterfall.html", waterfall(explained(0.0), "Score"))
    assert 'aria-label="Score: Starting point 0, Sum 0 bits"' in drawn
    assert "style=" not in drawn
