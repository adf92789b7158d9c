"""The inbox over Django's own client: narrowed, taken, given, put off, and where work begins and goes on."""

import re
from datetime import datetime, time, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import pytest
from django.utils import timezone

from apps.accounts.models import User
from apps.common.act import Act
from apps.common.ids import uuid7
from apps.stewardship import cases
from apps.stewardship.models import Case
from apps.stewardship.views import inbox
from tests import pipeline
from tests.stewardship.given import browser, page_text, text
from tests.stewardship.given_cases import doubtful
from tests.stewardship.given_inbox import BEA, bea, day, page_of, said

pytestmark = pytest.mark.django_db(transaction=True)
MOST_QUERIES = 15


@pytest.fixture(autouse=True)
def _clean() -> None:
    pipeline.empty()


def shown_lines(answer: Any) -> list[str]:
    """Addresses of the lines in their order."""
    return re.findall(r'<td class="case"><a class="main wrap" href="([^"]+)"', text(answer))


# ── the list ────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_an_empty_inbox_says_so() -> None:
    steward = browser("steward")
    assert "Nothing waits for a person" in text(steward.get("/inbox/?whose=team"))
    assert "Nothing is yours" in text(steward.get("/inbox/?whose=mine"))
    assert "Nothing is deferred" in text(steward.get("/inbox/?state=deferred"))
    assert "Nothing is closed yet" in text(steward.get("/inbox/?state=closed"))
    answer = steward.get("/inbox/next/")
    assert answer["Location"] == "/inbox/"
    assert "Nothing else waits" in said(answer)
    doubtful(1)
    assert "Nothing of this kind" in text(steward.get("/inbox/?whose=team&kind=change"))
    assert "1 case waits for somebody" in text(steward.get("/inbox/?whose=mine"))


@pytest.mark.parametrize("role", ["viewer", "steward", "approver", "admin"])
def test_everybody_reads_and_who_may_decide_is_offered_to(role: str) -> None:
    (case,) = doubtful(1)
    user = browser(role)
    writes = role in ("steward", "approver")
    listed, shown = text(user.get("/inbox/?whose=team")), page_text(user.get(page_of(case)))
    assert page_of(case) in listed
    assert "between the thresholds" in listed.lower()
    assert ('name="chosen"' in listed) is writes
    assert ("Merge" in shown) is writes
    assert ("hx-post" in shown) is writes
    assert ("Stewards and approvers decide" in shown) is not writes
    if not writes:
        for path in ("/inbox/", page_of(case), f"{page_of(case)}claim/", "/inbox/undo/"):
            assert user.post(path, {"action": "claim", "chosen": str(case.id)}).status_code == 403
        assert Case.objects.get().assignee == ""


def test_a_group_is_one_line_with_its_number() -> None:
    doubtful(1, systems=("crm", "erp", "billing"))
    answer = browser("steward").get("/inbox/?whose=team")
    assert len(shown_lines(answer)) == 1
    assert "3 cases" in text(answer)


def test_the_filter_stands_in_the_address_and_is_remembered() -> None:
    first, second = doubtful(1, 2)
    cases.claim(case=first.id, act=BEA)
    user = bea()
    assert shown_lines(user.get("/inbox/?whose=mine")) == [page_of(first)]
    assert user.get("/inbox/")["Location"] == "/inbox/?whose=mine&state=open"
    assert shown_lines(user.get("/inbox/?whose=free&kind=match&cause=review_band")) == [page_of(second)]
    remembered = user.get("/inbox/")["Location"]
    assert parse_qs(urlsplit(remembered).query) == {
        "whose": ["free"], "state": ["open"], "kind": ["match"], "cause": ["review_band"],
    }  # fmt: skip
    assert shown_lines(user.get(remembered)) == [page_of(second)]
    assert len(shown_lines(browser("steward").get("/inbox/"))) == 2, "somebody else's is not remembered for me"


@pytest.mark.parametrize(
    "query", ["whose=nobody", "kind=dragon", "state=%3Cb%3E", "skip=x", "skip=-1", "skip=99999999999", "cause=%00"],
    ids=range(7),
)  # fmt: skip
def test_a_forged_filter_is_no_error(query: str) -> None:
    doubtful(1)
    assert browser("viewer").get(f"/inbox/?{query}").status_code == 200


def test_late_ones_are_marked_and_counted() -> None:
    doubtful(1)
    steward = browser("steward")
    assert "in 2 days" in text(steward.get("/inbox/?whose=team")) or "in 71 h" in text(
        steward.get("/inbox/?whose=team")
    )
    Case.objects.update(due_at=timezone.now() - timedelta(hours=3, minutes=5))
    seen = text(steward.get("/inbox/?whose=team"))
    assert "3 h late" in seen
    assert "1 overdue" in seen
    assert 'aria-label="overdue"' in seen


def test_taken_and_released_by_the_button_of_a_line() -> None:
    first, second = doubtful(1, 2)
    steward = browser("steward")
    answer = steward.post("/inbox/?whose=free", {"action": f"claim:{first.id}", "chosen": str(second.id)})
    assert answer["Location"] == "/inbox/?whose=free&state=open"
    assert "1 taken." in said(answer)
    assert set(Case.objects.values_list("id", "assignee")) == {(first.id, "user:steward"), (second.id, "")}
    seen = text(steward.get("/inbox/?whose=mine"))
    assert "<strong>you</strong>" in seen
    assert f'value="release:{first.id}"' in seen
    answer = bea().post("/inbox/?whose=team", {"action": f"claim:{first.id}"})
    assert "1 left as it is: steward has it." in said(answer)
    steward.post("/inbox/", {"action": f"release:{first.id}"})
    assert set(Case.objects.values_list("assignee", flat=True)) == {""}


def test_before_many_are_changed_the_number_is_asked_about() -> None:
    made = doubtful(1, 2, 3)
    steward = browser("steward")
    chosen = [str(c.id) for c in made]
    answer = steward.post("/inbox/?whose=free", {"action": "claim", "chosen": chosen})
    assert answer.status_code == 200
    assert "You chose 3 lines. Shall they be taken?" in text(answer)
    assert set(Case.objects.values_list("assignee", flat=True)) == {""}
    answer = steward.post("/inbox/?whose=free", {"action": "claim", "chosen": chosen[:2], "count": "3"})
    assert "You said yes to 3, but 2 were chosen. Nothing was done." in said(answer)
    assert set(Case.objects.values_list("assignee", flat=True)) == {""}
    cases.claim(case=made[2].id, act=BEA)
    answer = steward.post("/inbox/?whose=free", {"action": "claim", "chosen": [*chosen, "forged"], "count": "3"})
    assert "2 taken. 1 left as it is: bea has it." in said(answer)
    answer = steward.post("/inbox/", {"action": "release", "chosen": [*chosen[:2], str(uuid4())], "count": "3"})
    assert "2 released. 1 left as it is: There is no such case." in said(answer)
    for forged in ({}, {"action": "claim"}, {"action": "burn", "chosen": chosen}, {"action": "claim:x"}):
        assert "Tick at least one line." in said(steward.post("/inbox/", forged))


def test_an_action_over_the_whole_filter_asks_for_the_number_on_all_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox, "PAGE", 2)
    doubtful(1, 2, 3)
    steward = browser("steward")
    page = text(steward.get("/inbox/?whose=free"))
    assert "all 3 lines of this filter" in page
    answer = steward.post("/inbox/?whose=free&kind=match", {"action": "claim", "all": "1"})
    assert "You chose 3 lines of this filter. Shall they be taken?" in text(answer)
    assert 'name="all" value="1"' in text(answer)
    answer = steward.post("/inbox/?whose=free&kind=match", {"action": "claim", "all": "1", "count": "2"})
    assert "You said yes to 2, but 3 were chosen. Nothing was done." in said(answer)
    answer = steward.post("/inbox/?whose=free&kind=change", {"action": "claim", "all": "1"})
    assert "Tick at least one line." in said(answer), "a filter without lines"
    answer = steward.post("/inbox/?whose=free&kind=match", {"action": "claim", "all": "1", "count": "3"})
    assert "3 taken." in said(answer)
    assert set(Case.objects.values_list("assignee", flat=True)) == {"user:steward"}


def test_what_is_due_today_and_what_is_late_are_filters() -> None:
    late, today, later = doubtful(1, 2, 3)
    now = timezone.now()
    midnight = timezone.make_aware(datetime.combine(timezone.localdate() + timedelta(days=1), time()))
    for case, due in ((late, now - timedelta(minutes=1)), (today, midnight - timedelta(seconds=1)), (later, midnight)):
        Case.objects.filter(id=case.id).update(due_at=due)
    steward = browser("steward")

    def listed(due: str) -> list[bool]:
        page = text(steward.get(f"/inbox/?whose=team&due={due}"))
        return [f"/inbox/{c.id}/" in page for c in (late, today, later)]

    assert listed("overdue") == [True, False, False]
    assert listed("today") == [True, True, False]
    assert listed("nonsense") == [True, True, True]


def test_assigned_to_a_named_steward_and_to_nobody_else() -> None:
    (case,) = doubtful(1)
    bea()
    browser("viewer")
    User.objects.create(username="gone", roles=["steward"], is_active=False)
    approver = browser("approver")
    offered = re.findall(r'<option value="(user:\w+)"', text(approver.get("/inbox/?whose=team")))
    assert offered == ["user:approver", "user:bea"]
    for forged in ("", "user:viewer", "user:gone", "hub:match"):
        answer = approver.post("/inbox/", {"action": "assign", "chosen": str(case.id), "to": forged})
        assert "Choose who shall have it." in said(answer)
        assert f'value="{case.id}" checked' in text(answer), "what was ticked stays ticked"
    approver.post("/inbox/", {"action": "assign", "chosen": str(case.id), "to": "user:bea"})
    case.refresh_from_db()
    assert (case.assignee, case.lease_until) == ("user:bea", None)


def test_deferred_with_a_day_and_a_reason_and_taken_back() -> None:
    (case,) = doubtful(1)
    steward = browser("steward", time_zone="Asia/Tokyo")
    sent = {"action": "defer", "chosen": str(case.id)}
    for until in ("", "soon", "2026-02-31", day(-1), "2020-01-01"):
        answer = steward.post("/inbox/", {**sent, "until": until, "reason": "asked them"})
        assert "still to come" in said(answer)
        assert 'value="asked them"' in text(answer)
    assert "why it is put off" in said(steward.post("/inbox/", {**sent, "until": day(9), "reason": " "}))
    assert "1 deferred" in said(steward.post("/inbox/", {**sent, "until": day(9), "reason": "asked them"}))
    case.refresh_from_db()
    assert case.deferred_until is not None
    assert case.deferred_until.strftime("%H:%M") == "15:00", "the beginning of that day in Tokyo"
    seen = text(steward.get("/inbox/?state=deferred&whose=team"))
    assert "Deferred: " in seen
    assert "asked them" in seen
    assert "asked them" in text(steward.get(page_of(case)))
    steward.post("/inbox/?state=deferred", {"action": f"take_back:{case.id}"})
    case.refresh_from_db()
    assert case.state == "open"


def test_what_was_typed_for_many_is_looked_at_before_the_question() -> None:
    made = doubtful(1, 2)
    steward = browser("steward")
    sent = {"chosen": [str(c.id) for c in made], "action": "defer", "until": day(2), "reason": ""}
    assert "why it is put off" in said(steward.post("/inbox/", sent))
    answer = steward.post("/inbox/?whose=free", {**sent, "reason": "asked <them>"})
    assert "You chose 2 lines. Shall they be deferred?" in text(answer)
    assert "asked &lt;them&gt;" in text(answer)
    assert 'name="count" value="2"' in text(answer)
    steward.post("/inbox/?whose=free", {**sent, "reason": "asked <them>", "count": "2"})
    assert set(Case.objects.values_list("state", "deferred_why")) == {("deferred", "asked <them>")}


def test_a_page_of_lines_leads_to_the_next() -> None:
    (case,) = doubtful(1)
    copies = [Case(id=uuid7(), subject=uuid7(), group_key=f"x{n:02d}", **_told(case)) for n in range(54)]
    Case.objects.bulk_create(copies)
    viewer = browser("viewer")
    first = viewer.get("/inbox/?whose=team")
    assert len(shown_lines(first)) == 50
    assert 'href="?whose=team&amp;skip=50" rel="next"' in text(first).replace("&amp;amp;", "&amp;")
    second = viewer.get("/inbox/?whose=team&skip=50")
    assert len(shown_lines(second)) == 5
    assert 'rel="prev"' in text(second)
    assert set(shown_lines(first)) & set(shown_lines(second)) == set()


def _told(case: Case) -> dict[str, Any]:
    names = ("kind", "title", "cause", "sentence", "priority", "opened_at", "due_at")
    return {name: getattr(case, name) for name in names}


# ── where to begin, and what comes next ─────────────────────────────────────────────────────────────────────────────
def test_work_begins_with_what_is_mine_and_goes_through_all_before_it_comes_round() -> None:
    made = doubtful(1, 2, 3)
    steward = browser("steward")
    cases.claim(case=made[1].id, act=Act("user:steward"))
    begin = steward.get("/inbox/next/")["Location"]
    assert begin == page_of(made[1])
    seen, at = [begin], begin
    for _ in range(3):
        steward.post(f"{at}claim/")  # as opening the page does
        at = steward.get(f"/inbox/next/?kind=match&after={at.split('/')[2]}")["Location"]
        seen.append(at)
    assert set(seen[:3]) == {page_of(c) for c in made}
    assert seen[3] in seen[:2], "all were gone past: from the top again"
    assert seen[3] != seen[2]


def test_what_somebody_else_has_is_not_next() -> None:
    first, second = doubtful(1, 2)
    cases.claim(case=first.id, act=BEA)
    assert browser("steward").get("/inbox/next/")["Location"] == page_of(second)
    cases.claim(case=second.id, act=BEA)
    assert browser("steward").get("/inbox/next/?after=nonsense&kind=dragon")["Location"] == "/inbox/"


def test_the_list_keeps_its_number_of_queries(django_assert_max_num_queries: Any) -> None:
    doubtful(*range(1, 9))
    steward = browser("steward")
    for path in ("/inbox/?whose=team", "/inbox/?whose=all&kind=match", "/inbox/next/"):
        with django_assert_max_num_queries(MOST_QUERIES):
            assert steward.get(path).status_code in (200, 302)
