"""Changes that wait for a second person, over the API: never decided by their author, refused when something else is proposed by now."""

from typing import Any
from uuid import UUID

import pytest
from django.contrib.admin.sites import site
from django.db import IntegrityError, transaction
from django.test import Client

from apps.common.ids import uuid7
from apps.customers.models import ChangeRequest
from tests import pipeline
from tests.callers import machine, person
from tests.connectors.described import checked
from tests.stewardship.test_changes import effective, proposed

pytestmark = pytest.mark.django_db(transaction=True)
API = "/api/v1/change-requests"


@pytest.fixture(autouse=True)
def _clean() -> None:
    pipeline.empty()
    pipeline.systems()
    pipeline.owners_of_nothing()


def decide(client: Any, request: UUID, *verdicts: tuple[str, bool], **body: Any) -> Any:
    told = [{"attribute": a, "approve": approve} for a, approve in verdicts]
    return client.post(f"{API}/{request}:decide", {"verdicts": told, "reason": "asked them"} | body, format="json")


def test_changes_are_listed_read_and_decided_field_by_field() -> None:
    first, second = proposed(1, 2)
    viewer, bob = person("viewer", name="vera"), person("approver", name="bob")
    page = checked(viewer.get(API, {"limit": 1}), "list_change_requests")
    assert [i["id"] for i in page["items"]] == [str(second)]
    assert page["items"][0]["attributes"] == ["credit_limit", "payment_terms"]
    rest = checked(viewer.get(API, {"cursor": page["next"]}), "list_change_requests")
    assert ([i["id"] for i in rest["items"]], rest["next"]) == ([str(first)], None)
    one = checked(viewer.get(f"{API}/{first}"), "read_change_request")
    held = {f["attribute"]: f for f in one["fields"]}
    assert (held["payment_terms"]["kept"], held["payment_terms"]["proposed"], one["author"]) == (
        "NET30",
        "NET60",
        "user:anna",
    )
    done = checked(decide(bob, first, ("payment_terms", True)), "decide_change_request")
    assert done["state"] == "open", "the other field waits"
    assert effective(first) == ("NET60", "100.00")
    done = checked(decide(bob, first, ("credit_limit", False)), "decide_change_request")
    assert (done["state"], done["approver"]) == ("approved", "user:bob")
    assert effective(first) == ("NET60", "100.00")
    assert decide(bob, first, ("credit_limit", True)).status_code == 409
    assert pipeline.broken() == []


def test_the_author_never_decides_by_no_door() -> None:
    """The API, the page, the administration pages, and the database itself."""
    (id_,) = proposed(1)
    anna = person("approver", name="anna")
    assert decide(anna, id_, ("payment_terms", True)).status_code == 400
    page = Client()
    page.cookies = anna.cookies
    page.post(f"/changes/{id_}/", {"all": "approve", "reason": "mine"})
    assert site.is_registered(ChangeRequest)
    shown = site.get_model_admin(ChangeRequest)
    assert not shown.has_change_permission(_request(anna))
    with pytest.raises(IntegrityError), transaction.atomic():
        ChangeRequest.objects.filter(id=id_).update(state="approved", approver="user:anna")
    assert effective(id_) == ("NET30", "100.00")
    assert ChangeRequest.objects.get(id=id_).state == "open"


def _request(client: Any) -> Any:
    return client.get(f"{API}").wsgi_request


def test_something_else_is_proposed_by_now() -> None:
    (id_,) = proposed(1)
    bob = person("approver", name="bob")
    held = {f["attribute"]: f["token"] for f in bob.get(f"{API}/{id_}").json()["fields"]}
    act = pipeline.alice().because("moved on")
    pipeline.take("crm", pipeline.person(1, payment_terms="NET90", credit_limit="900"), act=act)
    body = {"verdicts": [{"attribute": "payment_terms", "approve": True, "token": held["payment_terms"]}]}
    answer = bob.post(f"{API}/{id_}:decide", body, format="json")
    assert answer.status_code == 409
    assert "Something else is proposed" in answer.json()["detail"]
    assert effective(id_)[0] == "NET30"


@pytest.mark.parametrize(
    ("verdicts", "status"),
    [
        ([], 400),
        ([("payment_terms", True), ("payment_terms", False)], 400),
        ([("nonsense", True)], 400),
        ([("x" * 61, True)], 400),
    ],
)
def test_nonsense_decides_nothing(verdicts: list[tuple[str, bool]], status: int) -> None:
    (id_,) = proposed(1)
    assert decide(person("approver", name="bob"), id_, *verdicts).status_code == status
    assert effective(id_) == ("NET30", "100.00")


def test_who_may_not_decide_is_refused() -> None:
    (id_,) = proposed(1)
    for client in (person("steward", name="sam"), person("viewer", name="vera"), machine("merges:write")):
        assert decide(client, id_, ("payment_terms", True)).status_code == 403
    assert decide(person("approver", name="bob"), uuid7(), ("payment_terms", True)).status_code == 404
    assert person("approver", name="bob").get(API, {"state": "nonsense"}).status_code == 400
