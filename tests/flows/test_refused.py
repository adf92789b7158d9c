"""What makes no sense, or comes too late, is refused with its cause wherever it is tried, and nothing is half done."""

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse

from apps.common.errors import Conflict, Rejected
from apps.customers import pins
from apps.customers.models import Customer
from apps.matching import judge
from apps.policies import activate
from apps.policies.active import active, shipped
from apps.policies.models import Policy
from tests import callers, pipeline
from tests.accounts.test_admin import enter
from tests.pipeline import alice, bob, person, take
from tests.stewardship.given import browser, text

pytestmark = pytest.mark.django_db(transaction=True)
SINCE = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def untouched() -> Any:
    pipeline.empty()
    pipeline.systems()
    yield
    assert pipeline.broken() == []


def two() -> tuple[UUID, UUID]:
    """Two customers; the first is the older one."""
    return pipeline.customer_of("crm", person(1)), pipeline.customer_of("erp", person(2))


def post(path: str, body: dict[str, Any], role: str = "steward") -> tuple[int, dict[str, Any]]:
    answer = callers.person(role).post(f"/api/v1/{path}", body, format="json")
    return answer.status_code, answer.json()


# ── a policy ────────────────────────────────────────────────────────────────────────────────────────────────────────
UNKNOWN = {"attributes": {"statsu": ["trust"]}}
CIRCLE = {"chains": {"one": ["two"], "two": ["one"]}, "attributes": {"status": ["one"]}}


@pytest.mark.parametrize(
    ("change", "place", "code", "said"),
    [
        (UNKNOWN, "/attributes/statsu", "unknown_attribute", "did you mean status?"),
        ({"trust": {"crm": {"webste": 5}}}, "/trust/crm/webste", "unknown_attribute", "did you mean website?"),
        ({"groups": {"g": ["given_name", "nickname"]}}, "/groups/g/1", "unknown_attribute", "nickname"),
        ({"stale": {"contact_pionts": 5}}, "/stale/contact_pionts", "unknown_attribute", "did you mean contact_points?"),
        (CIRCLE, "/chains/two/0", "circle", "one → two → one"),
        ({"attributes": {"status": [{"if": "currency is EUR", "use": ["trust"]}],
                         "currency": [{"if": "status is active", "use": ["trust"]}]}},
         "/attributes/status", "circle", "status → currency → status"),
    ],
)  # fmt: skip
def test_a_survivorship_policy_with_an_unknown_attribute_or_a_circle_is_no_draft(
    change: dict[str, Any], place: str, code: str, said: str
) -> None:
    with pytest.raises(Rejected) as refused:
        activate.draft(kind="survivorship", body=shipped("survivorship") | change, note="", act=alice())
    (found,) = [f for f in refused.value.fields if f.field == place]
    assert found.code == code
    assert said in found.detail
    assert not Policy.objects.exists()


@pytest.mark.parametrize(("change", "said"), [(UNKNOWN, "did you mean status?"), (CIRCLE, "one → two → one")])
def test_nor_is_it_on_the_form_of_the_administration(change: dict[str, Any], said: str) -> None:
    body = json.dumps(shipped("survivorship") | change)
    sent = {"kind": "survivorship", "body": body, "note": ""}
    answer = enter(name="ann").post(reverse("admin:policies_policy_add"), sent)
    assert answer.status_code == 200
    assert said in answer.content.decode()
    assert not Policy.objects.exists()


@pytest.mark.parametrize(("change", "said"), [(UNKNOWN, "did you mean status?"), (CIRCLE, "one → two → one")])
def test_one_that_is_in_the_table_all_the_same_is_not_put_into_force(change: dict[str, Any], said: str) -> None:
    before = active("survivorship").hash
    made = activate.draft(kind="survivorship", body=shipped("survivorship"), note="", act=alice())
    Policy.objects.filter(id=made.id).update(body=shipped("survivorship") | change)
    with pytest.raises(Rejected) as refused:
        activate.activate(policy=made.id, act=bob())
    assert any(said in f.detail for f in refused.value.fields)
    assert Policy.objects.get().state == "draft"
    assert active("survivorship").hash == before


# ── a merge ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_merge_of_a_customer_with_itself() -> None:
    one, _ = two()
    before = pipeline.activity()
    with pytest.raises(Rejected, match="two different customers"):
        judge.merge(customers=[one, one], act=alice())
    for door in ("customers:merge", "merge-requests"):
        status, told = post(door, {"customers": [str(one), str(one)], "reason": "x"})
        assert (status, told["detail"]) == (400, "It needs two different customers."), door
    status, _ = post("customers:link", {"customers": [str(one), str(one)], "kind": "household", "reason": "x"})
    assert status == 400
    assert pipeline.activity() == before


def test_a_merge_with_an_id_that_was_merged_into_it() -> None:
    one, other = two()
    judge.merge(customers=[one, other], act=alice())
    before = pipeline.activity()
    with pytest.raises(Conflict, match=f"{other} was merged into {one} meanwhile"):
        judge.merge(customers=[one, other], act=bob())
    status, told = post("customers:merge", {"customers": [str(other), str(one)], "reason": "x"})
    assert (status, told["detail"]) == (409, f"{other} was merged into {one} already: they are one customer.")
    assert pipeline.activity() == before


def test_two_ids_that_were_merged_into_the_same_one() -> None:
    one, other = two()
    third = pipeline.customer_of("billing", person(3))
    judge.merge(customers=[one, other, third], act=alice())
    status, told = post("customers:merge", {"customers": [str(other), str(third)], "reason": "x"})
    assert status == 409
    assert "they are one customer" in told["detail"]


# ── an unmerge ──────────────────────────────────────────────────────────────────────────────────────────────────────
def test_an_unmerge_of_what_is_no_longer_there() -> None:
    """Over the API, on the page and by the command; each says where it is now."""
    one, other = two()
    judge.merge(customers=[one, other], act=alice())
    record = pipeline.record_ids()["erp:P2"]
    shown = pipeline.one("SELECT version FROM customer WHERE id = %s", one)
    judge.unmerge(customer=one, records=[record], act=bob())
    before = pipeline.activity()
    body = {"records": [{"system": "erp", "external_id": "P2"}], "reason": "x"}
    status, told = post(f"customers/{one}:unmerge", body)
    assert status == 409
    assert f"erp P2 is of {other} now" in told["detail"]
    assert post(f"customers/{uuid4()}:unmerge", body)[0] == 404
    steward, address = browser("steward"), f"/customers/{one}/unmerge/"
    sent = {"record": str(record), "version": str(shown), "again": "0"}
    assert "has changed since you opened the page" in text(steward.post(address, sent, follow=True))
    assert f"erp P2 is of {other} now" in text(steward.get(f"{address}?record={record}"))
    with pytest.raises(CommandError, match="does not exist"):
        call_command("unmerge", since=SINCE, customer=[uuid4()], dry_run=True)
    with pytest.raises(CommandError, match="There is no run"):
        call_command("unmerge", run=uuid4(), dry_run=True)
    assert pipeline.activity() == before


def test_an_unmerge_by_command_of_a_customer_that_was_merged_away() -> None:
    one, other = two()
    judge.merge(customers=[one, other], act=alice())
    with pytest.raises(CommandError, match=f"was merged into {one} meanwhile"):
        call_command("unmerge", since=SINCE, customer=[other], yes=True)


# ── a stale version ─────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_stale_version_is_a_409_that_says_what_changed() -> None:
    one, other = two()
    judge.merge(customers=[one, other], act=alice())
    seen = Customer.objects.get(id=one).version
    take("crm", person(1, website="new.example.org"))
    pins.pin(customer=one, attribute="language", value="de", act=bob())
    before = pipeline.activity()
    body = {"records": [{"system": "erp", "external_id": "P2"}], "reason": "x", "version": seen}
    status, told = post(f"customers/{one}:unmerge", body)
    assert status == 409
    assert told["detail"] == (
        f"The customer has changed since you looked at it: it was version {seen}, it is version {seen + 2} now."
        " Since then: changed by hub:test (website); changed by bob (language). Look again."
    )
    assert pipeline.activity() == before
    assert post(f"customers/{one}:unmerge", {**body, "version": seen + 2})[0] == 200


def test_of_many_versions_the_last_are_told_and_a_version_that_never_was_is_refused_too() -> None:
    one, other = two()
    judge.merge(customers=[one, other], act=alice())
    seen = Customer.objects.get(id=one).version
    for language in ("de", "fr", "it", "es", "en"):
        pins.pin(customer=one, attribute="language", value=language, act=bob())
    body = {"records": [{"system": "erp", "external_id": "P2"}], "reason": "x"}
    _, told = post(f"customers/{one}:unmerge", {**body, "version": seen})
    assert "Since then (2 before that): " in told["detail"]
    assert told["detail"].count("changed by bob (language)") == 3
    status, told = post(f"customers/{one}:unmerge", {**body, "version": 99})
    assert status == 409
    assert f"it was version 99, it is version {seen + 5} now. Look again." in told["detail"]


def test_of_two_stewards_at_one_form_the_second_is_told_what_the_first_has_done() -> None:
    one, _ = two()
    version = str(Customer.objects.get(id=one).version)
    sent = {"version": version, "choice": "own", "own": "mine.example.org", "reason": "asked them"}
    address = f"/customers/{one}/pin/website/"
    assert browser("steward").post(address, sent).status_code == 302
    late = browser("approver").post(address, {**sent, "own": "other.example.org"})
    assert late.status_code == 422
    assert f"it was version {version}" in text(late)
    assert "changed by steward (website)" in text(late)
    assert "mine.example.org" in str(Customer.objects.get(id=one).website)
