"""The support desk's own ways."""

import pytest

from apps.connectors.sandbox import Far
from tests.connectors.sandbox.calls import CONTACTS, SPEECH, call

KIND = "support"
EXPORT = "/api/v2/incremental/contacts/cursor.json"
support = SPEECH["support"]


def upsert(far: Far, **contact: object):
    return call(far, "POST", f"{CONTACTS}/create_or_update.json", {"contact": contact})


def test_create_or_update_makes_once_and_then_changes(far: Far) -> None:
    first, second = upsert(far, external_id="K-1", name="Anna"), upsert(far, external_id="K-1", phone="1")
    assert (first.status, second.status) == (201, 200)
    assert first.body["contact"]["id"] == second.body["contact"]["id"]
    assert isinstance(first.body["contact"]["id"], int)
    assert (second.body["contact"]["name"], second.body["contact"]["phone"]) == ("Anna", "1")


def test_without_a_key_every_call_makes_one(far: Far) -> None:
    assert [upsert(far, name="Anna").status for _ in range(2)] == [201, 201]
    assert len(far.records()) == 2


@pytest.mark.parametrize("body", [{}, {"contact": 1}, {"contact": {}, "more": 1}, {"name": "x"}], ids=str)
def test_the_envelope_must_fit(far: Far, body: object) -> None:
    reply = call(far, "POST", f"{CONTACTS}/create_or_update.json", body)
    assert (reply.status, reply.body["error"]) == (400, "InvalidBody")


def test_a_safe_update_needs_the_stamp_of_what_it_saw(far: Far) -> None:
    made = upsert(far, external_id="K-1", name="Anna").body["contact"]
    safe = {"safe_update": True, "updated_stamp": made["updated_at"]}
    assert support.update(far, str(made["id"]), {"name": "Bert", **safe}).status == 200
    stale = support.update(far, str(made["id"]), {"name": "Carl", **safe})
    assert (stale.status, stale.body["error"]) == (409, "Conflict")
    assert support.update(far, str(made["id"]), {"name": "Dora", "updated_stamp": "any"}).status == 200
    assert support.value(far, str(made["id"]), "name") == "Dora"


def test_every_wrong_field_is_told_at_once(far: Far) -> None:
    reply = upsert(far, status="zombie", birth_date="1999-02-30", locale="x" * 21)
    assert (reply.status, reply.body["error"]) == (422, "RecordInvalid")
    assert set(reply.body["details"]) == {"status", "birth_date", "locale"}
    assert all(line["description"] for lines in reply.body["details"].values() for line in lines)


def test_a_contact_is_found_by_its_key(far: Far) -> None:
    made = upsert(far, external_id="a&b=c ü").body["contact"]["id"]
    found = call(far, "GET", f"{CONTACTS}/search.json?external_id=a%26b%3Dc+%C3%BC").body
    assert ([contact["id"] for contact in found["contacts"]], found["count"]) == ([made], 1)
    assert call(far, "GET", f"{CONTACTS}/search.json?external_id=other").body["contacts"] == []
    assert call(far, "GET", f"{CONTACTS}/search.json").status == 400


def test_a_taken_key_is_refused_on_update(far: Far) -> None:
    upsert(far, external_id="K-1")
    other = upsert(far, external_id="K-2").body["contact"]["id"]
    reply = support.update(far, str(other), {"external_id": "K-1"})
    assert (reply.status, reply.body["details"]["external_id"][0]["error"]) == (422, "DuplicateValue")


def test_a_merge_keeps_the_one_in_the_address(far: Far) -> None:
    winner, loser = (upsert(far, external_id=key).body["contact"]["id"] for key in ("K-1", "K-2"))
    reply = call(far, "POST", f"{CONTACTS}/{winner}/merge.json", {"id": loser})
    assert (reply.status, reply.body["contact"]["id"]) == (200, winner)
    found = {contact["id"]: contact for contact in call(far, "GET", EXPORT).body["contacts"]}
    assert found[loser]["merged_into"] == winner
    assert found[loser]["deleted_at"]
    assert "merged_into" not in found[winner]
    assert support.read(far, str(loser)).status == 404


@pytest.mark.parametrize("body", [{}, {"id": None}, {"id": True}, {"id": 9}, {"id": "itself"}], ids=str)
def test_a_merge_that_cannot_be_is_refused(far: Far, body: dict) -> None:
    winner = upsert(far).body["contact"]["id"]
    body = {"id": winner} if body.get("id") == "itself" else body
    assert call(far, "POST", f"{CONTACTS}/{winner}/merge.json", body).status in (400, 404)


def test_the_cursor_goes_on_where_it_stopped(far: Far) -> None:
    assert call(far, "GET", EXPORT).body == {"contacts": [], "after_cursor": None, "end_of_stream": True}
    upsert(far, external_id="K-1")
    first = call(far, "GET", EXPORT).body
    new = upsert(far, external_id="K-2").body["contact"]["id"]
    later = call(far, "GET", f"{EXPORT}?cursor={first['after_cursor']}").body
    assert [contact["id"] for contact in later["contacts"]] == [new]
    idle = call(far, "GET", f"{EXPORT}?cursor={later['after_cursor']}").body
    assert (idle["contacts"], idle["after_cursor"]) == ([], later["after_cursor"])


@pytest.mark.parametrize("cursor", ["nonsense", "eA==", "%00"])
def test_a_cursor_of_ones_own_is_refused(far: Far, cursor: str) -> None:
    assert call(far, "GET", f"{EXPORT}?cursor={cursor}").status == 400
