"""Browser tests: a live hub over real processes and a real Chromium.

`page` fails its test on any Content-Security-Policy violation, console error, page error or answer of 500 and above.
`log_in(user)` gives the browser a session without going through the login form.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.contrib.auth.models import AbstractBaseUser
from django.test import Client
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Playwright, ViewportSize, sync_playwright
from playwright.sync_api import Error as PlaywrightError
from pytest_django.plugin import DjangoDbBlocker

from tests import chromium
from tests.live import live_hub

ARGUMENTS = [
    "--headless",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
]
VIOLATIONS = """
window.__violations = [];
document.addEventListener("securitypolicyviolation", (event) => {
    const where = `${event.sourceFile}:${event.lineNumber}`;
    window.__violations.push(`${event.violatedDirective}: ${event.blockedURI} at ${where}`);
});
"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def chromium_path() -> Path:
    found = chromium.find()
    if found is None:
        pytest.skip(f"no Chromium: {chromium.HOW}")
    return found


@pytest.fixture(scope="session")
def playwright_driver() -> Iterator[Playwright]:
    # Playwright's synchronous interface runs an event loop in this thread, and Django would refuse its database to it.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as driver:
        yield driver


@pytest.fixture(scope="session")
def browser(playwright_driver: Playwright, chromium_path: Path) -> Iterator[Browser]:
    opened = launch(playwright_driver, chromium_path)
    yield opened
    opened.close()


def launch(driver: Playwright, program: Path) -> Browser:
    """Start the browser, without its sandbox where there can be none: for root, and in containers without namespaces.
    It visits the hub's own pages only."""
    try:
        unboxed = ["--no-sandbox"] if os.geteuid() == 0 else []
        return driver.chromium.launch(executable_path=str(program), headless=True, args=[*ARGUMENTS, *unboxed])
    except PlaywrightError as error:
        if "sandbox" not in str(error).lower():
            raise
        return driver.chromium.launch(executable_path=str(program), headless=True, args=[*ARGUMENTS, "--no-sandbox"])


@pytest.fixture(scope="session")
def web(
    django_db_setup: None, django_db_blocker: DjangoDbBlocker, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """Address of a live hub on the database of this process's tests, one for all of them."""
    with django_db_blocker.unblock(), live_hub(tmp_path_factory.mktemp("web") / "web.log") as url:
        yield url


@pytest.fixture
def hub(transactional_db: None, web: str) -> str:
    """Address of a live hub on this test's database."""
    return web


@pytest.fixture
def context(browser: Browser, hub: str) -> Iterator[BrowserContext]:
    screen = ViewportSize(width=1280, height=900)
    opened = browser.new_context(base_url=hub, viewport=screen, locale="en-GB", timezone_id="UTC")
    opened.add_init_script(VIOLATIONS)
    yield opened
    opened.close()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    faults: list[str] = []
    opened = context.new_page()
    watch(opened, faults)
    yield opened
    faults += violations(opened)
    assert not faults, "the browser complained:\n" + "\n".join(faults)


def violations(page: Page) -> list[str]:
    """What the page's Content-Security-Policy has stopped since the last navigation."""
    return [] if page.is_closed() else [f"policy: {text}" for text in page.evaluate("window.__violations || []")]


def _told(note: ConsoleMessage) -> str:
    return f"console: {note.text} ({note.location.get('url', '')})"


def watch(page: Page, faults: list[str]) -> None:
    """Write down whatever the browser complains about on this page, over all its navigations."""
    page.on("pageerror", lambda error: faults.append(f"script error: {error}"))
    page.on("console", lambda note: faults.append(_told(note)) if note.type == "error" else None)
    page.on("response", lambda answer: faults.append(f"{answer.status} {answer.url}") if answer.status >= 500 else None)


@pytest.fixture
def log_in(context: BrowserContext, hub: str) -> Callable[[AbstractBaseUser], None]:
    """Give the browser a session of this user."""

    def enter(user: AbstractBaseUser) -> None:
        client = Client()
        client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
        (cookie,) = (morsel for name, morsel in client.cookies.items() if "session" in name)
        context.add_cookies([{"name": cookie.key, "value": cookie.value, "url": hub}])

    return enter
