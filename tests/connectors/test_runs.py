"""Runs: one intake from its creation to its end, and what happens to one whose process died."""

import csv
import json
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from apps.common.errors import Conflict, NotFound, Rejected
from apps.common.ids import uuid7
from apps.connectors import inbound, runs
from apps.connectors.models import InboundMessage, Run
from apps.connectors.tasks import run_jobs
from apps.customers.models import Customer, Quarantine, SourceRecord, System
from tests import pipeline
from tests.pipeline import ACT, person

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def hub() -> Iterator[None]:
    pipeline.systems()
    pipeline.empty()
    yield
    pipeline.empty()


def crm() -> System:
    return System.objects.get(code="crm")


def written(folder: Path, items: list[dict[str, Any]]) -> Path:
    path = folder / "load.csv"
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, items[0].keys())
        writer.writeheader()
        writer.writerows(items)
    return path


def file_run(path: Path, **options: Any) -> Run:
    return runs.create_file_run(path=path, file_name=path.name, system=crm(), mapping=None, act=ACT, **options)


def api_run(records: Any, **options: Any) -> Run:
    run = runs.create_api_run(system=crm(), body=json.dumps(records).encode(), act=ACT, **options)
    assert run is not None
    return run


def executed(run: Run) -> Run:
    assert runs.claim(run.id) == run.id
    return runs.execute(run.id)


def test_a_run_is_claimed_once(tmp_path: Path) -> None:
    run = file_run(written(tmp_path, [person(1)]))
    assert runs.claim() == run.id
    assert runs.claim() is None
    assert runs.claim(run.id) is None


def test_the_run_of_a_dead_process_is_claimed_again(tmp_path: Path) -> None:
    run = file_run(written(tmp_path, [person(1)]))
    runs.claim(run.id)
    Run.objects.update(heartbeat_at=timezone.now() - timedelta(seconds=runs.STALE_AFTER_SECONDS + 1))
    assert runs.claim() == run.id


def test_a_file_that_changed_fails_its_run(tmp_path: Path) -> None:
    path = written(tmp_path, [person(1)])
    run = file_run(path)
    written(tmp_path, [person(2)])
    done = executed(run)
    assert (done.state, done.counts["read"]) == ("failed", 0)
    assert "changed since" in done.error
    assert done.finished_at is not None


def test_an_unreadable_file_is_refused_with_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "empty.csv"
    path.write_text("")
    with pytest.raises(Rejected) as refused:
        file_run(path)
    assert refused.value.detail


def test_a_message_comes_once() -> None:
    assert runs.create_api_run(system=crm(), body=b"[]", act=ACT, kind="webhook", message_id="m1") is not None
    assert runs.create_api_run(system=crm(), body=b"[]", act=ACT, kind="webhook", message_id="m1") is None
    assert (Run.objects.count(), InboundMessage.objects.count()) == (1, 1)


def test_a_job_takes_its_records_in_and_keeps_the_body_as_it_came() -> None:
    done = executed(api_run({"records": [person(n) for n in range(300)]}))
    assert (done.state, done.counts["created"], done.total) == ("succeeded", 300, 300)
    assert (
        bytes(InboundMessage.objects.get().body or b"")
        == json.dumps({"records": [person(n) for n in range(300)]}).encode()
    )
    assert pipeline.broken() == []


def test_items_of_a_job_that_are_no_records_are_set_aside() -> None:
    done = executed(api_run([5, "text", None, [1], person(1)]))
    assert (done.state, done.counts["quarantined"], done.counts["created"]) == ("succeeded", 4, 1)
    assert Quarantine.objects.count() == 4
    assert pipeline.broken() == []


def test_a_patch_job_patches() -> None:
    pipeline.take("crm", person(1))
    done = executed(api_run([{"record_id": "P1", "payment_terms": "NET30"}], patch=True))
    assert done.counts["changed"] == 1
    assert SourceRecord.objects.get().canonical["family_name"] == person(1)["family_name"]


def test_a_run_can_be_cancelled_and_what_came_in_stays(tmp_path: Path) -> None:
    run = file_run(written(tmp_path, [person(n) for n in range(600)]))
    runs.claim(run.id)

    def cancel(running: Run) -> None:
        if running.counts["read"] == inbound.BATCH:
            runs.cancel(run.id)
            time.sleep(1.1)  # asked of the database once a second

    done = runs.execute(run.id, on_progress=cancel)
    assert done.state == "cancelled"
    assert SourceRecord.objects.filter(state="built").count() == done.counts["created"] < 600
    with pytest.raises(Conflict):
        runs.cancel(run.id)
    with pytest.raises(NotFound):
        runs.cancel(uuid7())


def test_a_run_out_of_time_goes_back_into_the_queue_and_on_from_there(tmp_path: Path) -> None:
    run = file_run(written(tmp_path, [person(n) for n in range(600)]))
    runs.claim(run.id)
    partly = runs.execute(run.id, seconds=1e-9)
    assert (partly.state, partly.counts["read"]) == ("queued", inbound.BATCH)
    done = executed(run)
    assert (done.state, done.counts["read"], done.counts["created"]) == ("succeeded", 600, 600)
    assert pipeline.broken() == []


def test_a_run_that_goes_on_first_matches_what_was_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process died between keeping a batch and matching it."""
    run = file_run(written(tmp_path, [person(n) for n in range(300)]))
    runs.claim(run.id)
    monkeypatch.setattr(inbound, "finish", lambda intake, *, act: None)
    runs.execute(run.id, seconds=1e-9)
    monkeypatch.undo()
    assert SourceRecord.objects.filter(state="received").count() == inbound.BATCH
    executed(run)
    assert SourceRecord.objects.filter(state="built").count() == 300
    assert Customer.objects.count() == 300


def test_an_interrupted_run_of_this_very_file_is_taken_over(tmp_path: Path) -> None:
    path = written(tmp_path, [person(n) for n in range(600)])
    run = file_run(path)
    runs.claim(run.id)
    runs.execute(run.id, seconds=1e-9)
    found = runs.take_over(path=path, system=crm())
    assert found is not None and found.id == run.id
    assert runs.take_over(path=path, system=System.objects.get(code="erp")) is None
    executed(run)
    assert runs.take_over(path=path, system=crm()) is None, "a run that ended is not gone on with"


def test_a_failure_of_the_work_is_written_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = file_run(written(tmp_path, [person(1)]))

    def broken(**_: Any) -> None:
        raise Conflict("Nothing works today.")

    monkeypatch.setattr(inbound, "keep", broken)
    done = executed(run)
    assert (done.state, done.error) == ("failed", "Nothing works today.")


def test_the_task_works_off_what_waits(tmp_path: Path) -> None:
    first, second = file_run(written(tmp_path, [person(1)])), api_run([person(2)])
    run_jobs()
    assert set(Run.objects.values_list("id", "state")) == {(first.id, "succeeded"), (second.id, "succeeded")}
    assert not runs.waiting()


def test_rejected_rows_come_in_the_order_of_the_file(tmp_path: Path) -> None:
    items = [person(n, birth_date="never" if n % 3 == 0 else "1980-01-01") for n in range(9)]
    done = executed(file_run(written(tmp_path, items)))
    assert [row.line for row in runs.rejected_rows(done)] == [2, 5, 8]
