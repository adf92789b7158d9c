"""The house stands as it was drawn: imports and foreign keys point one way, files are short, nothing calls outside."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from django.apps import apps
from django.db.models import Field
from importlinter import cli

from mdmhub.env import BASE_DIR, reference

ORDER = ["common", "accounts", "events", "policies", "customers", "matching", "connectors", "workflows", "stewardship"]
"""From the lowest room to the highest; accounts and events stand side by side."""

PURE = {
    "customers": ("canonical", "schema", "survivorship", "quality"),
    "matching": (
        "standardise", "blocking", "comparisons", "comparison", "scoring", "decide", "clusters", "training", "engine",
        "name_score", "names", "text", "features", "encoded", "hashing", "frequencies", "rarity", "pairs", "partition",
        "parameters", "explain", "resolving", "many_processes", "labels", "evaluation",
        "letters", "sounds", "side_by_side", "over_link", "words", "came_together", "merge_vetoes",
    ),
    "connectors": ("contract", "mapping", "planning", "backoff"),
    "workflows": ("definitions",),
    "stewardship": ("sla",),
}  # fmt: skip
LINES = 400
OUTSIDE = re.compile(r"""(?:src|href|action|url)\s*[=(]\s*["']?(?:https?:)?//(?!{{)[\w.-]+""", re.IGNORECASE)


def sources(suffix: str, *roots: str) -> list[Path]:
    found = [path for root in roots for path in (BASE_DIR / root).rglob(f"*{suffix}")]
    return [path for path in found if "vendor" not in path.parts and "migrations" not in path.parts]


def test_imports_point_one_way() -> None:
    assert cli.lint_imports(config_filename=str(BASE_DIR / "pyproject.toml"), no_cache=True) == 0


def test_every_pure_module_is_under_contract() -> None:
    """A module is pure by its name (architecture, "Rooms"); the contract must list it."""
    contracts = tomllib.loads((BASE_DIR / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    listed = next(set(contract["source_modules"]) for contract in contracts if "Pure modules" in contract["name"])
    found = {
        f"apps.{app}.{path.stem}"
        for app, names in PURE.items()
        for path in (BASE_DIR / "apps" / app).glob("*.py")
        if any(path.stem == name or path.stem.startswith(f"{name}_") for name in names)
    }
    assert found - listed == set(), "pure by name, not in the contract"
    assert listed - found == set(), "in the contract, but no such pure module"


def test_foreign_keys_point_down() -> None:
    """The linter does not see string references."""
    rank = {label: ORDER.index(label) for label in ORDER} | {"accounts": 1, "events": 1}
    wrong = []
    for model in apps.get_models():
        if model._meta.app_label not in rank:
            continue
        for field in (*model._meta.get_fields(), *model._meta.many_to_many):
            if not isinstance(field, Field) or not field.is_relation or field.related_model is None:
                continue
            assert not isinstance(field.related_model, str), "every model is loaded, so every name is resolved"
            target = field.related_model._meta.app_label
            if target in rank and target != model._meta.app_label and rank[target] >= rank[model._meta.app_label]:
                wrong.append(f"{model._meta.label}.{field.name} points at {field.related_model._meta.label}")
    assert wrong == []


def test_no_file_is_long() -> None:
    code = sources(".py", "apps", "mdmhub", "tests", "benchmarks")
    code += sources(".html", "templates") + sources(".js", "static")
    lengths = {str(path.relative_to(BASE_DIR)): len(path.read_text().splitlines()) for path in code}
    assert {path: lines for path, lines in lengths.items() if lines > LINES} == {}


def test_no_file_is_named_after_nothing() -> None:
    names = {"utils.py", "helpers.py", "misc.py", "manager.py", "managers.py"}
    assert [str(path) for path in sources(".py", "apps", "mdmhub") if path.name in names] == []


def test_no_template_names_an_outside_host() -> None:
    wrong = [
        f"{path.relative_to(BASE_DIR)}: {found.group()}"
        for path in sources(".html", "templates", "apps") + sources(".css", "static") + sources(".js", "static")
        for found in OUTSIDE.finditer(path.read_text())
    ]
    assert wrong == []


def test_the_configuration_page_is_up_to_date() -> None:
    """The page's table is what `mdmhub.env.reference()` makes of the settings themselves."""
    assert reference() in (BASE_DIR / "docs" / "reference" / "configuration.md").read_text()


@pytest.mark.slow
def test_a_pure_module_loads_without_any_framework() -> None:
    """Really tried: import every pure module and look at what came with it."""
    contracts = tomllib.loads((BASE_DIR / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    modules = next(contract["source_modules"] for contract in contracts if "Pure modules" in contract["name"])
    program = (
        f"import importlib, sys; [importlib.import_module(name) for name in {modules!r}]\n"
        "print([name for name in ('django', 'celery', 'psycopg') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=BASE_DIR)
    assert done.stdout.strip() == "[]"
