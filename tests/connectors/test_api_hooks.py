"""Webhooks: taken when signed, once each, with any of the valid secrets; everything else is turned away."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.test import Client
from standardwebhooks import Webhook

from apps.connectors import runs
from apps.connectors.models import Connection, InboundMessage, Mapping, Run
from apps.connectors.secrets import MOST, add_secret, read_secrets, retire_old_secrets
from apps.customers.models import SourceRecord
from tests.customers import given

pytestmark = pytest.mark.django_db

BODY = json.dumps({"records": [{"record_id": "H1", "kind": "person", "name": "Hanna Haken"}]})


@pytest.fixture
def hook() -> Connection:
    return Connection.objects.create(system=given.system("crm"), name="crm-events")


def signed(secret: str, body: str = BODY, message: str = "msg_1", at: datetime | None = None) -> dict[str, str]:
    at = at or datetime.now(tz=UTC)
    return {
        "HTTP_WEBHOOK_ID": message,
        "HTTP_WEBHOOK_TIMESTAMP": str(int(at.timestamp())),
        "HTTP_WEBHOOK_SIGNATURE": Webhook(secret).sign(message, at, body),
    }


def post(headers: dict[str, str], body: str | bytes = BODY, name: str = "crm-events") -> Any:
    return Client().post(f"/api/v1/hooks/{name}", data=body, content_type="application/json", **headers)


@pytest.mark.django_db(transaction=True)  # a run matches on a second connection
def test_a_signed_message_becomes_a_job(hook: Connection) -> None:
    response = post(signed(add_secret(hook.id)))
    assert response.status_code == 202
    assert not SourceRecord.objects.exists()  # answered before the work
    run = runs.execute(runs.claim(UUID(response.json()["job_id"])) or UUID(int=0))
    assert (run.state, run.kind, run.counts["created"]) == ("succeeded", "webhook", 1), run.error
    assert SourceRecord.objects.get().external_id == "H1"
    message = InboundMessage.objects.get()
    assert (message.message_id, bytes(message.body or b"")) == ("msg_1", BODY.encode())


def test_a_replay_has_no_effect(hook: Connection) -> None:
    headers = signed(add_secret(hook.id))
    post(headers)
    again = post(headers)
    assert (again.status_code, again.json()) == (202, {"job_id": None, "replayed": True})
    assert Run.objects.count() == 1


def test_two_secrets_are_valid_while_they_are_exchanged(hook: Connection) -> None:
    old, new = add_secret(hook.id), add_secret(hook.id)
    assert post(signed(old, message="a")).status_code == 202
    assert post(signed(new, message="b")).status_code == 202
    assert retire_old_secrets(hook.id) == 1
    assert post(signed(old, message="c")).status_code == 401
    assert post(signed(new, message="d")).status_code == 202


def test_a_sender_may_sign_with_several_secrets(hook: Connection) -> None:
    headers = signed(add_secret(hook.id))
    headers["HTTP_WEBHOOK_SIGNATURE"] = "v1,AAAA v1a,xyz " + headers["HTTP_WEBHOOK_SIGNATURE"]
    assert post(headers).status_code == 202


def test_secrets_are_kept_encrypted_and_few(hook: Connection) -> None:
    secrets = [add_secret(hook.id) for _ in range(MOST + 2)]
    hook.refresh_from_db()
    assert read_secrets(hook) == secrets[::-1][:MOST]
    assert all(s.encode() not in bytes(hook.webhook_secrets or b"") for s in secrets)


@pytest.mark.parametrize("age", [timedelta(minutes=6), -timedelta(minutes=6), timedelta(days=4000)])
def test_an_old_or_future_message_is_turned_away(hook: Connection, age: timedelta) -> None:
    assert post(signed(add_secret(hook.id), at=datetime.now(tz=UTC) - age)).status_code == 401


@pytest.mark.parametrize(
    "change",
    [
        {"HTTP_WEBHOOK_SIGNATURE": ""}, {"HTTP_WEBHOOK_SIGNATURE": "v1"}, {"HTTP_WEBHOOK_SIGNATURE": "v1,"},
        {"HTTP_WEBHOOK_SIGNATURE": "v1,%%%"}, {"HTTP_WEBHOOK_SIGNATURE": "v2," + "A" * 44},
        {"HTTP_WEBHOOK_SIGNATURE": "v1,ü"},
        {"HTTP_WEBHOOK_SIGNATURE": " ".join(["v1,AAAA"] * 1000)}, {"HTTP_WEBHOOK_ID": ""}, {"HTTP_WEBHOOK_ID": "other"},
        {"HTTP_WEBHOOK_ID": "x" * 5000}, {"HTTP_WEBHOOK_TIMESTAMP": ""}, {"HTTP_WEBHOOK_TIMESTAMP": "nan"},
        {"HTTP_WEBHOOK_TIMESTAMP": "-1"}, {"HTTP_WEBHOOK_TIMESTAMP": "9" * 30}, {"HTTP_WEBHOOK_TIMESTAMP": "²"},
    ],
    ids=lambda change: "=".join(next(iter(change.items())))[:60],
)  # fmt: skip
def test_a_tampered_header_is_turned_away(hook: Connection, change: dict[str, str]) -> None:
    response = post({**signed(add_secret(hook.id)), **change})
    assert response.status_code == 401, response.content
    assert response["Content-Type"] == "application/problem+json"
    assert not Run.objects.exists()


def test_a_flipped_byte_is_turned_away(hook: Connection) -> None:
    headers = signed(add_secret(hook.id))
    assert post(headers, BODY.replace("Hanna", "Hannb")).status_code == 401


def test_another_secret_an_unknown_name_and_no_secret_answer_alike(hook: Connection) -> None:
    foreign = signed("whsec_" + "A" * 43 + "=")
    answers = [post(foreign), post(foreign, name="none"), post({})]
    add_secret(hook.id)
    answers.append(post(foreign))
    assert {a.status_code for a in answers} == {401}
    assert len({a.json()["detail"] for a in answers}) == 1


@pytest.mark.parametrize("body", ["", "[", "[]", "5", '{"records":[]}', '{"records":5}', '{"a":1,"a":2}', "[" * 1000])
def test_a_signed_body_that_is_no_message_is_refused(hook: Connection, body: str) -> None:
    response = post(signed(add_secret(hook.id), body), body)
    assert response.status_code == 400, response.content
    assert not Run.objects.exists()


def test_a_body_has_a_limit(hook: Connection) -> None:
    body = json.dumps({"name": "x" * 2_000_000})
    assert post(signed(add_secret(hook.id), body), body).status_code == 413


@pytest.mark.django_db(transaction=True)  # a run matches on a second connection
def test_a_mapping_reads_the_senders_own_words(hook: Connection) -> None:
    mapping = {"columns": {"record_id": "customer.Id", "name": "customer.FullName"}, "constants": {"kind": "person"}}
    Mapping.objects.create(system=hook.system, name="events", body=mapping, created_by="test")
    Connection.objects.filter(id=hook.id).update(settings={"mapping": "events"})
    body = json.dumps({"customer": {"Id": "77", "FullName": "Ida Iller"}, "type": "changed"})
    response = post(signed(add_secret(hook.id), body), body)
    run = runs.execute(runs.claim(UUID(response.json()["job_id"])) or UUID(int=0))
    assert run.counts["created"] == 1, (run.error, run.counts)
    assert SourceRecord.objects.get().external_id == "77"
