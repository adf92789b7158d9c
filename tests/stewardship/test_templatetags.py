"""What templates show can neither hide nor break out."""

import unicodedata
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from apps.stewardship.templatetags import hub
from apps.stewardship.views.imports import harmless


class Seen(HTMLParser):
    """The text and the tags of a piece of HTML."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.add(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


@given(st.text(max_size=400))
def test_whatever_a_value_holds_only_our_own_tags_come_out_and_nothing_is_hidden(value: str) -> None:
    html = str(hub.shown(value))
    assert Seen(html).tags <= {"bdi", "span", "details", "summary"}
    assert not [c for c in html if unicodedata.category(c) in ("Cc", "Cs") and c not in "\n\t"]
    assert not [at for at in range(len(html)) if hub.is_hidden(html, at)]


def test_a_direction_override_is_named() -> None:
    html = str(hub.shown("Invoice \u202egpj.exe"))
    assert "U+202E" in html
    assert "right-to-left override" in html
    assert "hidden characters" in html


@pytest.mark.parametrize(
    "value", ["علی\u200cرضا", "Zoë", "株式会社", "Ελλάς"], ids=["persian", "latin", "japanese", "greek"]
)
def test_spelling_is_not_called_hiding(value: str) -> None:
    assert "hidden characters" not in hub.shown(value)


def test_a_long_value_is_folded_and_says_its_length() -> None:
    html = str(hub.shown("x" * 10_000))
    assert "10,000 characters" in html
    assert html.count("x" * 10_000) == 1


def test_markup_in_a_value_is_text() -> None:
    assert "<script>" not in hub.shown("<script>alert(1)</script>")
    assert "<img" not in hub.shown_raw('{"name": "<img src=x onerror=alert(1)>"}')


@pytest.mark.parametrize(
    "cell", ["=1+1", "+49 30 1", "-1", "@SUM(A1)", "\tx", "\rx"], ids=["equals", "plus", "minus", "at", "tab", "return"]
)
def test_a_cell_is_never_a_formula(cell: str) -> None:
    assert harmless(cell) == f"'{cell}"


def test_other_cells_stay_as_they_are() -> None:
    assert [harmless(v) for v in ("Anna", "", None, 7)] == ["Anna", "", "", 7]


def test_times_are_spoken_and_exact_in_the_users_zone() -> None:
    now = timezone.now()
    assert "5 min ago" in hub.when(now - timedelta(minutes=5, seconds=2))
    assert "3 h ago" in hub.when(now - timedelta(hours=3, minutes=1))
    assert "never" in hub.when(None)
    with timezone.override("Asia/Tokyo"):
        html = hub.when(datetime(2024, 1, 31, 20, 0, tzinfo=UTC))
    assert 'title="1 Feb 2024, 05:00:00 JST"' in html
    assert ">1 Feb 2024<" in html


def test_a_raw_payload_keeps_its_order_and_survives_nonsense() -> None:
    assert hub.pretty_raw('{"b": 1, "a": 2}').index("b") < hub.pretty_raw('{"b": 1, "a": 2}').index("a")
    assert hub.pretty_raw("K-1;;Herr") == "K-1;;Herr"
    assert hub.pretty_raw("[" * 100_000) == "[" * 100_000
    assert "erased" in hub.pretty_raw(None)


def test_chances_never_claim_certainty() -> None:
    assert [hub.percent_text(p) for p in (1.0, 0.5, 0.0)] == ["over 99.9 %", "50.0 %", "under 0.1 %"]
