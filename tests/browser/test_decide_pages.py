"""Unmerge, pin and approval in Chromium: for everybody, light and dark, and done by keyboard."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Literal

import pytest
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect

from apps.common.act import Act
from apps.common.ids import uuid7
from apps.customers.golden import read_customers
from apps.customers.models import ChangeRequest, Relation
from apps.matching import merge_requests
from apps.matching.unjoin import What
from apps.policies import activate
from apps.stewardship import bulk_unmerges, cases
from apps.stewardship.models import BulkUnmerge, Case
from tests import pipeline
from tests.browser.given import LOOKS, TOGETHER, Look, demo, largest, person
from tests.browser.look import faults_of, look_at, looking
from tests.browser.test_review import LogIn
from tests.stewardship.given_cases import doubtful, vetoed

pytestmark = pytest.mark.django_db(transaction=True)


def proposed() -> ChangeRequest:
    """A change of payment terms that a second person has to approve."""
    drafted = activate.draft(kind="ownership", body={"owners": {}}, note="", act=pipeline.alice())
    activate.activate(policy=drafted.id, act=pipeline.bob())
    known = pipeline.person(901, payment_terms="NET30")
    pipeline.take("crm", known)
    act = Act("user:anna", "renegotiated", correlation_id=uuid7())
    pipeline.take("crm", {**known, "payment_terms": "NET60"}, act=act)
    cases.refresh()
    return ChangeRequest.objects.filter(state="open").latest("opened_at")


def asked_for() -> ChangeRequest:
    """A merge of two with a confirmed tax id each, asked for all the same."""
    customers = [
        pipeline.customer_of("crm", pipeline.person(number, country="DE", tax_id=tax_id))
        for number, tax_id in ((903, "DE136695976"), (904, "DE811569869"))
    ]
    return merge_requests.ask(customers=customers, act=Act("user:anna", "one owner", correlation_id=uuid7()))


def many_apart() -> BulkUnmerge:
    """What was joined today, looked at."""
    what = What(since=timezone.now() - timedelta(days=1))
    row = bulk_unmerges.ask(what=what, title="from today", again=False, act=Act("user:steward", "a wrong column"))
    while bulk_unmerges.work(seconds=30.0):
        pass
    row.refresh_from_db()
    assert row.state == "looked"
    assert row.shown
    return row


def waiting() -> BulkUnmerge:
    """The same, so many that a second person has to say so."""
    row = bulk_unmerges.confirm(id=many_apart().id, act=Act("user:steward", ""))
    assert row.state == "waiting"
    return row


FIRST_VALUE = "SELECT CASE WHEN canonical ? 'family_name' THEN 'family_name' ELSE 'organization_name' END FROM source_record WHERE id = %s"


@pytest.mark.parametrize("looks", TOGETHER)
def test_pages_of_decisions_are_for_everybody(browser: Browser, hub: str, looks: Sequence[Look]) -> None:
    demo()
    customer = largest()
    record = pipeline.one(
        "SELECT id FROM source_record WHERE customer_id = %s AND follows_id IS NULL ORDER BY id LIMIT 1", customer
    )
    change = proposed()
    own = f"/customers/{customer}"
    pipeline.take("crm", pipeline.person(902, country="DE", tax_id="DE111111111"))
    cases.refresh()
    quality = Case.objects.filter(kind="quality").latest("opened_at")
    ignore = f"{own}/records/{record}/ignore/{pipeline.one(FIRST_VALUE, record)}/"
    pages = [
        ignore,
        f"/inbox/quality/{quality.id}/",
        "/inbox/?whose=team&kind=quality",
        f"{own}/unmerge/",
        f"{own}/unmerge/?record={record}",
        f"{own}/pin/website/",
        f"{own}/sources/",
        "/",
    ]
    row = many_apart()
    pages += ["/unmerges/", "/unmerges/new/", f"/unmerges/{row.id}/"]
    pages.append(f"/unmerges/{row.id}/customers/{row.shown[0]['customer']}/")
    wrong = look_at(browser, hub, pages, looks, "steward")
    theirs = [f"/changes/{change.id}/", f"/changes/{asked_for().id}/", f"/unmerges/{waiting().id}/"]
    assert wrong + look_at(browser, hub, theirs, looks, "approver") == []


def test_a_change_is_approved_by_the_second_person_with_a_key(page: Page, log_in: LogIn) -> None:
    pipeline.empty()
    pipeline.systems()
    change = proposed()
    log_in(person("approver"))
    page.goto(f"/changes/{change.id}/")
    expect(page.get_by_text("NET60")).to_be_visible()
    page.keyboard.press("a")
    expect(page.get_by_text("It is decided.")).to_be_visible()
    change.refresh_from_db()
    assert (change.state, change.approver) == ("approved", "user:approver")


def two_languages() -> Case:
    """One person whom CRM and ERP know with another language each; the machine will not decide."""
    pipeline.empty()
    (case,) = doubtful(1)
    for system, language in (("crm", "de"), ("erp", "fr")):
        pipeline.take(system, pipeline.person(1, city=f"City of {system}", language=language))
    return case


@pytest.mark.parametrize(("width", "scheme"), LOOKS)
def test_the_merge_composer_is_for_everybody(
    browser: Browser, hub: str, scheme: Literal["light", "dark"], width: int
) -> None:
    case = two_languages()
    with looking(browser, hub, scheme, width, "steward") as page:
        page.goto(f"/inbox/{case.id}/")
        page.locator("[data-decide][data-ready]").wait_for()
        page.keyboard.press("p")
        expect(page.get_by_role("heading", name="Value by value")).to_be_visible()
        assert faults_of(page) == []


def test_values_are_picked_and_the_column_follows(page: Page, log_in: LogIn) -> None:
    """Without a click on a button in between: what is picked shows at once what the customer becomes."""
    case = two_languages()
    log_in(person("steward"))
    page.goto(f"/inbox/{case.id}/")
    page.locator("[data-decide][data-ready]").wait_for()
    page.keyboard.press("p")
    row = page.locator("tr", has=page.get_by_role("rowheader", name="Language"))
    becomes = row.locator(".becomes strong")
    first = becomes.inner_text()
    other = "German" if first == "French" else "French"
    row.get_by_label(other).check()
    expect(becomes).to_have_text(other)
    expect(row.get_by_text("picked")).to_be_visible()
    website = page.locator("tr", has=page.get_by_role("rowheader", name="Given name"))
    website.get_by_label("your value").fill("Annegret")
    website.get_by_label("your value").press("Tab")
    expect(website.locator(".becomes strong")).to_have_text("Annegret")
    page.get_by_label("Why").fill("asked them")
    page.get_by_role("button", name="Merge 2").click()
    page.wait_for_url("**/inbox/**")
    survivor = pipeline.one("SELECT id FROM customer WHERE active")
    assert read_customers([survivor])[survivor].values["given_name"] == "Annegret"


@pytest.mark.parametrize(("width", "scheme"), LOOKS)
def test_the_composer_with_a_rule_against_it_is_for_everybody(
    browser: Browser, hub: str, scheme: Literal["light", "dark"], width: int
) -> None:
    case = vetoed()
    with looking(browser, hub, scheme, width, "steward") as page:
        page.goto(f"/inbox/{case.id}/")
        page.locator("[data-decide][data-ready]").wait_for()
        page.keyboard.press("m")
        expect(page.get_by_role("heading", name="A rule stands against this merge")).to_be_visible()
        assert faults_of(page) == []
        page.keyboard.press("l")
        expect(page.get_by_text("Linked:")).to_be_visible()
    assert Relation.objects.filter(until=None).count() == 1


def test_a_bulk_unmerge_is_looked_at_done_and_taken_back_by_keyboard(page: Page, log_in: LogIn) -> None:
    pipeline.empty()
    pipeline.systems()
    pipeline.take("crm", pipeline.person(1))
    pipeline.take("erp", pipeline.person(1))
    log_in(person("steward"))
    page.goto("/unmerges/")
    page.keyboard.press("n")
    page.get_by_label("Model", exact=True).select_option(index=1)
    page.get_by_label("Why", exact=True).fill("joined too much")
    page.get_by_label("Why", exact=True).press("Enter")
    expect(page.get_by_text("It begins as soon as a worker is free.")).to_be_visible()
    bulk_unmerges.work(seconds=10.0)
    expect(page.get_by_text("customer of 2 records")).to_be_visible()  # the page asks for itself again
    page.keyboard.press("d")
    expect(page.get_by_text("They are taken apart.")).to_be_visible()
    bulk_unmerges.work(seconds=10.0)
    expect(page.get_by_role("button", name="Take all of it back")).to_be_visible()
    assert len(pipeline.partition()) == 2
    page.get_by_role("button", name="Take all of it back").click()
    expect(page.get_by_text("Taken back: its records are 1 customer now.")).to_be_visible()
    assert len(pipeline.partition()) == 1
