"""The demo's stories, solved in a real browser by whoever's work it is: looked at, kept apart, taken back, approved, a hundred in a row."""

import csv
import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlencode
from uuid import UUID

import pytest
from django.contrib.auth.models import AbstractBaseUser
from playwright.sync_api import Page, expect

from apps.accounts.models import User
from apps.connectors.sandbox.running import Far
from apps.customers.models import ChangeRequest, Customer, Judgement
from apps.stewardship import cases
from apps.stewardship.models import Case, Decision
from mdmhub.demo.stories import story_records
from tests import outward, pipeline
from tests.browser.given import demo, person, told, worker
from tests.browser.screenshots import screenshot
from tests.browser.test_review import ready
from tests.browser.test_sync import far, take_live
from tests.stewardship.given_cases import doubtful

__all__ = ["far", "screenshot"]

LogIn = Callable[[AbstractBaseUser], None]
Take = Callable[[Page, str], Path]
ITEMS = {record.item["record_id"]: record.item for record in story_records()}
KESTREL = ("S-0101", "S-0102", "S-0103")
FATHER, SON = ("crm:S-0201", "erp:S-0202"), ("crm:S-0203", "support:S-0204")
MATHILDE, MARGAUX = ("crm:S-1001", "support:S-1003"), ("crm:S-1002", "billing:S-1004")


@pytest.fixture(autouse=True)
def _clean(hub: str) -> None:
    pipeline.empty()


def together(*records: str) -> set[UUID]:
    """The customers that these records belong to."""
    where = pipeline.where()
    return {where[record] for record in records}


def look_up(page: Page, text: str) -> None:
    """Types into the search field of whatever page it is."""
    page.wait_for_load_state()
    page.keyboard.press("/")
    page.keyboard.type(text)
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(re.escape(urlencode({"q": text}))))


def open_from_inbox(page: Page, title: re.Pattern[str]) -> None:
    """The one line of the inbox with this title, open for decision."""
    page.goto("/inbox/?whose=team")
    page.get_by_role("region", name="Cases").get_by_role("link", name=title).click()
    ready(page)


def tab(page: Page, name: str) -> None:
    page.get_by_role("navigation", name="Customer").get_by_role("link", name=name).click()
    page.wait_for_load_state()


# ── one company under three names ───────────────────────────────────────────────────────────────────────────────────
def test_a_company_is_found_under_each_of_its_names_and_says_why_it_is_one(page: Page, log_in: LogIn) -> None:
    demo()
    names = [ITEMS[record]["organization_name"] for record in KESTREL]
    log_in(person("steward"))
    page.goto("/")
    for name in names:
        found(page, name)
    page.get_by_role("region", name="Results").get_by_role("link").first.click()

    tab(page, "Sources")
    grid = page.get_by_role("region", name="Sources side by side, scrollable")
    said = grid.get_by_role("row", name=re.compile("^Organisation name"))
    for record, name in zip(KESTREL, names, strict=True):
        expect(grid.get_by_role("columnheader", name=re.compile(record))).to_be_visible()
        expect(said.get_by_text(name).first).to_be_visible()

    tab(page, "Matches")
    pairs = page.get_by_role("region", name="Why these records are one customer").locator("details.pair")
    assert pairs.count() >= 2, "three records hang together by two pairs or more"
    for number in range(pairs.count()):
        pairs.nth(number).locator("summary").click()
        settled = pairs.nth(number).get_by_role("row", name=re.compile("^Identifier"))
        expect(settled).to_contain_text("684159308")
        expect(settled.get_by_role("cell").nth(3)).to_contain_text("+")


def found(page: Page, name: str) -> None:
    """The company under three names is what the search finds first under this one."""
    look_up(page, name)
    first = page.get_by_role("region", name="Results").get_by_role("link").first
    expect(first).to_have_attribute("href", f"/customers/{told('One company under three names')}/")


# ── father and son ──────────────────────────────────────────────────────────────────────────────────────────────────
def test_father_and_son_are_kept_apart_whatever_arrives_afterwards(
    page: Page, log_in: LogIn, tmp_path: Path, screenshot: Take
) -> None:
    demo()
    cases.refresh()  # as beat does every few seconds
    assert not together(*FATHER) & together(*SON)
    log_in(person("steward"))
    page.goto("/inbox/?whose=team")
    screenshot(page, "story-inbox")
    open_from_inbox(page, re.compile("Calloway", re.IGNORECASE))
    case = page.url
    expect(page.get_by_text("hard evidence").first).to_be_visible()
    screenshot(page, "story-review")
    page.keyboard.press("n")
    page.keyboard.type("Parent and child with the same name")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Kept apart: ")).to_be_visible()
    page.goto(case)
    expect(page.get_by_text("This case is closed by steward.")).to_be_visible()
    expect(page.get_by_text("They were kept apart.")).to_be_visible()
    page.goto("/inbox/?whose=team")
    expect(page.get_by_role("heading", name="Inbox")).to_be_visible()
    expect(page.get_by_role("link", name=re.compile("Calloway", re.IGNORECASE))).to_have_count(0)

    arrive(page, log_in, tmp_path)
    assert len(together(*FATHER, "support:S-0205")) == 1, "whoever wrote from the father's mailbox is the father"
    assert not together(*FATHER, "support:S-0205") & together(*SON)

    # It was the steward's word that held: without it the mistaken birth date makes the son's record the father's.
    log_in(person("steward"))
    open_from_inbox(page, re.compile("Holtkamp"))
    page.keyboard.press("u")
    expect(page.get_by_text("Taken back: ")).to_be_visible()
    assert len(together(*FATHER, "support:S-0204")) == 1


def arrive(page: Page, log_in: LogIn, folder: Path) -> None:
    """A file of the support desk: somebody has noted the father's birth date at the son, and the father has written for the first time."""
    born, mail = ITEMS["S-0201"]["birth_date"], ITEMS["S-0201"]["email"]
    later = {"source_updated_at": "2025-06-01T08:00:00Z"}
    mistaken = {**ITEMS["S-0204"], **later, "birth_date": born}
    new = {**mistaken, "record_id": "S-0205", "given_name": "Robert", "birth_date": "", "email": mail}
    file = folder / "support.csv"
    with file.open("w", newline="", encoding="utf-8") as written:
        table = csv.DictWriter(written, list(mistaken))
        table.writeheader()
        table.writerows([mistaken, new])
    log_in(person("integrator"))
    page.goto("/imports/new/")
    page.get_by_label("Which system").select_option(label="Support desk (support)")
    page.locator("input[type=file]").set_input_files(file)
    page.get_by_role("button", name="Upload and look at it").click()
    expect(page.locator("#preview")).to_contain_text("all of the first 2 can be read")
    page.get_by_role("button", name="Run the import").click()
    with worker(folder / "worker.log"):
        expect(page.get_by_role("heading", name="What became of them")).to_be_visible(timeout=60_000)
    expect(page.locator(".sum")).to_have_text(re.compile(r"2 in.*2 linked.*0 quarantined", re.DOTALL))


# ── a wrong merge ───────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_wrong_merge_is_undone_at_once_and_taken_apart_later(
    page: Page, log_in: LogIn, far: Far, screenshot: Take
) -> None:
    take_live()
    cases.refresh()
    before, held = pipeline.where(), in_the_crm(far)
    log_in(person("steward"))
    merge_the_twins(page)
    assert len(together(*MATHILDE, *MARGAUX)) == 1
    outward.settle(rounds=60)
    assert in_the_crm(far) != held
    page.keyboard.press("u")
    expect(page.get_by_text("Taken back: ")).to_be_visible()
    assert pipeline.where() == before, "every record is with the customer it was with, under the old id"

    outward.settle(rounds=60)
    assert in_the_crm(far) == held

    merge_the_twins(page)
    outward.settle(rounds=60)
    look_up(page, "S-1001")
    page.get_by_role("region", name="Results").get_by_role("link").first.click()
    tab(page, "Sources")
    page.keyboard.press("u")
    expect(page.get_by_role("heading", name="Take records out")).to_be_visible()
    page.wait_for_load_state()
    for record in MARGAUX:
        page.get_by_label(re.compile(record.partition(":")[2])).check()
    page.keyboard.press("p")
    expect(page.get_by_role("heading", name="What it comes to")).to_be_visible()
    expect(page.get_by_role("region", name="What targets would be told").locator(".now").first).to_be_visible()
    for fate in ("goes on", "its id lives again"):
        expect(page.get_by_text(fate)).to_be_visible()
    assert len(together(*MATHILDE, *MARGAUX)) == 1, "a preview changes nothing"
    page.get_by_role("heading", name="What it comes to").evaluate(
        "heading => heading.scrollIntoView({behavior: 'instant'})"
    )
    screenshot(page, "unmerge")
    page.get_by_label("Why").fill("Twin sisters")
    page.keyboard.press("Escape")
    page.keyboard.press("d")
    expect(page.get_by_text("The records are taken out.")).to_be_visible()
    assert pipeline.where() == before
    outward.settle(rounds=60)
    assert in_the_crm(far) == held
    page.goto("/inbox/?whose=team")
    expect(page.get_by_role("link", name=re.compile("Holtkamp"))).to_be_visible()
    expect(page.get_by_role("link", name=re.compile("Roussillac"))).to_have_count(0)
    assert list(Decision.objects.order_by("decided_at").values_list("action", "undone_by")) == [
        ("merge", "user:steward"),
        ("merge", ""),
        ("unmerge", ""),
    ]


def in_the_crm(far: Far) -> dict[str, dict[str, object]]:
    """What the CRM says of the twins, without the moment of the last writing and the marks the hub leaves there."""
    twins = [r for r in far.records() if r["LastName"] in ("Roussillac", "ROUSSILLAC")]
    fields = [
        name for name in twins[0] if name[0].isupper() and name != "SystemModstamp" and not name.startswith("MDM_")
    ]
    return {str(r["Id"]): {name: r[name] for name in fields} for r in twins}


def merge_the_twins(page: Page) -> None:
    open_from_inbox(page, re.compile("Roussillac"))
    page.keyboard.press("m")
    expect(page.get_by_text("Merged: ")).to_be_visible()
    ready(page)  # the next case is open, and takes letters


# ── a value that two people have to agree on ────────────────────────────────────────────────────────────────────────
def test_a_pinned_value_waits_for_somebody_who_did_not_propose_it(page: Page, log_in: LogIn, screenshot: Take) -> None:
    demo()
    customer = Customer.objects.get(id=told("Two systems that disagree"))
    before = customer.payment_terms
    anna = User.objects.get_or_create(username="anna", defaults={"roles": ["approver"]})[0]
    log_in(anna)
    page.goto(f"/customers/{customer.id}/sources/")
    page.get_by_role("link", name="Pin Payment terms").click()
    page.get_by_role("radio", name="another value").check()
    page.get_by_role("textbox", name="Another value").fill("NET45")
    page.get_by_label("Why").fill("Agreed with their buyer")
    page.get_by_role("button", name="Keep it so").click()
    expect(page.get_by_text("The value is pinned.")).to_be_visible()
    cases.refresh()
    customer.refresh_from_db()
    assert customer.payment_terms == before
    open_change(page)
    expect(page.get_by_text("You proposed this, so a second person has to decide.")).to_be_visible()
    expect(page.get_by_role("button", name="Approve")).to_have_count(0)
    page.wait_for_load_state()
    page.keyboard.press("a")

    log_in(person("approver"))
    open_change(page)
    expect(page.get_by_text("NET45")).to_be_visible()
    screenshot(page, "change")
    page.wait_for_load_state()
    page.keyboard.press("a")
    expect(page.get_by_text("It is decided.")).to_be_visible()
    change = ChangeRequest.objects.get()
    assert (change.state, change.author, change.approver) == ("approved", "user:anna", "user:approver")
    customer.refresh_from_db()
    assert customer.payment_terms == "NET45"


def open_change(page: Page) -> None:
    page.goto("/inbox/?whose=team&kind=change")
    page.get_by_role("region", name="Cases").get_by_role("link", name=re.compile("Waterlinie")).click()
    expect(page.get_by_role("heading", name="What would change")).to_be_visible()


# ── a hundred in a row ──────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("count", [10, pytest.param(100, marks=pytest.mark.slow)])
def test_pairs_are_decided_by_keyboard_alone_none_of_them_twice(page: Page, log_in: LogIn, count: int) -> None:
    opened = {case.id for case in doubtful(*range(count))}
    assert len(opened) == count
    log_in(person("steward"))
    page.goto("/")
    page.wait_for_load_state()
    page.keyboard.press("g")
    page.keyboard.press("n")
    expect(page.get_by_role("heading", name="Inbox")).to_be_visible()
    page.wait_for_load_state()
    page.keyboard.press(".")
    seen = list[str]()
    for number in range(count):
        ready(page)
        seen.append(page.url)
        name = page.get_by_role("heading", level=1).inner_text()
        decide(page, "m" if number % 2 == 0 else "n", name)
    expect(page.get_by_role("heading", name="Inbox")).to_be_visible()
    expect(page.get_by_text("Nothing waits for a person").or_(page.get_by_text("Nothing is yours"))).to_be_visible()

    assert {UUID(url.rstrip("/").rpartition("/")[2]) for url in seen} == opened
    made = list(Decision.objects.order_by("decided_at").values_list("action", flat=True))
    assert made == ["merge", "apart"] * (count // 2)
    assert Decision.objects.values("title").distinct().count() == count
    assert Judgement.objects.filter(origin="person", superseded_at=None).count() == count
    assert set(Case.objects.values_list("state", "closed_by")) == {("closed", "user:steward")}
    sizes = sorted(len(records) for records in pipeline.partition())
    assert sizes == [1] * count + [2] * (count // 2)


def decide(page: Page, key: str, name: str) -> None:
    """Merges the pair, or keeps it apart, and waits until the page that follows says so of this pair."""
    page.keyboard.press(key)
    if key == "n":
        expect(page.get_by_label("None of the chosen")).to_be_focused()
        page.keyboard.type("same name by chance")
        page.keyboard.press("Enter")
    said = "Merged: " if key == "m" else "Kept apart: "
    expect(page.get_by_role("status").filter(has_text=said)).to_contain_text(name)
