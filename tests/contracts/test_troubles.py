"""What every adapter makes of a target that does not do what it should: told apart, and never a record too many or too few."""

import socket
import threading
import time
from dataclasses import replace

import pytest

from apps.connectors.contract import Can, Op, Trouble
from tests.contracts.targets import TIMEOUT, Target

pytestmark = pytest.mark.contract

T = Trouble
PLAIN = ("erp",)
"""Targets where a create that is sent twice makes two records."""

# Fault -> what a write means then: at a target where a create may be repeated, and at one where it may not. No record is made.
NOTHING_DONE = {
    "error_500": ({"error_500": 1}, T.UNCERTAIN, T.UNCERTAIN),
    "error_503": ({"error_503_retry_after": 1, "retry_after": 7}, T.THROTTLED, T.THROTTLED),
    "throttle_429": ({"throttle_429": 1, "retry_after": 7}, T.THROTTLED, T.THROTTLED),
    "request_limit": ({"request_limit": 1, "retry_after": 7}, T.THROTTLED, T.THROTTLED),
    "html_502": ({"html_instead_of_json": 1, "html_status": 502}, T.UNCERTAIN, T.UNCERTAIN),
    "html_503": ({"html_instead_of_json": 1, "html_status": 503}, T.TRANSIENT, T.TRANSIENT),
    "html_200": ({"html_instead_of_json": 1, "html_status": 200}, T.UNCERTAIN, T.UNCERTAIN),
    "html_404": ({"html_instead_of_json": 1, "html_status": 404}, T.CONFIG, T.CONFIG),
    "html_403": ({"html_instead_of_json": 1, "html_status": 403}, T.CONFIG, T.CONFIG),
    "ok_with_error_inside": ({"ok_with_error_inside": 1}, T.TRANSIENT, T.TRANSIENT),
    "reset": ({"reset": 1}, T.UNCERTAIN, T.UNCERTAIN),
    "redirect": ({"redirect": "http://127.0.0.1:9/elsewhere"}, T.CONFIG, T.CONFIG),
    "auth_off": ({"auth_off": True}, T.AUTH, T.AUTH),
    "read_only": ({"read_only": True}, T.AUTH, T.AUTH),
}
# Fault -> the effect is there, the answer is not.
DONE_UNSEEN = {
    "lost_reply": {"lost_reply": 1},
    "huge_answer": {"huge_answer": 1_200_000},
    "slow_body": {"slow_body_ms": 8_000},
}


@pytest.mark.parametrize("fault", NOTHING_DONE, ids=str)
def test_nothing_was_done(rest: Target, fault: str):
    switches, repeatable, plain = NOTHING_DONE[fault]
    adapter = rest.adapter()
    rest.far.faults(**switches)
    answer = adapter.write(rest.create(), timeout=TIMEOUT)
    assert answer.trouble is (plain if rest.name in PLAIN else repeatable), answer
    assert answer.detail and answer.code and answer.record is None
    if "retry_after" in switches and not (fault == "request_limit" and rest.name == "crm"):
        assert answer.retry_after == 7
    rest.far.faults()
    assert rest.count() == 0
    assert adapter.write(rest.create(), timeout=TIMEOUT).trouble is None
    assert rest.count() == 1


@pytest.mark.parametrize("fault", DONE_UNSEEN, ids=str)
def test_done_but_not_seen_is_uncertain_and_ends_as_one_record(rest: Target, fault: str):
    adapter = rest.adapter()
    rest.far.faults(**DONE_UNSEEN[fault])
    begun = time.monotonic()
    answer = adapter.write(rest.create(), timeout=1)
    assert time.monotonic() - begun < 2.5
    assert answer.trouble is Trouble.UNCERTAIN and answer.external_id is None
    rest.far.faults()
    if {Can.UPSERT, Can.REPLAY} & adapter.can:
        again = adapter.write(rest.create(), timeout=TIMEOUT)
    else:
        again = adapter.find("key-1", timeout=TIMEOUT)
    assert again.trouble is None
    (record,) = rest.far.records()
    assert again.external_id == record["_id"]


@pytest.mark.parametrize(
    "fault", ["error_500", "html_502", "reset", "auth_off", "redirect", "ok_with_error_inside"], ids=str
)
def test_of_a_read_nothing_is_uncertain(rest: Target, fault: str):
    adapter = rest.adapter()
    made = adapter.write(rest.create(), timeout=TIMEOUT)
    rest.far.faults(**NOTHING_DONE[fault][0])
    wanted = {"auth_off": Trouble.AUTH, "redirect": Trouble.CONFIG}.get(fault, Trouble.TRANSIENT)
    for answer in (
        adapter.read(made.external_id, timeout=TIMEOUT),
        adapter.find("key-1", timeout=TIMEOUT),
        adapter.changes({}, limit=5, timeout=TIMEOUT).answer,
        adapter.list({}, limit=5, timeout=TIMEOUT).answer,
        adapter.probe(timeout=TIMEOUT),
    ):
        assert answer.trouble is wanted, answer


def test_a_page_that_fails_leaves_the_cursor_where_it_was(rest: Target):
    adapter = rest.adapter()
    adapter.write(rest.create(), timeout=TIMEOUT)
    cursor = dict(adapter.changes({}, limit=5, timeout=TIMEOUT).cursor)
    rest.far.faults(error_500=1)
    page = adapter.changes(cursor, limit=5, timeout=TIMEOUT)
    assert (dict(page.cursor), list(page.records), page.more) == (cursor, [], False)


def test_an_update_in_doubt_may_be_sent_again(rest: Target):
    adapter = rest.adapter()
    made = adapter.write(rest.create(), timeout=TIMEOUT)
    etag = adapter.read(made.external_id, timeout=TIMEOUT).etag
    write = rest.told(Op.UPDATE, "key-1", {"city": "Bonn"}, external_id=made.external_id, etag=etag)
    rest.far.faults(lost_reply=1, times=1)
    assert adapter.write(write, timeout=TIMEOUT).trouble is Trouble.UNCERTAIN
    assert rest.held()["key-1"]["city"] == "Bonn"
    again = adapter.write(write, timeout=TIMEOUT)
    assert again.trouble is (Trouble.CONFLICT if Can.ETAG in adapter.can else None)
    rest.far.faults(error_500=1)
    assert adapter.write(write, timeout=TIMEOUT).trouble is Trouble.UNCERTAIN


def test_somebody_else_was_faster(rest: Target):
    adapter = rest.adapter()
    made = adapter.write(rest.create(), timeout=TIMEOUT)
    etag = adapter.read(made.external_id, timeout=TIMEOUT).etag
    rest.far.faults(conflict=1)
    write = rest.told(Op.UPDATE, "key-1", {"city": "Bonn"}, external_id=made.external_id, etag=etag)
    answer = adapter.write(write, timeout=TIMEOUT)
    if Can.ETAG in adapter.can:
        assert answer.trouble is Trouble.CONFLICT
        assert rest.held()["key-1"]["city"] == "Berlin"
    else:
        assert answer.trouble is None  # such a target cannot say so


def test_too_slow_an_answer_is_uncertain_in_time(rest: Target):
    adapter = rest.adapter()
    assert adapter.probe(timeout=TIMEOUT).trouble is None
    rest.far.faults(latency_ms=1_500)
    begun = time.monotonic()
    answer = adapter.write(rest.create(), timeout=0.4)
    assert time.monotonic() - begun < 1.2
    assert answer.trouble is Trouble.UNCERTAIN and answer.ms >= 390
    deadline = time.monotonic() + 10
    while rest.count() == 0 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert rest.count() == 1  # it was carried out, long after we stopped waiting


def test_a_closed_port_had_nothing_of_it(target: Target):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    if target.name == "folder":
        target.document["connection"]["folder"] += "/missing"
        assert target.adapter().write(target.create(), timeout=TIMEOUT).trouble is Trouble.CONFIG
        return
    if target.name == "sftp":
        target.document["connection"]["port"] = port
    else:
        target.document["connection"]["base_url"] = f"http://127.0.0.1:{port}"
    adapter = target.adapter()
    assert adapter.write(target.create(), timeout=TIMEOUT).trouble is Trouble.TRANSIENT
    assert adapter.probe(timeout=TIMEOUT).trouble is Trouble.TRANSIENT


def test_a_host_that_is_not_allowed_is_never_called(target: Target):
    target.allowed = ("localhost", "10.0.0.0/8", "/nowhere")
    answer = target.adapter().write(target.create(), timeout=TIMEOUT)
    assert (answer.trouble, target.count()) == (Trouble.CONFIG, 0)
    if target.far:
        assert target.far.requests()["requests"]["total"] == 0


def test_a_server_that_was_started_again_is_found_again(rest: Target):
    adapter = rest.adapter()
    assert adapter.write(rest.create("key-1"), timeout=TIMEOUT).trouble is None
    rest.far.kill()
    assert adapter.write(rest.create("key-2"), timeout=TIMEOUT).trouble is Trouble.TRANSIENT
    rest.far.start()
    assert adapter.write(rest.create("key-2"), timeout=TIMEOUT).trouble is None
    assert rest.count() == 2


def test_many_threads_share_an_adapter(target: Target):
    adapter = target.adapter()
    answers = {}

    def work(number: int) -> None:
        for n in range(5):
            key = f"key-{number}-{n}"
            answers[key] = adapter.write(target.create(key), timeout=TIMEOUT)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [key for key, answer in answers.items() if answer.trouble is not None] == []
    assert len({answer.external_id for answer in answers.values()}) == target.count() == 20


def test_one_key_with_other_parameters_is_no_replay(make_target):
    """A target with idempotency keys must not be told something else under the same one."""
    billing = make_target("billing")
    adapter = billing.adapter()
    assert adapter.write(billing.create(), timeout=TIMEOUT).trouble is None
    other = replace(billing.create(), fields={"name": "Somebody else"})
    answer = adapter.write(other, timeout=TIMEOUT)
    assert (answer.trouble, answer.code) == (Trouble.FATAL, "idempotency_key_reused")
    assert billing.held()["key-1"]["name"] != "Somebody else"
