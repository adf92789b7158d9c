"""Search with facets, the first page, export and preferences in a real browser: by mouse, by own letters, without JavaScript, for everybody."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from django.contrib.auth.models import AbstractBaseUser
from playwright.sync_api import Browser, Page, expect

from apps.stewardship import cases
from tests import pipeline
from tests.browser.given import PASSWORD, TOGETHER, Look, demo, person
from tests.browser.look import look_at
from tests.browser.screenshots import screenshot

__all__ = ["screenshot"]

LogIn = Callable[[AbstractBaseUser], None]
PAGES = [
    "/", "/customers/", "/customers/?country=DE&country=FR&status=active&records=2&sort=name", "/customers/?q=muller&kind=person",
    "/customers/?q=nobodyatall&country=DE&system=crm", "/customers/?quality=unreachable&quality=wrong", "/customers/?waits=yes", "/preferences/",
]  # fmt: skip


def worked() -> None:
    """The demo's customers, their cases, and some days on which cases came and went."""
    demo()
    cases.refresh()
    pipeline.execute(
        "UPDATE steward_case SET opened_at = opened_at - mod(abs(hashtext(id::text)), 25) * interval '1 day'"
        " WHERE mod(abs(hashtext(subject::text)), 3) < 2"
    )
    pipeline.execute(
        "UPDATE steward_case SET state = 'closed', outcome = 'It was decided.', closed_by = 'user:anna',"
        " closed_at = least(now(), opened_at + mod(abs(hashtext(subject::text)), 5) * interval '1 day')"
        " WHERE id IN (SELECT id FROM (SELECT id, row_number() OVER (PARTITION BY kind ORDER BY id) AS place"
        " FROM steward_case) every WHERE mod(place, 2) = 0)"
    )


@pytest.mark.parametrize("looks", TOGETHER)
def test_these_pages_are_for_everybody(browser: Browser, hub: str, looks: Sequence[Look]) -> None:
    worked()
    assert look_at(browser, hub, PAGES, looks, "admin") == []


def test_narrowed_step_by_step_and_back(page: Page, log_in: LogIn, screenshot: Callable[[Page, str], Path]) -> None:
    worked()
    log_in(person("steward"))
    page.goto("/customers/")
    facets = page.get_by_role("region", name="Narrow down")
    facets.get_by_role("link", name=re.compile("^Germany")).click()
    first = page.get_by_role("status").filter(has_text="customer").inner_text()
    expect(page).to_have_url(re.compile(r"\?country=DE$"))
    facets.get_by_role("link", name=re.compile("^France")).click()
    facets.get_by_role("link", name=re.compile("^CRM")).first.click()
    expect(page).to_have_url(re.compile(r"\?country=DE&country=FR&system=crm$"))
    screenshot(page, "search-facets")
    page.get_by_role("list", name="Chosen").get_by_role("link", name=re.compile("CRM")).click()
    page.get_by_role("list", name="Chosen").get_by_role("link", name=re.compile("France")).click()
    expect(page).to_have_url(re.compile(r"\?country=DE$"))
    assert page.get_by_role("status").filter(has_text="customer").inner_text() == first
    page.get_by_role("link", name="name", exact=True).click()
    expect(page).to_have_url(re.compile(r"\?country=DE&sort=name$"))
    page.get_by_label("Search", exact=True).fill("a")
    page.get_by_role("button", name="Search").click()
    expect(page).to_have_url(re.compile(r"q=a&kind=&country=DE&sort=name$"))
    page.get_by_role("button", name="Copy link to this view").click()
    expect(page.locator(".copied")).to_be_visible()


def test_an_export_is_a_file(page: Page, log_in: LogIn) -> None:
    demo(40)
    log_in(person("steward"))
    page.goto("/customers/?kind=person")
    shown = int(re.sub(r"\D", "", page.get_by_role("status").filter(has_text="customer").inner_text()))
    page.locator("summary", has_text="Export").click()
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV, for spreadsheets").click()
    assert download.value.suggested_filename.endswith(".csv")
    page.locator("summary", has_text="Export").click() if not page.get_by_role(
        "link", name="NDJSON"
    ).is_visible() else None
    with page.expect_download() as download:
        page.get_by_role("link", name="NDJSON, one customer a line").click()
    assert len(Path(download.value.path()).read_text().splitlines()) == shown


def test_letters_of_ones_own(page: Page, log_in: LogIn, screenshot: Callable[[Page, str], Path]) -> None:
    worked()
    log_in(person("steward"))
    page.goto("/preferences/")
    page.get_by_label("Next in a list").fill("w")
    page.get_by_label("Defer").fill("x")
    page.get_by_label("Density").select_option("compact")
    screenshot(page, "preferences")
    page.get_by_role("button", name="Use these letters").click()
    expect(page.get_by_text("Your preferences are kept.")).to_be_visible()

    page.goto("/customers/")
    page.keyboard.press("j")
    expect(page.locator("[data-row].at")).to_have_count(0)
    page.keyboard.press("w")
    expect(page.locator("[data-row]").first).to_have_class(re.compile(r"\bat\b"))
    page.keyboard.press("/")
    page.keyboard.type("wxj")
    expect(page.get_by_label("Search", exact=True)).to_have_value("wxj")
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog").get_by_text("w Next in a list")).to_be_visible()
    page.keyboard.press("Escape")

    case = pipeline.query("SELECT id FROM steward_case WHERE kind = 'match' AND state = 'open' ORDER BY id LIMIT 1")[0][
        0
    ]
    page.goto(f"/inbox/{case}/")
    fold = page.locator('details[data-key="d"]').first
    expect(page.locator('[data-key="d"] kbd').first).to_have_text("x")
    page.keyboard.press("d")
    expect(fold).not_to_have_attribute("open", "")
    page.keyboard.press("x")
    expect(fold).to_have_attribute("open", "")
    page.keyboard.press("Escape")
    page.keyboard.press("g")
    page.keyboard.press("c")
    expect(page).to_have_url(re.compile("/customers/$"))


def test_letters_that_changed_places_do_what_they_say(page: Page, log_in: LogIn) -> None:
    """The review's guard against a letter meant for the page before still holds for the letter that now means it."""
    worked()
    log_in(person("steward"))
    page.goto("/preferences/")
    page.get_by_label("Next in a list").fill("k")
    page.get_by_label("Previous in a list").fill("j")
    page.get_by_label("Merge", exact=True).fill("x")
    page.get_by_role("button", name="Use these letters").click()
    page.goto("/customers/")
    for key in ("k", "k", "j"):
        page.keyboard.press(key)
    expect(page.locator("[data-row]").first).to_have_class(re.compile(r"\bat\b"))
    case = pipeline.query("SELECT id FROM steward_case WHERE kind = 'match' AND state = 'open' ORDER BY id LIMIT 1")[0][
        0
    ]
    page.add_init_script(
        "addEventListener('DOMContentLoaded', () => setTimeout(() => document.body.dispatchEvent(new KeyboardEvent('keydown', {key: 'x', bubbles: true}))))"
    )
    page.goto(f"/inbox/{case}/")
    page.wait_for_timeout(300)
    expect(page).to_have_url(re.compile(f"/inbox/{case}/$"))
    assert pipeline.one("SELECT count(*) FROM steward_decision") == 0


def test_the_first_page_and_facets_without_javascript(browser: Browser, hub: str) -> None:
    worked()
    person("steward")
    context = browser.new_context(base_url=hub, java_script_enabled=False)
    page = context.new_page()
    page.goto("/")
    page.get_by_label("Username").fill("steward")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.get_by_text("The same as a table").click()
    expect(page.get_by_role("columnheader", name="Open at its end")).to_be_visible()
    page.get_by_role("link", name="Golden records nobody can reach").click()
    expect(page.get_by_role("list", name="Chosen").get_by_role("link")).to_have_count(1)
    page.get_by_role("list", name="Chosen").get_by_role("link").click()
    page.get_by_role("region", name="Narrow down").get_by_role("link", name=re.compile("^Germany")).click()
    expect(page.locator("[data-row]").first).to_be_visible()
    page.goto("/preferences/")
    page.get_by_label("Density").select_option("compact")
    page.get_by_role("button", name="Keep", exact=True).click()
    expect(page.locator("#shortcuts")).to_have_attribute("data-density", "compact")
    context.close()


@pytest.mark.parametrize("width", [1280, 390])
def test_pictures_of_the_first_page(
    page: Page, log_in: LogIn, screenshot: Callable[[Page, str], Path], width: int
) -> None:
    worked()
    log_in(person("steward"))
    page.set_viewport_size({"width": width, "height": 900})
    page.goto("/")
    expect(page.locator("svg.trend")).to_be_visible()
    page.locator("svg.trend").scroll_into_view_if_needed()
    screenshot(page, "home-trend" if width > 400 else "home-trend-narrow")
    page.goto("/customers/?country=DE")
    screenshot(page, "search-narrowed" if width > 400 else "search-narrowed-narrow")
