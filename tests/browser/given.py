"""A small hub with the demo's customers, people who look at it, and a worker for what runs in the background."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal
from uuid import UUID

import pytest
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.db import connection
from playwright.sync_api import Page

from apps.accounts.models import User
from mdmhub.demo import load
from mdmhub.demo.generator import STORIES, generate
from tests import pipeline
from tests.live import live_environment

PASSWORD = "correct horse battery"
LOOKS = [
    pytest.param(1280, "light", id="1280-light"),
    pytest.param(390, "dark", id="390-dark"),
    pytest.param(1280, "dark", id="1280-dark", marks=pytest.mark.slow),
    pytest.param(390, "light", id="390-light", marks=pytest.mark.slow),
]
"""Widths and colours in which pages are held against the rules: each once with every change, all four in the long runs."""

Look = tuple[int, Literal["light", "dark"]]
TOGETHER = [
    pytest.param(((1280, "light"), (390, "dark")), id="usual"),
    pytest.param(((1280, "dark"), (390, "light")), id="others", marks=pytest.mark.slow),
]
"""The same for tests that make their pages once and look at them in several ways."""


def person(role: str) -> User:
    """Somebody with this role, whose password is PASSWORD, kept in the form the live hub reads."""
    secret = PBKDF2PasswordHasher().encode(PASSWORD, "salt", iterations=1_000)
    fields = {"roles": [role], "is_staff": role == "admin", "password": secret}
    return User.objects.get_or_create(username=role, defaults=fields)[0]


def demo(customers: int = 90) -> None:
    """The stories of the demo and some more customers, taken in through the same door as anybody's."""
    load.ensure_systems()
    records = [(r.system, r.item) for r in generate(customers, seed=7)]
    pipeline.take_all(records, [250] * (len(records) // 250 + 1))
    pipeline.drain_all()


def largest() -> UUID:
    """The customer with the most records."""
    found: UUID = pipeline.one(
        "SELECT id FROM customer WHERE active ORDER BY member_count DESC, version DESC, id LIMIT 1"
    )
    return found


def told(title: str) -> UUID:
    """The customer that the first record of a story belongs to."""
    system, record = next(story for story in STORIES if story.title == title).records[0]
    return pipeline.where()[f"{system}:{record}"]


def log_in_by_form(page: Page, role: str) -> None:
    """Through the login page, as people do."""
    person(role)
    page.goto("/")
    page.get_by_label("Username").fill(role)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url("**/")


@contextmanager
def worker(log: Path) -> Iterator[None]:
    """A Celery worker on the current test database."""
    command = [
        sys.executable,
        "-m",
        "celery",
        "-A",
        "mdmhub",
        "worker",
        "-Q",
        "interactive,bulk",
        "--pool",
        "solo",
        "--loglevel",
        "INFO",
    ]
    with log.open("ab") as output:
        process = subprocess.Popen(
            command, env=live_environment(str(connection.settings_dict["NAME"])), stdout=output, stderr=output
        )
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
