"""manage.py sync: targets from the command line."""

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from apps.connectors import queries
from apps.connectors.models import Circuit, Connection, Delivery, PlanDue
from apps.connectors.sandbox.running import Far
from tests import outward, pipeline

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("empty")]


def run(*args: str) -> Any:
    return json.loads(text(*args, "--json"))


def text(*args: str) -> str:
    out = StringIO()
    call_command("sync", *args, stdout=out)
    return out.getvalue()


def test_status(crm: tuple[Far, Connection]) -> None:
    pipeline.take("erp", pipeline.person(1))
    outward.settle()
    assert run()["targets"][0]["done_hour"] == 1
    facts = run("status")
    assert (facts["stopped"], facts["targets"][0]["name"], facts["targets"][0]["success"]) == (False, "CRM", 1.0)
    line = text().splitlines()[1].split()
    assert line[:4] == ["CRM", "live", "closed", "0"]
    assert line[-1] == "100%"


def test_status_of_a_hub_without_targets() -> None:
    assert "manage.py connect" in text()
    assert run() == {"stopped": False, "reason": "", "targets": []}


def test_pause_and_resume(crm: tuple[Far, Connection]) -> None:
    _, made = crm
    assert run("pause", "crm", "--reason", "inventory", "--dry-run") == {
        "connection": "CRM",
        "mode": "paused",
        "dry_run": True,
    }
    made.refresh_from_db()
    assert made.mode == "live"
    run("pause", "CRM", "--reason", "inventory")
    made.refresh_from_db()
    assert (made.mode, made.paused_reason, made.paused_by) == ("paused", "inventory", "command:sync")
    assert "CRM: inventory" in text()
    with pytest.raises(CommandError, match="not live"):
        run("pause", "crm", "--reason", "again")
    run("resume", "crm", "--guard-hours", "2")
    made.refresh_from_db()
    assert made.mode == "live"
    assert Circuit.objects.get().guard_lifted_until is not None
    with pytest.raises(CommandError, match="no connection"):
        run("pause", "nowhere", "--reason", "x")
    with pytest.raises(CommandError, match="--reason"):
        run("pause", "crm")


def test_stop_and_start(crm: tuple[Far, Connection]) -> None:
    assert run("stop", "--reason", "attack", "--dry-run")["dry_run"]
    assert not queries.switch_state().stopped
    assert run("stop", "--reason", "attack") == {"stopped": True}
    assert queries.switch_state().stopped
    assert "EVERYTHING IS STOPPED by command:sync: attack" in text()
    assert run("start") == {"stopped": False}
    assert not queries.switch_state().stopped


def test_plan(tmp_path: Path) -> None:
    with outward.target("crm", tmp_path / "crm.db", live=False):
        pipeline.take("erp", pipeline.person(1, city="Ulm"))
        outward.settle()
        facts = run("plan", "crm")
        assert (facts["counts"]["create"], facts["samples"][0]["op"]) == (1, "create")
        assert "    City: - -> Ulm" in text("plan", "crm", "--op", "create")
        assert run("plan", "crm", "--op", "merge")["samples"] == []
        assert run("plan", "crm", "--again", "--dry-run") == {"connection": "CRM", "customers": 1, "dry_run": True}
        assert PlanDue.objects.count() == 0
        assert run("plan", "crm", "--again")["customers"] == 1
        assert PlanDue.objects.count() == 1


def test_failures_and_replay(crm: tuple[Far, Connection]) -> None:
    assert text("failures").strip() == "Nothing failed."
    pipeline.take("erp", pipeline.person(1, address_line1="Long Street " * 24, city="Bonn"))
    outward.settle()
    (group,) = run("failures")["groups"]
    assert (group["trouble"], group["count"]) == ("validation", 1)
    assert "1 x CRM validation STRING_TOO_LONG" in text("failures")
    told = ("replay", "crm", "--trouble", "validation")
    assert run(*told, "--dry-run")["count"] == 1
    assert Delivery.objects.get().state == "failed"
    assert run(*told, "--code", "OTHER")["count"] == 0
    assert run(*told, "--since", "2999-01-01")["count"] == 0
    assert run(*told, "--code", "STRING_TOO_LONG", "--reason", "mended there")["count"] == 1
    row = Delivery.objects.get()
    assert (row.state, row.actor, row.reason) == ("waiting", "command:sync", "mended there")
    with pytest.raises(CommandError):
        run("replay", "crm", "--trouble", "nonsense")
