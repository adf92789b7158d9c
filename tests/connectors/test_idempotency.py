"""`Idempotency-Key` on the sending of records: one effect, one answer; and the table behind it on many connections."""

import json
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.conf import settings as hub_settings
from django.db import OperationalError, connection, connections

from apps.common.api.idempotency import Answer, Call, Known
from apps.connectors import idempotency, tasks
from apps.connectors.models import IdempotencyKey, Run
from apps.customers.models import SourceRecord
from tests.callers import machine, person
from tests.customers import given
from tests.pipeline import query

pytestmark = pytest.mark.django_db
URL = "/api/v1/source-records"
ANNA = {"record_id": "C1", "kind": "person", "given_name": "Anna", "family_name": "Berg", "email": "anna@berg.example"}
CALLERS = 8


@pytest.fixture(autouse=True)
def systems(db: None) -> None:
    given.system("crm")


def send(key: str | None, body: Any = ANNA, query: str = "system=crm", client: Any = None, **extra: Any) -> Any:
    text = body if isinstance(body, str) else json.dumps(body)
    if key is not None:
        extra["HTTP_IDEMPOTENCY_KEY"] = key
    caller = client or machine("sources:write")
    return caller.post(f"{URL}?{query}", data=text, content_type="application/json", **extra)


def aged(seconds: int) -> None:
    query("UPDATE idempotency_key SET created_at = created_at - %s * interval '1 second'", seconds)


def test_the_same_call_again_gets_the_same_answer() -> None:
    first, again = send("k1"), send("k1")
    assert (first.status_code, again.status_code) == (200, 200)
    assert first.json()["results"][0]["outcome"] == "created"
    assert again.content == first.content, "without the key it would be: unchanged"
    assert "Idempotency-Replayed" not in first
    assert again["Idempotency-Replayed"] == "true"
    assert again["Content-Type"] == first["Content-Type"] == "application/json"
    assert again["Cache-Control"] == "no-store"
    assert again["X-Request-ID"] != first["X-Request-ID"]
    assert IdempotencyKey.objects.get().correlation_id == UUID(first["X-Request-ID"])


def test_a_job_is_begun_once() -> None:
    first = send("k1", HTTP_PREFER="respond-async")
    again = send("k1", HTTP_PREFER="respond-async")
    assert (first.status_code, again.status_code) == (202, 202)
    assert again.content == first.content
    assert again["Location"] == first["Location"] == f"/api/v1/jobs/{Run.objects.get().id}"
    assert again["Retry-After"] == first["Retry-After"]


def test_without_a_key_nothing_is_remembered() -> None:
    send(None)
    assert send(None).json()["results"][0]["outcome"] == "unchanged"
    assert not IdempotencyKey.objects.exists()


@pytest.mark.parametrize(
    ("body", "where"),
    [({**ANNA, "city": "Kiel"}, "system=crm"), (ANNA, "system=crm&quiet=true"), (json.dumps(ANNA) + " ", "system=crm")],
    ids=["body", "query", "one blank more"],
)
def test_another_call_with_the_same_key_is_refused(body: Any, where: str) -> None:
    send("k1")
    refused = send("k1", body, where)
    assert (refused.status_code, refused.json()["type"]) == (422, "/api/problems/key-reused")
    assert refused.json()["errors"][0]["header"] == "Idempotency-Key"
    assert SourceRecord.objects.get().version == 1


def test_a_refusal_is_an_answer_too() -> None:
    first, again = send("k1", {**ANNA, "emial": "x"}), send("k1", {**ANNA, "emial": "x"})
    assert (first.status_code, again.status_code) == (400, 400)
    assert again["Content-Type"] == "application/problem+json"
    assert again.content == first.content


def test_who_may_not_call_leaves_no_key() -> None:
    assert send("k1", client=machine("sources:read")).status_code == 403
    assert send("k1", query="system=crm&colour=red").status_code == 400
    assert not IdempotencyKey.objects.exists()


def test_keys_of_two_callers_never_meet() -> None:
    first = send("k1", client=machine("sources:write", name="one"))
    other = send("k1", {**ANNA, "record_id": "C2"}, client=machine("sources:write", name="two"))
    third = send("k1", {**ANNA, "record_id": "C3"}, client=person("integrator"))
    assert [r.status_code for r in (first, other, third)] == [200, 200, 200]
    assert IdempotencyKey.objects.count() == 3


@pytest.mark.parametrize("key", ["", "  ", '""', "k" * 256, "naïve", "a\x00b", "a\tb"], ids=ascii)
def test_a_key_has_a_form(key: str) -> None:
    refused = send(key)
    assert refused.status_code == 400
    assert refused.json()["errors"][0]["header"] == "Idempotency-Key"
    assert not SourceRecord.objects.exists()


def test_a_key_may_be_long_and_may_stand_in_quotes() -> None:
    key = "k" * 255
    send(f'"{key}"')
    assert send(key)["Idempotency-Replayed"] == "true"


@pytest.mark.parametrize(
    ("error", "status"), [(OperationalError(), 503), (ZeroDivisionError(), 500)], ids=["away", "mistake"]
)
def test_a_fault_of_the_hub_is_not_kept(error: Exception, status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise error

    with monkeypatch.context() as patched:
        patched.setattr("apps.connectors.inbound.take_in", broken)
        assert send("k1").status_code == status
    assert not IdempotencyKey.objects.exists()
    assert send("k1").json()["results"][0]["outcome"] == "created"


def test_a_body_beyond_the_limit_is_refused_before_its_key_is_taken() -> None:
    for size in (2_000_000, 3_000_000):
        assert send("k1", {"record_id": "1", "name": "x" * size}).status_code == 413
    assert not IdempotencyKey.objects.exists()


def test_a_form_is_refused_though_the_browser_check_has_read_it() -> None:
    client = person("integrator")
    client.handler.enforce_csrf_checks = True
    client.cookies["csrftoken"] = token = "t" * 32
    form = {"data": {"a": "1"}, "format": "multipart", "HTTP_X_CSRFTOKEN": token, "HTTP_IDEMPOTENCY_KEY": "k1"}
    assert client.post(f"{URL}?system=crm", **form).status_code == 415
    assert not IdempotencyKey.objects.exists()


def call(key: str = "k1", digest: bytes = b"one") -> Call:
    return Call("client:crm#1", key, digest, uuid4())


def claimed(found: UUID | Known) -> UUID:
    assert isinstance(found, UUID)
    return found


DONE = Answer(200, b"{}", {"Content-Type": "application/json"})


def test_while_the_first_call_is_being_worked_on_the_second_waits() -> None:
    send("k1")
    query("UPDATE idempotency_key SET status = NULL, answer = NULL")
    busy = send("k1")
    assert (busy.status_code, busy.json()["type"]) == (409, "/api/problems/in-progress")
    assert int(busy["Retry-After"]) >= 1
    assert send("k1", {**ANNA, "city": "Kiel"}).status_code == 422


def test_a_call_whose_process_died_is_taken_over_and_its_own_end_changes_nothing() -> None:
    keys = idempotency.KeyTable()
    first = claimed(keys.claim(call()))
    aged(idempotency.DEAD_AFTER_SECONDS - 5)
    assert keys.claim(call()) == Known(b"one", None)
    aged(10)
    assert keys.claim(call(digest=b"other")) == Known(b"one", None), "another call takes nothing over"
    second = claimed(keys.claim(call()))
    keys.drop(first)
    keys.keep(first, Answer(200, b"too late", {}))
    assert keys.claim(call()) == Known(b"one", None)
    keys.keep(second, DONE)
    keys.drop(second)
    aged(3600)
    assert keys.claim(call()) == Known(b"one", DONE), "what was answered stays"


def test_a_dropped_key_is_free() -> None:
    keys = idempotency.KeyTable()
    keys.drop(claimed(keys.claim(call())))
    claimed(keys.claim(call(digest=b"other")))


def test_old_keys_are_forgotten() -> None:
    keys = idempotency.KeyTable()
    keys.keep(claimed(keys.claim(call("old"))), DONE)
    claimed(keys.claim(call("died")))
    aged(3600 * hub_settings.IDEMPOTENCY_HOURS + 1)
    keys.keep(claimed(keys.claim(call("young"))), DONE)
    tasks.prune()
    assert IdempotencyKey.objects.get().key == "young"


def all_at_once(act: Any) -> list[Any]:
    """What `act` returns to each of the callers, who begin at the same moment, each on a connection of its own."""
    barrier = Barrier(CALLERS)

    def caller(number: int) -> Any:
        try:
            connection.ensure_connection()
            barrier.wait(30)
            return act(number)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(CALLERS) as pool:
        return list(pool.map(caller, range(CALLERS)))


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("prefer", ["", "respond-async"], ids=["at once", "as a job"])
def test_many_callers_with_one_key_have_one_effect(prefer: str) -> None:
    machine("sources:write")
    for round_ in range(5):
        body = {**ANNA, "record_id": f"C{round_}"}
        answers = all_at_once(lambda _, at=round_, sent=body: send(f"k{at}", sent, HTTP_PREFER=prefer))
        final = [a for a in answers if a.status_code != 409]
        assert {a.status_code for a in final} == {202 if prefer else 200}
        assert len({a.content for a in final}) == 1
        assert sum("Idempotency-Replayed" not in a for a in final) == 1
        assert all("Retry-After" in a for a in answers if a.status_code == 409)
        assert send(f"k{round_}", body).content == final[0].content
        if not prefer:
            assert final[0].json()["results"][0]["outcome"] == "created"
            assert SourceRecord.objects.get(external_id=f"C{round_}").version == 1
        assert Run.objects.count() == (round_ + 1 if prefer else 0)


@pytest.mark.django_db(transaction=True)
def test_a_dead_call_is_taken_over_by_one_of_many() -> None:
    keys = idempotency.KeyTable()
    for round_ in range(10):
        claimed(keys.claim(call(f"k{round_}")))
        aged(idempotency.DEAD_AFTER_SECONDS + 1)
        found = all_at_once(lambda _, at=round_: keys.claim(call(f"k{at}")))
        assert sum(isinstance(f, UUID) for f in found) == 1
        assert [f for f in found if not isinstance(f, UUID)] == [Known(b"one", None)] * (CALLERS - 1)


@pytest.mark.django_db(transaction=True)
def test_keys_that_come_and_go_are_given_to_one_at_a_time() -> None:
    """Claim, drop, claim: a claim that finds its row gone begins again and never returns empty-handed."""
    keys = idempotency.KeyTable()

    def worker(_: int) -> int:
        held = 0
        for _round in range(30):
            found = keys.claim(call())
            if isinstance(found, UUID):
                held += 1
                keys.drop(found)
        return held

    assert sum(all_at_once(worker)) >= CALLERS
    assert not IdempotencyKey.objects.exists()
