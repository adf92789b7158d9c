"""Records sent over the API: taken through to their customers, one bad one never holding up the others, hostile ones
refused."""

import json
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given as example
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from apps.common.act import Act
from apps.connectors import runs
from apps.connectors.models import Mapping, Run
from apps.customers.models import Customer, Quarantine, SourceRecord, System
from tests.callers import machine, person
from tests.customers import given

pytestmark = pytest.mark.django_db

URL = "/api/v1/source-records"
ANNA: dict[str, Any] = {
    "record_id": "C1", "kind": "person", "given_name": "Anna", "family_name": "Müller",
    "email": "anna.mueller@example.com",
    "birth_date": "1980-02-29", "city": "Berlin", "country": "DE",
}  # fmt: skip


@pytest.fixture(autouse=True)
def systems() -> None:
    given.system("crm")
    given.system("erp")


def send(records: Any, query: str = "system=crm", **extra: Any) -> Any:
    body = records if isinstance(records, str | bytes) else json.dumps(records)
    return machine("sources:write").post(
        f"{URL}?{query}", data=body, content_type=extra.pop("content_type", "application/json"), **extra
    )


def test_records_are_taken_through_to_their_customers() -> None:
    response = send({"records": [ANNA, {**ANNA, "record_id": "C2", "email": "else@example.org", "given_name": "Bert"}]})
    first, second = response.json()["results"]
    assert response.status_code == 200
    assert (first["index"], first["external_id"], first["outcome"]) == (0, "C1", "created")
    assert first["customer_id"] != second["customer_id"]
    assert Customer.objects.filter(id__in=[first["customer_id"], second["customer_id"]]).count() == 2
    assert SourceRecord.objects.get(id=first["record_id"]).correlation_id == UUID(response["X-Request-ID"])


def test_the_same_person_from_two_systems_is_one_customer() -> None:
    one = send(ANNA).json()["results"][0]
    other = send({**ANNA, "record_id": "E7"}, "system=erp").json()["results"][0]
    assert one["customer_id"] == other["customer_id"]


def test_the_same_again_is_unchanged() -> None:
    send(ANNA)
    again = send(ANNA).json()["results"][0]
    assert again["outcome"] == "unchanged"
    assert Customer.objects.get(id=again["customer_id"]).version == 1


def test_one_bad_record_is_set_aside_and_the_others_go_on() -> None:
    response = send({"records": [ANNA, {"record_id": "C2", "birth_date": "31.31.1999"}, 5, {"name": "No id"}]})
    good, bad, number, nameless = response.json()["results"]
    assert response.status_code == 200
    assert good["outcome"] == "created"
    assert [r["outcome"] for r in (bad, number, nameless)] == ["quarantined"] * 3
    assert bad["problems"][0]["pointer"] == "/birth_date"
    assert nameless["problems"][0]["code"] == "missing"
    assert Quarantine.objects.get(id=bad["quarantine_id"]).external_id == "C2"


def test_the_system_may_stand_in_the_body() -> None:
    assert send({"system": "crm", "records": [ANNA]}, "").status_code == 200
    assert send({"system": "crm", **ANNA}, "").json()["results"][0]["outcome"] == "unchanged"
    assert send({"system": "crm", "records": [ANNA]}, "system=erp").status_code == 400
    assert send({"records": [ANNA]}, "").status_code == 400
    assert send({"system": 5, "records": [ANNA]}, "").status_code == 400


def test_unknown_fields_refuse_the_whole_call() -> None:
    response = send(
        {"records": [ANNA, {**ANNA, "record_id": "C2", "emial": "x", "addresses": [{"city": "X", "floor": 3}]}]}
    )
    assert response.status_code == 400
    pointers = {e["pointer"]: e for e in response.json()["errors"]}
    assert pointers.keys() == {"/records/1/emial", "/records/1/addresses/0/floor"}
    assert "email" in pointers["/records/1/emial"]["detail"]
    assert not SourceRecord.objects.exists()
    assert send({**ANNA, "foo": 1}).json()["errors"][0]["pointer"] == "/foo"


def test_unknown_fields_can_be_kept_in_raw() -> None:
    result = send({**ANNA, "shoe_size": 42}, "system=crm&unknown=keep").json()["results"][0]
    row = SourceRecord.objects.get(id=result["record_id"])
    assert json.loads(row.raw or "")["shoe_size"] == 42
    assert "shoe_size" not in json.dumps(row.canonical)


def test_a_patch_changes_what_it_names() -> None:
    send(ANNA)
    send({"record_id": "C1", "city": "Kiel"}, "system=crm&mode=patch")
    canonical = SourceRecord.objects.get(external_id="C1").canonical
    assert (canonical["addresses"][0]["city"], canonical["birth_date"]) == ("Kiel", "1980-02-29")


def test_a_dry_run_keeps_nothing() -> None:
    result = send({"records": [ANNA, {"name": "x"}]}, "system=crm&dry_run=true").json()["results"]
    assert [r["outcome"] for r in result] == ["created", "quarantined"]
    assert not SourceRecord.objects.exists()
    assert not Quarantine.objects.exists()


def test_a_quiet_load_is_not_released() -> None:
    result = send(ANNA, "system=crm&quiet=true").json()["results"][0]
    assert Customer.objects.get(id=result["customer_id"]).released is False


def test_ndjson_is_one_record_a_line() -> None:
    body = json.dumps(ANNA) + "\n\n" + json.dumps({**ANNA, "record_id": "C2"}) + "\r\n"
    response = send(body, content_type="application/x-ndjson")
    assert [r["external_id"] for r in response.json()["results"]] == ["C1", "C2"]
    broken = send(json.dumps(ANNA) + '\n{"record_id": 1,', content_type="application/x-ndjson")
    assert broken.status_code == 400
    assert broken.json()["errors"][0]["pointer"] == "/records/1"
    assert "Line 2" in broken.json()["detail"]


def test_a_mapping_reads_the_systems_own_words() -> None:
    body = {
        "columns": {"record_id": "Nr", "name": "Firma"},
        "constants": {"kind": "organization"},
        "extra": {"tier": "text"},
    }
    Mapping.objects.create(system=System.objects.get(code="erp"), name="api", body=body, created_by="test")
    response = send({"Nr": "5", "Firma": "ACME AG", "tier": "gold"}, "system=erp&mapping=api")
    assert response.json()["results"][0]["outcome"] == "created"
    assert SourceRecord.objects.get(external_id="5").canonical["extra"] == {"tier": "gold"}
    unknown = send({"Nr": "5", "Firma": "ACME AG", "Fax": "1"}, "system=erp&mapping=api")
    assert unknown.json()["errors"][0]["pointer"] == "/Fax"
    assert send(ANNA, "system=erp&mapping=none").status_code == 400


@pytest.mark.django_db(transaction=True)  # a run matches on a second connection
def test_many_records_become_a_job() -> None:
    people = [
        {"record_id": f"P{i}", "kind": "person", "given_name": f"No{i}", "family_name": f"Mustermann{i}"}
        for i in range(101)
    ]
    response = send({"records": [*people, {"name": "no id"}]})
    assert response.status_code == 202
    job = response.json()
    assert response["Location"] == f"/api/v1/jobs/{job['id']}"
    assert job["state"] == "queued"
    reader = machine("jobs:read")
    runs.execute(runs.claim(UUID(job["id"])) or UUID(int=0))
    done = reader.get(response["Location"]).json()
    assert done["state"] == "succeeded", done
    assert (done["counts"]["read"], done["counts"]["created"], done["counts"]["quarantined"]) == (102, 101, 1)


def test_a_caller_can_ask_for_a_job() -> None:
    response = send(ANNA, HTTP_PREFER="wait=5, respond-async")
    assert response.status_code == 202
    assert send(ANNA, "system=crm&dry_run=true", HTTP_PREFER="respond-async").status_code == 400


def test_a_client_writes_its_own_systems_only() -> None:
    client = machine("sources:write", "quarantine:write", name="crm-only", systems=["crm"])
    body = json.dumps(ANNA)
    assert client.post(f"{URL}?system=crm", data=body, content_type="application/json").status_code == 200
    for code in ("erp", "none"):
        assert client.post(f"{URL}?system={code}", data=body, content_type="application/json").status_code == 403
    assert client.delete(f"{URL}/erp/C1").status_code == 403
    send({"name": "no id"}, "system=erp")
    row = Quarantine.objects.get(system__code="erp")
    fixed = json.dumps({"record": ANNA})
    assert (
        client.post(f"/api/v1/quarantine/{row.id}:resubmit", fixed, content_type="application/json").status_code == 403
    )


def test_unknown_silent_and_stewards_systems_take_nothing() -> None:
    given.system("steward", kind="steward")
    System.objects.filter(code="erp").update(is_active=False)
    assert send(ANNA, "system=none").status_code == 404
    assert send(ANNA, "system=steward").status_code == 404
    assert send(ANNA, "system=erp").status_code == 409
    assert send(ANNA, "system=CRM").status_code == 400


def test_a_record_is_read_back_whole_with_its_versions() -> None:
    send({**ANNA, "record_id": "a/b c"})
    send({**ANNA, "record_id": "a/b c", "city": "Kiel"})
    response = machine("sources:read").get(f"{URL}/crm/a%2Fb%20c")
    body = response.json()
    assert body["version"] == 2
    assert json.loads(body["raw"])["city"] == "Kiel"
    assert [v["canonical"]["addresses"][0]["city"] for v in body["versions"]] == ["Berlin"]
    assert machine("sources:read").get(f"{URL}/crm/none").status_code == 404


def test_a_deletion_is_a_version() -> None:
    send(ANNA)
    client = machine("sources:write", "sources:read")
    response = client.delete(f"{URL}/crm/C1")
    assert (response.status_code, response.json()["outcome"]) == (200, "deleted")
    body = client.get(f"{URL}/crm/C1").json()
    assert (body["deleted"], body["version"], body["canonical"]["birth_date"]) == (True, 2, "1980-02-29")
    assert client.delete(f"{URL}/crm/C1").json()["outcome"] == "unchanged"
    assert client.delete(f"{URL}/crm/none").status_code == 404


HOSTILE = [
    ("nothing", b""), ("no json", b"{"), ("a list", b"[]"), ("text", b'"x"'), ("null", b"null"), ("not utf-8",
    b"\xff\xfe{}"),
    ("utf-16", '{"record_id":"1"}'.encode("utf-16")), ("twice", b'{"record_id":"1","record_id":"2"}'), ("NaN",
    b'{"record_id":NaN}'),
    ("infinite", b'{"credit_limit":1e999}'), ("deep list", b"[" * 40 + b"]" * 40), ("very deep", b'{"a":' * 100_000),
    ("deep record", b'{"records":[{"record_id":' + b"[" * 50 + b"]" * 50 + b"}]}"), ("long number",
    b'{"record_id":' + b"9" * 5000 + b"}"),
    ("no records", b'{"records":[]}'), ("records is text", b'{"records":"x"}'), ("beside records",
    b'{"records":[{}],"x":1}'),
    ("odd key", b'{"\\u0000":1}'), ("odd key half", b'{"\\ud800":1}'),
]  # fmt: skip


@pytest.mark.parametrize(("name", "body"), HOSTILE, ids=[name for name, _ in HOSTILE])
def test_hostile_bodies_are_refused_with_a_problem(name: str, body: bytes) -> None:
    response = send(body)
    assert response.status_code == 400, response.content
    assert response["Content-Type"] == "application/problem+json"
    problem = response.json()
    assert problem["status"] == 400
    assert problem["type"] == "/api/problems/bad-request"
    assert problem["errors"], problem


@pytest.mark.parametrize("query", ["system=crm", "system=crm&unknown=keep", "system=crm&unknown=keep&mode=patch"])
@pytest.mark.parametrize(
    "text", ["\\u0000", "\\ud800", "\\udfff\\ud800", "a\\u0007b", "\\u202e", "x" * 100_001, "=cmd|'/c calc'!A1"]
)
@pytest.mark.parametrize("field", ["record_id", "name", "email", "kind", "extra", "shoe_size"])
def test_odd_text_never_breaks_the_call(query: str, text: str, field: str) -> None:
    response = send(
        f'{{"record_id":"1","kind":"person","{field}x":1,"{field}":"{text}"}}'.replace(f'"{field}x":1,', ""), query
    )
    assert response.status_code in (200, 400), response.content


@pytest.mark.parametrize("value", ["5", "null", "true", "[]", "{}", "1e308", "-0.0", '""', '[{"a":[1]}]'])
@pytest.mark.parametrize(
    "field", ["record_id", "name", "birth_date", "credit_limit", "addresses", "contact_points", "deleted", "empty"]
)
def test_values_of_any_type_never_break_the_call(value: str, field: str) -> None:
    response = send(f'{{"records":[{{"kind":"person","{field}":{value}}}]}}')
    assert response.status_code in (200, 400), response.content


@pytest.mark.django_db(transaction=True)  # a run matches on a second connection
def test_odd_text_in_a_job_is_set_aside_or_kept_and_never_stops_it() -> None:
    records = [
        {"record_id": "1", "name": "\ud800"},
        {"record_id": "2", "name": "X Y", "note": "\ud800\x00"},
        ANNA,
        "\ud800",
    ]
    response = send({"records": records}, "system=crm&unknown=keep", HTTP_PREFER="respond-async")
    run = runs.execute(runs.claim(UUID(response.json()["id"])) or UUID(int=0))
    assert (run.state, run.counts["read"], run.counts["created"]) == ("succeeded", 4, 2), run.error


def test_bodies_have_a_limit_and_a_type() -> None:
    big = json.dumps({"records": [{"record_id": "1", "name": "x" * 2_000_000}]})
    assert send(big).status_code == 413
    assert machine("sources:write").post(f"{URL}?system=crm", data={"a": 1}, format="multipart").status_code == 415
    assert send("<a/>", content_type="application/xml").status_code == 415
    assert send("{}", content_type="application/json; charset=latin-1").status_code == 415
    assert send(ANNA, content_type="application/json; charset=UTF-8").status_code == 200
    assert machine("sources:write").get(URL).status_code == 405


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
FIELDS = st.sampled_from(
    [*ANNA, "records", "system", "addresses", "contact_points", "identifiers", "extra", "empty", "deleted"]
)


@example(st.dictionaries(FIELDS, JSON, max_size=5), st.booleans())
@hypothesis_settings(max_examples=60, deadline=None)
def test_no_body_at_all_leads_to_a_500(body: dict[str, Any], keep: bool) -> None:
    given.system("crm")
    response = send(json.dumps(body), "system=crm&unknown=keep" if keep else "system=crm")
    assert response.status_code in (200, 202, 400), response.content


def test_a_session_of_an_integrator_may_send_too() -> None:
    client = person("integrator")
    assert client.post(f"{URL}?system=crm", data=json.dumps(ANNA), content_type="application/json").status_code == 200
    assert SourceRecord.objects.get().memberships.get().actor == "user:integrator"


def test_a_job_of_a_client_is_not_run_twice() -> None:
    system = System.objects.get(code="crm")
    run = runs.create_api_run(system=system, body=b"[]", act=Act("client:x"))
    assert run is not None
    assert Run.objects.count() == 1
