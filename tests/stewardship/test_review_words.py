"""How long there is left is said to the unit that matters; a score's picture calls its fields as the pages do."""

from datetime import timedelta

import pytest

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


def test_a_score_is_drawn_with_the_names_of_the_pages() -> None:
    lines = (Line("birth_date", "same", 9.0, "the same & a rare day", "1980-05-04", "1980-05-04"),)
    drawn = waterfall(Explanation(lines, -8.0, 0.0, "", 1.0, 0.67, (), "hash"), "What the <score> is made of")
    assert "<desc>Starting point \u22128.0, Date of birth +9.0, Sum +1.0 bits</desc>" in drawn
    assert "What the &lt;score&gt; is made of" in drawn and "the same &amp; a rare day" in drawn
    assert "style=" not in drawn
