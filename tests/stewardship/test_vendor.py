"""What the browser loads is ours, whole, and allowed by the strict policy."""

import re
from pathlib import Path

import pytest

from mdmhub.env import BASE_DIR
from scripts import vendor

TEMPLATES = sorted((BASE_DIR / "templates").rglob("*.html"))
INLINE = re.compile(
    r"<script(?![^>]*\bsrc=)[^>]*>|<style|\sstyle=|\son[a-z]+=|javascript:|hx-on|hx-vals=['\"]js:", re.IGNORECASE
)


def test_the_fetched_files_are_those_of_the_manifest() -> None:
    assert vendor.faults() == []


def test_a_changed_file_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bootstrap-icons").mkdir()
    (tmp_path / "bootstrap-icons" / "sprite.svg").write_text("<svg/>")
    (tmp_path / "manifest.json").write_text('[{"files": {"bootstrap-icons/sprite.svg": "0", "gone.js": "0"}}]')
    monkeypatch.setattr(vendor, "VENDOR", tmp_path)
    monkeypatch.setattr(vendor, "MANIFEST", tmp_path / "manifest.json")
    found = vendor.faults()
    assert "bootstrap-icons/sprite.svg was changed" in found
    assert "gone.js stands in the manifest but is not there" in found


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: str(path.relative_to(BASE_DIR / "templates")))
def test_no_template_has_a_script_or_a_style_of_its_own(template: Path) -> None:
    assert INLINE.findall(template.read_text()) == []
