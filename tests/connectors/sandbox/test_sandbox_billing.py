"""Billing's own ways: forms, idempotency keys, metadata, search, events."""

import threading
import time
from urllib.parse import quote

import pytest

from apps.connectors.sandbox import Far
from tests.connectors.sandbox.calls import SPEECH, V1, call

KIND = "billing"
FORM = "application/x-www-form-urlencoded"
billing = SPEECH["billing"]


def post(far: Far, form: str, path: str = V1, key: str = ""):
    return call(far, "POST", path, form, Content_Type=FORM, **({"Idempotency_Key": key} if key else {}))


def search(far: Far, key: str) -> list[str]:
    query = "metadata['mdm_key']:'{}'".format(key.replace("\\", "\\\\").replace("'", "\\'"))
    return [found["id"] for found in call(far, "GET", f"{V1}/search?query={quote(query)}").body["data"]]


def test_a_form_with_brackets_is_read_by_type(far: Far) -> None:
    form = (
        "name=A+B&address[line1]=L%C3%A9&address[city]=&metadata[mdm_key]=K-1&metadata[note]=7"
        "&preferred_locales[1]=fr&preferred_locales[0]=de&credit_limit=1200.50&status=active"
    )
    made = post(far, form).body
    assert (made["object"], made["name"], made["credit_limit"]) == ("customer", "A B", 1200.5)
    assert (made["address"]["line1"], made["address"]["city"]) == ("Lé", None)
    assert made["metadata"] == {"mdm_key": "K-1", "note": "7"}
    assert made["preferred_locales"] == ["de", "fr"]
    assert isinstance(made["created"], int)


def test_json_is_taken_too(far: Far) -> None:
    body = {
        "name": "A",
        "address": {"city": "Bonn"},
        "credit_limit": 5,
        "preferred_locales": ["de"],
        "metadata": {"kind": "person"},
    }
    made = call(far, "POST", V1, body).body
    assert (made["address"]["city"], made["credit_limit"], made["preferred_locales"]) == ("Bonn", 5, ["de"])


@pytest.mark.parametrize(
    "form",
    ["a[b][c]=1", "[a]=1", "name", "name=%", "address=x&address[city]=y", "%ff"],
    ids=["deep", "nameless", "bare", "percent", "both", "bytes"],
)
def test_a_form_that_cannot_be_read_is_refused(far: Far, form: str) -> None:
    reply = post(far, form)
    known = form == "name=%"  # a lone percent sign stands for itself
    assert reply.status == (200 if known else 400)
    assert known or reply.body["error"]["message"]


def test_parts_change_one_by_one_and_empty_text_takes_away(far: Far) -> None:
    record_id = post(
        far, "address[city]=Bonn&address[line1]=L&metadata[a]=1&metadata[b]=2&preferred_locales[]=de"
    ).body["id"]
    after = post(far, "address[city]=Ulm&metadata[a]=&preferred_locales=", f"{V1}/{record_id}").body
    assert (after["address"]["city"], after["address"]["line1"]) == ("Ulm", "L")
    assert (after["metadata"], after["preferred_locales"]) == ({"b": "2"}, [])
    cleared = post(far, "metadata=&address=", f"{V1}/{record_id}").body
    assert (cleared["metadata"], set(cleared["address"].values())) == ({}, {None})


@pytest.mark.parametrize(
    ("form", "param"),
    [("address[planet]=x", "address[planet]"), ("credit_limit=nan", "credit_limit"), ("status=zombie", "status"),
     ("preferred_locales=de", "preferred_locales"), ("address=x", "address"), ("created=5", "created"),
     (f"metadata[x]={'y' * 501}", "metadata[x]")],
    ids=["part", "number", "status", "list", "object", "own", "long"],
)  # fmt: skip
def test_a_wrong_parameter_is_named(far: Far, form: str, param: str) -> None:
    reply = post(far, form)
    assert (reply.status, reply.body["error"]["param"]) == (400, param)
    assert reply.body["error"]["type"] == "invalid_request_error"


def test_the_same_key_replays_the_first_answer(far: Far) -> None:
    first, again = (post(far, "name=A&metadata[mdm_key]=K-1", key="I-1") for _ in range(2))
    assert first.text == again.text
    assert ("idempotent-replayed" in first.headers, again.headers["idempotent-replayed"]) == (False, "true")
    assert (len(far.records()), far.requests()["repeats"]) == (1, 1)


def test_the_order_of_parameters_does_not_matter_to_a_replay(far: Far) -> None:
    first, again = post(far, "name=A&phone=1", key="I-1"), post(far, "phone=1&name=A", key="I-1")
    assert first.body == again.body


@pytest.mark.parametrize("second", [("name=B", V1), ("name=A", f"{V1}/cus_x")], ids=["parameters", "address"])
def test_the_same_key_for_something_else_is_an_error(far: Far, second: tuple[str, str]) -> None:
    post(far, "name=A", key="I-1")
    reply = post(far, *second, key="I-1")
    assert (reply.status, reply.body["error"]["type"]) == (400, "idempotency_error")
    assert len(far.records()) == 1


def test_a_key_is_free_again_after_its_time(far: Far) -> None:
    """A blind repeat makes a second customer then: the caller has to look before it leaps."""
    first = post(far, "metadata[mdm_key]=K-1", key="I-1").body["id"]
    far.faults(idempotency_seconds=0.01)
    time.sleep(0.05)  # longer than the key is kept
    second = post(far, "metadata[mdm_key]=K-1", key="I-1").body["id"]
    assert first != second
    assert search(far, "K-1") == [first, second]


def test_a_refused_request_leaves_its_key_free(far: Far) -> None:
    assert post(far, "status=zombie", key="I-1").status == 400
    assert post(far, "status=active", key="I-1").status == 200


def test_a_key_in_use_is_a_conflict(far: Far) -> None:
    far.faults(latency_ms=1500)
    replies = []
    slow = threading.Thread(target=lambda: replies.append(post(far, "name=A", key="I-1")))
    slow.start()
    time.sleep(0.5)  # it has arrived, and is not answered before 1.5 s
    meanwhile = post(far, "name=A", key="I-1")
    slow.join()
    assert (meanwhile.status, meanwhile.body["error"]["code"]) == (409, "idempotency_key_in_use")
    assert replies[0].status == 200
    assert len(far.records()) == 1


def test_updates_replay_too(far: Far) -> None:
    record_id = post(far, "name=A").body["id"]
    for _ in range(2):
        assert post(far, "name=B", f"{V1}/{record_id}", key="I-2").status == 200
    assert far.record(record_id)["_version"] == 2


@pytest.mark.parametrize("key", ["K-1", "O'Brien", "back\\slash", 'quo"te', "ü"])
def test_a_customer_is_found_by_its_key(far: Far, key: str) -> None:
    record_id = billing.made(far, key, {})
    billing.made(far, "another", {})
    assert search(far, key) == [record_id]
    assert search(far, "nobody") == []


@pytest.mark.parametrize("query", ["", "name:'x'", "metadata['other']:'x'", "metadata['mdm_key']:'x' OR 1"])
def test_another_search_is_refused(far: Far, query: str) -> None:
    assert call(far, "GET", f"{V1}/search?query={quote(query)}").status == 400


def test_the_search_may_lag(far: Far) -> None:
    far.faults(search_lag_ms=400)
    record_id = billing.made(far, "K-1", {})
    assert search(far, "K-1") == []
    assert billing.read(far, record_id).status == 200
    time.sleep(0.6)  # longer than the lag
    assert search(far, "K-1") == [record_id]


def test_a_deleted_customer_shows_its_grave(far: Far) -> None:
    record_id = billing.made(far, "K-1", {"name": "A"})
    grave = {"id": record_id, "object": "customer", "deleted": True}
    assert (billing.delete(far, record_id).body, billing.read(far, record_id).body) == (grave, grave)
    assert search(far, "K-1") == []


def test_the_list_leaves_out_the_deleted_and_pages(far: Far) -> None:
    made = [billing.made(far, f"K-{number}", {}) for number in range(4)]
    far.delete(made[1])
    first = call(far, "GET", f"{V1}?limit=2").body
    assert ([found["id"] for found in first["data"]], first["has_more"]) == ([made[0], made[2]], True)
    last = call(far, "GET", f"{V1}?limit=2&starting_after={made[2]}").body
    assert ([found["id"] for found in last["data"]], last["has_more"]) == ([made[3]], False)
    assert call(far, "GET", f"{V1}?starting_after=cus_nobody").status == 404


def test_events_tell_each_change_as_it_was_then(far: Far) -> None:
    record_id = post(far, "name=A", key="I-1").body["id"]
    post(far, "name=B", f"{V1}/{record_id}")
    far.edit(record_id, {"address.city": "Bonn"})
    far.delete(record_id)
    events = call(far, "GET", "/v1/events").body["data"]
    assert [event["type"].removeprefix("customer.") for event in events] == ["created", "updated", "updated", "deleted"]
    assert [event["data"]["object"]["name"] for event in events] == ["A", "B", "B", "B"]
    assert [event["data"]["object"]["address"]["city"] for event in events] == [None, None, "Bonn", "Bonn"]
    assert [event["request"]["idempotency_key"] for event in events] == ["I-1", None, None, None]
    assert events[3]["data"]["object"]["deleted"] is True
    after = call(far, "GET", f"/v1/events?after={events[2]['id']}").body["data"]
    assert after == events[3:]


@pytest.mark.parametrize("after", ["nonsense", "evt_", "evt_x1", "12"])
def test_an_unknown_event_is_refused(far: Far, after: str) -> None:
    assert call(far, "GET", f"/v1/events?after={after}").status == 404
