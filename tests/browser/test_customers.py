"""Customers in a real browser: by mouse, by keyboard alone, and without JavaScript."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from django.contrib.auth.models import AbstractBaseUser
from playwright.sync_api import Browser, Page, expect

from tests import pipeline
from tests.browser.given import PASSWORD, demo, log_in_by_form, person, told
from tests.browser.screenshots import screenshot

__all__ = ["screenshot"]

LogIn = Callable[[AbstractBaseUser], None]


def test_from_the_login_to_two_compared_versions(page: Page, screenshot: Callable[[Page, str], Path]) -> None:
    demo()
    customer = told("Two systems that disagree")
    log_in_by_form(page, "steward")
    expect(page.get_by_role("heading", name="Home")).to_be_visible()
    screenshot(page, "home")

    page.keyboard.press("/")
    page.keyboard.type("Robert Kalloway")
    page.keyboard.press("Enter")
    expect(page.get_by_role("region", name="Results").get_by_role("link").first).to_be_visible()
    expect(page.get_by_text("similar name").first).to_be_visible()
    screenshot(page, "search")

    page.goto(f"/customers/{customer}/")
    expect(page.get_by_role("heading", name="Values")).to_be_visible()
    page.locator("details.losers summary").first.click()
    expect(page.locator("details.losers li").first).to_be_visible()
    screenshot(page, "customer")
    how = page.get_by_role("region", name="How these records became one")
    expect(how.get_by_role("img", name="Which records joined which")).to_be_visible()
    expect(how.get_by_role("listitem").first).to_contain_text("bits: ")
    for tab, proof in (
        ("Sources", page.get_by_role("columnheader", name="Golden record")),
        ("Lineage", page.get_by_role("heading", name="Where every value comes from")),
        ("Matches", page.get_by_role("heading", name="Why these records are one customer")),
        ("History", page.get_by_text("Version 1", exact=True)),
    ):
        page.get_by_role("navigation", name="Customer").get_by_role("link", name=tab).click()
        expect(proof).to_be_visible()
        if tab == "Matches":
            page.locator("details.pair summary").first.click()
            expect(page.get_by_role("columnheader", name="Bits")).to_be_visible()
            screenshot(page, "matches")
    page.get_by_label("Compare version").select_option("1")
    page.get_by_role("button", name="Compare").click()
    expect(page.get_by_role("columnheader", name="Version 1")).to_be_visible()
    expect(page.locator(".now").first).to_be_visible()
    page.get_by_role("link", name="History").last.click()
    page.get_by_role("button", name="Copy the customer id").click()
    expect(page.locator(".copy.copied")).to_be_visible()


def test_by_keyboard_alone(page: Page, log_in: LogIn) -> None:
    demo(60)
    log_in(person("viewer"))
    page.goto("/")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    page.keyboard.press("g")
    page.keyboard.press("c")
    expect(page).to_have_url(re.compile("/customers/$"))
    page.wait_for_load_state()
    for key in ("j", "j", "k"):
        page.keyboard.press(key)
    first = page.locator("[data-row]").first
    expect(first).to_have_class(re.compile(r"\bat\b"))
    name = first.get_by_role("link").inner_text()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text(name)
    page.wait_for_load_state()  # the shortcuts are there when the page has loaded

    page.keyboard.press("/")
    page.keyboard.type("jjj?")
    expect(page.get_by_label("Search customers")).to_have_value("jjj?")
    page.keyboard.press("Escape")
    page.goto("/")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()


def test_shortcuts_can_be_switched_off(page: Page, log_in: LogIn) -> None:
    log_in(person("viewer"))
    page.goto("/preferences/")
    page.get_by_role("checkbox", name="Keyboard shortcuts").uncheck()
    page.get_by_role("button", name="Keep").click()
    expect(page.get_by_text("Your preferences are kept.")).to_be_visible()
    page.keyboard.press("?")
    page.keyboard.press("/")
    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(page.get_by_label("Search customers")).not_to_be_focused()


def test_the_theme_follows_the_system_until_one_is_chosen(page: Page, log_in: LogIn) -> None:
    log_in(person("viewer"))
    root = page.locator("html")
    page.emulate_media(color_scheme="dark")
    page.goto("/")
    expect(root).to_have_attribute("data-bs-theme", "dark")
    page.emulate_media(color_scheme="light")
    expect(root).to_have_attribute("data-bs-theme", "light")
    page.get_by_role("link", name="Switch between light and dark").click()
    expect(root).to_have_attribute("data-bs-theme", "dark")
    page.goto("/customers/")
    expect(root).to_have_attribute("data-bs-theme", "dark")


def test_menus_open_and_close(page: Page, log_in: LogIn) -> None:
    log_in(person("viewer"))
    page.goto("/")
    account = page.locator("summary[aria-label^='Account of']")
    account.click()
    expect(page.get_by_role("button", name="Log out")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Log out")).to_be_hidden()
    account.click()
    page.get_by_role("button", name="Log out").click()
    expect(page).to_have_url(re.compile("/accounts/login/"))


def test_everything_to_read_works_without_javascript(browser: Browser, hub: str) -> None:
    demo(60)
    person("viewer")
    context = browser.new_context(base_url=hub, java_script_enabled=False)
    page = context.new_page()
    page.goto("/")
    page.get_by_label("Username").fill("viewer")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.get_by_label("Search customers").fill("a")
    page.keyboard.press("Enter")
    expect(page.get_by_role("region", name="Results")).to_be_visible()
    page.goto("/customers/")
    page.get_by_label("Kind").select_option("organization")
    page.get_by_role("button", name="Search").click()
    page.locator("[data-row] a").first.click()
    page.get_by_role("link", name="Every join, and what was refused").click()
    expect(page.get_by_role("heading", name="How these records became one")).to_be_visible()
    expect(page.get_by_role("region", name="How these records became one")).not_to_contain_text("Every join")
    page.get_by_role("link", name="History").click()
    expect(page.get_by_text("Version 1", exact=True)).to_be_visible()
    page.goto("/preferences/")
    page.get_by_label("Theme").select_option("dark")
    page.get_by_role("button", name="Keep").click()
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")
    context.close()


@pytest.mark.parametrize("width", [1280, 390])
def test_a_name_that_turns_the_page_around_does_not(page: Page, log_in: LogIn, width: int) -> None:
    pipeline.systems()
    long = "Wolfeschlegelsteinhausenbergerdorff" * 5
    items = [
        {"record_id": "1", "kind": "organization", "organization_name": name}
        for name in (long, "شركة النور للتجارة", "<b>Bold & Co</b>")
    ]
    for number, item in enumerate(items):
        pipeline.take("crm", {**item, "record_id": str(number), "country": "DE"})
    log_in(person("steward"))
    page.set_viewport_size({"width": width, "height": 800})
    page.goto("/customers/")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    expect(page.locator("[data-row]")).to_have_count(3)
    page.get_by_role("link", name="<b>Bold & Co</b>").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("<b>Bold & Co</b>")
