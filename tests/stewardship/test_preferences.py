"""Preferences: density and letters of one's own, kept in this browser, and nothing that was forged."""

import json
import re
from typing import Any
from urllib.parse import quote

import pytest

from apps.stewardship import letters
from apps.stewardship.preferences import _field_name
from mdmhub.env import BASE_DIR
from tests.stewardship.given import browser, text

pytestmark = pytest.mark.django_db
BASICS = {"time_zone": "UTC", "theme": "", "shortcuts": "on"}


def here(client: Any, path: str) -> dict[str, str]:
    """The letters that a page tells its script."""
    seen = text(client.get(path))
    return dict(json.loads(seen.split('data-letters="')[1].split('"')[0].replace("&quot;", '"')))


def keep(client: Any, **chosen: str) -> Any:
    """`review_m="x"`: x stands for the review's m."""
    told = {}
    for name, letter in chosen.items():
        group, own = name.split("_", 1)
        told[_field_name(group, "." if own == "dot" else own)] = letter
    return client.post("/preferences/", {**BASICS, **told})


def test_density_is_a_choice_of_this_browser() -> None:
    viewer = browser("viewer")
    assert "data-density" not in text(viewer.get("/"))
    assert viewer.post("/preferences/", {**BASICS, "density": "compact"}).status_code == 302
    assert viewer.cookies["density"].value == "compact"
    assert 'data-density="compact"' in text(viewer.get("/customers/"))
    assert '<option value="compact" selected>' in text(viewer.get("/preferences/"))
    viewer.post("/preferences/", {**BASICS, "density": ""})
    assert "data-density" not in text(viewer.get("/"))
    assert viewer.post("/preferences/", {**BASICS, "density": "tiny"}).status_code == 200


def test_a_letter_holds_on_the_pages_of_its_group() -> None:
    steward = browser("steward")
    assert keep(steward, review_m="x", everywhere_j="ö", everywhere_dot="!").status_code == 302
    assert here(steward, "/inbox/?whose=all") == {"m": "x", "j": "ö", ".": "!"}
    assert here(steward, "/customers/") == {"j": "ö", ".": "!"}
    seen = text(steward.get("/customers/"))
    assert "<kbd>x</kbd> Merge" in seen
    assert "<kbd>ö</kbd> Next in a list" in seen
    keep(steward)
    assert here(steward, "/inbox/?whose=all") == {}


def test_letters_may_change_places() -> None:
    steward = browser("steward")
    assert keep(steward, review_m="n", review_n="m").status_code == 302
    assert here(steward, "/inbox/?whose=all") == {"m": "n", "n": "m"}


def test_one_letter_may_mean_different_things_on_different_pages() -> None:
    assert keep(browser("steward"), review_m="x", exception_r="x", change_a="x").status_code == 302


@pytest.mark.parametrize(
    ("chosen", "why"),
    [
        ({"review_m": "n"}, "n is already used there"),
        ({"review_m": "j"}, "j is already used there: Next in a list"),
        ({"everywhere_j": "k"}, "k is already used there"),
        ({"everywhere_j": "m"}, "is already used there"),
        ({"review_m": "?"}, "One letter or sign"),
        ({"review_m": "/"}, "One letter or sign"),
        ({"review_m": "1"}, "One letter or sign"),
        ({"review_m": "xy"}, "at most 1 character"),
        ({"review_m": "\u200b"}, "One letter or sign"),
        ({"review_m": "\x00"}, "Null characters"),
    ],
)
def test_what_cannot_be_a_letter_is_refused_with_its_reason(chosen: dict[str, str], why: str) -> None:
    steward = browser("steward")
    answer = keep(steward, **chosen)
    assert answer.status_code == 200
    assert why in text(answer)
    assert letters.COOKIE not in steward.cookies


def test_a_capital_is_its_small_letter() -> None:
    steward = browser("steward")
    keep(steward, review_m="X")
    assert here(steward, "/inbox/?whose=all") == {"m": "x"}


@pytest.mark.parametrize(
    "cookie",
    [
        "{", "[]", "null", "[" * 5000, '{"review m": 7}', '{"review m": "?"}', '{"review m": "xy"}', '{"review m": "n"}', '{"nobody m": "x"}',
        '{"everywhere j": "</dialog><script>"}', "\ud800", "%ff%fe",
    ],
    ids=range(12),
)  # fmt: skip
def test_a_forged_cookie_changes_nothing(cookie: str) -> None:
    steward = browser("steward")
    steward.cookies[letters.COOKIE] = quote(cookie, errors="surrogatepass") if cookie[0] != "%" else cookie
    steward.cookies["density"] = '"><script>'
    assert here(steward, "/inbox/?whose=all") == {}


def test_every_letter_of_the_hub_differs_from_the_others_of_its_page() -> None:
    assert letters.clashes({}) == {}
    assert all(letters.is_letter(own) for group in letters.GROUPS for own, _ in group.keys)


def test_every_letter_on_a_page_can_be_chosen() -> None:
    """A letter that a template ties to something, and that nobody could change, would be one shortcut without a way around it."""
    known = {own for group in letters.GROUPS for own, _ in group.keys}
    used = {
        (path.name, key)
        for path in (BASE_DIR / "templates").rglob("*.html")
        for key in re.findall(r'data-key="([^"{]+)"', path.read_text())
    }
    assert {(name, key) for name, key in used if key not in known} == set()


def test_preferences_are_for_everybody_who_is_logged_in() -> None:
    assert browser("nobody", roles=[]).get("/preferences/").status_code == 200
