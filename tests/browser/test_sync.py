"""The way out in a real browser: a plan, two people, records that arrive, a target that breaks, and exceptions worked off by keyboard."""

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from uuid import UUID

import pytest
from django.contrib.auth.models import AbstractBaseUser
from playwright.sync_api import Browser, Page, expect

from apps.connectors import sandbox
from apps.connectors.models import Connection, Delivery
from apps.connectors.sandbox import native
from apps.connectors.sandbox.running import Far
from mdmhub.demo.generator import generate
from tests import outward, pipeline
from tests.browser.given import PASSWORD, TOGETHER, Look, demo, person
from tests.browser.look import look_at
from tests.browser.screenshots import screenshot

__all__ = ["screenshot"]

LogIn = Callable[[AbstractBaseUser], None]
Take = Callable[[Page, str], Path]
CUSTOMERS = 40
LONG = "https://example.org/" + "a-page-with-a-long-name/" * 10
"""A website that the hub takes and the CRM does not: more than 255 characters."""


@pytest.fixture
def far(hub: str, tmp_path: Path) -> Iterator[Far]:
    """A CRM with the demo's records, connected to the hub, which observes it."""
    demo(CUSTOMERS)
    with sandbox.running("crm", data=tmp_path / "crm.db") as running:
        records = [r for r in generate(CUSTOMERS, seed=7) if r.system == "crm"]
        running.load(native("crm", r.item["record_id"], r.item) for r in records)
        Connection.objects.all().delete()  # those of the demo's webhooks, which carry the codes as names
        outward.connect("crm", running, live=False)
        outward.settle(rounds=60)
        yield running


def take_live() -> None:
    made = Connection.objects.exclude(adapter="webhook").get()
    asked = outward.connections.request_go_live(connection=made.id, act=outward.ALICE)
    outward.connections.decide_go_live(go_live=asked.id, approve=True, act=outward.BOB)
    outward.settle(rounds=200)


def refuse(count: int) -> list[UUID]:
    """New customers that the CRM does not accept."""
    items = [
        pipeline.person(n, website=f"{LONG}{n}", country="DE", city="Ulm", status="active", tax_id=f"12345678{n:03d}")
        for n in range(1, count + 1)
    ]
    pipeline.take("erp", *items)
    outward.settle(rounds=60)
    return list(Delivery.objects.filter(state="failed", trouble="validation").values_list("id", flat=True))


def both(page: Page, take: Take, name: str) -> None:
    """The page as it stands, wide and narrow, from its top."""
    page.evaluate("window.scrollTo(0, 0)")
    take(page, name)
    page.set_viewport_size({"width": 390, "height": 844})
    page.evaluate("window.scrollTo(0, 0)")
    take(page, f"{name}-narrow")
    page.set_viewport_size({"width": 1280, "height": 900})


def test_from_a_plan_to_records_that_arrive(page: Page, log_in: LogIn, far: Far, screenshot: Take) -> None:
    before = len(far.records())
    log_in(person("integrator"))
    page.goto("/")
    page.get_by_role("link", name=re.compile("^ ?Sync.*waiting")).click()
    expect(page.get_by_text("observing")).to_be_visible()
    page.get_by_role("link", name="See the plan").click()
    expect(page.get_by_role("heading", name="What would be sent")).to_be_visible()
    creates = Delivery.objects.filter(state="planned", op="create").count()
    assert creates > 2
    both(page, screenshot, "sync-plan")
    page.get_by_label("Kind of step").select_option("update")
    expect(page).to_have_url(re.compile("op=update"))
    expect(page.locator(".was, .now").first).to_be_visible()
    page.get_by_label("may go live").fill("looked at the samples with sales")
    page.get_by_role("button", name="Ask to go live").click()
    expect(page.get_by_text("You asked for it, so somebody else has to decide.")).to_be_visible()
    expect(page.get_by_role("button", name="Approve")).to_have_count(0)

    log_in(person("approver"))
    page.goto("/sync/")
    page.get_by_role("link", name="waits for approval").click()
    expect(page.get_by_role("button", name="Approve: go live")).to_be_visible()
    both(page, screenshot, "sync-go-live")
    page.get_by_role("button", name="Approve: go live").click()
    expect(page.get_by_text("is live: what was planned is sent now")).to_be_visible()
    assert len(far.records()) == before
    waiting = page.locator("#w-crm")
    expect(waiting).not_to_have_text("0")
    outward.settle(rounds=200)
    expect(waiting).to_have_text("0", timeout=15_000)
    assert len(far.records()) >= before + creates
    page.get_by_label("State", exact=True).select_option("done")
    expect(page.locator("#deliveries [data-row]")).to_have_count(20)
    both(page, screenshot, "sync-target")

    page.locator("#deliveries [data-row] a").first.click()
    expect(page.get_by_role("heading", name="Attempts")).to_be_visible()
    page.get_by_role("link", name="customer", exact=True).click()
    expect(page.get_by_text("It holds all it should.").first).to_be_visible()
    page.locator("details.losers summary").first.click()
    both(page, screenshot, "customer-distribution")


def test_exceptions_are_worked_off_by_keyboard(page: Page, log_in: LogIn, far: Far, screenshot: Take) -> None:
    take_live()
    refused = refuse(4)
    assert len(refused) == 4
    log_in(person("steward"))
    page.goto("/")
    page.wait_for_load_state()
    page.keyboard.press("g")
    page.keyboard.press("x")
    expect(page.get_by_role("heading", name="The target does not accept the values")).to_be_visible()
    page.wait_for_load_state()
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page.locator("[data-row]")).to_have_count(4)
    both(page, screenshot, "exception-group")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Attempts")).to_be_visible()
    first = heading(page)
    both(page, screenshot, "exception")
    page.keyboard.press("j")
    expect(page.get_by_role("heading", level=1)).not_to_have_text(first)
    page.wait_for_load_state()
    page.keyboard.press("k")
    expect(page.get_by_role("heading", level=1)).to_have_text(first)

    page.wait_for_load_state()
    page.keyboard.press("e")
    expect(page.locator("#edit input").nth(1)).to_be_focused()
    page.get_by_label("Website").fill("https://short.example")
    page.get_by_role("button", name="Tell the corrected values").click()
    expect(page.get_by_text("The corrected values are told now.")).to_be_visible()
    second = heading(page)
    assert second != first
    page.wait_for_load_state()
    page.keyboard.press("r")
    expect(page.get_by_text("It is told again.")).to_be_visible()
    expect(page.get_by_role("heading", level=1)).not_to_have_text(second)
    page.wait_for_load_state()
    page.keyboard.press("d")
    page.keyboard.type("a test account")
    page.keyboard.press("Enter")
    expect(page.get_by_text("It was discarded and will not be told.")).to_be_visible()
    outward.settle(rounds=60)
    states = Delivery.objects.filter(id__in=refused).values_list("state", flat=True)
    assert sorted(states) == ["discarded", "done", "failed", "failed"]
    assert "https://short.example" in {r["Website"] for r in far.records()}


def heading(page: Page) -> str:
    return page.get_by_role("heading", level=1).inner_text()


def test_a_target_that_broke_is_replayed(page: Page, log_in: LogIn, far: Far, screenshot: Take, tmp_path: Path) -> None:
    take_live()
    with sandbox.running("erp", data=tmp_path / "erp.db") as other:
        outward.connect("erp", other, live=False)
        outward.settle(rounds=60)
    refuse(2)
    far.faults(ok_with_error_inside=1)
    pipeline.take("erp", *(pipeline.person(n, city="Ulm") for n in range(10, 13)))
    outward.settle(rounds=20)
    pipeline.execute("UPDATE delivery SET burned = 9 WHERE state = 'waiting'")  # as though it had been so for a day
    outward.due_now()
    outward.settle(rounds=20)
    log_in(person("integrator"))
    page.goto("/sync/")
    expect(page.locator("#f-crm")).to_have_text("5")
    both(page, screenshot, "sync")
    log_in(person("steward"))
    page.get_by_role("link", name="Exceptions").first.click()
    expect(page.get_by_role("heading", name="The target is out of order")).to_be_visible()
    both(page, screenshot, "exceptions")
    far.faults()
    page.get_by_text("Tell all 3 again…").click()
    page.get_by_role("button", name="Yes, tell 3 again").click()
    expect(page.get_by_text("3 deliveries are told again")).to_be_visible()
    expect(page.get_by_role("heading", name="The target is out of order")).to_have_count(0)
    outward.settle(rounds=60)
    left = Delivery.objects.exclude(state__in=["planned", "done", "superseded"])
    assert list(left.values_list("state", "trouble")) == [("failed", "validation")] * 2


def test_what_is_typed_outlives_the_refresh_and_a_changed_mode_does_not_stay_hidden(
    page: Page, log_in: LogIn, far: Far
) -> None:
    take_live()
    log_in(person("integrator"))
    page.goto("/sync/crm/")
    page.get_by_text("Pause…").click()
    reason = page.get_by_label("is paused")
    reason.fill("CRM release")
    with page.expect_response(lambda answer: "seen=" in answer.url):
        pass
    expect(reason).to_have_value("CRM release")
    expect(reason).to_be_focused()
    page.get_by_role("button", name="Pause", exact=True).click()
    expect(page.get_by_text("Paused by integrator")).to_be_visible()
    made = Connection.objects.exclude(adapter="webhook").get()
    outward.connections.resume(connection=made.id, act=outward.BOB)
    expect(page.get_by_text("Pause…")).to_be_visible(timeout=15_000)
    page.get_by_role("link", name="Hold still").click()
    expect(page.get_by_role("link", name="Refresh by itself")).to_be_visible()
    expect(page.locator("[hx-trigger]")).to_have_count(0)


def test_without_javascript_everything_can_be_done(browser: Browser, hub: str, far: Far) -> None:
    take_live()
    ids = refuse(2)
    person("steward")
    context = browser.new_context(base_url=hub, java_script_enabled=False)
    page = context.new_page()
    page.goto("/exceptions/")
    page.get_by_label("Username").fill("steward")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("link", name="Look at them").click()
    page.locator("[data-row] a").first.click()
    page.get_by_role("heading", name="Correct and tell again").click()
    page.get_by_label("Website").fill("https://short.example")
    page.get_by_role("button", name="Tell the corrected values").click()
    page.get_by_role("heading", name="Discard").click()
    page.get_by_label("Why it is not told").fill("a test account")
    page.get_by_role("button", name="Discard", exact=True).click()
    expect(page.get_by_text("Nothing needs a person")).to_be_visible()
    assert sorted(Delivery.objects.filter(id__in=ids).values_list("state", flat=True)) == ["discarded", "waiting"]
    context.close()


@pytest.mark.parametrize("looks", TOGETHER)
def test_every_page_of_the_way_out_is_for_everybody(
    browser: Browser, hub: str, far: Far, looks: Sequence[Look]
) -> None:
    observed = look_at(browser, hub, ["/sync/", "/sync/crm/", "/exceptions/"], looks, "integrator")
    asked = Connection.objects.exclude(adapter="webhook").get()
    request = outward.connections.request_go_live(connection=asked.id, act=outward.ALICE)
    decided = look_at(browser, hub, ["/sync/", "/sync/crm/"], looks, "admin")
    outward.connections.decide_go_live(go_live=request.id, approve=True, act=outward.BOB)
    outward.settle(rounds=200)
    (first, *_) = refuse(3)
    failed = Delivery.objects.get(id=first)
    group = f"/exceptions/group/?system=crm&trouble={failed.trouble}&code={failed.code}"
    told = Delivery.objects.filter(state="done", op="update").first()
    assert told is not None
    pages = [
        "/", "/sync/", "/sync/crm/", "/sync/crm/?state=failed", "/exceptions/", group, f"/exceptions/{first}/", f"/exceptions/{told.id}/",
        f"/customers/{failed.customer_id}/distribution/", f"/customers/{told.customer_id}/distribution/",
    ]  # fmt: skip
    live = look_at(browser, hub, pages, looks, "steward")
    outward.connections.pause(connection=asked.id, act=outward.BOB)
    outward.connections.switch(stopped=True, act=outward.BOB)
    stopped = look_at(browser, hub, ["/", "/sync/", "/sync/crm/", "/exceptions/"], looks, "admin")
    assert observed + decided + live + stopped == []
