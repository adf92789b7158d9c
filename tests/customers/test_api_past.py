"""The past over the API: customer, lineage, members and source records as of a moment, and any two versions side by side."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from apps.common.ids import uuid7
from apps.customers.models import Customer, SourceRecordVersion, System
from apps.customers.pins import pin
from apps.matching import judge
from apps.policies import activate
from apps.policies.active import shipped
from tests import pipeline
from tests.callers import machine, person
from tests.pipeline import alice, bob
from tests.stewardship.given_history import at, merged, sent

pytestmark = pytest.mark.django_db(transaction=True)
READINGS = ("", "/lineage", "/members", "/lineage/website")


@pytest.fixture(autouse=True)
def _clean() -> Iterator[None]:
    pipeline.empty()
    pipeline.systems()
    yield
    System.objects.filter(code="billing").update(trust=pipeline.SYSTEMS["billing"])


def ask(path: str, moment: datetime | str | None = None, *scopes: str, **more: Any) -> Any:
    wanted = moment.isoformat() if isinstance(moment, datetime) else moment
    query = urlencode({**({"as_of": wanted} if wanted is not None else {}), **more})
    return machine(*scopes).get(f"/api/v1/{path}?{query}")


def told(path: str, moment: datetime | None = None, *scopes: str) -> Any:
    answer = ask(path, moment, *scopes)
    assert answer.status_code == 200, answer.content
    return answer.json()


def versions(customer: UUID) -> list[datetime]:
    return list(Customer.history.filter(id=customer).order_by("version").values_list("history_date", flat=True))


def moved_house() -> tuple[UUID, datetime, datetime]:
    """(customer, a moment of its first address, one of its second), told by one system."""
    sent("crm", pipeline.person(1, city="Bonn", website="old.example.org"))
    first = timezone.now()
    sent("crm", pipeline.person(1, city="Kiel", website="new.example.org"))
    return at("crm:P1"), first, timezone.now()


def test_customer_lineage_members_and_record_are_those_of_the_moment() -> None:
    customer, first, second = moved_house()
    for moment, city, site, version in ((first, "Bonn", "old", 1), (second, "Kiel", "new", 2)):
        whole = told(f"customers/{customer}", moment)
        assert (whole["version"], whole["addresses"][0]["city"]) == (version, city)
        assert datetime.fromisoformat(whole["as_of"]) == moment
        (origin,) = [
            a for a in told(f"customers/{customer}/lineage", moment)["attributes"] if a["attribute"] == "website"
        ]
        assert origin["winner"]["value"] == origin["value"] == f"{site}.example.org"
        (member,) = told(f"customers/{customer}/members", moment)["items"]
        assert (member["system"], member["external_id"], member["version"]) == ("crm", "P1", version)
        assert member["canonical"]["website"] == f"{site}.example.org"
        record = told("source-records/crm/P1", moment)
        assert (record["version"], record["customer_id"]) == (version, str(customer))
        assert f"{site}.example.org" in record["raw"]
        assert [v["version"] for v in record["versions"]] == list(range(version - 1, 0, -1))


def test_members_show_what_they_say_only_to_those_who_may_read_sources() -> None:
    customer, first, _ = moved_house()
    for moment in (None, first):
        (member,) = told(f"customers/{customer}/members", moment, "customers:read")["items"]
        assert "canonical" not in member
        assert "canonical" in told(f"customers/{customer}/members", moment)["items"][0]
    assert person("viewer").get(f"/api/v1/customers/{customer}/members").status_code == 200
    assert ask("source-records/crm/P1", first, "customers:read").status_code == 403
    assert ask(f"customers/{customer}/lineage/website", first, "customers:read").status_code == 403


def test_an_id_that_was_retired_and_came_back_is_told_as_it_was_each_time() -> None:
    survivor, retired, _ = merged()
    together = timezone.now()
    judge.unmerge(customer=survivor, records=[pipeline.record_ids()["erp:P2"]], act=bob())
    apart = timezone.now()
    before = versions(survivor)[1] - timedelta(microseconds=1)
    for moment, stood, replaced in (
        (before, retired, None),
        (together, survivor, str(survivor)),
        (apart, retired, None),
    ):
        whole = told(f"customers/{retired}", moment)
        assert (whole["id"], whole["asked_id"], whole["replaced_by"]) == (str(stood), str(retired), replaced)
        for reading in READINGS[1:3]:
            again = told(f"customers/{retired}{reading}", moment)
            assert (again["id"], again["asked_id"]) == (str(stood), str(retired))
    assert told(f"customers/{survivor}", together)["retired_ids"] == [str(retired)]
    assert told(f"customers/{survivor}", versions(survivor)[1])["retired_ids"] == [str(retired)], (
        "of the first moment on"
    )
    assert told(f"customers/{survivor}", apart)["retired_ids"] == []
    names = [
        [m["external_id"] for m in told(f"customers/{survivor}/members", m)["items"]] for m in (before, together, apart)
    ]
    assert names == [["P1"], ["P1", "P2"], ["P1"]]
    assert told("source-records/erp/P2", together)["customer_id"] == str(survivor)
    assert told("source-records/erp/P2", apart)["customer_id"] == str(retired)


def test_a_pin_of_then_is_told_with_its_reason_until_it_was_taken_away() -> None:
    customer, _, without = moved_house()
    pin(customer=customer, attribute="website", value="pinned.example.org", act=alice())
    pinned = timezone.now()
    pin(customer=customer, attribute="website", value=None, act=alice())
    for moment, rule in ((without, "only"), (pinned, "pin"), (timezone.now(), "only")):
        (line,) = [
            a for a in told(f"customers/{customer}/lineage", moment)["attributes"] if a["attribute"] == "website"
        ]
        assert line["rule"] == rule
        assert line.get("pinned_because") == ("alice says so" if rule == "pin" else None)


@pytest.mark.parametrize("reading", [*READINGS, "source-records/crm/P1"])
@pytest.mark.parametrize(
    ("moment", "code", "said"),
    [
        ("2026-03-01T09:30:00", "no_offset", "offset"),
        ("2026-03-01", "no_offset", "offset"),
        ("2026-03-01T09:30:00 01:00", "blank_for_plus", "%2B"),
        ("2026-03-01T09:30:00 0100", "blank_for_plus", "%2B"),
        ("2999-01-01T00:00:00Z", "future", "still to come"),
        ("yesterday", "invalid", "format"),
        ("", "invalid", "format"),
        ("0001-01-01T00:00:00+14:00", "overflow", "out of range"),
    ],
    ids=["naive", "day", "blank", "blank_without_colon", "future", "word", "empty", "before_time"],
)
def test_a_moment_that_is_none_is_refused_by_name(reading: str, moment: str, code: str, said: str) -> None:
    customer, _, _ = moved_house()
    answer = ask(reading if "/P1" in reading else f"customers/{customer}{reading}", moment)
    assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")
    (error,) = answer.json()["errors"]
    assert (error["parameter"], error["code"]) == ("as_of", code)
    assert said in error["detail"]


def test_hours_that_come_twice_are_told_apart_by_their_offset() -> None:
    """The last Sunday of October in Berlin: 02:30 is there with +02:00 and, an hour later, with +01:00."""
    customer, _, _ = moved_house()
    for number, made in ((1, "2025-10-26T00:10:00Z"), (2, "2025-10-26T01:10:00Z")):
        with transaction.atomic():
            pipeline.execute("SET LOCAL session_replication_role = replica")
            pipeline.execute("UPDATE historical_customer SET history_date = %s WHERE version = %s", made, number)
    assert told(f"customers/{customer}", datetime.fromisoformat("2025-10-26T02:30+02:00"))["version"] == 1
    assert told(f"customers/{customer}", datetime.fromisoformat("2025-10-26T02:30+01:00"))["version"] == 2
    assert told(f"customers/{customer}", datetime.fromisoformat("2025-10-26T01:30Z"))["as_of"] == "2025-10-26T01:30:00Z"


def test_an_id_nobody_gave_is_not_found_and_one_not_known_yet_says_since_when() -> None:
    customer, _, _ = moved_house()
    for reading in READINGS:
        answer = ask(f"customers/{uuid7()}{reading}", timezone.now())
        assert answer.status_code == 404
        assert "errors" not in answer.json()
        early = ask(f"customers/{customer}{reading}", "2001-01-01T00:00:00Z")
        assert (early.status_code, early.json()["errors"][0]["code"]) == (404, "before_first_version")
        assert versions(customer)[0].isoformat() in early.json()["detail"]


def test_what_was_erased_by_law_is_gone_and_says_so() -> None:
    customer, first, second = moved_house()
    with transaction.atomic():
        pipeline.execute("SET LOCAL session_replication_role = replica")
        pipeline.execute("UPDATE historical_customer SET salt = NULL, addresses = '[]' WHERE version = 1")
        pipeline.execute("UPDATE source_record_version SET salt = NULL, raw = NULL, canonical = NULL")
    for path in (*(f"customers/{customer}{reading}" for reading in READINGS), "source-records/crm/P1"):
        answer = ask(path, first)
        assert (answer.status_code, answer["Content-Type"]) == (410, "application/problem+json"), path
        (error,) = answer.json()["errors"]
        assert (error["parameter"], error["code"]) == ("as_of", "erased")
        assert ask(path, second).status_code == 200
    gone = ask(f"customers/{customer}/compare", **{"from": 2, "to": 1})
    assert (gone.status_code, gone.json()["errors"][0]["parameter"]) == (410, "to")


def test_a_member_whose_version_was_erased_is_still_named() -> None:
    customer, first, _ = moved_house()
    with transaction.atomic():
        pipeline.execute("SET LOCAL session_replication_role = replica")
        pipeline.execute("UPDATE source_record_version SET salt = NULL, raw = NULL, canonical = NULL")
    (member,) = told(f"customers/{customer}/members", first)["items"]
    assert (member["external_id"], member["erased"], member["canonical"]) == ("P1", True, {})


# ── why it was so ───────────────────────────────────────────────────────────────────────────────────────────────────
def two_websites() -> UUID:
    """A customer of two systems that only their own trust tells apart, 75 and 80."""
    sent("billing", pipeline.person(1, website="billing.example.org"))
    sent("erp", pipeline.person(1, website="erp.example.org"))
    assert at("billing:P1") == at("erp:P1")
    return at("erp:P1")


def test_how_a_value_was_decided_is_told_by_the_records_and_the_policy_of_then() -> None:
    customer = two_websites()
    now = told(f"customers/{customer}/lineage/website")
    moment = timezone.now()
    sent("erp", pipeline.person(1, website="later.example.org"))
    then = told(f"customers/{customer}/lineage/website", moment)
    assert datetime.fromisoformat(then.pop("as_of")) == moment
    assert then.pop("version") == now.pop("version")
    assert then == now
    assert (then["value"], then["stands"], len(then["candidates"])) == ("erp.example.org", True, 2)
    assert told(f"customers/{customer}/lineage/website")["value"] == "later.example.org"


def test_trust_is_that_of_the_moment_not_of_today() -> None:
    """Falling from 90 to 30 within 100 days: a value of 60 days ago was trusted 78 when it was 20 days old, and is trusted 54 today."""
    decay = {"from": 90, "to": 30, "days": 100, "shape": "linear"}
    body = shipped("survivorship")
    body["attributes"]["website"] = [{"strategy": "trust", "decay": decay}, "recent"]
    drafted = activate.draft(kind="survivorship", body=body, note="", act=alice())
    activate.activate(policy=drafted.id, act=bob())
    now = timezone.now()
    for system in ("billing", "erp"):
        told_at = (now - timedelta(days=60)).isoformat()
        sent(system, pipeline.person(1, website=f"{system}.example.org", source_updated_at=told_at))
    customer = at("erp:P1")
    with transaction.atomic():
        pipeline.execute("SET LOCAL session_replication_role = replica")
        for table, column in (
            ("historical_customer", "history_date"),
            ("membership", "since"),
            ("source_record", "received_at"),
        ):
            pipeline.execute(f"UPDATE {table} SET {column} = {column} - interval '50 days'")
    then = told(f"customers/{customer}/lineage/website", now - timedelta(days=40))
    today = told(f"customers/{customer}/lineage/website")
    assert {c["trust"] for c in then["candidates"]} == {78.0}
    assert {c["trust"] for c in today["candidates"]} == {54.0}
    assert then["policy_hash"] == drafted.hash


def test_what_cannot_be_explained_truly_any_more_is_not_explained() -> None:
    """Systems' own trust is kept as it is today only: were it another one now, the story told would be another one than that of then."""
    customer, moment = two_websites(), timezone.now()
    assert told(f"customers/{customer}/lineage/website", moment)["value"] == "erp.example.org"
    System.objects.filter(code="billing").update(trust=100)
    answer = ask(f"customers/{customer}/lineage/website", moment)
    assert (answer.status_code, answer.json()["errors"][0]["parameter"]) == (400, "as_of")
    assert "lineage" in answer.json()["detail"]
    (line,) = [a for a in told(f"customers/{customer}/lineage", moment)["attributes"] if a["attribute"] == "website"]
    assert line["winner"]["system"] == "erp"


def test_a_policy_that_is_not_kept_explains_nothing() -> None:
    customer, first, _ = moved_house()
    with transaction.atomic():
        pipeline.execute("SET LOCAL session_replication_role = replica")
        pipeline.execute("UPDATE historical_customer SET policy_hash = 'nobody-knows-it' WHERE version = 1")
    answer = ask(f"customers/{customer}/lineage/website", first)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, "not_explainable")


# ── two versions ────────────────────────────────────────────────────────────────────────────────────────────────────
def compared(customer: UUID, first: int, second: int) -> Any:
    answer = ask(f"customers/{customer}/compare", **{"from": first, "to": second})
    assert answer.status_code == 200, answer.content
    return answer.json()


def test_two_versions_say_what_changed_who_came_and_where_values_come_from() -> None:
    survivor, _, _ = merged()
    told_apart = compared(survivor, 1, 2)
    assert (told_apart["before"]["version"], told_apart["after"]["version"]) == (1, 2)
    assert told_apart["joined"] == [{"system": "erp", "external_id": "P2"}]
    assert told_apart["left"] == []
    assert "addresses" in {c["attribute"] for c in told_apart["changes"]}
    addresses = next(c for c in told_apart["lineage"] if c["attribute"] == "addresses")
    assert addresses["before"] is None, "the first one had none"
    assert {"system": "erp", "external_id": "P2"} in addresses["after"]["sources"]
    back = compared(survivor, 2, 1)
    assert (back["joined"], back["left"]) == (told_apart["left"], told_apart["joined"])
    assert {c["attribute"]: (c["after"], c["before"]) for c in back["changes"]} == {
        c["attribute"]: (c["before"], c["after"]) for c in told_apart["changes"]
    }


def test_a_retired_ids_own_versions_are_compared() -> None:
    _, retired, _ = merged()
    told_apart = compared(retired, 1, 2)
    assert (told_apart["id"], told_apart["before"]["active"], told_apart["after"]["active"]) == (
        str(retired),
        True,
        False,
    )
    assert told_apart["left"] == [{"system": "erp", "external_id": "P2"}]
    assert (told_apart["changes"], told_apart["lineage"]) == ([], []), "it keeps its last values"
    assert compared(retired, 2, 2)["changes"] == []


@pytest.mark.parametrize(
    ("asked", "status", "named"),
    [
        ({"from": 1}, 400, "to"), ({"from": "x", "to": 1}, 400, "from"), ({"from": 0, "to": 1}, 400, "from"),
        ({"from": 1, "to": 9}, 404, "to"), ({"from": 9, "to": 1}, 404, "from"), ({"from": 1, "to": 2, "as_of": 1}, 400, "as_of"),
    ],
    ids=["one_only", "word", "zero", "no_such_version", "no_such_first_version", "unknown"],
)  # fmt: skip
def test_versions_there_are_not_are_named(asked: dict[str, Any], status: int, named: str) -> None:
    customer, _, _ = moved_house()
    answer = ask(f"customers/{customer}/compare", **asked)
    assert (answer.status_code, answer.json()["errors"][0]["parameter"]) == (status, named)


# ── what it costs ───────────────────────────────────────────────────────────────────────────────────────────────────
def test_the_past_costs_as_many_statements_however_long_it_is() -> None:
    survivor, retired, _ = merged()
    long = timezone.now()
    for number in range(8):
        sent("crm", pipeline.person(1, website=f"site{number}.example.org"))
        sent("erp", pipeline.person(2, city=f"City {number}"))
    counts: dict[str, set[int]] = {}
    client = machine()
    for id_ in (survivor, retired):
        for moment in (long, timezone.now()):
            for path in (*(f"customers/{id_}{reading}" for reading in READINGS[:3]), "source-records/crm/P1"):
                with CaptureQueriesContext(
                    connection,
                ) as ran:
                    assert client.get(f"/api/v1/{path}?{urlencode({'as_of': moment.isoformat()})}").status_code == 200
                counts.setdefault(path.removeprefix(f"customers/{id_}"), set()).add(len(ran))
    assert SourceRecordVersion.objects.count() == 16
    most = {
        "": 6,
        "/lineage": 6,
        "/members": 5,
        "source-records/crm/P1": 5,
    }  # one of them finds the caller, one the policy of then
    for reading, seen in counts.items():
        assert len(seen) == 1 or reading.startswith("source"), (reading, seen)
        assert max(seen) <= most[reading], (reading, seen)
    with CaptureQueriesContext(connection) as ran:
        client.get(f"/api/v1/customers/{survivor}/compare?from=1&to=9")
    assert len(ran) <= 6
