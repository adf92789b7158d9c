"""A merge that a rule stands against, on the pages: told with both values, linked instead, or asked of a second person."""

import re
from typing import Any

import pytest
from django.test import Client

from apps.customers.models import ChangeRequest, MergeRequest, Relation
from apps.stewardship.inbox import Filter, lines
from apps.stewardship.models import Case, Decision
from tests import pipeline
from tests.stewardship.given import browser, text
from tests.stewardship.given_cases import vetoed
from tests.stewardship.given_inbox import form, page_of, said

pytestmark = pytest.mark.django_db(transaction=True)


def refused(client: Client, case: Case, **changes: Any) -> str:
    answer = client.post(page_of(case), form(client, case, action="merge", **changes))
    assert answer.status_code == 200
    return text(answer)


def test_the_machine_leaves_it_to_a_person_and_says_which_rule() -> None:
    case = vetoed()
    assert case.cause == "policy_veto"
    seen = text(browser("steward").get(page_of(case)))
    assert "a rule of the policy stands against it. One is closed, the other is not." in seen
    assert "a rule stands against it" in seen


def test_the_composer_shows_the_rule_and_two_ways_out() -> None:
    case = vetoed()
    seen = refused(browser("steward"), case)
    assert "A rule stands against this merge" in seen
    for said_ in ("One is closed, the other is not.", "Link them instead", "Ask for it all the same", "Becomes"):
        assert said_ in seen
    told = re.findall(r'<strong><bdi dir="auto">(active|closed)</bdi></strong>', seen)
    assert sorted(told) == ["active", "closed"]
    assert 'value="merge"' not in seen, "it cannot be merged from here"
    assert len(pipeline.partition()) == 2
    assert not Decision.objects.exists()
    steward = browser("steward")
    again = steward.post(f"{page_of(case)}preview/", form(steward, case))
    assert "A rule stands against this merge" in text(again)


def test_where_nobody_may_let_it_pass_only_the_link_is_left() -> None:
    case = vetoed(second_person=False)
    seen = refused(browser("steward"), case)
    assert "Link them instead" in seen
    assert "Nobody may let this merge pass." in seen
    assert "Ask for it all the same" not in seen
    assert "Becomes" not in seen
    steward = browser("steward")
    answer = steward.post(page_of(case), form(steward, case, action="ask", reason="all the same"))
    assert "Nobody may let this merge pass." in text(answer)
    assert not ChangeRequest.objects.exists()


def test_they_are_linked_instead() -> None:
    case = vetoed()
    steward = browser("steward")
    answer = steward.post(page_of(case), form(steward, case, action="link", kind="household"))
    assert answer.status_code == 303
    assert Relation.objects.get(until=None).kind == "household"
    case.refresh_from_db()
    assert case.state == "closed"


def test_a_second_person_is_asked_finds_it_in_the_inbox_and_merges() -> None:
    case = vetoed()
    steward, approver = browser("steward"), browser("approver")
    assert "Say why they are one all the same." in text(steward.post(page_of(case), form(steward, case, action="ask")))
    answer = steward.post(page_of(case), form(steward, case, action="ask", reason="closed by mistake"))
    asked = MergeRequest.objects.get()
    address = f"/changes/{asked.change_request_id}/"
    assert (answer.status_code, answer["Location"]) == (303, address)
    assert "A second person is asked" in said(answer)
    (line,) = lines(Filter(kind="change"), me="user:x")
    assert (line.address, line.cause, line.sentence, line.title) == (
        address, "merge", "One is closed, the other is not.", asked.title,
    )  # fmt: skip
    assert "A merge that a rule stands against" in text(approver.get("/inbox/?kind=change"))
    own = text(steward.get(address))
    assert "You asked for this, so a second person has to decide." in own
    assert "Merge all the same" not in own
    seen = text(approver.get(address))
    for told in ("closed by mistake", "One is closed, the other is not.", "Merge all the same", "Reject"):
        assert told in seen
    assert steward.post(address, {"all": "approve"}).status_code == 403
    assert "Approve it or reject it." in said(approver.post(address, {"all": ""}))
    assert "They are one customer now." in said(approver.post(address, {"all": "approve"}))
    assert len(pipeline.partition()) == 1
    assert Case.objects.exclude(state="closed").count() == 0
    assert "approved already" in said(approver.post(address, {"all": "approve"}))
    assert "decided by" in text(approver.get(address))


def test_it_is_rejected_and_the_doubt_stays() -> None:
    case = vetoed()
    steward, approver = browser("steward"), browser("approver")
    steward.post(page_of(case), form(steward, case, action="ask", reason="closed by mistake"))
    approver.post(f"/changes/{ChangeRequest.objects.get().id}/", {"all": "reject"})
    assert len(pipeline.partition()) == 2
    assert list(Case.objects.exclude(state="closed").values_list("kind", flat=True)) == ["match"]
    assert Case.objects.get(kind="change").outcome == "It was rejected."
