"""manage.py unmerge: looked at, asked for, carried out, taken back; what it cannot do is told, and the exit code tells."""

import json
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.core.management import CommandError, call_command

from apps.common.ids import uuid7
from apps.connectors import runs
from apps.connectors.models import Delivery, Run
from apps.customers.models import Customer, Judgement, SourceRecord
from apps.matching import judge
from apps.matching.model import active_model
from apps.stewardship.models import Case
from tests import outward, pipeline
from tests.pipeline import alice, person

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def hub() -> None:
    pipeline.empty()
    pipeline.systems()


def run_of(system: str, *items: dict[str, Any]) -> Run:
    """A real run over a large call's body."""
    body = json.dumps(items).encode()
    made = runs.create_api_run(system=pipeline.systems()[system], body=body, act=alice())
    assert made is not None
    assert runs.claim(made.id) == made.id
    done = runs.execute(made.id)
    assert done.state == "succeeded", done.error
    pipeline.drain_all()
    return done


def unmerge(**options: Any) -> str:
    out = StringIO()
    call_command("unmerge", stdout=out, **options)
    return out.getvalue()


def told(**options: Any) -> dict[str, Any]:
    return dict(json.loads(unmerge(json=True, **options)))


def state() -> list[Any]:
    """Everything a dry run must leave as it was."""
    return [
        sorted(Customer.objects.values_list("id", "version", "active", "name")),
        sorted(SourceRecord.objects.values_list("id", "customer_id")),
        sorted(Judgement.objects.values_list("id", "superseded_at")),
        sorted(Delivery.objects.values_list("id", "state")),
        sorted(Case.objects.values_list("id", "state")),
        pipeline.one("SELECT count(*) FROM event"),
    ]


def test_a_run_is_looked_at_taken_apart_and_taken_back(tmp_path: Path) -> None:
    outward.policy(crm={"creates": ["person"]})
    with outward.target("crm", tmp_path / "crm.db", live=False):
        pipeline.take("crm", person(1), person(2), person(3))
        run = run_of("erp", person(1), person(2, city="Ulm"))
        outward.settle()
        before, where = state(), pipeline.where()
        shown = told(run=run.id, dry_run=True)
        assert state() == before
        assert (shown["customers"], shown["records"], shown["into"], shown["left"]) == (2, 4, 4, {})
        assert shown["targets"]["crm"]["create"] == 2
        (second,) = (item for item in shown["items"] if item["customer"] == str(where["crm:P2"]))
        assert [r["fate"] for r in second["results"]] == ["stays", "new"]
        assert [[ref["system"] for ref in r["records"]] for r in second["results"]] == [["crm"], ["erp"]]
        assert "create" in [message["op"] for message in second["told"]]
        text = unmerge(run=run.id, dry_run=True)
        assert "2 customers of 4 records would be 4 customers." in text
        assert "Nothing was written." in text
        assert "crm would be told: create, planned only" in text

        done = told(run=run.id, yes=True, reason="the file was wrong")
        assert [len(item["into"]) for item in done["items"]] == [2, 2]
        assert len(pipeline.partition()) == 5
        assert set(Judgement.objects.values_list("actor", "reason")) == {("command:unmerge", "the file was wrong")}
        assert "Nothing that still stands was joined by it." in unmerge(run=run.id, yes=True)
        assert told(undo=UUID(done["correlation_id"])) == {"undone": done["correlation_id"], "customers": 2}
        assert pipeline.where() == where
    assert pipeline.broken() == []


def test_a_model_and_a_time_and_some_customers_only() -> None:
    pipeline.take("crm", person(1), person(2))
    pipeline.take("erp", person(1), person(2))
    where = pipeline.where()
    hash_ = active_model().model.hash
    shown = told(model=hash_, dry_run=True)
    assert shown["customers"] == 2
    assert told(model=hash_, customer=[where["crm:P2"]], dry_run=True)["customers"] == 1
    assert told(model=hash_, limit=1, dry_run=True)["customers"] == 1
    out = StringIO()
    call_command(
        "unmerge", "--since", "2026-01-01T00:00:00Z", "--until", "2026-01-02T00:00:00+01:00", "--yes", stdout=out
    )
    assert "Nothing that still stands" in out.getvalue()
    act = uuid7()
    for _ in range(2):
        assert told(model=hash_, limit=1, yes=True, act=act)["customers"] == 1
    assert len(pipeline.partition()) == 4
    unmerge(undo=act)
    assert pipeline.where() == where


def test_it_asks_before_it_does_anything() -> None:
    pipeline.take("crm", person(1))
    pipeline.take("erp", person(1))
    before = state()
    with pytest.raises(CommandError, match="1 customers would be taken apart: look at --dry-run, then say --yes"):
        told(model="1")
    assert state() == before


def test_what_is_left_is_told_and_the_exit_code_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    """One customer goes while it is being decided: its cause is printed, the other is taken apart."""
    pipeline.take("crm", person(1), person(2))
    run = run_of("erp", person(1), person(2))
    where, ids = pipeline.where(), pipeline.record_ids()
    out = StringIO()

    def parted_meanwhile(_: str) -> str:
        judge.separate(record_a=ids["crm:P1"], record_b=ids["erp:P1"], act=alice())
        return "y"

    monkeypatch.setattr("builtins.input", parted_meanwhile)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    with pytest.raises(CommandError, match="1 customers could not be taken apart"):
        call_command("unmerge", run=run.id, stdout=out)
    assert f"/customers/{where['crm:P1']}/ is left as it is: Nothing that was asked for" in out.getvalue()
    assert len(pipeline.partition()) == 4


@pytest.mark.parametrize(
    ("options", "cause"),
    [
        ({"run": uuid7()}, "There is no run"),
        ({"model": "0123456789"}, "There is no model"),
        ({"customer": [uuid7()], "model": "1"}, "does not exist"),
        ({}, "Say what is to be undone"),
        ({"limit": 0, "model": "1"}, "--limit must be 1 or more"),
        ({"undo": uuid7()}, "Nothing was decided"),
    ],
    ids=["run", "model", "customer", "nothing", "limit", "undo"],
)
def test_bad_input_is_refused_with_its_cause(options: dict[str, Any], cause: str) -> None:
    active_model()
    with pytest.raises(CommandError, match=cause):
        unmerge(**options)


def test_a_moment_without_an_offset_is_refused() -> None:
    for wrong, cause in (("2026-01-01T00:00:00", "needs an offset"), ("yesterday", "is no moment")):
        with pytest.raises(CommandError, match=cause):
            call_command("unmerge", "--since", wrong, "--dry-run", stdout=StringIO())


def test_two_runs_of_one_correlation_id_cannot_be_told_apart() -> None:
    run = run_of("crm", person(1))
    Run.objects.create(
        kind="api", system=pipeline.systems()["erp"], actor="client:x", correlation_id=run.correlation_id
    )
    with pytest.raises(CommandError, match="same correlation id"):
        unmerge(run=run.id, dry_run=True)
