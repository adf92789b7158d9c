"""The quality of all records, measured and read."""

import json
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.utils import timezone

from apps.customers.measure_quality import EVERY, WHOLE, is_due, measure
from apps.customers.models import QualityScore
from apps.customers.queries_quality import measured
from tests import pipeline
from tests.callers import machine

pytestmark = pytest.mark.django_db(transaction=True)
GOOD = pipeline.person(1)
BAD = {**pipeline.person(2), "birth_date": "1850-01-01"}


@pytest.fixture(autouse=True)
def records() -> None:
    """Two in the CRM, one of them born in 1850; one in the ERP."""
    pipeline.empty()
    pipeline.systems()
    pipeline.take("crm", GOOD, BAD)
    pipeline.take("erp", pipeline.person(3))


def test_scores_by_system_and_attribute() -> None:
    measure()
    found = measured()
    assert [code for code, _ in found.systems] == ["crm", "erp"]
    crm = found.scores["crm", "birth_date"]
    assert (crm.records, crm.score, crm.failed) == (2, 70.0, {"birth_date.plausible": 1})
    assert found.scores["erp", "birth_date"].score == 100.0
    assert found.scores["crm", WHOLE].records == 2
    assert found.scores["crm", WHOLE].score < found.scores["erp", WHOLE].score == 100.0
    (worst, *_) = found.failing
    assert (worst.system, worst.code, worst.records, worst.of) == ("crm", "birth_date.plausible", 1, 2)
    assert worst.check is not None


def test_measuring_again_replaces_what_was_measured() -> None:
    measure()
    before = QualityScore.objects.count()
    pipeline.take("crm", {**BAD, "birth_date": "1950-01-01", "source_updated_at": "2030-01-01T00:00:00Z"})
    measure()
    assert QualityScore.objects.count() == before
    assert measured().scores["crm", "birth_date"].failed == {}


def test_the_api_tells_it_and_a_record_tells_its_own() -> None:
    client = machine()
    assert client.get("/api/v1/quality").json() == {"measured_at": None, "items": []}
    measure()
    items = client.get("/api/v1/quality").json()["items"]
    (crm,) = [one for one in items if (one["system"], one["attribute"]) == ("crm", "birth_date")]
    assert crm["score"] == 70.0
    told: dict[str, Any] = client.get("/api/v1/source-records/crm/P2").json()["quality"]
    assert told["scores"]["birth_date"] == 40.0
    (failed,) = told["failed"]
    assert (failed["attribute"], failed["code"], failed["severity"]) == ("birth_date", "birth_date.plausible", "error")


def test_the_command() -> None:
    out = StringIO()
    call_command("measure_quality", json=True, stdout=out)
    rows = json.loads(out.getvalue())["scores"]
    assert {
        "system": "crm",
        "attribute": "birth_date",
        "records": 2,
        "score": 70.0,
        "failed": {"birth_date.plausible": 1},
    } in rows
    out = StringIO()
    call_command("measure_quality", stdout=out)
    assert "birth_date.plausible 1" in out.getvalue()


def test_it_is_due_after_the_first_records_after_an_hour_and_by_another_policy() -> None:
    assert is_due()
    measure()
    assert not is_due()
    QualityScore.objects.update(measured_at=timezone.now() - EVERY - timedelta(seconds=1))
    assert is_due()
    QualityScore.objects.update(measured_at=timezone.now(), policy_hash="another")
    assert is_due()
    pipeline.empty()
    QualityScore.objects.all().delete()
    assert not is_due()


def test_an_empty_hub_says_so() -> None:
    pipeline.empty()
    out = StringIO()
    call_command("measure_quality", stdout=out)
    assert "no source records yet" in out.getvalue()
