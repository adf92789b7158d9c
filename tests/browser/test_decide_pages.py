"""Unmerge, pin and approval in Chromium: for everybody, light and dark, and done by keyboard."""

from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, expect

from apps.common.act import Act
from apps.common.ids import uuid7
from apps.customers.models import ChangeRequest
from apps.policies import activate
from apps.stewardship import cases
from tests import pipeline
from tests.browser.given import LOOKS, demo, largest, person
from tests.browser.look import look_at
from tests.browser.test_review import LogIn

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


@pytest.mark.parametrize(("width", "scheme"), LOOKS)
def test_pages_of_decisions_are_for_everybody(
    browser: Browser, hub: str, scheme: Literal["light", "dark"], width: int
) -> None:
    demo()
    customer = largest()
    record = pipeline.one(
        "SELECT id FROM source_record WHERE customer_id = %s AND follows_id IS NULL ORDER BY id LIMIT 1", customer
    )
    change = proposed()
    own = f"/customers/{customer}"
    pages = [f"{own}/unmerge/", f"{own}/unmerge/?record={record}", f"{own}/pin/website/", f"{own}/sources/", "/"]
    wrong = look_at(browser, hub, pages, scheme, width, "steward")
    assert wrong + look_at(browser, hub, [f"/changes/{change.id}/"], scheme, width, "approver") == []


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
