"""How tests and scripts drive a server: loads, people's deeds, counters, the log in order."""

import threading
import time

import pytest

from apps.connectors.sandbox import Far, FarError
from tests.connectors.sandbox.calls import SPEECH, call, changes
from tests.connectors.sandbox.conftest import KINDS

each_kind = pytest.mark.parametrize("kind", KINDS)


@each_kind
@pytest.mark.parametrize("given", [{}, {"X_Control": "wrong"}], ids=["none", "wrong"])
def test_control_wants_its_own_header(far: Far, kind: str, given: dict) -> None:
    assert call(far, "GET", "/_stats", **given).status == 401


@each_kind
def test_a_load_keeps_ids_and_dirt(far: Far, kind: str) -> None:
    speech = SPEECH[kind]
    dirty = {speech.id: "X 1/ü", speech.name: "  anna ", speech.status: "no such word", speech.short[0]: "x" * 500}
    assert far.load([dirty, {speech.id: "X2", speech.phone: ""}]) == 2
    kept = far.record("X 1/ü")
    assert {name: kept[name] for name in dirty} == dirty
    assert speech.read(far, "X 1/ü").status == 200
    assert far.requests()["log"] == []


@each_kind
def test_a_load_may_bring_its_own_past(far: Far, kind: str) -> None:
    """Two of one moment stand a microsecond apart; later changes are later."""
    speech = SPEECH[kind]
    then = "2020-05-01T12:00:00Z"
    far.load([{speech.id: "X1", speech.modified: then}, {speech.id: "X2", speech.modified: then}, {speech.id: "X3"}])
    moments = {record["_id"]: record["_modified_at"] for record in far.records()}
    assert moments["X1"] == "2020-05-01T12:00:00.000000Z"
    assert moments["X2"] == "2020-05-01T12:00:00.000001Z"
    assert far.edit("X1", {speech.phone: "1"})["_modified_at"] > moments["X3"] > "2026"
    assert sorted(str(record[speech.id]) for record in changes(far, page=10)) == sorted(
        ["X1", "X2", "X3"] + (["X1"] if kind == "billing" else [])  # billing tells events, not records
    )


@each_kind
def test_a_load_replaces_what_has_the_same_id(far: Far, kind: str) -> None:
    speech = SPEECH[kind]
    for name in ("Anna", "Bert"):
        far.load([{speech.id: "X1", speech.name: name}])
    assert [record[speech.name] for record in far.records()] == ["Bert"]


@each_kind
def test_what_was_shown_can_be_loaded_again(far: Far, kind: str) -> None:
    speech = SPEECH[kind]
    record_id = speech.made(far, "K-1", {speech.name: "Anna"})
    shown = far.records()
    far.empty()
    far.load(shown)
    assert [(record["_id"], record["_key"], record[speech.name]) for record in far.records()] == [
        (record_id, "K-1", "Anna")
    ]


@each_kind
@pytest.mark.parametrize("wrong", ["field", "id", "shape", "moment"])
def test_a_wrong_load_is_refused_whole(far: Far, kind: str, wrong: str) -> None:
    speech = SPEECH[kind]
    line: object = {
        "field": {speech.id: "X2", "shoesize": 1}, "id": {speech.name: "x"}, "shape": [1],
        "moment": {speech.id: "X2", speech.modified: "then"},
    }[wrong]  # fmt: skip
    with pytest.raises(FarError, match="400"):
        far.load([{speech.id: "X1"}, line])  # type: ignore[list-item]  # what is wrong is the point
    assert far.records() == []


@each_kind
def test_somebody_edits_and_deletes(far: Far, kind: str) -> None:
    speech = SPEECH[kind]
    record_id = speech.made(far, "K-1", {speech.name: "Anna"})
    edited = far.edit(record_id, {speech.name: "Bert"}, who="Petra")
    assert (edited[speech.name], edited["_version"]) == ("Bert", 2)
    assert far.delete(record_id)["_deleted"] is True
    assert [(line["op"], line["who"]) for line in far.requests()["log"]] == [
        ("create", "hub"), ("update", "Petra"), ("delete", "somebody"),
    ]  # fmt: skip


@each_kind
def test_people_make_no_mistakes_either(far: Far, kind: str) -> None:
    speech = SPEECH[kind]
    record_id = speech.made(far, "K-1", {})
    for fields in ({"shoesize": 1}, {speech.status: "zombie"}):
        with pytest.raises(FarError, match=r" 4\d\d "):
            far.edit(record_id, fields)
    with pytest.raises(FarError, match="404"):
        far.edit("nobody", {speech.name: "x"})


@each_kind
def test_somebody_merges_where_the_kind_can(far: Far, kind: str) -> None:
    speech = SPEECH[kind]
    winner, loser = (speech.made(far, key, {}) for key in ("K-1", "K-2"))
    if kind in ("crm", "support"):
        far.merge(winner, loser)
        assert far.record(loser)["_merged_into"] == winner
        assert far.record(loser)["_deleted"] is True
    else:
        with pytest.raises(FarError, match="cannot merge"):
            far.merge(winner, loser)


@each_kind
def test_the_log_tells_writes_in_order_with_the_hubs_version(far: Far, kind: str) -> None:
    speech = SPEECH[kind]

    def version(number: int) -> dict:
        value = {"mdm_version": str(number)} if kind == "billing" else number
        return {speech.version: value}

    record_id = speech.made(far, "K-1", version(1))
    speech.update(far, record_id, version(2), X_Correlation_ID="corr-7")
    far.edit(record_id, {speech.phone: "1"})
    speech.update(far, record_id, {speech.phone: "2"})
    stats = far.requests()
    assert [line["hub_version"] for line in stats["log"]] == ["1", "2", None, None]
    assert [line["correlation_id"] for line in stats["log"]] == ["", "corr-7", "", ""]
    assert [line["seq"] for line in stats["log"]] == sorted({line["seq"] for line in stats["log"]})
    assert stats["writes"] | {"create": 1, "update": 3} == stats["writes"]
    assert stats["effects"] == {record_id: 3}
    assert far.requests(log=False)["log"] == []


@each_kind
def test_requests_are_counted_by_status(far: Far, kind: str) -> None:
    speech = SPEECH[kind]
    record_id = speech.made(far, "K-1", {})
    speech.read(far, record_id)
    speech.read(far, "nobody")
    by_status = far.requests()["requests"]
    assert by_status["total"] == 3
    assert by_status["by_status"]["404"] == 1


@each_kind
def test_emptied_is_empty(far: Far, kind: str) -> None:
    speech = SPEECH[kind]
    record_id = speech.made(far, "K-1", {})
    speech.update(far, record_id, {speech.name: "x"}, Idempotency_Key="I-1")
    far.empty()
    stats = far.requests()
    assert (far.records(), stats["log"], stats["effects"], stats["requests"]["total"], stats["repeats"]) == (
        [],
        [],
        {},
        0,
        0,
    )


@each_kind
def test_many_at_once_lose_nothing(far: Far, kind: str) -> None:
    """Eight writers on one record and eight on their own: versions rise one by one, moments are all different."""
    speech = SPEECH[kind]
    shared = speech.made(far, "shared", {})

    def work(worker: int) -> None:
        for number in range(10):
            speech.update(far, shared, {speech.phone: f"{worker}-{number}"})
            speech.create(far, f"{worker}-{number}", {speech.name: "x"})

    threads = [threading.Thread(target=work, args=(worker,)) for worker in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    records = far.records()
    assert len(records) == 81
    assert far.record(shared)["_version"] == 81
    assert len({record["_modified_at"] for record in records}) == 81


@pytest.mark.parametrize("kind", ["crm"])
def test_thousands_are_loaded_at_once(far: Far, kind: str) -> None:
    began = time.monotonic()
    assert far.load({"Id": f"C-{number}", "Name": f"Customer {number}"} for number in range(20_000)) == 20_000
    assert time.monotonic() - began < 30
    assert len(far.records()) == 20_000


@pytest.mark.parametrize("kind", ["crm"])
@pytest.mark.parametrize(("method", "path"), [("GET", "/_nothing"), ("POST", "/_stats")])
def test_another_control_address_is_not_there(far: Far, kind: str, method: str, path: str) -> None:
    assert call(far, method, path, X_Control=far.key).status == 404


@pytest.mark.parametrize("kind", ["crm"])
@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b'{"id": null, "fields": {}}', b'{"id": "x", "fields": 1}'], ids=str
)
def test_a_wrong_control_body_is_refused(far: Far, kind: str, body: bytes) -> None:
    assert call(far, "POST", "/_edit", body, X_Control=far.key).status == 400
