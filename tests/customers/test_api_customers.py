"""Customers over the API: found, read, followed through history, whatever id is asked for."""

from typing import Any
from uuid import UUID

import pytest
from django.utils import timezone

from apps.common.ids import uuid7
from apps.customers.models import Customer, SourceRecord
from tests.callers import machine, person
from tests.customers import given

pytestmark = pytest.mark.django_db

ANNA: dict[str, Any] = {
    "record_id": "C1", "kind": "person", "given_name": "Anna", "family_name": "Müller", "email": "anna@example.com",
    "address_line1": "Lindenstraße 5", "postal_code": "10969", "city": "Berlin", "country": "DE",
    "credit_limit": "1200",
    "birth_date": "1980-02-29", "source_updated_at": "2024-01-01T00:00:00Z",
}  # fmt: skip
ANNA_ERP: dict[str, Any] = {**ANNA, "record_id": "E/1", "family_name": "Mueller", "email": "a.m@example.org"}


def merged() -> tuple[UUID, UUID]:
    """Two customers that became one: (survivor, retired id)."""
    first, second = given.customers([("crm", ANNA)], [("erp", ANNA_ERP)])
    given.place([list(SourceRecord.objects.order_by("id").values_list("id", flat=True))])
    return first, second


def url(customer: UUID, more: str = "") -> str:
    return f"/api/v1/customers/{customer}{more}"


def test_a_customer_is_read_with_its_effective_values() -> None:
    id_ = given.customer(("crm", ANNA))
    response = machine("customers:read").get(url(id_))
    body = response.json()
    assert response.status_code == 200
    assert (body["id"], body["asked_id"], body["replaced_by"]) == (str(id_), str(id_), None)
    assert (body["name"], body["birth_date"], body["credit_limit"]) == ("Anna Müller", "1980-02-29", "1200.00")
    assert body["sources"][0]["system"] == "crm"
    assert "website" not in body
    assert (response["ETag"], response["Cache-Control"]) == ('"1"', "private, no-cache")


def test_a_retired_id_answers_with_its_successor() -> None:
    survivor, retired = merged()
    client = machine("customers:read")
    response = client.get(url(retired))
    body = response.json()
    assert (body["id"], body["asked_id"], body["replaced_by"]) == (str(survivor), str(retired), str(survivor))
    assert client.get(url(survivor)).json()["retired_ids"] == [str(retired)]
    assert response["ETag"] != client.get(url(survivor))["ETag"]


@pytest.mark.parametrize("form", ['"1"', 'W/"1"', '"0", "1"', "*"])
def test_an_unchanged_customer_costs_a_304(form: str) -> None:
    id_ = given.customer(("crm", ANNA))
    response = machine("customers:read").get(url(id_), HTTP_IF_NONE_MATCH=form)
    assert (response.status_code, response.content, response["ETag"]) == (304, b"", '"1"')


def test_a_changed_customer_is_sent_again() -> None:
    id_ = given.customer(("crm", ANNA))
    given.customers([("crm", {**ANNA, "city": "Kiel", "source_updated_at": "2024-02-01T00:00:00Z"})])
    response = machine("customers:read").get(url(id_), HTTP_IF_NONE_MATCH='"1"')
    assert (response.status_code, response["ETag"]) == (200, '"2"')


def test_as_of_tells_the_past() -> None:
    id_ = given.customer(("crm", ANNA))
    then = Customer.objects.get(id=id_).updated_at
    given.customers([("crm", {**ANNA, "city": "Kiel", "source_updated_at": "2024-02-01T00:00:00Z"})])
    client = machine("customers:read")
    assert client.get(url(id_), {"as_of": then.isoformat()}).json()["addresses"][0]["city"] == "Berlin"
    assert client.get(url(id_), {"as_of": timezone.now().isoformat()}).json()["version"] == 2
    assert client.get(url(id_), {"as_of": "2001-01-01T00:00:00Z"}).status_code == 404
    assert client.get(url(id_), {"as_of": "yesterday"}).status_code == 400


def test_history_pages_and_links() -> None:
    id_ = given.customer(("crm", ANNA))
    for day, city in enumerate(("Kiel", "Mainz"), 2):
        given.customers([("crm", {**ANNA, "city": city, "source_updated_at": f"2024-02-0{day}T00:00:00Z"})])
    client = machine("customers:read")
    first = client.get(url(id_, "/history"), {"limit": 2})
    assert [v["version"] for v in first.json()["items"]] == [3, 2]
    link = first["Link"].split(">")[0].strip("<")
    rest = client.get(link).json()
    assert [v["version"] for v in rest["items"]] == [1]
    assert rest["next"] is None
    assert first.json()["items"][0]["changes"][0]["attribute"] == "addresses"


def test_a_retired_id_has_a_history_of_its_own() -> None:
    survivor, retired = merged()
    body = machine("customers:read").get(url(retired, "/history")).json()
    assert body["items"][0]["event"] == "customer.retired"
    assert body["items"][0]["replaced_by"] == str(survivor)


def test_lineage_shows_losing_values_only_to_those_who_may_read_sources() -> None:
    survivor, _ = merged()
    seen = machine("customers:read").get(url(survivor, "/lineage")).json()
    assert all("others" not in a for a in seen["attributes"])
    assert next(a for a in seen["attributes"] if a["attribute"] == "birth_date")["winner"]["system"] in ("crm", "erp")
    whole = machine("customers:read", "sources:read").get(url(survivor, "/lineage")).json()
    family = next(a for a in whole["attributes"] if a["attribute"] == "family_name")
    assert {family["winner"]["value"], family["others"][0]["value"]} == {"Müller", "Mueller"}
    assert "others" in person("steward").get(url(survivor, "/lineage")).json()["attributes"][0]
    assert "others" not in person("viewer").get(url(survivor, "/lineage")).json()["attributes"][0]


def test_search_finds_filters_and_pages() -> None:
    given.customers(
        [("crm", ANNA)], [("erp", {"record_id": "9", "kind": "organization", "name": "ACME AG", "country": "AT"})]
    )
    client = machine("customers:read")
    assert [h["name"] for h in client.get("/api/v1/customers", {"q": "muller"}).json()["items"]] == ["Anna Müller"]
    assert client.get("/api/v1/customers")["Cache-Control"] == "no-store"
    assert [h["name"] for h in client.get("/api/v1/customers", {"country": "at"}).json()["items"]] == ["ACME AG"]
    first = client.get("/api/v1/customers", {"limit": 1}).json()
    second = client.get("/api/v1/customers", {"limit": 1, "cursor": first["next"]}).json()
    assert {first["items"][0]["name"], second["items"][0]["name"]} == {"Anna Müller", "ACME AG"}
    assert second["next"] is None


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=201", "limit=100000000000000000000", "limit=x", "limit=", "foo=1", "limit=1&limit=2", "kind=dog",
     "country=Germany", "cursor=!", "cursor=", "q=%00", "system=%27", "q=" + "a" * 201, "format=html", "page=1"],
)  # fmt: skip
def test_a_wrong_parameter_is_named(query: str) -> None:
    response = machine("customers:read").get(f"/api/v1/customers?{query}")
    assert response.status_code == 400
    assert response["Content-Type"] == "application/problem+json"
    assert response.json()["errors"][0]["parameter"] == query.split("=", maxsplit=1)[0]


@pytest.mark.parametrize("more", ["", "/history", "/lineage"])
def test_unknown_and_malformed_ids_are_not_found(more: str) -> None:
    client = machine("customers:read")
    for id_ in (str(uuid7()), "1", "x" * 300, "%00", "01900000-0000-7000-8000-00000000000g"):
        response = client.get(f"/api/v1/customers/{id_}{more}")
        assert response.status_code == 404
        body = response.json()
        assert response["Content-Type"] == "application/problem+json"
        assert UUID(body["correlation_id"]) == UUID(response["X-Request-ID"])


def test_the_crosswalk_goes_from_every_id_to_its_customer() -> None:
    survivor, _ = merged()
    client = machine("customers:read")
    one = client.get("/api/v1/crosswalk", {"system": "erp", "external_id": "E/1"}).json()
    assert one == {"system": "erp", "external_id": "E/1", "customer_id": str(survivor)}
    asked = {"ids": [{"system": "crm", "external_id": "nope"}, {"system": "crm", "external_id": "C1"}]}
    found = client.post("/api/v1/crosswalk", asked, format="json").json()["items"]
    assert [f["customer_id"] for f in found] == [None, str(survivor)]
    too_many = {"ids": [asked["ids"][0]] * 1001}
    assert client.post("/api/v1/crosswalk", too_many, format="json").status_code == 400
    assert client.post("/api/v1/crosswalk", {"ids": []}, format="json").status_code == 400


def test_reading_costs_few_queries(django_assert_max_num_queries: Any) -> None:
    survivor, retired = merged()
    client = machine("customers:read")
    for path, most in (
        (url(survivor), 4), (url(retired), 5), (url(survivor, "/history"), 4), (url(survivor, "/lineage"), 4),
        ("/api/v1/customers?q=muller", 9), ("/api/v1/customers", 3),
    ):  # fmt: skip
        with django_assert_max_num_queries(most):
            assert client.get(path).status_code == 200


def test_lists_ask_no_more_when_they_are_longer(django_assert_max_num_queries: Any) -> None:
    people = [[("crm", {"record_id": f"P{i}", "kind": "person", "name": f"No{i} Mustermann"})] for i in range(30)]
    given.customers(*people)
    client = machine("customers:read")
    with django_assert_max_num_queries(3):
        assert len(client.get("/api/v1/customers").json()["items"]) == 30
    with django_assert_max_num_queries(5):
        assert len(client.get("/api/v1/customers?q=Mustermann").json()["items"]) == 30


def test_systems_are_listed() -> None:
    given.system("crm", trust=70)
    body = machine("systems:read").get("/api/v1/systems").json()
    assert {"code": "crm", "name": "CRM", "kind": "other", "region": "", "trust": 70, "is_active": True} in body[
        "items"
    ]


def test_how_a_value_is_decided_is_told_step_by_step() -> None:
    survivor, retired = merged()
    client = machine("customers:read", "sources:read")
    body = client.get(url(retired, "/lineage/family_name")).json()
    assert (body["id"], body["asked_id"], body["attribute"]) == (str(survivor), str(retired), "family_name")
    golden = client.get(url(survivor)).json()["family_name"]
    assert body["value"] == golden
    winner, loser = body["candidates"]
    assert (winner["won"], loser["won"]) == (True, False)
    assert winner["record"] == body["record"]
    assert golden in winner["value"], "of the names that survive together"
    assert len(winner["scores"]) == len(body["steps"]) > 0
    assert loser["out"] == body["steps"][-1]["rule"]
    assert body["stands"] is True
    assert client.get(url(survivor, "/lineage/shoe_size")).status_code == 404
    assert machine("customers:read").get(url(survivor, "/lineage/family_name")).status_code == 403
