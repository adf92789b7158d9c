"""Every page, light and dark, wide and narrow: the rules of WCAG 2.2 AA that a machine can check, and nothing wider than the screen."""

from collections.abc import Sequence

import pytest
from playwright.sync_api import Browser

from apps.connectors.models import Run
from apps.customers.measure_quality import measure
from apps.customers.measure_stale import measure_stale
from tests import pipeline
from tests.browser.given import TOGETHER, Look, demo, largest
from tests.browser.look import look_at


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
        "/", "/customers/", "/customers/?q=muller", "/customers/?q=nobodyatall", "/doubts/", "/systems/", "/systems/trust/", "/preferences/", "/imports/",
        "/imports/new/", f"/imports/{run.id}/", "/quarantine/", "/quarantine/?state=discarded", f"/quarantine/{row}/", own,
        f"{own}sources/", f"{own}records/{record}/", f"{own}lineage/", f"{own}history/", f"{own}history/compare/?a=1&b=2", f"{own}matches/",
        f"{own}joins/", "/quality/", "/quality/stale/contact_points/",
        "/accounts/2fa/", "/accounts/password/change/", "/accounts/logout/",
    ]  # fmt: skip


@pytest.mark.parametrize("looks", TOGETHER)
def test_every_page_is_for_everybody(browser: Browser, hub: str, looks: Sequence[Look]) -> None:
    demo()
    measure()
    measure_stale()
    outside = look_at(browser, hub, ["/accounts/login/"], looks, role=None)
    assert outside + look_at(browser, hub, addresses(), looks, "admin") == []
