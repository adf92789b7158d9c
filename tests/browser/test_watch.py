"""The watch over the browser really sees what it is there for."""

from collections.abc import Callable

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser
from playwright.sync_api import BrowserContext, Page

from tests.browser.conftest import violations, watch


def test_the_log_in_page_is_clean(page: Page) -> None:
    page.goto("/accounts/login/")
    assert page.locator("input[name=login]").count() == 1


def test_a_session_opens_without_the_form(page: Page, log_in: Callable[[AbstractBaseUser], None]) -> None:
    log_in(get_user_model().objects.create_superuser("boss", roles=["admin"]))
    page.goto("/admin/")
    assert page.locator("#user-tools").count() == 1


@pytest.mark.parametrize(
    ("script", "directive"),
    [
        ("const s = document.createElement('script'); s.textContent = '1'; document.body.append(s)", "script-src"),
        ("document.body.setAttribute('style', 'color: red')", "style-src"),
        ("document.body.append(Object.assign(new Image(), {src: 'https://example.org/x.png'}))", "img-src"),
    ],
    ids=["script", "style", "image"],
)
def test_what_the_policy_forbids_is_seen(context: BrowserContext, script: str, directive: str) -> None:
    page = context.new_page()
    page.goto("/accounts/login/")
    page.evaluate(script)
    page.wait_for_function("window.__violations.length > 0")
    assert directive in violations(page)[0]


def test_errors_of_scripts_and_missing_files_are_seen(context: BrowserContext) -> None:
    faults: list[str] = []
    page = context.new_page()
    watch(page, faults)
    page.goto("/accounts/login/")
    page.evaluate("setTimeout(() => { throw new Error('broken') }); fetch('/no-such-page/')")
    page.wait_for_timeout(500)
    assert any("broken" in fault for fault in faults)
    assert any("/no-such-page/" in fault for fault in faults)
