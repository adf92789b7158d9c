"""Every page, light and dark, wide and narrow: the rules of WCAG 2.2 AA that a machine can check, and nothing wider than the screen."""

from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.test import Client
from playwright.sync_api import Browser, ViewportSize

from apps.connectors.models import Run
from tests import pipeline
from tests.browser.given import LOOKS, demo, largest, person

RULES = {
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
}


def addresses() -> list[str]:
    """Every page of the hub with something on it."""
    customer, record = pipeline.query(
        "SELECT customer_id, id FROM source_record WHERE customer_id = %s LIMIT 1", largest()
    )[0]
    row = pipeline.query("SELECT id FROM quarantine LIMIT 1")[0][0]
    run = Run.objects.create(
        kind="file", system=pipeline.systems()["crm"], state="succeeded", file_name="kunden.csv", actor="user:anna",
        counts={"read": 9, "created": 7, "quarantined": 2}, correlation_id=record,
    )  # fmt: skip
    own = f"/customers/{customer}/"
    return [
        "/", "/customers/", "/customers/?q=muller", "/customers/?q=nobodyatall", "/doubts/", "/systems/", "/preferences/", "/imports/",
        "/imports/new/", f"/imports/{run.id}/", "/quarantine/", "/quarantine/?state=discarded", f"/quarantine/{row}/", own,
        f"{own}sources/", f"{own}records/{record}/", f"{own}lineage/", f"{own}history/", f"{own}history/compare/?a=1&b=2", f"{own}matches/",
        "/accounts/2fa/", "/accounts/password/change/", "/accounts/logout/",
    ]  # fmt: skip


@pytest.mark.parametrize(("width", "scheme"), LOOKS)
def test_every_page_is_for_everybody(browser: Browser, hub: str, scheme: Literal["light", "dark"], width: int) -> None:
    demo()
    pages = addresses()
    client = Client()
    client.force_login(person("admin"), backend="django.contrib.auth.backends.ModelBackend")
    screen = ViewportSize(width=width, height=900)
    context = browser.new_context(base_url=hub, viewport=screen, color_scheme=scheme, bypass_csp=True)
    page, axe = context.new_page(), Axe()
    wrong = []
    for address in ["/accounts/login/", *pages]:
        if address == pages[0]:
            (cookie,) = (m for name, m in client.cookies.items() if "session" in name)
            context.add_cookies([{"name": cookie.key, "value": cookie.value, "url": hub}])
        answer = page.goto(address)
        assert answer is not None
        assert answer.status == 200, address
        page.evaluate("document.querySelectorAll('details:not([data-menu])').forEach((one) => { one.open = true; })")
        found = axe.run(page, options=RULES).response["violations"]
        wrong += [f"{address}: {v['id']}: {v['nodes'][0]['html'][:200]}" for v in found]
        if page.evaluate("document.documentElement.scrollWidth > window.innerWidth + 1"):
            wrong.append(f"{address}: wider than the screen")
    context.close()
    assert wrong == []
