"""A customer over time in a real browser: the timeline by keyboard, a moment looked up, a note with and without JavaScript, and for everybody."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from uuid import UUID

import pytest
from django.contrib.auth.models import AbstractBaseUser
from playwright.sync_api import Browser, Page, expect

from apps.common.act import Act
from apps.common.ids import uuid7
from apps.customers import pins
from apps.matching import judge
from apps.stewardship import notes
from tests import pipeline
from tests.browser.given import PASSWORD, TOGETHER, Look, person
from tests.browser.look import look_at
from tests.browser.screenshots import screenshot
from tests.stewardship.given_history import at, sent

__all__ = ["screenshot"]

LogIn = Callable[[AbstractBaseUser], None]
HEBREW = "מרים כהן"


def past() -> tuple[UUID, UUID]:
    """(a customer with a past, the id that was merged into it)."""
    pipeline.systems()
    sent("crm", pipeline.person(1, website="old.example.org", city="Bonn"), why="the nightly export")
    sent("erp", pipeline.person(2, city="Ulm", given_name=HEBREW), why="the nightly export")
    survivor, retired = at("crm:P1"), at("erp:P2")
    notes.add(id=uuid7(), customer=retired, body=f"Asked for invoices on paper.\n{HEBREW}", act=Act("user:bea"))
    judge.merge(customers=[survivor, retired], act=Act("user:anna", "the same person under her maiden name"))
    sent("crm", pipeline.person(1, website="new.example.org", city="Bonn"), why="the nightly export")
    pins.pin(customer=survivor, attribute="language", value="de", act=Act("user:anna", "she said so on the phone"))
    return survivor, retired


def test_the_timeline_by_keyboard_and_a_moment_of_it(
    page: Page, log_in: LogIn, screenshot: Callable[[Page, str], Path]
) -> None:
    customer, retired = past()
    log_in(person("steward"))
    page.goto(f"/customers/{customer}/")
    page.get_by_role("navigation", name="Customer").get_by_role("link", name="History").click()
    moments = page.locator(".moments > li")
    expect(moments).to_have_count(6)
    page.wait_for_load_state()  # the keys are heard from then on
    page.keyboard.press("j")
    page.keyboard.press("j")
    expect(moments.nth(1)).to_have_class(re.compile(r"\bat\b"))
    page.keyboard.press("k")
    expect(moments.nth(0)).to_have_class(re.compile(r"\bat\b"))
    screenshot(page, "customer-history")
    moments.nth(2).get_by_role("button", name="Copy the correlation id").click()
    expect(page.locator(".copy.copied")).to_be_visible()
    expect(moments.nth(2)).to_contain_text(str(retired))

    page.get_by_role("navigation", name="Narrow the history").get_by_role("link", name="Pins").click()
    expect(moments).to_have_count(1)
    expect(moments).to_contain_text("she said so on the phone")
    page.get_by_role("navigation", name="Narrow the history").get_by_role("link", name="Everything").click()
    page.get_by_role("link", name="As it stood here: version 1", exact=True).last.click()
    expect(page.get_by_role("heading", name=re.compile("As it stood at"))).to_be_visible()
    screenshot(page, "customer-as-of")
    page.get_by_role("link", name="Version 2").click()
    expect(page.locator(".card .tag.accent").first).to_have_text("version 2")
    page.get_by_role("textbox", name="As it stood at").fill("2999-01-01T10:00")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_role("alert")).to_contain_text("still to come")


def test_an_old_value_is_kept_again(page: Page, log_in: LogIn, screenshot: Callable[[Page, str], Path]) -> None:
    """From the moment through its tabs and back, then the value of then is pinned, by keyboard alone on the form."""
    customer, _ = past()
    log_in(person("steward"))
    page.goto(f"/customers/{customer}/history/")
    page.get_by_role("link", name="As it stood here: version 1", exact=True).last.click()
    banner = page.get_by_role("status").filter(has_text="in your time zone")
    expect(banner).to_contain_text("version 1")
    tabs = page.get_by_role("navigation", name="Customer")
    tabs.get_by_role("link", name="Sources").click()
    expect(banner).to_contain_text("version 1")
    expect(page.get_by_role("columnheader", name="Golden record")).to_be_visible()
    expect(page.get_by_text("old.example.org").first).to_be_visible()
    screenshot(page, "customer-sources-then")
    tabs.get_by_role("link", name="Lineage").click()
    expect(page.get_by_text("old.example.org").first).to_be_visible()
    banner.get_by_role("link", name="Back to today").click()
    expect(banner).to_have_count(0)
    expect(page.get_by_text("new.example.org").first).to_be_visible()
    page.go_back()
    tabs.get_by_role("link", name="Overview").click()
    page.get_by_role("link", name="Keep this value of Website, version 1").click()
    expect(page.get_by_label("Why")).to_have_value("restored from version 1")
    expect(page.get_by_role("radio", name=re.compile("old.example.org.*version 1"))).to_be_checked()
    screenshot(page, "customer-restore")
    page.get_by_label("Why").press("Enter")
    expect(page.get_by_text("The value of version 1 is kept again.")).to_be_visible()
    expect(page.get_by_text("pinned by").filter(has_text="restored from version 1")).to_be_visible()
    assert pipeline.one("SELECT website FROM customer WHERE id = %s", customer) == "old.example.org"

    page.get_by_role("navigation", name="Customer").get_by_role("link", name="History").click()
    page.get_by_label("Compare version").select_option("3")
    page.get_by_role("button", name="Compare").click()
    expect(page.get_by_role("heading", name="Where values came from")).to_be_visible()
    screenshot(page, "customer-compare")
    page.get_by_role("link", name="Keep this value of Website, version 3").click()
    page.get_by_role("button", name="Keep it so").click()
    assert pipeline.one("SELECT website FROM customer WHERE id = %s", customer) == "new.example.org"


def test_a_note_is_written_by_keyboard_and_removed(
    page: Page, log_in: LogIn, screenshot: Callable[[Page, str], Path]
) -> None:
    customer, _ = past()
    log_in(person("steward"))
    page.goto(f"/customers/{customer}/")
    page.keyboard.press("n")
    expect(page.get_by_label("Note", exact=True)).to_be_focused()
    page.keyboard.type("njk? Calls back before noon.")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_text("The note is added.")).to_be_visible()
    written = page.locator("#notes .parts > li")
    expect(written).to_have_count(2)
    expect(written.first).to_contain_text("njk? Calls back before noon.")
    screenshot(page, "customer-notes")
    expect(written.nth(1).get_by_text("Remove")).to_have_count(0)
    written.first.locator("summary").click()
    written.first.get_by_label("Why it is removed").fill("she is gone")
    written.first.get_by_role("button", name="Remove").click()
    expect(page.get_by_text("The note is removed.")).to_be_visible()
    expect(written).to_have_count(1)


def test_notes_and_history_work_without_javascript(browser: Browser, hub: str) -> None:
    customer, _ = past()
    person("steward")
    context = browser.new_context(base_url=hub, java_script_enabled=False)
    page = context.new_page()
    page.goto("/")
    page.get_by_label("Username").fill("steward")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.goto(f"/customers/{customer}/")
    page.locator("#notes summary", has_text="Write a note").click()
    page.get_by_label("Note", exact=True).fill("x" * 10_000)
    page.get_by_role("button", name="Add the note").click()
    expect(page.get_by_role("alert")).to_contain_text("10,000 characters are too many")
    expect(page.get_by_label("Note", exact=True)).to_have_value("x" * 10_000)
    page.get_by_label("Note", exact=True).fill(f"{HEBREW}\nsecond line")
    page.get_by_role("button", name="Add the note").click()
    expect(page.locator(".note-text").first).to_have_text(f"{HEBREW}\nsecond line", use_inner_text=True)
    page.get_by_role("navigation", name="Customer").get_by_role("link", name="History").click()
    page.get_by_label("Compare version").select_option("1")
    page.get_by_role("button", name="Compare").click()
    expect(page.get_by_role("columnheader", name="Version 1")).to_be_visible()
    page.get_by_role("link", name="History").last.click()
    page.get_by_role("textbox", name="As it stood at").fill("2001-01-01T10:00")
    page.get_by_role("button", name="Show").click()
    page.get_by_role("alert").get_by_role("link").click()
    expect(page.get_by_role("heading", name=re.compile("As it stood at"))).to_be_visible()
    context.close()


@pytest.mark.parametrize("looks", TOGETHER)
def test_the_pages_are_for_everybody(browser: Browser, hub: str, looks: Sequence[Look]) -> None:
    customer, retired = past()
    notes.add(id=uuid7(), customer=customer, body="W" * 400 + "\n\u202eturned", act=Act("user:steward"))
    own = f"/customers/{customer}/"
    first = f"?at={pipeline.one('SELECT min(history_date) FROM historical_customer WHERE id = %s', customer).isoformat().replace('+', '%2B')}"
    pages = [
        f"{own}as-of/{first}", f"{own}sources/{first}", f"{own}lineage/{first}", f"{own}history/compare/?a=1&b=3",
        f"{own}pin/website/?of={customer}&of_version=1", own, f"{own}history/", f"{own}history/?kind=member", f"/customers/{retired}/history/", f"{own}as-of/",
        f"{own}as-of/?at=2026-01-01T10:00", f"{own}as-of/?at=2999-01-01T10:00",
        f"/customers/{retired}/as-of/?at={pipeline.one('SELECT clock_timestamp()').isoformat().replace('+', '%2B')}",
    ]  # fmt: skip
    assert look_at(browser, hub, pages, looks, "steward") == []
