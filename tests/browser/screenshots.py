"""Pictures for the documentation. `SCREENSHOTS=docs/images pytest -m browser` renews them; otherwise they go to the test's folder."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page

MOST_BYTES = 200_000


@pytest.fixture
def screenshot(tmp_path: Path) -> Callable[[Page, str], Path]:
    """Takes a picture of what is in view; every picture is small enough to be kept beside the text."""
    folder = Path(os.environ.get("SCREENSHOTS") or tmp_path)

    def take(page: Page, name: str) -> Path:
        path = folder / f"{name}.png"
        page.wait_for_load_state()  # while a page is on its way nothing on it has the focus
        page.evaluate("document.activeElement.blur()")
        page.screenshot(path=path, animations="disabled")
        assert path.stat().st_size < MOST_BYTES
        return path

    return take
