"""Jobs and the quarantine over the API."""

import json
from typing import Any

import pytest

from apps.common.act import Act
from apps.common.ids import uuid7
from apps.connectors import inbound, runs
from apps.connectors.inbound import Door, Item
from apps.connectors.models import Run
from apps.customers.canonical import Problem
from apps.customers.models import Quarantine, SourceRecord, System
from tests.callers import machine
from tests.customers import given

pytestmark = pytest.mark.django_db


@pytest.fixture
def crm() -> System:
    return given.system("crm")


def jobs(system: System, count: int) -> list[Run]:
    made = [runs.create_api_run(system=system, body=b"[]", act=Act("client:x")) for _ in range(count)]
    return [run for run in made if run is not None]


def quarantined(system: System, count: int = 1) -> list[Quarantine]:
    items = [
        Item({"record_id": f"Q{i}", "birth_date": "never"}, json.dumps({"record_id": f"Q{i}"}), i) for i in range(count)
    ]
    inbound.take_in(door=Door(system, file_name="people.csv"), items=items, act=Act("client:x"))
    return list(Quarantine.objects.order_by("id"))


def test_jobs_page_from_the_newest(crm: System, django_assert_max_num_queries: Any) -> None:
    made = [str(r.id) for r in jobs(crm, 5)]
    client = machine("jobs:read")
    with django_assert_max_num_queries(2):
        first = client.get("/api/v1/jobs", {"limit": 3}).json()
    second = client.get("/api/v1/jobs", {"limit": 3, "cursor": first["next"]}).json()
    assert [j["id"] for j in (*first["items"], *second["items"])] == made[::-1]
    assert second["next"] is None
    assert client.get("/api/v1/jobs", {"state": "failed"}).json()["items"] == []
    assert client.get("/api/v1/jobs", {"cursor": "x"}).status_code == 400


def test_a_job_can_be_stopped_once(crm: System) -> None:
    run = jobs(crm, 1)[0]
    client = machine("sources:write")
    stopped = client.post(f"/api/v1/jobs/{run.id}:cancel")
    assert (stopped.status_code, stopped.json()["state"]) == (200, "cancelled")
    assert client.post(f"/api/v1/jobs/{run.id}:cancel").status_code == 409
    assert client.post(f"/api/v1/jobs/{uuid7()}:cancel").status_code == 404
    assert machine("jobs:read").get(f"/api/v1/jobs/{uuid7()}").status_code == 404


def test_the_quarantine_is_listed_whole(crm: System, django_assert_max_num_queries: Any) -> None:
    rows = quarantined(crm, 5)
    client = machine("quarantine:write")
    with django_assert_max_num_queries(2):
        first = client.get("/api/v1/quarantine", {"limit": 3}).json()
    second = client.get("/api/v1/quarantine", {"limit": 3, "cursor": first["next"]}).json()
    listed = [*first["items"], *second["items"]]
    assert [r["id"] for r in listed] == [str(r.id) for r in rows][::-1]
    assert (listed[0]["file_name"], listed[0]["line"], listed[0]["problems"][0]["pointer"]) == (
        "people.csv",
        4,
        "/birth_date",
    )
    assert client.get("/api/v1/quarantine", {"system": "erp"}).json()["items"] == []
    assert client.get("/api/v1/quarantine", {"job": "x"}).status_code == 400


def test_a_mended_record_goes_in(crm: System) -> None:
    row = quarantined(crm)[0]
    client = machine("quarantine:write")
    url = f"/api/v1/quarantine/{row.id}:resubmit"
    still = client.post(url, {"record": {"record_id": "Q0", "kind": "person", "birth_date": "nope"}}, format="json")
    assert still.status_code == 400
    assert still.json()["errors"][0]["pointer"] == "/birth_date"
    done = client.post(url, {"record": {"record_id": "Q0", "kind": "person", "name": "Q Zero"}}, format="json")
    assert (done.status_code, done.json()["outcome"]) == (200, "created")
    assert SourceRecord.objects.filter(external_id="Q0").exists()
    assert client.post(url, {"record": {"record_id": "Q0"}}, format="json").status_code == 409
    row.refresh_from_db()
    assert (row.state, row.resolved_by) == ("resubmitted", "client:loader")


def test_a_record_is_discarded_with_a_reason(crm: System) -> None:
    row = quarantined(crm)[0]
    client = machine("quarantine:write")
    url = f"/api/v1/quarantine/{row.id}:discard"
    assert client.post(url, {}, format="json").status_code == 400
    assert client.post(url, {"reason": " "}, format="json").status_code == 400
    assert client.post(url, {"reason": "x\u0000"}, format="json").status_code == 400
    assert client.post(url, {"reason": "test data"}, format="json").json()["state"] == "discarded"
    assert client.post(url, {"reason": "again"}, format="json").status_code == 409
    assert client.get("/api/v1/quarantine", {"state": "discarded"}).json()["items"][0]["id"] == str(row.id)


@pytest.mark.parametrize(
    "body",
    [{}, {"record": {}}, {"record": 5}, {"record": {"record_id": "1"}, "x": 1}, [], {"record": {"name": "\ud800"}}],
)
def test_a_wrong_mended_record_is_refused(crm: System, body: Any) -> None:
    row = quarantined(crm)[0]
    response = machine("quarantine:write").post(
        f"/api/v1/quarantine/{row.id}:resubmit", json.dumps(body), content_type="application/json"
    )
    assert response.status_code == 400, response.content
    row.refresh_from_db()
    assert row.state == "open"


def test_what_a_reader_could_not_make_sense_of_is_shown(crm: System) -> None:
    item = Item(None, "a;b\x00;c", 7, problems=(Problem("", "ragged_row", "Three fields are too many."),))
    inbound.take_in(door=Door(crm, file_name="x.csv"), items=[item], act=Act("client:x"))
    listed = machine("quarantine:write").get("/api/v1/quarantine").json()["items"][0]
    assert listed["problems"] == [{"pointer": "", "code": "ragged_row", "detail": "Three fields are too many."}]
    assert "\\u0000" in listed["raw"]
