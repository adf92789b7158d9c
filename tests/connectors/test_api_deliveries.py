"""Deliveries, the exception desk and the distribution of a customer over the API."""

from typing import Any

import pytest

from apps.common.ids import uuid7
from apps.connectors.models import Connection, Delivery
from apps.connectors.sandbox.running import Far
from tests import outward, pipeline
from tests.callers import machine, person
from tests.connectors.described import checked

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("empty")]
API = "/api/v1"


def refused(number: int = 1) -> Delivery:
    """A create the CRM refuses: its column is too short for the street."""
    pipeline.take("erp", pipeline.person(number, address_line1="Long Street " * 24, city="Bonn"), act=pipeline.alice())
    outward.settle()
    row = Delivery.objects.get(record__external_id=f"P{number}")
    assert row.state == "failed", row.detail
    return row


def post(client: Any, path: str, body: Any = None, **headers: str) -> Any:
    return client.post(f"{API}/{path}", body or {}, format="json", headers=headers)


def test_deliveries_are_listed(crm: tuple[Far, Connection], django_assert_max_num_queries: Any) -> None:
    pipeline.take("erp", *(pipeline.person(n) for n in range(2, 5)))
    outward.settle()
    bad = refused()
    viewer = person("viewer")
    with django_assert_max_num_queries(3):
        answer = viewer.get(f"{API}/deliveries", {"limit": 3})
    first = checked(answer, "list_deliveries")
    second = checked(viewer.get(f"{API}/deliveries", {"limit": 3, "cursor": first["next"]}), "list_deliveries")
    assert [r["id"] for r in (*first["items"], *second["items"])] == [
        str(id_) for id_ in sorted(Delivery.objects.values_list("id", flat=True), reverse=True)
    ]
    for query in (
        {"state": "failed"}, {"trouble": "validation"}, {"code": bad.code}, {"customer": str(bad.customer_id)},
        {"correlation_id": str(bad.correlation_id)}, {"connection": "crm", "state": "failed"},
    ):  # fmt: skip
        found = checked(viewer.get(f"{API}/deliveries", query), "list_deliveries")["items"]
        assert [(r["id"], r["connection"], r["idempotency_key"]) for r in found] == [
            (str(bad.id), "CRM", f"{bad.id}.0")
        ], query
    for wrong in ({"state": "lost"}, {"cursor": "x"}, {"customer": "me"}, {"nonsense": "1"}):
        assert viewer.get(f"{API}/deliveries", wrong).status_code == 400
    assert viewer.get(f"{API}/deliveries", {"connection": "nowhere"}).status_code == 404


def test_one_delivery_with_its_attempts(crm: tuple[Far, Connection]) -> None:
    bad = refused()
    one = checked(machine("sync:read").get(f"{API}/deliveries/{bad.id}"), "read_delivery")
    assert (one["state"], one["trouble"], one["newer_id"], one["url"]) == ("failed", "validation", None, "")
    assert one["advice"]["who"] == "A steward."
    (attempt,) = one["tries"]
    assert (attempt["number"], attempt["status"]) == (1, 400)
    assert one["native"]["PersonBirthdate"].startswith("•••")
    assert {"field": "city", "name": "City", "before": None, "after": "Bonn"} in one["values"]
    assert person("viewer").get(f"{API}/deliveries/{uuid7()}").status_code == 404


def test_retried_once(crm: tuple[Far, Connection]) -> None:
    bad = refused()
    steward = person("steward")
    assert post(person("viewer"), f"deliveries/{bad.id}:retry").status_code == 403
    key = {"Idempotency-Key": "r-1"}
    told = checked(
        post(steward, f"deliveries/{bad.id}:retry", {"reason": "column is wider now"}, **key), "retry_delivery"
    )
    assert (told["state"], told["actor"], told["reason"], told["advice"]) == (
        "waiting",
        "user:steward",
        "column is wider now",
        None,
    )
    again = post(steward, f"deliveries/{bad.id}:retry", {"reason": "column is wider now"}, **key)
    assert (again.status_code, again["Idempotency-Replayed"]) == (200, "true")
    stale = post(steward, f"deliveries/{bad.id}:retry")
    assert (stale.status_code, "is waiting" in stale.json()["detail"]) == (409, True)


def test_a_replaced_one_says_so(crm: tuple[Far, Connection]) -> None:
    bad = refused()
    pipeline.take("erp", pipeline.person(1, address_line1="Short 1", city="Bonn"))
    outward.settle()
    answer = post(person("steward"), f"deliveries/{bad.id}:retry")
    assert answer.status_code == 409
    assert "a newer one took its place" in answer.json()["detail"]


def test_edited(crm: tuple[Far, Connection]) -> None:
    far, _ = crm
    bad = refused()
    client = machine("sync:write")
    native = checked(machine("sync:read", name="reader").get(f"{API}/deliveries/{bad.id}"), "read_delivery")["native"]
    wrong = post(client, f"deliveries/{bad.id}:edit", {"native": {"Nonsense": 1}})
    assert wrong.status_code == 400
    assert wrong.json()["errors"][0]["pointer"] == "/native/Nonsense"
    assert post(client, f"deliveries/{bad.id}:edit", {"native": {}}).status_code == 400
    assert (
        post(client, f"deliveries/{bad.id}:edit", {"native": {**native, "LastName": {"deep": [1]}}}).status_code == 400
    )
    answer = post(
        client, f"deliveries/{bad.id}:edit", {"native": {**native, "BillingStreet": "Short 1"}, "reason": "cut"}
    )
    told = checked(answer, "edit_delivery")
    assert (told["state"], told["idempotency_key"]) == ("waiting", f"{bad.id}.1")
    outward.settle()
    (there,) = far.records()
    assert there["BillingStreet"] == "Short 1"
    assert there["PersonBirthdate"] == bad.native["PersonBirthdate"], "the mask was not sent"


def test_discarded(crm: tuple[Far, Connection]) -> None:
    bad = refused()
    steward = person("steward")
    assert post(steward, f"deliveries/{bad.id}:discard").status_code == 400
    told = checked(post(steward, f"deliveries/{bad.id}:discard", {"reason": "a test record"}), "discard_delivery")
    assert (told["state"], told["reason"]) == ("discarded", "a test record")
    assert post(steward, f"deliveries/{bad.id}:discard", {"reason": "again"}).status_code == 409


def test_a_group_is_replayed(crm: tuple[Far, Connection]) -> None:
    for number in (1, 2):
        refused(number)
    steward = person("steward")
    group = {"connection": "crm", "trouble": "validation", "code": "STRING_TOO_LONG"}
    assert checked(post(steward, "deliveries:replay", {**group, "dry_run": True}), "replay_deliveries") == {
        "count": 2,
        "dry_run": True,
    }
    assert Delivery.objects.filter(state="failed").count() == 2
    assert (
        checked(post(steward, "deliveries:replay", {**group, "since": "2999-01-01T00:00:00Z"}), "replay_deliveries")[
            "count"
        ]
        == 0
    )
    key = {"Idempotency-Key": "g-1"}
    assert checked(post(steward, "deliveries:replay", group, **key), "replay_deliveries") == {
        "count": 2,
        "dry_run": False,
    }
    assert post(steward, "deliveries:replay", group, **key).json()["count"] == 2
    assert post(steward, "deliveries:replay", group).json()["count"] == 0
    assert post(steward, "deliveries:replay", {**group, "connection": "nowhere"}).status_code == 404
    assert post(steward, "deliveries:replay", {"connection": "crm"}).status_code == 400


def test_where_a_customer_has_gone(crm: tuple[Far, Connection], django_assert_max_num_queries: Any) -> None:
    far, _ = crm
    customer = pipeline.customer_of("erp", pipeline.person(1, city="Ulm"))
    outward.settle()
    viewer = person("viewer")
    with django_assert_max_num_queries(12):
        answer = viewer.get(f"{API}/customers/{customer}/distribution")
    told = checked(answer, "read_distribution")
    (one,) = told["items"]
    (record,) = one["records"]
    assert (told["customer_id"], one["connection"], one["why_not"]) == (str(customer), "CRM", "")
    assert (record["external_id"], record["acknowledged_version"]) == (far.records()[0]["Id"], 1)
    assert {"field": "city", "name": "City", "value": "Ulm"} in record["sent"]
    lost = pipeline.customer_of("erp", pipeline.person(2, address_line1="Long Street " * 24, city="Bonn"))
    outward.settle()
    (one,) = checked(viewer.get(f"{API}/customers/{lost}/distribution"), "read_distribution")["items"]
    assert (one["deliveries"][0]["state"], "exception" in one["why_not"]) == ("failed", True)
    assert viewer.get(f"{API}/customers/{uuid7()}/distribution").status_code == 404


def test_a_client_of_other_systems_has_no_say(crm: tuple[Far, Connection]) -> None:
    bad = refused()
    client = machine("sync:write", name="erp-only", systems=["erp"])
    for verb, body in (("retry", {}), ("edit", {"native": {"BillingStreet": "x"}}), ("discard", {"reason": "no"})):
        assert post(client, f"deliveries/{bad.id}:{verb}", body).status_code == 403, verb
        assert post(client, f"deliveries/{uuid7()}:{verb}", body).status_code == 404, verb
    assert post(client, "deliveries:replay", {"connection": "crm", "trouble": "validation"}).status_code == 403
    own = machine("sync:write", name="crm-only", systems=["crm"])
    assert post(own, f"deliveries/{bad.id}:retry").status_code == 200
