"""The CRM's own ways."""

import re

import pytest

from apps.connectors.sandbox import Far
from tests.connectors.sandbox.calls import ACCOUNT, SPEECH, call

KIND = "crm"
CHANGES = "/services/data/v62.0/changes"
crm = SPEECH["crm"]


def upsert(far: Far, key: str, **fields: object):
    return call(far, "PATCH", f"{ACCOUNT}/MDM_Key__c/{key}", fields)


def test_an_upsert_makes_once_and_then_changes(far: Far) -> None:
    first, second = upsert(far, "K-1", Name="Acme"), upsert(far, "K-1", Name="Acme GmbH")
    assert (first.status, second.status) == (201, 200)
    assert (first.body["created"], second.body["created"]) == (True, False)
    assert first.body["id"] == second.body["id"]
    assert (first.body["success"], first.body["errors"]) == (True, [])
    assert re.fullmatch(r"001[0-9A-Za-z]{15}", first.body["id"])
    [record] = far.records()
    assert (record["Name"], record["MDM_Key__c"]) == ("Acme GmbH", "K-1")


def test_an_upsert_whose_body_names_another_key_is_refused(far: Far) -> None:
    assert upsert(far, "K-1", MDM_Key__c="K-1").status == 201
    reply = upsert(far, "K-1", MDM_Key__c="K-2")
    assert (reply.status, reply.body[0]["fields"]) == (400, ["MDM_Key__c"])


def test_a_plain_create_with_a_taken_key_names_the_record_that_has_it(far: Far) -> None:
    made = call(far, "POST", ACCOUNT, {"MDM_Key__c": "K-1"})
    assert (made.status, made.body["success"]) == (201, True)
    assert made.headers["location"].endswith(made.body["id"])
    again = call(far, "POST", ACCOUNT, {"MDM_Key__c": "K-1"})
    assert (again.status, again.body[0]["errorCode"]) == (400, "DUPLICATE_VALUE")
    assert made.body["id"] in again.body[0]["message"]
    assert far.requests()["repeats"] == 1


def test_a_change_to_a_taken_key_is_refused(far: Far) -> None:
    upsert(far, "K-1")
    other = upsert(far, "K-2").body["id"]
    reply = call(far, "PATCH", f"{ACCOUNT}/{other}", {"MDM_Key__c": "K-1"})
    assert (reply.status, reply.body[0]["errorCode"]) == (400, "DUPLICATE_VALUE")


def test_a_plain_update_answers_without_a_body(far: Far) -> None:
    record_id = upsert(far, "K-1").body["id"]
    reply = call(far, "PATCH", f"{ACCOUNT}/{record_id}", {"Phone": "1"})
    assert (reply.status, reply.text) == (204, b"")


def test_a_record_is_found_by_its_key(far: Far) -> None:
    record_id = upsert(far, "a%2Fb%20c").body["id"]
    found = call(far, "GET", f"{ACCOUNT}/MDM_Key__c/a%2Fb%20c")
    assert (found.status, found.body["Id"], found.body["MDM_Key__c"]) == (200, record_id, "a/b c")
    missing = call(far, "GET", f"{ACCOUNT}/MDM_Key__c/other")
    assert (missing.status, missing.body[0]["errorCode"]) == (404, "NOT_FOUND")


def test_every_wrong_field_is_told_at_once(far: Far) -> None:
    reply = upsert(far, "K-1", Foo=1, Lei__c="x" * 21, Status__c="Zombie", PersonBirthdate="31.12.1999", Name=7)
    words = {line["fields"][0]: line["errorCode"] for line in reply.body}
    assert words == {
        "Foo": "INVALID_FIELD",
        "Lei__c": "STRING_TOO_LONG",
        "Status__c": "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
        "PersonBirthdate": "FIELD_INTEGRITY_EXCEPTION",
        "Name": "FIELD_INTEGRITY_EXCEPTION",
    }


def test_a_merge_deletes_the_losers_and_points_them_at_the_winner(far: Far) -> None:
    winner, *losers = (upsert(far, f"K-{number}", Name=f"N{number}").body["id"] for number in range(3))
    reply = call(far, "POST", f"{ACCOUNT}/{winner}/merge", {"losers": losers})
    assert (reply.status, reply.body["mergedRecordIds"]) == (200, losers)
    found = call(far, "GET", f"{CHANGES}?limit=10").body["records"]
    assert {record["Id"]: (record["IsDeleted"], record["MasterRecordId"]) for record in found} == {
        winner: (False, None), losers[0]: (True, winner), losers[1]: (True, winner),
    }  # fmt: skip
    gone = call(far, "GET", f"{ACCOUNT}/{losers[0]}")
    assert (gone.status, gone.body[0]["errorCode"]) == (404, "ENTITY_IS_DELETED")


@pytest.mark.parametrize("losers", [[], "text", None, [7], ["nobody"], ["itself"]], ids=str)
def test_a_merge_that_cannot_be_changes_nothing(far: Far, losers: object) -> None:
    winner = upsert(far, "K-1").body["id"]
    losers = [winner] if losers == ["itself"] else losers
    assert call(far, "POST", f"{ACCOUNT}/{winner}/merge", {"losers": losers}).status in (400, 404)
    assert far.record(winner)["_version"] == 1


def test_a_merge_is_whole_or_not_at_all(far: Far) -> None:
    winner, loser = (upsert(far, key).body["id"] for key in ("K-1", "K-2"))
    assert call(far, "POST", f"{ACCOUNT}/{winner}/merge", {"losers": [loser, "nobody"]}).status == 404
    assert far.record(loser)["_deleted"] is False


def test_the_cursor_goes_on_where_it_stopped(far: Far) -> None:
    upsert(far, "K-1")
    first = call(far, "GET", CHANGES).body
    assert (len(first["records"]), first["done"]) == (1, True)
    second = upsert(far, "K-2").body["id"]
    cursor = f"after={first['next']['after'].replace('+', '%2B')}&after_id={first['next']['after_id']}"
    later = call(far, "GET", f"{CHANGES}?{cursor}").body
    assert [record["Id"] for record in later["records"]] == [second]
    unchanged = call(far, "GET", f"{CHANGES}?after={later['next']['after'].replace('+', '%2B')}&after_id={second}").body
    assert (unchanged["records"], unchanged["next"]) == ([], later["next"])


@pytest.mark.parametrize("query", ["after=yesterday", "limit=0", "limit=2001", "limit=ten", "limit=-1"])
def test_a_wrong_cursor_is_refused(far: Far, query: str) -> None:
    assert call(far, "GET", f"{CHANGES}?{query}").status == 400


def test_the_moment_has_the_vendors_form(far: Far) -> None:
    record_id = upsert(far, "K-1").body["id"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+0000", crm.value(far, record_id, "SystemModstamp"))
