"""What can be made to go wrong, at every kind: with the effect it should have, and no other."""

import time
from http.client import RemoteDisconnected

import pytest

from apps.connectors.sandbox import Far, FarError
from tests.connectors.sandbox.calls import SPEECH, call
from tests.connectors.sandbox.conftest import KINDS

each_kind = pytest.mark.parametrize("kind", KINDS)


@each_kind
@pytest.mark.parametrize(
    ("switches", "status"),
    [
        ({"error_500": 1}, 500), ({"error_503_retry_after": 1}, 503), ({"throttle_429": 1}, 429),
        ({"auth_off": True}, 401), ({"read_only": True}, 403), ({"redirect": "http://127.0.0.1:9/"}, 302),
        ({"html_instead_of_json": 1}, 502), ({"html_instead_of_json": 1, "html_status": 200}, 200),
        ({"ok_with_error_inside": 1}, 200),
    ],
    ids=["500", "503", "429", "auth", "read-only", "redirect", "html-502", "html-200", "error-inside"],
)  # fmt: skip
def test_a_fault_answers_without_an_effect(far: Far, kind: str, switches: dict, status: int) -> None:
    far.faults(**switches)
    reply = SPEECH[kind].create(far, "K-1", {})
    assert reply.status == status
    assert far.records() == []
    far.faults()
    assert SPEECH[kind].create(far, "K-1", {}).status in (200, 201)


@each_kind
@pytest.mark.parametrize("switch", ["throttle_429", "error_503_retry_after"])
@pytest.mark.parametrize(("seconds", "written"), [(7, "7"), (0.5, "0.5")], ids=["whole", "part"])
def test_retry_after_is_what_was_set(far: Far, kind: str, switch: str, seconds: float, written: str) -> None:
    far.faults(**{switch: 1, "retry_after": seconds})
    assert SPEECH[kind].read(far, "1").headers["retry-after"] == written


@each_kind
def test_a_used_up_quota_is_told_in_the_kinds_own_way(far: Far, kind: str) -> None:
    far.faults(request_limit=1)
    reply = SPEECH[kind].read(far, "1")
    if kind == "crm":
        assert (reply.status, reply.body[0]["errorCode"]) == (403, "REQUEST_LIMIT_EXCEEDED")
        assert "retry-after" not in reply.headers
    else:
        assert (reply.status, reply.headers["retry-after"]) == (429, "1")


@each_kind
def test_an_html_page_is_no_json(far: Far, kind: str) -> None:
    far.faults(html_instead_of_json=1)
    reply = SPEECH[kind].read(far, "1")
    assert reply.headers["content-type"].startswith("text/html")
    assert reply.text.startswith(b"<!doctype html>")


@each_kind
def test_an_error_inside_says_so(far: Far, kind: str) -> None:
    far.faults(ok_with_error_inside=1)
    body = SPEECH[kind].create(far, "K-1", {}).body
    assert body["success"] is False if kind == "crm" else body["error"]


@each_kind
def test_a_redirect_names_the_address(far: Far, kind: str) -> None:
    far.faults(redirect="http://127.0.0.1:9/else")
    assert SPEECH[kind].read(far, "1").headers["location"] == "http://127.0.0.1:9/else"


@each_kind
def test_a_lost_reply_has_its_effect(far: Far, kind: str) -> None:
    far.faults(lost_reply=1)
    with pytest.raises(RemoteDisconnected):
        SPEECH[kind].create(far, "K-1", {})
    assert len(far.records()) == 1
    assert far.requests()["requests"]["by_status"] == {"lost": 1}


@each_kind
def test_a_reset_connection_has_none(far: Far, kind: str) -> None:
    far.faults(reset=1)
    with pytest.raises(ConnectionResetError):
        SPEECH[kind].create(far, "K-1", {})
    assert far.records() == []
    assert far.requests()["requests"]["by_status"] == {"reset": 1}


@each_kind
def test_a_huge_answer_has_its_size_and_the_effect(far: Far, kind: str) -> None:
    far.faults(huge_answer=2_000_000)
    reply = SPEECH[kind].create(far, "K-1", {})
    assert len(reply.text) == 2_000_000
    assert reply.body["padding"]
    assert len(far.records()) == 1


@each_kind
def test_latency_comes_before_the_effect(far: Far, kind: str) -> None:
    far.faults(latency_ms=300, latency_jitter_ms=100)
    began = time.monotonic()
    SPEECH[kind].create(far, "K-1", {})
    assert 0.3 <= time.monotonic() - began < 3


@each_kind
def test_a_slow_body_comes_whole(far: Far, kind: str) -> None:
    record_id = SPEECH[kind].made(far, "K-1", {SPEECH[kind].name: "Anna"})
    far.faults(slow_body_ms=400)
    began = time.monotonic()
    assert SPEECH[kind].value(far, record_id, SPEECH[kind].name) == "Anna"
    assert time.monotonic() - began >= 0.4


@each_kind
def test_a_foreign_status_word_is_shown_not_kept(far: Far, kind: str) -> None:
    speech = SPEECH[kind]
    record_id = speech.made(far, "K-1", {speech.status: speech.active})
    far.faults(status_word="Zombie")
    assert speech.value(far, record_id, speech.status) == "Zombie"
    far.faults()
    assert speech.value(far, record_id, speech.status) == speech.active


@each_kind
def test_a_conflict_is_an_edit_right_before_our_write(far: Far, kind: str) -> None:
    speech = SPEECH[kind]
    record_id = speech.made(far, "K-1", {speech.name: "Anna", speech.phone: "1"})
    far.faults(conflict=1)
    seen = {"erp": {"If_Match": far.record(record_id).get("@odata.etag", "")}}.get(kind, {})
    safe = {"safe_update": True, "updated_stamp": far.record(record_id)[speech.modified]} if kind == "support" else {}
    reply = speech.update(far, record_id, {speech.name: "Bert", **safe}, **seen)
    assert reply.status == {"crm": 204, "erp": 412, "billing": 200, "support": 409}[kind]
    kept = far.record(record_id)
    assert kept[speech.phone] != "1"
    assert kept[speech.name] == ("Anna" if kind in ("erp", "support") else "Bert")
    assert [line["who"] for line in far.requests()["log"]][:2] == ["hub", "somebody"]


@pytest.mark.parametrize("kind", ["erp"])
def test_a_conflict_stops_a_delete_with_an_etag(far: Far, kind: str) -> None:
    record_id = SPEECH[kind].made(far, "K-1", {})
    seen = far.record(record_id)["@odata.etag"]
    far.faults(conflict=1)
    assert call(far, "DELETE", SPEECH[kind].one(record_id), If_Match=seen).status == 412
    assert far.record(record_id)["_deleted"] is False


@each_kind
def test_read_only_lets_readers_in(far: Far, kind: str) -> None:
    record_id = SPEECH[kind].made(far, "K-1", {})
    far.faults(read_only=True)
    assert SPEECH[kind].read(far, record_id).status == 200
    assert SPEECH[kind].delete(far, record_id).status == 403


KIND = "support"
support = SPEECH["support"]


def test_a_hard_limit_per_second_lets_so_many_through(far: Far) -> None:
    far.faults(rate_per_second=5)
    statuses = [support.read(far, "1").status for _ in range(12)]
    assert statuses[:5] == [404] * 5
    assert far.requests()["faults"] == {"rate_per_second": statuses.count(429)} != {"rate_per_second": 0}
    time.sleep(1.1)
    assert support.read(far, "1").status == 404


def test_the_dice_fall_the_same_way_for_one_seed(far: Far) -> None:
    def draws(seed: int) -> list[int]:
        far.faults(error_500=0.5, seed=seed)
        return [support.read(far, "1").status for _ in range(40)]

    first = draws(1)
    assert set(first) == {404, 500}
    assert draws(1) == first
    assert draws(2) != first


def test_a_fault_can_be_limited_to_so_many_times(far: Far) -> None:
    far.faults(error_500=1, times=2)
    assert [support.read(far, "1").status for _ in range(4)] == [500, 500, 404, 404]


def test_a_fault_can_be_limited_to_methods(far: Far) -> None:
    far.faults(error_500=1, latency_ms=30_000, methods="POST,PUT")
    assert support.read(far, "1").status == 404
    assert support.create(far, "K-1", {}).status == 500


def test_the_pages_and_the_control_addresses_have_no_faults(far: Far) -> None:
    far.faults(auth_off=True, reset=1, error_500=1, latency_ms=30_000)
    assert call(far, "GET", "/").status == 200
    assert far.records() == []


@pytest.mark.parametrize(
    "switches",
    [{"nonsense": 1}, {"reset": 2}, {"reset": -1}, {"reset": "yes"}, {"reset": True}, {"auth_off": 1}, {"redirect": 5},
     {"huge_answer": 1.5}],
    ids=str,
)  # fmt: skip
def test_a_wrong_switch_is_refused_and_changes_nothing(far: Far, switches: dict) -> None:
    far.faults(retry_after=9)
    with pytest.raises(FarError, match=next(iter(switches))):
        far.faults(**switches)
    assert call(far, "GET", "/_faults", X_Control=far.key).body["retry_after"] == 9


def test_switches_not_named_are_off(far: Far) -> None:
    far.faults(auth_off=True)
    far.faults(latency_ms=1)
    shown = call(far, "GET", "/_faults", X_Control=far.key).body
    assert (shown["auth_off"], shown["latency_ms"]) == (False, 1)
