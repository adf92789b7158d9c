"""What every test can rely on: a real PostgreSQL and Valkey of the run's own; in CI a skip is a failure."""

import gc
import os
from collections.abc import Iterator
from typing import Any

import hypothesis
import pytest

from tests import own_home

gc.set_threshold(100_000, 50, 100)  # the default looks through all that a test run holds every few hundred objects
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
hypothesis.settings.register_profile("laptop", deadline=None)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "laptop")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what uses the database, by whatever way, so that those tests can be run on another server alone.

    Tests with a fleet of their own wait for one another: they stand together at the beginning, so that one process works them off
    while the others do the rest, and none of them is what everybody waits for at the end."""
    items.sort(key=lambda item: not item.nodeid.startswith("tests/faults/"))
    for item in items:
        if item.get_closest_marker("django_db") or {"db", "transactional_db"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.database)
        if item.get_closest_marker("slow"):
            item.add_marker(pytest.mark.timeout(4 * 3600))


@pytest.fixture(scope="session", autouse=True)
def _emptied_fast() -> Iterator[None]:
    """Several hundred tests commit: what they leave is deleted row by row, where it is not a whole preloaded hub."""
    from django.test import TransactionTestCase

    from tests import emptying, preloaded

    if preloaded.wanted():
        yield
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", emptying.fast(TransactionTestCase._fixture_teardown))
        yield


def pytest_unconfigure() -> None:
    own_home.leave()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[Any]:
    """In CI a skipped test fails: what is not run there is not known to work."""
    report = yield
    if report.skipped and os.environ.get("CI") == "true" and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, and CI=true allows no skip: {report.longrepr}"
    return report
