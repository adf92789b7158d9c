"""What a steward sees is what they decide about; of two who decide one is told; a decision is taken back while nothing superseded it."""

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from apps.common.act import Act
from apps.common.errors import Conflict, NotFound, Rejected
from apps.common.ids import uuid7
from apps.customers.models import Judgement
from apps.customers.queries_relations import related
from apps.stewardship import decisions
from apps.stewardship.inbox import Filter, counts, lines, next_case
from apps.stewardship.models import Case, Decision
from apps.stewardship.review import review
from tests import pipeline
from tests.pipeline import execute, person, take
from tests.stewardship.given import browser, text
from tests.stewardship.given_cases import doubtful

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _clean() -> None:
    pipeline.empty()


def anna(reason: str = "") -> Act:
    return Act("user:anna", reason)


def bea(reason: str = "") -> Act:
    return Act("user:bea", reason)


def test_the_review_shows_the_customers_side_by_side(django_assert_max_num_queries: Any) -> None:
    first, *_ = doubtful(1, systems=("crm", "erp", "billing"))
    with django_assert_max_num_queries(8):
        shown = review(first.id)
    assert [s.systems for s in shown.sides] == [["crm"], ["erp"], ["billing"]]
    rows = {r.attribute: r for r in shown.rows}
    assert rows["email"].equal
    assert not rows["city"].equal
    assert [c.value for c in rows["city"].cells] == ["City of crm", "City of erp", "City of billing"]
    assert [c.system for c in rows["city"].cells] == ["crm", "erp", "billing"]
    marked = ["".join(p.text for p in pieces if not p.same) for pieces in rows["city"].pieces]
    assert marked == ["", "ep", "billing"] or marked[0] == ""
    assert ["".join(p.text for p in pieces) for pieces in rows["city"].pieces] == [c.value for c in rows["city"].cells]
    assert len(shown.links) == 3
    for link in shown.links:
        assert link.explanation is not None
        assert link.reason == "review_band"
        assert link.why_not


def test_a_merge_closes_the_whole_group_and_is_taken_back() -> None:
    first, *_ = doubtful(1, systems=("crm", "erp", "billing"))
    shown = review(first.id)
    before = pipeline.where()
    made = decisions.merge(case=first.id, customers=[s.customer for s in shown.sides], token=shown.token, act=anna())
    assert len(pipeline.partition()) == 1
    assert set(Case.objects.values_list("state", "closed_by")) == {("closed", "user:anna")}
    assert set(Judgement.objects.values_list("correlation_id", flat=True)) == {made.id}
    assert decisions.last_of("user:anna") == made
    undone = decisions.undo(decision=made.id, act=bea())
    assert undone.undone_by == "user:bea"
    assert pipeline.where() == before
    assert Case.objects.filter(state="open").count() == 3
    assert decisions.last_of("user:anna") is None
    with pytest.raises(Conflict, match="taken back already by bea"):
        decisions.undo(decision=made.id, act=anna())
    assert pipeline.broken() == []


def test_one_is_left_out_of_the_merge() -> None:
    first, *_ = doubtful(1, systems=("crm", "erp", "billing"))
    shown = review(first.id)
    decisions.merge(case=first.id, customers=[s.customer for s in shown.sides[:2]], token=shown.token, act=anna())
    where = pipeline.where()
    assert where["crm:P1"] == where["erp:P1"] != where["billing:P1"]
    left = Case.objects.filter(state="open")
    assert left.count() >= 1
    assert len(review(left[0].id).sides) == 2


def test_no_match_needs_a_reason_and_holds() -> None:
    (case,) = doubtful(1)
    shown = review(case.id)
    ids = [s.customer for s in shown.sides]
    with pytest.raises(Rejected, match="why"):
        decisions.keep_apart(case=case.id, customers=ids, token=shown.token, act=anna())
    made = decisions.keep_apart(case=case.id, customers=ids, token=shown.token, act=anna("father and son"))
    case.refresh_from_db()
    assert (case.state, case.outcome, case.closed_by) == ("closed", "They were kept apart.", "user:anna")
    assert Judgement.objects.get().reason == "father and son"
    take("crm", person(1, city="Ulm"))
    assert len(pipeline.partition()) == 2
    decisions.undo(decision=made.id, act=anna())
    assert Case.objects.filter(state="open").count() == 1


def test_linked_without_being_merged_and_the_link_is_taken_back() -> None:
    (case,) = doubtful(1)
    shown = review(case.id)
    ids = [s.customer for s in shown.sides]
    with pytest.raises(Rejected, match="kind of relation"):
        decisions.link(case=case.id, customers=ids, kind="nonsense", token=shown.token, act=anna())
    assert Judgement.objects.count() == 0
    made = decisions.link(case=case.id, customers=ids, kind="household", token=shown.token, act=anna())
    assert len(pipeline.partition()) == 2
    (one,) = related(ids[0])
    assert (one.customer, one.kind, one.actor) == (ids[1], "One household or family", "user:anna")
    assert [r.customer for r in related(ids[1])] == [ids[0]]
    assert "One household or family" in text(browser("steward").get(f"/customers/{ids[0]}/matches/"))
    case.refresh_from_db()
    assert case.state == "closed"
    decisions.undo(decision=made.id, act=anna())
    assert related(ids[0]) == []
    assert Case.objects.filter(state="open").count() == 1
    assert pipeline.broken() == []


@pytest.mark.parametrize("action", ["unmerge", "undo", ""])
def test_the_review_does_nothing_that_it_does_not_offer(action: str) -> None:
    (case,) = doubtful(1)
    shown = review(case.id)
    body = {"action": action, "token": shown.token, "customers": [str(s.customer) for s in shown.sides], "reason": "x"}
    assert browser("steward").post(f"/inbox/{case.id}/", body).status_code == 200
    assert Judgement.objects.count() == 0


def test_what_changed_since_the_page_was_opened_is_looked_at_again() -> None:
    (case,) = doubtful(1)
    shown = review(case.id)
    take("erp", person(1, city="Ulm"))
    with pytest.raises(Conflict, match="have changed since"):
        decisions.merge(case=case.id, customers=[s.customer for s in shown.sides], token=shown.token, act=anna())
    assert len(pipeline.partition()) == 2
    assert Decision.objects.count() == 0


def test_the_second_of_two_is_told_what_happened() -> None:
    (case,) = doubtful(1)
    shown = review(case.id)
    told = list[str]()
    begin = threading.Barrier(2)

    def decide(act: Act) -> None:
        try:
            begin.wait(20)
            ids = [s.customer for s in shown.sides]
            decisions.merge(case=case.id, customers=ids, token=shown.token, act=act)
        except Conflict as error:
            told.append(error.detail)
        finally:
            connection.close()

    threads = [threading.Thread(target=decide, args=(act,)) for act in (anna(), bea())]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(told) == 1
    assert Decision.objects.count() == 1
    with pytest.raises(Conflict, match=r"closed by (anna|bea): The records became one customer"):
        decisions.keep_apart(
            case=case.id, customers=[s.customer for s in shown.sides], token=shown.token, act=bea("too late")
        )
    assert len(pipeline.partition()) == 1


def test_forged_fields_are_refused() -> None:
    first, second = doubtful(1, 2)
    shown, other = review(first.id), review(second.id)
    mixed = [shown.sides[0].customer, other.sides[0].customer]
    with pytest.raises(Rejected, match="not part of this case"):
        decisions.merge(case=first.id, customers=mixed, token=shown.token, act=anna())
    with pytest.raises(Rejected, match="two records"):
        decisions.merge(case=first.id, customers=mixed[:1] * 2, token=shown.token, act=anna())
    with pytest.raises(NotFound):
        decisions.merge(case=uuid7(), customers=mixed, token=shown.token, act=anna())
    with pytest.raises(NotFound):
        decisions.undo(decision=uuid7(), act=anna())
    assert Decision.objects.count() == 0
    assert Case.objects.filter(state="open", deciding_until=None).count() == 2


def test_the_inbox_has_a_line_for_each_cause(django_assert_num_queries: Any) -> None:
    doubtful(1, 2, systems=("crm", "erp", "billing"))
    take("crm", {"record_id": "X", "kind": "person", "birth_date": "the day after"})
    from apps.stewardship import cases

    cases.refresh()
    with django_assert_num_queries(1):
        found = lines(Filter(), me="user:anna")
    assert sorted((line.kind, line.count) for line in found) == [("match", 3), ("match", 3), ("quarantine", 1)]
    cases.claim(case=found[0].id, act=anna())
    with django_assert_num_queries(1):
        now = counts("user:anna")
    assert (now.mine, now.free, now.team, now.deferred, now.overdue) == (1, 2, 3, 0, 0)
    assert now.kinds == {"match": 2, "quarantine": 1}
    assert [line.id for line in lines(Filter(whose="mine"), me="user:anna")] == [found[0].id]
    assert found[0].id not in [line.id for line in lines(Filter(whose="free"), me="user:anna")]
    assert {line.kind for line in lines(Filter(kind="quarantine"), me="user:anna")} == {"quarantine"}
    ahead = next_case("user:anna")
    assert ahead is not None
    assert ahead.id == found[0].id
    following = next_case("user:anna", without=[found[0].id])
    assert following is not None
    assert following.id != found[0].id
    assert next_case("user:bea", kind="exception") is None


def test_the_most_urgent_comes_first_and_what_is_late_is_marked() -> None:
    first, second = doubtful(1, 2)
    execute("UPDATE steward_case SET priority = 1 WHERE id = %s", second.id)
    execute("UPDATE steward_case SET due_at = opened_at - interval '1 hour' WHERE id = %s", first.id)
    found = lines(Filter(), me="user:anna")
    assert [(line.id, line.overdue) for line in found] == [(second.id, False), (first.id, True)]
    assert counts("user:anna").overdue == 1


def test_closed_ones_are_listed_newest_first_with_their_outcome() -> None:
    (case,) = doubtful(1)
    shown = review(case.id)
    decisions.merge(case=case.id, customers=[s.customer for s in shown.sides], token=shown.token, act=anna())
    (line,) = lines(Filter(state="closed"), me="user:bea")
    assert (line.outcome, line.closed_by, line.overdue) == ("The records became one customer.", "user:anna", False)
    closed = review(case.id)
    assert (closed.state, closed.outcome, len(closed.sides)) == ("closed", "The records became one customer.", 1)
    assert case.due_at - case.opened_at == timedelta(hours=72)
