"""A rebuild of all customers begun by the clock and by hand: the nightly run, the dry run, the command."""

import io
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.customers import rebuild_all
from apps.customers import tasks as customers_tasks
from apps.customers.models import RebuildRun
from apps.policies.active import shipped
from apps.policies.models import Policy
from tests import pipeline
from tests.customers.given import customer
from tests.customers.test_rebuild_all import CRM, ERP, activated, draft, finished, told_twice, trusting, websites

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def hub() -> None:
    pipeline.systems()


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches of three."""
    monkeypatch.setattr(rebuild_all, "BATCH", 3)


def command(*arguments: str) -> dict[str, Any]:
    out = io.StringIO()
    call_command("rebuild_customers", *arguments, "--json", stdout=out)
    facts: dict[str, Any] = json.loads(out.getvalue())
    return facts


def decaying() -> Policy:
    decay = {"strategy": "trust", "decay": {"to": 0, "days": 100, "shape": "step"}}
    return draft(attributes={**shipped("survivorship").get("attributes", {}), "website": [decay]})


def test_where_trust_decays_a_run_is_begun_once_a_night() -> None:
    assert rebuild_all.begin_nightly() is None, "the shipped policy asks for no moment"
    activated(decaying())
    assert rebuild_all.begin_nightly() is None, "one is running"
    finished()
    assert rebuild_all.begin_nightly() is None, "one has begun since the hour"
    RebuildRun.objects.update(started_at=datetime.now(UTC) - timedelta(days=1))
    customers_tasks.rebuild_nightly()
    run = rebuild_all.running()
    assert run is not None
    assert (run.reason, run.actor) == ("decay", "hub:rebuild")
    finished()
    assert rebuild_all.begin_nightly() is None


def test_time_alone_changes_values() -> None:
    """The CRM is trusted more and its word is 90 days old; ten days later it counts no more."""
    fresh, old = (datetime.now(UTC) - timedelta(days=days) for days in (1, 90))
    id_ = customer(
        ("crm", pipeline.person(1, website=CRM, source_updated_at=old.isoformat())),
        ("erp", pipeline.person(1, website=ERP, source_updated_at=fresh.isoformat())),
    )
    activated(decaying())
    finished()
    assert websites([id_]) == [CRM]
    pipeline.execute(
        "UPDATE source_record SET source_updated_at = source_updated_at - interval '11 days' WHERE system_id ="
        " (SELECT id FROM system WHERE code = 'crm')"
    )
    RebuildRun.objects.update(started_at=datetime.now(UTC) - timedelta(days=1))
    customers_tasks.rebuild_nightly()
    customers_tasks.rebuild_customers()
    assert RebuildRun.objects.latest("id").written == 1
    assert websites([id_]) == [ERP]
    assert pipeline.broken() == []


def test_the_sweep_asks_one_query_while_nothing_runs() -> None:
    with CaptureQueriesContext(connection) as asked:
        customers_tasks.rebuild_customers()
    assert len(asked) == 1


def test_a_dry_run_says_what_the_run_then_writes(small: None) -> None:
    told_twice(7)
    customer(("crm", pipeline.person(20, website=CRM)))
    policy = trusting("erp", 99)
    before = pipeline.activity()
    assert command("--dry-run")["changes"] == 0, "by the policy in force"
    told = command("--dry-run", "--policy", str(policy.version), "--examples", "4")
    assert (told["customers"], told["changes"], told["silent"], told["held"]) == (8, 7, 0, {})
    assert told["attributes"] == {"website": 7}
    assert (told["policy_hash"], len(told["examples"])) == (policy.hash, 4)
    assert all(e["attributes"] == {"website": {"before": CRM, "after": ERP}} for e in told["examples"])
    assert (pipeline.activity(), RebuildRun.objects.count()) == (before, 0)
    activated(policy)
    run = finished()
    assert (run.done, run.written) == (told["customers"], told["changes"])
    bodies = pipeline.query("SELECT body->'attributes' = '[\"website\"]' FROM event WHERE version = 2")
    assert bodies == [(True,)] * 7


def test_the_command_begins_drives_and_tells() -> None:
    told_twice(2)
    done = command()
    assert (done["reason"], done["state"], done["done"], done["ahead"]) == ("manual", "done", 2, 0)
    left = command("--background")
    assert (left["state"], left["done"], left["ahead"]) == ("running", 0, 2)
    with pytest.raises(CommandError, match="0 done, 2 ahead"):
        command()
    assert command("--restart", "--background")["id"] != left["id"]
    resumed = command("--resume")
    assert (resumed["state"], resumed["done"]) == ("done", 2)
    with pytest.raises(CommandError, match="No run is running"):
        command("--resume")
    with pytest.raises(CommandError, match="goes with --dry-run"):
        command("--policy", "1")
    with pytest.raises(CommandError, match="no survivorship policy 99"):
        command("--dry-run", "--policy", "99")
    assert [run["state"] for run in command("--status")["runs"]] == ["done", "superseded", "done"]


def test_people_read_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    told_twice(1)
    policy = trusting("erp", 99)
    out = io.StringIO()
    call_command("rebuild_customers", "--status", stdout=out)
    call_command("rebuild_customers", "--dry-run", "--policy", str(policy.version), stdout=out)
    activated(policy)
    call_command("rebuild_customers", "--status", stdout=out)
    call_command("rebuild_customers", "--resume", stdout=out)
    text = out.getvalue()
    assert "There has been no run yet." in text
    assert "1 of 1 customers would change" in text
    assert f'website: "{CRM}" → "{ERP}"' in text
    assert "0 done, 0 written, 1 ahead (0 %)" in text
    assert "1 done, 1 written  by user:bob" in text
    assert "1 done, 1 written," in capsys.readouterr().err
