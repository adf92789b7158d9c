"""What is wrong with pages: the rules of WCAG 2.2 AA that a machine can check, and what is wider than the screen."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Literal

from axe_playwright_python.sync_playwright import Axe
from django.test import Client
from playwright.sync_api import Browser, Page, ViewportSize

from tests.browser.given import Look, person

RULES = {
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]},
    "preload": {"assets": ["media"]},  # no rule of these reads style sheets; the one that does is an experiment
    "resultTypes": ["violations"],  # what is well is not told element by element
}


@contextmanager
def looking(
    browser: Browser, hub: str, scheme: Literal["light", "dark"], width: int, role: str | None
) -> Iterator[Page]:
    """A page for somebody of this role (None: nobody), into which the rules may be loaded."""
    screen = ViewportSize(width=width, height=900)
    context = browser.new_context(base_url=hub, viewport=screen, color_scheme=scheme, bypass_csp=True)
    if role is not None:
        client = Client()
        client.force_login(person(role), backend="django.contrib.auth.backends.ModelBackend")
        (cookie,) = (m for name, m in client.cookies.items() if "session" in name)
        context.add_cookies([{"name": cookie.key, "value": cookie.value, "url": hub}])
    yield context.new_page()
    context.close()


def faults_of(page: Page) -> list[str]:
    """What is wrong with a page as it stands, with everything unfolded."""
    page.evaluate("document.querySelectorAll('details:not([data-menu])').forEach((one) => { one.open = true; })")
    found = Axe().run(page, options=RULES).response["violations"]
    wrong = [f"{page.url}: {v['id']}: {v['nodes'][0]['html'][:200]}" for v in found]
    if page.evaluate("document.documentElement.scrollWidth > window.innerWidth + 1"):
        wrong.append(f"{page.url}: wider than the screen")
    return wrong


def look_at(browser: Browser, hub: str, pages: list[str], looks: Sequence[Look], role: str | None) -> list[str]:
    """What is wrong with these pages for somebody of this role (None: nobody), in each width and colour of `looks`."""
    wrong: list[str] = []
    for width, scheme in looks:
        with looking(browser, hub, scheme, width, role) as page:
            for address in pages:
                answer = page.goto(address)
                assert answer is not None
                assert answer.status == 200, address
                wrong += [f"{scheme} {width}: {told}" for told in faults_of(page)]
    return wrong
