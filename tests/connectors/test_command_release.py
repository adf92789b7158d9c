"""manage.py release: an initial load is told when somebody says so, and not before."""

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from apps.common.act import Act
from apps.common.ids import uuid7
from apps.connectors import release, runs
from apps.connectors.models import Delivery
from apps.customers.models import Customer, System
from tests import outward, pipeline

pytestmark = pytest.mark.django_db(transaction=True)
QUIET = Act("hub:test", "initial load", quiet=True)


@pytest.fixture(autouse=True)
def _clean() -> None:
    pipeline.empty()
    pipeline.systems()


def run(*args: str) -> Any:
    out = StringIO()
    call_command("release", *args, "--json", stdout=out)
    return json.loads(out.getvalue())


def test_a_quiet_load_is_told_when_it_is_released(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(release, "BATCH", 2)
    with outward.target("crm", tmp_path / "crm.db") as (far, _):
        pipeline.take("erp", *(pipeline.person(n) for n in range(5)), act=QUIET)
        outward.settle()
        assert (Delivery.objects.count(), far.records()) == (0, [])
        assert run("--dry-run") == {"released": 0, "left": 5, "dry_run": True}
        assert Customer.objects.filter(released=True).count() == 0
        assert run() == {"released": 5, "left": 0, "dry_run": False}
        assert Customer.objects.filter(released=False).count() == 0
        outward.settle()
        assert len(far.records()) == 5
        assert run() == {"released": 0, "left": 0, "dry_run": False}
        assert pipeline.broken() == []


def test_of_one_system(tmp_path: Path) -> None:
    pipeline.take("erp", pipeline.person(1), act=QUIET)
    pipeline.take("billing", pipeline.person(2), act=QUIET)
    assert run("--system", "billing")["released"] == 1
    assert Customer.objects.get(released=True).id == pipeline.where()["billing:P2"]
    with pytest.raises(CommandError, match="no system nowhere"):
        run("--system", "nowhere")


def test_of_one_run(tmp_path: Path) -> None:
    pipeline.take("erp", pipeline.person(9), act=QUIET)
    made = []
    for number in (1, 2):
        body = json.dumps([pipeline.person(number)]).encode()
        one = runs.create_api_run(system=System.objects.get(code="erp"), body=body, act=QUIET, quiet=True)
        assert one is not None
        runs.claim(one.id)
        runs.execute(one.id)
        made.append(one.id)
    assert run("--run", str(made[0]), "--dry-run")["left"] == 1
    assert run("--run", str(made[0]))["released"] == 1
    assert Customer.objects.get(released=True).id == pipeline.where()["erp:P1"]
    with pytest.raises(CommandError, match="no run"):
        run("--run", str(uuid7()))
    with pytest.raises(CommandError):
        run("--run", str(made[0]), "--system", "erp")


def test_broken_off_it_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(release, "BATCH", 2)
    pipeline.take("erp", *(pipeline.person(n) for n in range(5)), act=QUIET)

    def stop(told: release.Released) -> None:
        if told.done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        release.release(act=Act("hub:test", "go"), on_progress=stop)
    assert Customer.objects.filter(released=True).count() == 4
    assert run()["released"] == 1


def test_progress_and_result_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    pipeline.take("erp", pipeline.person(1), act=QUIET)
    out = StringIO()
    call_command("release", stdout=out)
    assert "1 customers released" in out.getvalue()
    assert "1 of 1 customers" in capsys.readouterr().err
