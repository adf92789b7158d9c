"""The page that describes the API works under the hub's strict Content-Security-Policy."""

import pytest
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_description_is_a_page_that_opens(page: Page, hub: str) -> None:
    page.goto(f"{hub}/api/docs/")
    expect(page.get_by_role("heading", name="MDM hub")).to_be_visible()
    operation = page.locator("#operations-customers-search_customers")
    expect(operation).to_be_visible()
    operation.get_by_role("button").first.click()
    expect(operation.get_by_text("Find customers by anything")).to_be_visible()
