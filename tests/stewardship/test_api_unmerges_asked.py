"""What a bulk unmerge over the API is of: runs, models and stretches of time, and every way of asking wrongly."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from apps.common.ids import uuid7
from apps.stewardship.models import BulkUnmerge
from tests import pipeline
from tests.callers import person as caller
from tests.stewardship.test_api_unmerges import API, looked, post, read, step
from tests.stewardship.test_unmerges import apart, joined, turns

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def hub() -> Any:
    pipeline.empty()
    pipeline.systems()
    yield
    assert pipeline.broken() == []


def test_a_run_by_either_id_a_model_by_number_or_hash_and_a_stretch_of_time() -> None:
    run, steward = joined(), caller("steward")
    version, hash_ = pipeline.query("SELECT version, hash FROM match_model WHERE state = 'active'")[0]
    hour_ago = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    hour_ahead = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    for said in (
        {"run": str(run.correlation_id)}, {"model": str(version)}, {"model": hash_[:8]}, {"since": hour_ago},
        {"run": str(run.id), "model": hash_, "since": hour_ago, "until": hour_ahead},
    ):  # fmt: skip
        answer = post(steward, "", {"reason": "x", **said})
        assert answer.status_code == 202, (said, answer.content)
    none = {"since": (datetime.now(UTC) - timedelta(hours=2)).isoformat(), "until": hour_ago, "reason": "x"}
    assert post(steward, "", none).status_code == 202
    turns()
    totals = [row["total"] for row in steward.get(API).json()["items"]]
    assert totals == [0, 2, 2, 2, 2, 2]
    last, first = steward.get(API).json()["items"][0], steward.get(API).json()["items"][1]
    assert datetime.fromisoformat(first["until"]) <= datetime.now(UTC), "its end is fixed by the question"
    refused = step(steward, last["id"], "confirm")
    assert (refused.status_code, refused.json()["detail"]) == (400, "Nothing that still stands was joined by it.")


def test_the_machine_may_join_them_again() -> None:
    steward = caller("steward")
    id_ = looked(steward, joined(1), again=True)
    step(steward, id_, "confirm")
    turns()
    told = read(steward, id_)
    assert (told["state"], told["again"], told["done"]["pairs"]) == ("done", True, 0)
    assert not apart()


@pytest.mark.parametrize(
    ("body", "status", "pointer", "code"),
    [
        ({"reason": "x"}, 400, None, None),
        ({"since": "2026-01-01T00:00:00Z"}, 400, "/reason", "required"),
        ({"since": "2026-01-01T00:00:00Z", "reason": "  "}, 400, "/reason", "blank"),
        ({"since": "2026-01-01T00:00:00Z", "reason": "x" * 1001}, 400, "/reason", "max_length"),
        ({"since": "yesterday", "reason": "x"}, 400, "/since", "invalid"),
        ({"since": "2026-01-01T00:00:00", "reason": "x"}, 400, "/since", "no_offset"),
        ({"since": "2026-01-02T00:00:00Z", "until": "2026-01-01T00:00:00Z", "reason": "x"}, 400, "/since", "no_stretch"),
        ({"until": "2026-01-01T00:00:00Z", "reason": "x"}, 400, None, None),
        ({"run": str(UUID(int=7)), "reason": "x"}, 404, "/run", "unknown_run"),
        ({"run": "the last one", "reason": "x"}, 400, "/run", "invalid"),
        ({"model": "999", "reason": "x"}, 404, "/model", "unknown_model"),
        ({"model": "abc", "reason": "x"}, 404, "/model", "unknown_model"),
        ({"model": "%%%%%%%%", "reason": "x"}, 404, "/model", "unknown_model"),
        ({"runs": str(UUID(int=7)), "reason": "x"}, 400, "/runs", "unknown_field"),
    ],
    ids=[
        "nothing", "no reason", "blank reason", "long reason", "no moment", "no offset", "backwards", "no beginning",
        "unknown run", "no id", "unknown model", "short hash", "no pattern", "misspelt",
    ],
)  # fmt: skip
def test_what_is_wrong_is_pointed_at_and_nothing_is_asked(
    body: dict[str, Any], status: int, pointer: str | None, code: str | None
) -> None:
    answer = post(caller("steward"), "", body)
    assert answer.status_code == status, answer.content
    faults = [(f["pointer"], f["code"]) for f in answer.json().get("errors", ())]
    assert faults == ([(pointer, code)] if pointer is not None else [])
    assert not BulkUnmerge.objects.exists()


def test_runs_that_share_a_correlation_id_are_not_told_apart() -> None:
    run, steward = joined(1), caller("steward")
    run.pk, run._state.adding = uuid7(), True
    run.save()
    for named in (run.id, run.correlation_id):
        answer = post(steward, "", {"run": str(named), "reason": "x"})
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, "shared_correlation_id")
