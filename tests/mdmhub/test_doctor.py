"""mdmhub.doctor: each check finds its fault and says how to mend it."""

import json
import socket
from io import StringIO
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import call_command

from apps.connectors import connections
from apps.policies.models import Policy
from mdmhub import doctor, embedded
from mdmhub.broker import client
from mdmhub.embedded.home import Home
from mdmhub.env import env
from mdmhub.keys import make_keys
from tests import outward, pipeline


def told(check: doctor.Check) -> list[tuple[str, str]]:
    return [(finding.level, finding.what) for finding in check()]


@pytest.mark.django_db
def test_a_good_machine_has_no_problem() -> None:
    problems = [finding for finding in doctor.examine() if finding.level == "problem"]
    assert problems == []


@pytest.mark.django_db
def test_the_command_speaks_json() -> None:
    out = StringIO()
    call_command("doctor", json=True, stdout=out)
    assert {finding["check"] for finding in json.loads(out.getvalue())} >= set(doctor.CHECKS)


@pytest.mark.django_db
def test_every_finding_that_is_not_ok_says_how_to_mend_it() -> None:
    assert all(finding.mend for finding in doctor.examine() if finding.level != "ok")


@pytest.mark.django_db
def test_a_policy_in_force_that_an_earlier_release_allowed_is_found() -> None:
    assert told(doctor.policies) == [("ok", "all in force can be used")]
    body = {"default": ["trust"], "attributes": {"colour": ["trust"]}}
    Policy.objects.create(
        kind="survivorship", version=7, body=body, hash="0", author="user:a", approver="user:b", state="active"
    )
    ((level, what),) = told(doctor.policies)
    assert level == "problem"
    assert "survivorship" in what
    assert "/attributes/colour" in what


def test_keys_are_a_warning_until_somebody_backs_them_up(tmp_path: Path) -> None:
    home = Home(tmp_path)
    make_keys(home)
    assert not doctor.keys_backed_up(home)
    doctor.note_keys_backed_up(home)
    assert doctor.keys_backed_up(home)
    (home.keys / "field-encryption").write_text("another")
    assert not doctor.keys_backed_up(home), "a new key is not backed up because an older one was"


def test_an_open_key_is_found() -> None:
    key = embedded.home().keys / "django-secret"
    key.chmod(0o644)
    try:
        ((level, what),) = told(doctor.permissions)
    finally:
        key.chmod(0o600)
    assert level == "problem"
    assert str(key) in what
    assert told(doctor.permissions)[0][0] == "ok"


def test_a_busy_port_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        monkeypatch.setattr(doctor, "env", lambda: env().model_copy(update={"PORT": busy.getsockname()[1]}))
        ((level, what),) = told(doctor.port)
    assert level == "warning"
    assert "in use" in what


def test_a_full_disk_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "FREE_BYTES_NEEDED", 10**18)
    assert told(doctor.disk)[0][0] == "problem"


@pytest.mark.django_db
def test_pending_migrations_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "pending_migrations", lambda: ["customers.0009_later"])
    assert told(doctor.migrations) == [("problem", "1 are pending, first customers.0009_later")]


@pytest.mark.django_db
def test_a_wrong_clock_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    real = doctor.time.time
    monkeypatch.setattr(doctor.time, "time", lambda: real() - 60)
    ((level, what),) = told(doctor.clock)
    assert level == "warning"
    assert "+60" in what


@pytest.mark.django_db  # whose first user starts the run's servers, the broker too
def test_a_forgetful_broker_is_found() -> None:
    with client() as broker:
        broker.config_set("appendonly", "no")
        try:
            assert told(doctor.broker)[0][0] == "warning"
        finally:
            broker.config_set("appendonly", "yes")


def test_debug_pages_open_to_the_network_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "DEBUG", True)
    monkeypatch.setattr(doctor, "env", lambda: env().model_copy(update={"HOST": "0.0.0.0"}))
    assert told(doctor.secrets)[0][0] == "problem"


def test_a_wrong_library_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("django==1.0  # why\nno-such-package==2\n")
    monkeypatch.setattr(doctor, "BASE_DIR", tmp_path)
    ((level, what),) = told(doctor.libraries)
    assert level == "problem"
    assert "instead of 1.0" in what
    assert "no-such-package not installed" in what


@pytest.mark.django_db(transaction=True)
def test_a_target_that_needs_a_person_is_found(tmp_path: Path) -> None:
    pipeline.empty()
    assert told(doctor.targets) == []
    with outward.target("crm", tmp_path / "crm.db") as (_, made):
        assert told(doctor.targets) == []
        connections.pause(connection=made.id, act=outward.ALICE)
        connections.switch(stopped=True, act=outward.ALICE)
        assert told(doctor.targets) == [("warning", "nothing leaves the hub: go"), ("warning", "CRM is paused: go")]
