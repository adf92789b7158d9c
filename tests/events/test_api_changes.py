"""The change feed over the API: in order, without gaps, to the end and on from there."""

from typing import Any

import pytest

from apps.customers.models import SourceRecord
from apps.events.relay import relay_all
from tests.callers import machine
from tests.customers import given

pytestmark = pytest.mark.django_db


def people(count: int) -> None:
    given.customers(*[[("crm", {"record_id": f"P{i}", "kind": "person", "name": f"No {i}"})] for i in range(count)])


def test_a_reader_that_keeps_its_place_sees_everything_once() -> None:
    people(7)
    relay_all()
    client, after, seen = machine("changes:read"), 0, []
    while True:
        page = client.get("/api/v1/changes", {"after": after, "limit": 3}).json()
        if not page["items"]:
            break
        seen += [e["position"] for e in page["items"]]
        after = page["next"]
    assert len(seen) == 7
    assert seen == list(range(seen[0], seen[0] + 7))
    assert page["next"] == page["head"] == seen[-1]


def test_events_without_a_position_are_not_told_yet() -> None:
    people(1)
    assert machine("changes:read").get("/api/v1/changes").json()["items"] == []


def test_merges_and_retirements_are_entries() -> None:
    first, second = given.customers(
        [("crm", {"record_id": "1", "kind": "person", "name": "A B"})],
        [("erp", {"record_id": "2", "kind": "person", "name": "A B"})],
    )
    given.place([list(SourceRecord.objects.order_by("id").values_list("id", flat=True))])
    relay_all()
    entries = machine("changes:read").get("/api/v1/changes").json()["items"]
    told = {e["type"]: e for e in entries}
    assert told["customer.merged"]["customer_id"] == str(first)
    assert told["customer.merged"]["merged"] == [str(second)]
    assert told["customer.retired"]["replaced_by"] == str(first)


@pytest.mark.parametrize(
    "query", ["after=-1", "after=x", "after=1e3", "limit=1001", "after=99999999999999999999", "since=1"]
)
def test_a_wrong_place_is_refused(query: str) -> None:
    response = machine("changes:read").get(f"/api/v1/changes?{query}")
    assert response.status_code == 400
    assert response.json()["errors"][0]["parameter"] == query.split("=", maxsplit=1)[0]


def test_the_feed_asks_the_same_few_questions_however_long(django_assert_max_num_queries: Any) -> None:
    people(20)
    relay_all()
    client = machine("changes:read")
    with django_assert_max_num_queries(3):
        assert len(client.get("/api/v1/changes", {"limit": 20}).json()["items"]) == 20
