"""The inbox and the match review in a real browser: decided by keyboard alone, taken back, told who was faster, for everybody."""

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.contrib.auth.models import AbstractBaseUser
from playwright.sync_api import Browser, Page, expect

from apps.accounts.models import User
from apps.common.act import Act
from apps.customers.models import Judgement
from apps.stewardship import cases, decisions
from apps.stewardship.models import Case, Decision
from apps.stewardship.review import review
from tests import pipeline
from tests.browser.given import PASSWORD, TOGETHER, Look, demo, person
from tests.browser.look import look_at
from tests.browser.screenshots import screenshot
from tests.stewardship.given_cases import doubtful

__all__ = ["screenshot"]

LogIn = Callable[[AbstractBaseUser], None]
Take = Callable[[Page, str], Path]
BEA = Act("user:bea", "looked at it")


@pytest.fixture(autouse=True)
def _clean(hub: str) -> None:
    pipeline.empty()


def second() -> User:
    """Another steward."""
    return User.objects.get_or_create(username="bea", defaults={"roles": ["steward"]})[0]


def ready(page: Page) -> None:
    """The bar listens to the letters that decide."""
    expect(page.locator("[data-decide][data-ready]")).to_be_visible()


def heading(page: Page) -> str:
    return page.get_by_role("heading", level=1).inner_text()


def decided_by_bea(case: Case) -> None:
    shown = review(case.id)
    decisions.merge(case=case.id, customers=[s.customer for s in shown.sides], token=shown.token, act=BEA)


def test_two_pairs_are_decided_by_keyboard_alone(page: Page, log_in: LogIn) -> None:
    doubtful(1, 2)
    before = pipeline.where()
    log_in(person("steward"))
    page.goto("/")
    page.wait_for_load_state()
    page.keyboard.press("g")
    page.keyboard.press("n")
    expect(page.locator("[data-row]")).to_have_count(2)
    page.wait_for_load_state()
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    ready(page)
    first = heading(page)
    expect(page.get_by_text("You have it until")).to_be_visible()
    page.keyboard.press("m")
    expect(page.get_by_text("Merged: ")).to_be_visible()
    expect(page.get_by_role("heading", level=1)).not_to_have_text(first)
    ready(page)
    page.keyboard.press("n")
    expect(page.get_by_label("None of the chosen")).to_be_focused()
    page.keyboard.type("mother and daughter")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Kept apart: ")).to_be_visible()
    expect(page.get_by_text("Nothing is yours").or_(page.get_by_text("Nothing waits for a person"))).to_be_visible()
    assert list(Decision.objects.order_by("decided_at").values_list("action", "reason", "actor")) == [
        ("merge", "merged in the match review", "user:steward"),
        ("apart", "mother and daughter", "user:steward"),
    ]
    assert len(pipeline.partition()) == 3
    page.wait_for_load_state()
    page.keyboard.press("u")
    expect(page.get_by_text("Taken back: ")).to_be_visible()
    assert Judgement.objects.filter(verdict="no_match", superseded_at=None).count() == 0
    page.wait_for_load_state()
    page.keyboard.press(".")
    ready(page)
    page.keyboard.press("u")
    expect(page.get_by_text("Taken back: ")).to_be_visible()
    assert pipeline.where() == before
    assert Case.objects.filter(state="open").count() == 2


def test_a_letter_meant_for_the_page_before_decides_nothing(page: Page, log_in: LogIn) -> None:
    first, _ = doubtful(1, 2)
    log_in(person("steward"))
    start = datetime.now(UTC)
    page.clock.install(time=start)
    page.clock.pause_at(start + timedelta(seconds=1))
    sent = page.locator("form[data-sent]")
    page.goto(f"/inbox/{first.id}/")
    page.keyboard.press("m")
    expect(sent).to_have_count(0)
    page.clock.run_for(500)
    ready(page)
    page.keyboard.press("m")
    expect(page.get_by_text("Merged: ")).to_be_visible()
    page.wait_for_load_state()
    page.keyboard.press("m")
    expect(sent).to_have_count(0)
    page.clock.run_for(500)
    ready(page)
    page.evaluate("document.body.dispatchEvent(new KeyboardEvent('keydown', {key: 'm', repeat: true, bubbles: true}))")
    expect(sent).to_have_count(0)
    assert Decision.objects.count() == 1
    page.keyboard.press("m")
    expect(page.get_by_role("heading", name="Inbox")).to_be_visible()
    assert Decision.objects.count() == 2


def test_customers_are_left_out_and_equal_rows_hidden_by_key(page: Page, log_in: LogIn, screenshot: Take) -> None:
    case, *_ = doubtful(1, systems=("crm", "erp", "billing"))
    log_in(person("steward"))
    page.goto(f"/inbox/{case.id}/")
    ready(page)
    merge = page.get_by_role("button", name="Merge")
    expect(merge).to_contain_text("3 of 3")
    equal = page.locator("tr.equal")
    assert equal.count() > 3
    expect(equal.first).to_be_visible()
    page.keyboard.press("e")
    expect(equal.first).to_be_hidden()
    screenshot(page, "review")
    page.keyboard.press("3")
    expect(page.locator("[data-side]").nth(2)).not_to_be_checked()
    expect(merge).to_contain_text("2 of 3")
    page.locator("[data-side]").nth(1).uncheck()
    expect(merge).to_be_disabled()
    expect(page.get_by_text("Choose two customers or more")).to_be_visible()
    page.keyboard.press("2")  # the box that was clicked has the focus, and letters still work
    expect(merge).to_be_enabled()
    page.reload()
    expect(equal.first).to_be_hidden()
    ready(page)
    page.keyboard.press("3")
    page.keyboard.press("m")
    expect(page.get_by_text("Merged: ")).to_be_visible()
    where = pipeline.where()
    names = {str(s.customer) for s in review(Case.objects.filter(state="open").latest("id").id).sides}
    assert len(set(where.values())) == 2
    assert names == {str(c) for c in where.values()}


def test_the_second_steward_is_told_what_happened(page: Page, log_in: LogIn) -> None:
    first, other = doubtful(1, 2)
    second()
    log_in(person("steward"))
    page.goto(f"/inbox/{first.id}/")
    ready(page)
    decided_by_bea(first)
    page.keyboard.press("m")
    expect(page.get_by_role("alert")).to_contain_text("It is closed by bea: The records became one customer.")
    expect(page.get_by_text("This case is closed by bea.")).to_be_visible()
    page.wait_for_load_state()
    page.keyboard.press(".")
    expect(page).to_have_url(re.compile(str(other.id)))
    assert Decision.objects.count() == 1


def test_whose_it_is_is_told_and_it_is_taken_over(page: Page, log_in: LogIn) -> None:
    (case,) = doubtful(1)
    cases.claim(case=case.id, act=BEA)
    log_in(person("steward"))
    page.goto(f"/inbox/{case.id}/")
    expect(page.locator("#held")).to_contain_text(re.compile(r"bea has it until \d\d:\d\d"))
    ready(page)
    page.keyboard.press("a")
    expect(page.get_by_text("You have it until")).to_be_visible()
    expect(page.get_by_role("button", name="Release")).to_be_visible()
    page.keyboard.press("d")
    expect(page.get_by_label("Until")).to_be_focused()
    page.get_by_label("Because", exact=True).fill("asked the branch")
    page.keyboard.press("Enter")
    expect(page.get_by_text("It is deferred.")).to_be_visible()
    case.refresh_from_db()
    assert (case.state, case.deferred_why, case.assignee) == ("deferred", "asked the branch", "")


def test_a_second_click_sends_nothing(page: Page, log_in: LogIn) -> None:
    (case,) = doubtful(1)
    log_in(person("steward"))
    page.goto(f"/inbox/{case.id}/")
    ready(page)
    sent = list[str]()
    page.on("request", lambda request: sent.append(request.url) if request.method == "POST" else None)
    page.evaluate(
        "() => { const one = document.querySelector('[data-key=m]'); one.click(); one.click(); one.click(); }"
    )
    expect(page.get_by_text("Merged: ")).to_be_visible()
    assert len(sent) == 1
    assert Decision.objects.count() == 1


def test_many_lines_are_taken_after_a_question(page: Page, log_in: LogIn, screenshot: Take) -> None:
    doubtful(1, 2, 3)
    log_in(person("steward"))
    page.goto("/inbox/?whose=free")
    screenshot(page, "inbox")
    take = page.get_by_role("group", name="The ticked lines").get_by_role("button", name="Take")
    expect(take).to_be_disabled()
    page.get_by_label("Tick all").check()
    expect(page.get_by_text("3 chosen")).to_be_visible()
    take.click()
    expect(page.get_by_role("heading", name="You chose 3 lines. Shall they be taken?")).to_be_visible()
    page.get_by_role("button", name="Yes, all 3").click()
    expect(page.get_by_text("3 taken.")).to_be_visible()
    expect(page.get_by_text("Nothing is free")).to_be_visible()
    page.get_by_role("link", name=re.compile("^Mine")).click()
    expect(page.locator("[data-row]")).to_have_count(3)
    page.locator("[data-row] input").first.check()
    page.get_by_text("Defer…").click()
    page.get_by_label("Because").fill("later")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("Choose a day that is still to come.")
    expect(page.get_by_label("Because")).to_have_value("later")
    assert Case.objects.filter(assignee="user:steward", state="open").count() == 3


def test_without_javascript_a_pair_is_decided_and_taken_back(browser: Browser, hub: str) -> None:
    case, *_ = doubtful(1, systems=("crm", "erp", "billing"))
    person("steward")
    context = browser.new_context(base_url=hub, java_script_enabled=False)
    page = context.new_page()
    page.goto(f"/inbox/{case.id}/")
    page.get_by_label("Username").fill("steward")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("button", name="Take it").click()
    expect(page.get_by_text("You have it until")).to_be_visible()
    boxes = page.locator("[data-side]")
    boxes.nth(1).uncheck()
    boxes.nth(2).uncheck()
    page.get_by_role("button", name="Merge").click()
    expect(page.get_by_role("alert")).to_contain_text("Choose two")
    expect(boxes.nth(0)).to_be_checked()
    expect(boxes.nth(1)).not_to_be_checked()
    page.locator("#decide summary").first.click()
    boxes.nth(1).check()
    page.get_by_label("None of the chosen").fill("cousins")
    page.get_by_role("button", name="Keep apart").click()
    expect(page.get_by_text("Kept apart: ")).to_be_visible()
    page.get_by_role("button", name="Undo", exact=True).click()
    expect(page.get_by_text("Taken back: ")).to_be_visible()
    assert Judgement.objects.filter(superseded_at=None).count() == 0
    context.close()


def test_on_a_phone_nothing_is_wider_than_the_screen_and_the_bar_is_in_reach(
    page: Page, log_in: LogIn, screenshot: Take
) -> None:
    case, *_ = doubtful(1, systems=("crm", "erp", "billing"))
    log_in(person("steward"))
    page.set_viewport_size({"width": 390, "height": 800})
    page.goto("/inbox/?whose=team")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    screenshot(page, "inbox-phone")
    page.locator("[data-row] a").first.click()
    ready(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    screenshot(page, "review-phone")
    merge = page.get_by_role("button", name="Merge")
    expect(merge).to_be_in_viewport(ratio=1)
    box, navigation = merge.bounding_box(), page.locator("nav.side").bounding_box()
    assert box is not None
    assert navigation is not None
    assert box["y"] + box["height"] <= navigation["y"], "the bar stands above the navigation"
    merge.click()
    expect(page.get_by_text("Merged: ")).to_be_visible()
    assert Case.objects.filter(state="open").count() == 0
    assert Decision.objects.get().title.count("·") == 2
    case.refresh_from_db()
    assert case.closed_by == "user:steward"


@pytest.mark.parametrize("looks", TOGETHER)
def test_the_inbox_and_the_review_are_for_everybody(browser: Browser, hub: str, looks: Sequence[Look]) -> None:
    demo()
    doubtful(1, 2, systems=("crm", "erp", "billing"))
    groups = Case.objects.filter(kind="match").order_by("group_key", "id").distinct("group_key")
    some = [f"/inbox/{case.id}/" for case in groups]
    large = next(c for c in groups if Case.objects.filter(group_key=c.group_key).count() > 2)
    cases.claim(case=groups[0].id, act=BEA)
    cases.assign(case=groups[1].id, to="user:steward", act=BEA)
    pages = [
        "/inbox/?whose=team",
        "/inbox/?whose=all",
        "/inbox/?whose=mine&kind=change",
        f"/inbox/{large.id}/",
        *some[:4],
    ]
    wrong = look_at(browser, hub, pages, looks, "steward")
    wrong += look_at(browser, hub, ["/inbox/?whose=team", some[0]], looks, "viewer")
    decided_by_bea(large)
    pages = [f"/inbox/{large.id}/", "/inbox/?state=closed"]
    assert wrong + look_at(browser, hub, pages, looks, "steward") == []
