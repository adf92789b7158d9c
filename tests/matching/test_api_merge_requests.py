"""Over the API: a merge that a rule stands against is refused with what may be done instead, and that can be done."""

import json
from typing import Any

import pytest

from apps.common.act import Act
from apps.common.ids import uuid7
from apps.connectors import inbound
from apps.connectors.inbound import Door, Item
from apps.customers.models import Customer, Relation
from tests.callers import machine, person
from tests.customers import given

pytestmark = pytest.mark.django_db


def company(number: int, tax_id: str) -> dict[str, Any]:
    return {
        "record_id": f"C{number}", "kind": "organization", "organization_name": f"{'Quastel' if number == 1 else 'Zwiebel'} GmbH",
        "country": "DE", "tax_id": tax_id,
    }  # fmt: skip


@pytest.fixture
def two() -> list[str]:
    """Two companies with a confirmed tax id each."""
    records = [company(1, "DE136695976"), company(2, "DE811569869")]
    items = [Item(r, json.dumps(r)) for r in records]
    return [str(o.customer) for o in inbound.take_in(door=Door(given.system("crm")), items=items, act=Act("hub:test"))]


def post(client: Any, path: str, **body: Any) -> Any:
    return client.post(f"/api/v1/{path}", body, format="json")


def test_a_refusal_names_the_rule_and_both_values(two: list[str]) -> None:
    refused = post(person("steward"), "customers:merge", customers=two, reason="one owner")
    assert refused.status_code == 400, refused.content
    (fault,) = refused.json()["errors"]
    assert (fault["pointer"], fault["code"]) == ("/customers", "merge_veto")
    for said in ("tax-ids", "136695976", "811569869", *two, "Link them instead", "ask a second person"):
        assert said in fault["detail"]
    assert Customer.objects.filter(active=True).count() == 2


def test_a_link_instead(two: list[str]) -> None:
    client = machine("merges:write")
    done = post(client, "customers:link", customers=two, kind="group", reason="one group")
    assert done.status_code == 200, done.content
    assert done.json()["customers"] == sorted(two)
    assert Relation.objects.get().kind == "group"
    wrong = post(client, "customers:link", customers=two, kind="friends", reason="x")
    assert wrong.json()["errors"][0]["pointer"] == "/kind"
    assert post(client, "customers:link", customers=[two[0], str(uuid7())], kind="group", reason="x").status_code == 404


def test_a_second_person_is_asked_and_decides(two: list[str]) -> None:
    steward, approver = person("steward"), person("approver")
    asked = post(steward, "merge-requests", customers=two, reason="one owner")
    assert asked.status_code == 201, asked.content
    told = asked.json()
    assert (told["state"], told["author"], told["reason"]) == ("open", "user:steward", "one owner")
    (veto,) = told["vetoes"]
    assert veto["rule"] == "tax-ids"
    assert sorted(veto["customers"]) == sorted(two)
    assert {v for line in veto["compared"] for v in line["values"]} == {"136695976 (DE)", "811569869 (DE)"}
    assert post(steward, "merge-requests", customers=two, reason="again").status_code == 409
    path = f"merge-requests/{told['id']}"
    assert approver.get(f"/api/v1/{path}").json() == told
    assert [row["id"] for row in approver.get("/api/v1/merge-requests").json()["items"]] == [told["id"]]
    assert approver.get("/api/v1/change-requests").json()["items"] == [], "these are told of elsewhere"
    assert post(steward, f"{path}:decide", approve=True).status_code == 403
    done = post(approver, f"{path}:decide", approve=True, reason="seen the contract")
    assert (done.status_code, done.json()["state"], done.json()["approver"]) == (200, "approved", "user:approver")
    assert Customer.objects.filter(active=True).count() == 1
    assert approver.get("/api/v1/merge-requests").json()["items"] == []
    assert [row["id"] for row in approver.get("/api/v1/merge-requests?state=approved").json()["items"]] == [told["id"]]
    assert post(approver, f"{path}:decide", approve=True).status_code == 409


def test_the_author_does_not_decide(two: list[str]) -> None:
    approver = person("approver")
    asked = post(approver, "merge-requests", customers=two, reason="one owner").json()
    refused = post(approver, f"merge-requests/{asked['id']}:decide", approve=True)
    assert refused.status_code == 400
    assert (
        post(person("approver", name="bea"), f"merge-requests/{asked['id']}:decide", approve=False).json()["state"]
        == "rejected"
    )
    assert Customer.objects.filter(active=True).count() == 2


def test_a_list_is_read_in_pages(two: list[str]) -> None:
    client = person("approver")
    for _ in range(2):
        asked = post(client, "merge-requests", customers=two, reason="x").json()
        post(person("approver", name="bea"), f"merge-requests/{asked['id']}:decide", approve=False)
    first = client.get("/api/v1/merge-requests?state=rejected&limit=1").json()
    second = client.get(f"/api/v1/merge-requests?state=rejected&limit=1&cursor={first['next']}").json()
    assert (len(first["items"]), len(second["items"]), second["next"]) == (1, 1, None)
    assert first["items"] != second["items"]
