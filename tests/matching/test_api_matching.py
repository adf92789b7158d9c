"""Match, merge and unmerge over the API."""

import json
from typing import Any

import pytest

from apps.common.act import Act
from apps.common.ids import uuid7
from apps.connectors import inbound
from apps.connectors.inbound import Door, Item
from apps.customers.models import Customer, Judgement, SourceRecord
from apps.matching.models import BlockingKey, Edge
from tests import pipeline
from tests.callers import machine, person
from tests.customers import given

pytestmark = pytest.mark.django_db

ANNA: dict[str, Any] = {
    "record_id": "C1", "kind": "person", "given_name": "Anna", "family_name": "Zwiebelmann", "birth_date": "1980-02-29",
    "email": "anna.zwiebelmann@example.com", "address_line1": "Lindenstraße 5", "postal_code": "10969",
    "city": "Berlin", "country": "DE",
}  # fmt: skip
BERT: dict[str, Any] = {
    "record_id": "C2",
    "kind": "person",
    "given_name": "Bert",
    "family_name": "Quastel",
    "city": "Kiel",
}


def take(code: str, *records: dict[str, Any]) -> list[str]:
    items = [Item(r, json.dumps(r)) for r in records]
    outcomes = inbound.take_in(door=Door(given.system(code)), items=items, act=Act("hub:test"))
    return [str(o.customer) for o in outcomes]


def match(record: Any, query: str = "") -> Any:
    return machine("customers:match").post(
        f"/api/v1/customers:match?{query}", json.dumps(record), content_type="application/json"
    )


def test_a_known_person_is_found_with_reasons_and_nothing_is_stored() -> None:
    anna, _ = take("crm", ANNA, BERT)
    before = (SourceRecord.objects.count(), BlockingKey.objects.count(), Edge.objects.count())
    asked = {k: ANNA[k] for k in ("given_name", "family_name", "birth_date", "email")}
    response = match({**asked, "given_name": "Ana"})
    assert response.status_code == 200
    best = response.json()["items"][0]
    assert (best["customer_id"], best["grade"], best["why_not"]) == (anna, "strong", "")
    assert {line["comparison"] for line in best["explanation"] if line["bits"] > 0} >= {
        "family_name",
        "birth_date",
        "email",
    }
    assert (SourceRecord.objects.count(), BlockingKey.objects.count(), Edge.objects.count()) == before


def test_grades_fall_with_the_evidence() -> None:
    take("crm", ANNA)
    full = match(ANNA).json()["items"][0]
    little = match({"kind": "person", "given_name": "Anna", "family_name": "Zwiebelmann"}).json()["items"][0]
    assert full["weight"] > little["weight"]
    assert full["grade"] == "strong"
    assert little["grade"] in ("likely", "possible")
    assert little["why_not"]
    assert match({"kind": "person", "name": "Nobody Known"}).json()["items"] == []


def test_the_explanation_can_be_left_out_and_the_answer_cut() -> None:
    take("crm", ANNA)
    item = match(ANNA, "explain=false&limit=1").json()["items"][0]
    assert "explanation" not in item
    assert match(ANNA, "limit=0").status_code == 400
    assert match(ANNA, "limit=51").status_code == 400


def test_one_entry_stands_for_a_customer_with_several_records() -> None:
    take("crm", ANNA)
    take("erp", {**ANNA, "record_id": "E1"})
    assert Customer.objects.count() == 1
    assert len(match(ANNA).json()["items"]) == 1


def test_matching_asks_few_questions(django_assert_max_num_queries: Any) -> None:
    take("crm", ANNA, BERT)
    match(ANNA)
    client = machine("customers:match")
    with django_assert_max_num_queries(5):
        client.post("/api/v1/customers:match", json.dumps(ANNA), content_type="application/json")


@pytest.mark.parametrize(
    ("record", "pointer"),
    [
        ({"kind": "dog"}, "/kind"), ({"birth_date": "31.31.1999"}, "/birth_date"), ({"nmae": "x"}, "/nmae"),
        ({"name": "a\u0000b"}, "/name"), ({"name": "\ud800"}, "/name"), ({}, ""), ([], ""), ("x", ""),
    ],
)  # fmt: skip
def test_a_wrong_question_is_named(record: Any, pointer: str) -> None:
    response = match(record)
    assert response.status_code == 400
    assert response.json()["errors"][0]["pointer"] == pointer


def test_a_merge_and_its_undoing() -> None:
    anna, bert = take("crm", ANNA, BERT)
    client = person("steward")
    done = client.post("/api/v1/customers:merge", {"customers": [anna, bert], "reason": "same passport"}, format="json")
    assert done.status_code == 200, done.content
    assert done.json()["customers"] == [anna]
    assert {r["customer_id"] for r in done.json()["records"]} == {anna}
    assert client.get(f"/api/v1/customers/{bert}").json()["id"] == anna
    assert Judgement.objects.get().actor == "user:steward"
    undone = client.post(
        f"/api/v1/customers/{anna}:unmerge",
        {"records": [{"system": "crm", "external_id": "C2"}], "reason": "another passport"}, format="json",
    )  # fmt: skip
    assert undone.status_code == 200, undone.content
    assert sorted(undone.json()["customers"]) == sorted([anna, bert])
    assert client.get(f"/api/v1/customers/{bert}").json()["name"] == "Bert Quastel"


def test_what_cannot_be_merged_is_told() -> None:
    anna, bert = take("crm", ANNA, BERT)
    client = person("approver")

    def merge(body: Any) -> Any:
        return client.post("/api/v1/customers:merge", body, format="json")

    assert merge({"customers": [anna], "reason": "x"}).status_code == 400
    assert merge({"customers": [anna, anna], "reason": "x"}).status_code == 400
    assert merge({"customers": [anna, bert]}).json()["errors"][0]["pointer"] == "/reason"
    assert merge({"customers": [anna, "x"], "reason": "x"}).json()["errors"][0]["pointer"] == "/customers/1"
    assert merge({"customers": [anna, str(uuid7())], "reason": "x"}).status_code == 404
    assert merge({"customers": [anna, bert], "reason": "x"}).status_code == 200
    assert merge({"customers": [anna, bert], "reason": "x"}).status_code == 409


def test_what_cannot_be_taken_apart_is_told() -> None:
    anna, _ = take("crm", ANNA, BERT)
    client = person("steward")

    def unmerge(customer: str, *ids: str) -> Any:
        records = [{"system": "crm", "external_id": i} for i in ids]
        return client.post(f"/api/v1/customers/{customer}:unmerge", {"records": records, "reason": "x"}, format="json")

    assert unmerge(anna, "C1").status_code == 400
    assert unmerge(anna, "C2").status_code == 409
    assert unmerge(anna, "C1", "nope").json()["errors"][0]["pointer"] == "/records/1"
    assert unmerge(anna).status_code == 400
    assert unmerge(str(uuid7()), "C1").status_code == 404


def test_the_branch_of_a_join_is_taken_out() -> None:
    """Anna twice by the machine, Bert twice too, and one customer by a person: the join of the two takes Bert's branch out, not one record."""
    anna, bert = take("crm", ANNA, BERT)
    take("erp", {**ANNA, "record_id": "E1"}, {**BERT, "record_id": "E2"})
    client = person("steward")
    client.post("/api/v1/customers:merge", {"customers": [anna, bert], "reason": "same passport"}, format="json")
    version = client.get(f"/api/v1/customers/{anna}").json()["version"]
    out, of = ({"system": "crm", "external_id": id_} for id_ in ("C2", "C1"))

    def unmerge(**body: Any) -> Any:
        return client.post(f"/api/v1/customers/{anna}:unmerge", {"reason": "two", **body}, format="json")

    assert unmerge().json()["errors"][0]["pointer"] == "/records"
    assert unmerge(records=[out], join={"out": out, "of": of}).status_code == 400
    assert unmerge(join={"out": out}).json()["errors"][0]["pointer"] == "/join/of"
    nowhere = {"system": "crm", "external_id": "nope"}
    assert unmerge(join={"out": out, "of": nowhere}).json()["errors"][0]["pointer"] == "/join/of"
    assert unmerge(join={"out": out, "of": out}).status_code == 409
    stale = unmerge(join={"out": out, "of": of}, version=version + 1)
    assert (stale.status_code, "has changed since" in stale.json()["detail"]) == (409, True)
    assert len(pipeline.partition()) == 1
    done = unmerge(join={"out": out, "of": of}, version=version)
    assert done.status_code == 200, done.content
    assert {r["external_id"] for r in done.json()["records"] if r["customer_id"] == bert} == {"C2", "E2"}
    assert unmerge(join={"out": out, "of": of}).status_code == 409
    assert pipeline.broken() == []


def test_how_a_customer_came_together() -> None:
    anna, bert = take("crm", ANNA, BERT)
    take("erp", {**ANNA, "record_id": "E1", "email": "a.zwiebelmann@example.org"})
    client = person("steward")
    told = client.get(f"/api/v1/customers/{anna}/joins").json()
    assert told["id"] == told["asked_id"] == anna
    assert {r["external_id"] for r in told["records"]} == {"C1", "E1"}
    (join,) = told["joins"]
    assert {join["record_a"]["external_id"], join["record_b"]["external_id"]} == {"C1", "E1"}
    assert (join["why"], join["actor"], join["reason"]) == ("weight", None, None)
    assert join["weight"] > 0
    assert 0.5 < join["probability"] <= 1
    assert any(finding.startswith("same family name") for finding in join["findings"])
    assert sorted(join["group_a"] + join["group_b"]) == [0, 1]
    assert (told["groups"], told["refused"], told["followers"]) == ([[0, 1]], [], [])

    client.post("/api/v1/customers:merge", {"customers": [anna, bert], "reason": "same passport"}, format="json")
    merged = client.get(f"/api/v1/customers/{bert}/joins").json()
    assert (merged["id"], merged["asked_id"]) == (anna, bert)
    said = [j for j in merged["joins"] if j["why"] == "person"]
    assert said
    assert all(
        (j["weight"], j["probability"], j["actor"], j["reason"]) == (None, None, "user:steward", "same passport")
        for j in said
    )
    body = {"records": [{"system": "crm", "external_id": "C2"}], "reason": "another passport"}
    client.post(f"/api/v1/customers/{anna}:unmerge", body, format="json")
    (refused,) = client.get(f"/api/v1/customers/{bert}/joins").json()["refused"]
    assert refused["record"] == {"system": "crm", "external_id": "C2"}
    assert refused["other"]["customer_id"] == anna
    assert (refused["why"], refused["actor"], refused["reason"]) == ("person", "user:steward", "another passport")
    assert refused["sentence"] == "A person said that these are different customers."


def test_how_a_customer_came_together_is_for_who_reads_customers() -> None:
    (anna,) = take("crm", ANNA)
    path = f"/api/v1/customers/{anna}/joins"
    assert machine("customers:read").get(path).status_code == 200
    assert machine("changes:read").get(path).status_code == 403
    assert person("viewer").get(path).json()["joins"] == []
    assert person("viewer").get(f"/api/v1/customers/{uuid7()}/joins").status_code == 404
    assert person("viewer").get(f"{path}?explain=1").status_code == 400
