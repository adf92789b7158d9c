"""The match review over Django's own client: side by side, decided, taken back; whose it is, and told who was faster."""

import re
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest

from apps.common.ids import uuid7
from apps.customers import holds
from apps.customers.models import ChangeRequest, Customer, Hold, Judgement, Quarantine
from apps.stewardship import cases
from apps.stewardship.models import Case, Decision
from tests import pipeline
from tests.stewardship.given import browser, text
from tests.stewardship.given_cases import doubtful
from tests.stewardship.given_inbox import BEA, bea, day, form, page_of, said

pytestmark = pytest.mark.django_db(transaction=True)
MOST_QUERIES = 20
"""Session, user and systems take three, whose it is and what was decided last three, the records and why they are in doubt the rest."""


@pytest.fixture(autouse=True)
def _clean() -> None:
    pipeline.empty()


def test_the_review_shows_values_differences_and_the_score() -> None:
    case, *_ = doubtful(1, systems=("crm", "erp", "billing"))
    seen = text(browser("steward").get(page_of(case)))
    assert seen.count("data-side") == 3
    assert seen.count('<svg class="waterfall"') == 3
    assert "City of " in seen
    assert "<mark>" in seen
    assert "Starting point" in seen
    assert "bits speak for one customer" in seen
    assert re.search(r"Hide \d+ equal rows", seen)
    assert 'class="table top-aligned compare"' in seen
    steward = browser("steward")
    steward.cookies["equal"] = "hide"
    assert "compare hide-equal" in text(steward.get(page_of(case)))


def test_values_from_outside_cannot_hide_anything() -> None:
    pipeline.systems()
    pipeline.use_model(automatic=900.0, bridge=900.0)
    pipeline.take("crm", pipeline.person(1, city="<b>Ulm</b>"))
    pipeline.take("erp", pipeline.person(1, city="\u202eUlm"))
    cases.refresh()
    seen = text(browser("viewer").get(page_of(Case.objects.get())))
    assert "<b>Ulm" not in seen
    assert "\u202e" not in seen


def test_a_merge_goes_on_to_the_next_case_and_can_be_taken_back_there() -> None:
    first, second = doubtful(1, 2)
    steward = browser("steward")
    before = pipeline.where()
    answer = steward.post(page_of(first), form(steward, first, action="merge"))
    assert (answer.status_code, answer["Location"]) == (303, page_of(second))
    assert len(pipeline.partition()) == 3
    made = Decision.objects.get()
    seen = text(steward.get(page_of(second)))
    assert "Merged: " in seen
    assert f'name="decision" value="{made.id}"' in seen
    assert "Merged: <strong>" not in text(steward.get(page_of(second))), "told once"
    answer = steward.post("/inbox/undo/", {"decision": str(made.id), "back": page_of(second)})
    assert (answer.status_code, answer["Location"]) == (303, page_of(second))
    assert "Taken back: " in said(answer)
    assert pipeline.where() == before
    assert "Undo last" not in text(steward.get(page_of(second)))


def test_the_last_decision_leads_back_to_the_inbox() -> None:
    (case,) = doubtful(1)
    steward = browser("steward")
    answer = steward.post(page_of(case), form(steward, case, action="merge"))
    assert answer["Location"] == "/inbox/"
    assert "Merged: " in text(steward.get("/inbox/?whose=team"))


def test_no_match_asks_for_a_reason_and_keeps_what_was_ticked() -> None:
    case, *_ = doubtful(1, systems=("crm", "erp", "billing"))
    steward = browser("steward")
    sent = form(steward, case, action="apart", reason=" ")
    sent["customers"] = sent["customers"][:2]
    answer = steward.post(page_of(case), sent)
    assert answer.status_code == 200
    assert "Say why" in said(answer)
    assert len(re.findall(r"data-side checked", text(answer))) == 2
    assert Judgement.objects.count() == 0
    answer = steward.post(page_of(case), {**sent, "reason": "father and son"})
    assert answer.status_code == 303
    assert set(Judgement.objects.values_list("verdict", "actor", "reason")) == {
        ("no_match", "user:steward", "father and son")
    }


def test_one_customer_is_nothing_to_merge() -> None:
    (case,) = doubtful(1)
    steward = browser("steward")
    sent = form(steward, case, action="merge")
    answer = steward.post(page_of(case), {**sent, "customers": sent["customers"][:1]})
    assert "Choose two" in said(answer)
    assert len(pipeline.partition()) == 2
    assert "no such action" in said(steward.post(page_of(case), {**sent, "action": "burn"}))


def test_the_second_steward_is_told_who_was_faster_and_where_to_go_on() -> None:
    first, second = doubtful(1, 2)
    steward, other = browser("steward"), bea()
    late = form(other, first, action="apart", reason="brothers")
    steward.post(page_of(first), form(steward, first, action="merge"))
    answer = other.post(page_of(first), late)
    assert (answer.status_code, answer["Location"]) == (303, page_of(first))
    assert "closed by steward: The records became one customer" in said(answer)
    seen = text(other.get(page_of(first)))
    assert "This case is closed by steward." in seen
    assert f"/inbox/next/?kind=match&amp;after={first.id}" in seen
    assert "Keep apart" not in seen
    assert other.get(f"/inbox/next/?kind=match&after={first.id}")["Location"] == page_of(second)


def test_the_same_form_sent_twice_decides_once() -> None:
    (case,) = doubtful(1)
    steward = browser("steward")
    sent = form(steward, case, action="merge")
    assert steward.post(page_of(case), sent).status_code == 303
    again = steward.post(page_of(case), sent)
    assert "closed by steward" in said(again)
    assert Decision.objects.count() == 1


def test_what_changed_meanwhile_is_looked_at_again() -> None:
    (case,) = doubtful(1)
    steward = browser("steward")
    sent = form(steward, case, action="merge")
    pipeline.take("erp", pipeline.person(1, city="Ulm"))
    answer = steward.post(page_of(case), sent)
    assert answer["Location"] == page_of(case)
    assert "have changed since" in said(answer)
    assert len(pipeline.partition()) == 2
    assert ">Ulm<" in re.sub("</?mark>", "", text(steward.get(page_of(case))))


def test_opening_a_free_case_takes_it_and_nobody_elses() -> None:
    (case,) = doubtful(1)
    steward, other = browser("steward", time_zone="Asia/Tokyo"), bea()
    assert f'hx-post="/inbox/{case.id}/claim/"' in text(steward.get(page_of(case)))
    part = steward.post(f"{page_of(case)}claim/", headers={"HX-Request": "true"})
    case.refresh_from_db()
    assert case.lease_until is not None
    until = case.lease_until.astimezone(ZoneInfo("Asia/Tokyo")).strftime("%H:%M")
    assert f"You have it until {until}" in text(part)
    assert 'hx-swap-oob="true"' in text(part)
    assert "<html" not in text(part)
    seen = text(other.get(page_of(case)))
    assert "hx-post" not in seen
    assert "<strong>steward</strong> has it until" in seen
    assert "Take over" in seen
    part = other.post(f"{page_of(case)}claim/", headers={"HX-Request": "true"})
    assert "<strong>steward</strong> has it until" in text(part)
    answer = other.post(f"{page_of(case)}claim/")
    assert "steward has it." in said(answer)
    assert answer["Location"] == page_of(case)
    other.post(page_of(case), {"action": "take_over"})
    assert Case.objects.get().assignee == "user:bea"
    assert "Release" in text(other.get(page_of(case)))
    other.post(page_of(case), {"action": "release"})
    assert Case.objects.get().assignee == ""


def test_what_was_assigned_to_me_stays_assigned_when_i_open_it() -> None:
    (case,) = doubtful(1)
    cases.assign(case=case.id, to="user:bea", act=BEA)
    seen = text(bea().get(page_of(case)))
    assert "hx-post" not in seen
    assert "You have it." in seen


def test_deferred_from_the_review_it_goes_on() -> None:
    first, second = doubtful(1, 2)
    steward = browser("steward")
    answer = steward.post(page_of(first), {"action": "defer", "until": day(0), "reason": "asked"})
    assert "still to come" in said(answer)
    answer = steward.post(page_of(first), {"action": "defer", "until": day(3), "reason": "asked"})
    assert answer["Location"] == page_of(second)
    first.refresh_from_db()
    assert (first.state, first.deferred_why) == ("deferred", "asked")
    assert "Take back" in text(steward.get(page_of(first)))
    steward.post(page_of(first), {"action": "take_back"})
    first.refresh_from_db()
    assert first.state == "open"


def test_cases_of_other_kinds_are_worked_on_elsewhere() -> None:
    pipeline.systems()
    pipeline.take("crm", {"record_id": "X", "kind": "person", "birth_date": "the day after"}, pipeline.person(1))
    customer = Customer.objects.get()
    request = ChangeRequest.objects.create(kind="hold", author="user:anna", correlation_id=uuid7())
    Hold.objects.create(
        customer=customer, attribute="website", kept_value="a.example", proposed_value="b.example",
        proposed_hash=holds.value_hash("b.example"), change_request=request,
    )  # fmt: skip
    cases.refresh()
    steward = browser("steward")
    where = {"quarantine": f"/quarantine/{Quarantine.objects.get().id}/", "change": f"/changes/{request.id}/"}
    for case in Case.objects.all():
        assert steward.get(page_of(case))["Location"] == where[case.kind]
    assert "a protected value would change" in text(steward.get("/inbox/?whose=team")).lower()
    assert steward.get(page_of(uuid4())).status_code == 404
    for sent in ({"action": "merge"}, {"action": "claim"}):
        assert steward.post(page_of(uuid4()), {**sent, "customers": [str(uuid4()), str(uuid4())]}).status_code == 404
    assert steward.post(f"{page_of(uuid4())}claim/").status_code == 404


@pytest.mark.parametrize(
    "back", ["//evil.example/inbox/", "/inbox/\\evil.example", "https://evil.example", "/admin/", ""], ids=range(5)
)
def test_a_forged_undo_is_told_and_leads_nowhere_else(back: str) -> None:
    steward = browser("steward")
    for decision in ("", "nonsense", str(uuid4())):
        answer = steward.post("/inbox/undo/", {"decision": decision, "back": back})
        assert answer["Location"] in ("/inbox/", "/inbox/\\evil.example")
        assert "There is no such decision" in said(answer)


def test_the_review_keeps_its_number_of_queries(django_assert_max_num_queries: Any) -> None:
    small, *_ = doubtful(1)
    steward = browser("steward")
    with django_assert_max_num_queries(MOST_QUERIES):
        assert text(steward.get(page_of(small))).count("data-side") == 2
    doubtful(2, systems=("crm", "erp", "billing", "support"))
    large = Case.objects.exclude(group_key=small.group_key).latest("id")
    with django_assert_max_num_queries(MOST_QUERIES):
        assert text(steward.get(page_of(large))).count("data-side") == 4
