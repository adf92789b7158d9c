"""Which uploaded files go, and when; what somebody else owns never does."""

import os
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.utils import timezone

from apps.common.act import Act
from apps.common.ids import uuid7
from apps.connectors import runs, tasks, uploaded
from apps.connectors.models import Run
from apps.customers.models import SourceRecord, System
from tests import pipeline

pytestmark = pytest.mark.django_db(transaction=True)
GOOD = "record_id,kind,given_name,family_name\n1,person,Anna,Berg\n"


@pytest.fixture(autouse=True)
def hub(settings: Any, tmp_path: Path) -> Iterator[None]:
    settings.MEDIA_ROOT = tmp_path / "files"
    pipeline.systems()
    pipeline.empty()
    yield
    pipeline.empty()


@pytest.fixture
def upload() -> Callable[..., Path]:
    def keep(content: str = GOOD) -> Path:
        path = runs.uploads() / f"{uuid7()}.csv"
        path.write_text(content)
        return path

    return keep


def queued(path: Path) -> Run:
    system = System.objects.get(code="crm")
    return runs.create_file_run(
        path=path, file_name="kunden.csv", system=system, mapping=None, act=Act("user:integrator")
    )


def age(path: Path, settings: Any, run: Run | None = None) -> None:
    """As old as files are not kept."""
    seconds = settings.UPLOAD_DAYS * 86_400 + 60
    os.utime(path, (time.time() - seconds,) * 2)
    if run is not None:
        Run.objects.filter(id=run.id).update(finished_at=timezone.now() - timedelta(seconds=seconds))


def test_the_file_of_a_run_that_ended_well_goes_with_it(upload: Callable[..., Path]) -> None:
    path = upload()
    run = queued(path)
    tasks.run_jobs()
    run.refresh_from_db()
    assert (run.state, run.counts["created"]) == ("succeeded", 1)
    assert not path.exists()
    assert SourceRecord.objects.get().raw


def test_the_file_of_a_failed_run_stays_for_some_time(upload: Callable[..., Path], settings: Any) -> None:
    path = upload()
    run = queued(path)
    path.write_text(GOOD + "2,person,Bert,Busch\n")
    tasks.run_jobs()
    run.refresh_from_db()
    assert run.state == "failed"
    assert uploaded.prune() == 0
    age(path, settings)
    assert uploaded.prune() == 0, "the run failed a moment ago"
    age(path, settings, run)
    assert uploaded.prune() == 1
    assert not path.exists()


def test_a_run_that_was_cancelled_while_it_waited_leaves_its_file_to_the_prune(upload: Callable[..., Path]) -> None:
    path, waiting = upload(), upload()
    queued(waiting)
    runs.cancel(queued(path).id)
    tasks.prune()
    assert not path.exists()
    assert waiting.exists()


def test_an_upload_of_which_no_run_was_made_goes_in_the_end(upload: Callable[..., Path], settings: Any) -> None:
    path = upload()
    tasks.prune()
    assert path.exists()
    age(path, settings)
    tasks.prune()
    assert not path.exists()


def test_what_waits_or_is_at_work_stays_however_old_it_is(upload: Callable[..., Path], settings: Any) -> None:
    path = upload()
    run = queued(path)
    age(path, settings)
    assert uploaded.prune() == 0
    runs.claim(run.id)
    assert uploaded.prune() == 0


def test_a_file_given_to_ingest_is_never_removed(upload: Callable[..., Path], settings: Any, tmp_path: Path) -> None:
    mine = tmp_path / "mine.csv"
    mine.write_text(GOOD)
    inside = upload(GOOD.replace("1,", "2,"))
    for path in (mine, inside):
        call_command("ingest", str(path), system="crm", json=True)
        uploaded.remove_after(Run.objects.get(file_path=str(path)))
        age(path, settings)
    tasks.prune()
    assert mine.exists()
    assert inside.exists()


def test_a_file_outside_the_folder_is_nobodys_to_remove(tmp_path: Path) -> None:
    path = tmp_path / "elsewhere.csv"
    path.write_text(GOOD)
    queued(path)
    tasks.run_jobs()
    assert Run.objects.get().state == "succeeded"
    assert path.exists()


def test_a_folder_behind_a_link_is_the_same_folder(upload: Callable[..., Path], settings: Any, tmp_path: Path) -> None:
    (tmp_path / "large-disk").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "large-disk")
    settings.MEDIA_ROOT = tmp_path / "link"
    kept, spent = upload(), upload(GOOD.replace("1,", "2,"))
    call_command("ingest", str(kept), system="crm", json=True)
    queued(spent)
    tasks.run_jobs()
    tasks.prune()
    assert kept.exists()
    assert not spent.exists()
