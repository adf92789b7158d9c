"""mdmhub.health: what decides whether requests may come."""

import time

import pytest
from django.db import DatabaseError
from django.http import HttpResponse
from django.test import Client, RequestFactory
from pytest_django import DjangoAssertNumQueries
from redis import RedisError

from mdmhub import health
from mdmhub.broker import client as broker_client
from mdmhub.health import HealthMiddleware, pending_migrations
from mdmhub.tasks import HEARTBEAT_KEY, heartbeat


def test_livez_needs_nothing(client: Client) -> None:
    answer = client.get("/livez", headers={"host": "whatever.example.org"})
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


@pytest.mark.django_db
def test_readyz_with_a_fresh_heartbeat(client: Client) -> None:
    heartbeat()
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json() == {"status": "ok", "checks": {"database": "ok", "broker": "ok", "heartbeat": "ok"}}


@pytest.mark.django_db
def test_a_late_heartbeat_is_told_but_does_not_take_the_web_away(client: Client) -> None:
    with broker_client() as broker:
        broker.set(HEARTBEAT_KEY, time.time() - 120)
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json()["status"] == "degraded"
    assert "120 s ago" in answer.json()["checks"]["heartbeat"]


@pytest.mark.django_db
def test_a_silent_broker_does_not_take_the_web_away(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def silent() -> None:
        raise RedisError

    monkeypatch.setattr(health, "client", silent)
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json()["checks"]["broker"] == "does not answer"


@pytest.mark.django_db
def test_pending_migrations_take_it_away(monkeypatch: pytest.MonkeyPatch, rf: RequestFactory) -> None:
    assert pending_migrations() == []
    monkeypatch.setattr(health, "pending_migrations", lambda: ["customers.0002"])
    answer = HealthMiddleware(lambda request: HttpResponse())(rf.get("/readyz"))
    assert answer.status_code == 503


def test_a_silent_database_takes_it_away(monkeypatch: pytest.MonkeyPatch, client: Client) -> None:
    def silent() -> list[str]:
        raise DatabaseError

    monkeypatch.setattr(health, "pending_migrations", silent)
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["status"] == "unavailable"


@pytest.mark.django_db
def test_migrations_are_looked_up_once(client: Client, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    client.get("/readyz")
    with django_assert_num_queries(1):
        client.get("/readyz")


def test_a_request_gets_a_correlation_id_and_keeps_a_given_one(client: Client) -> None:
    made = client.get("/livez")["X-Request-ID"]
    assert len(made) == 36
    assert client.get("/livez", headers={"X-Request-ID": made})["X-Request-ID"] == made
    forged = client.get("/livez", headers={"X-Request-ID": "evil\nline"})["X-Request-ID"]
    assert "evil" not in forged
