"""Cases follow what they are about; they are taken, given and put off by group, and never by two at once."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from apps.common.act import Act
from apps.common.errors import Conflict, NotFound, Rejected
from apps.common.ids import uuid7
from apps.customers import holds
from apps.customers.models import ChangeRequest, Customer, Hold, Quarantine
from apps.matching import judge
from apps.stewardship import cases
from apps.stewardship.models import Case
from tests import pipeline
from tests.pipeline import alice, execute
from tests.stewardship.given_cases import doubtful, groups

pytestmark = pytest.mark.django_db(transaction=True)
ANNA, BEA = Act("user:anna", "looked at it"), Act("user:bea", "looked at it")


@pytest.fixture(autouse=True)
def _clean() -> None:
    pipeline.empty()


def test_each_doubt_opens_one_case_and_no_second_one() -> None:
    (case,) = doubtful(1)
    assert (case.kind, case.state, case.cause, case.priority) == ("match", "open", "review_band", 3)
    assert case.due_at - case.opened_at == timedelta(hours=72)
    assert cases.refresh() == 0
    assert Case.objects.count() == 1


def test_doubts_that_reach_one_another_are_one_piece_of_work() -> None:
    doubtful(1, 2, systems=("crm", "erp", "billing"))
    assert sorted(len(ids) for ids in groups().values()) == [3, 3]


def test_a_case_that_is_overtaken_closes_itself_and_says_why() -> None:
    (case,) = doubtful(1)
    ids = pipeline.record_ids()
    judge.join(record_a=ids["crm:P1"], record_b=ids["erp:P1"], act=alice())
    cases.refresh()
    case.refresh_from_db()
    assert (case.state, case.outcome, case.closed_by) == ("closed", "The records became one customer.", "user:alice")
    with pytest.raises(Conflict, match="closed by alice: The records became one customer"):
        cases.claim(case=case.id, act=ANNA)


def test_a_case_of_each_kind() -> None:
    pipeline.systems()
    pipeline.take("crm", {"record_id": "X", "kind": "person", "birth_date": "the day after"}, pipeline.person(1))
    customer = Customer.objects.get()
    request = ChangeRequest.objects.create(kind="hold", author="user:anna", correlation_id=uuid7())
    Hold.objects.create(
        customer=customer, attribute="website", kept_value="a.example", proposed_value="b.example",
        proposed_hash=holds.value_hash("b.example"), change_request=request,
    )  # fmt: skip
    cases.refresh()
    found = {c.kind: c for c in Case.objects.all()}
    assert set(found) == {"quarantine", "change"}
    assert (found["change"].title, found["change"].sentence, found["change"].priority) == (customer.name, "website", 2)
    assert found["quarantine"].subject == Quarantine.objects.get().id
    holds.decide(change_request=request.id, approve=True, act=BEA)
    cases.refresh()
    closed = Case.objects.get(kind="change")
    assert (closed.state, closed.outcome, closed.closed_by) == ("closed", "It was approved.", "user:bea")


def test_a_group_is_taken_whole_and_is_nobodys_again_after_its_lease() -> None:
    first, *_ = doubtful(1, systems=("crm", "erp", "billing"))
    taken = cases.claim(case=first.id, act=ANNA)
    assert set(Case.objects.values_list("assignee", flat=True)) == {"user:anna"}
    assert taken.lease_until is not None
    assert cases.claim(case=first.id, act=ANNA).assignee == "user:anna", "again is no matter"
    with pytest.raises(Conflict, match="anna has it"):
        cases.claim(case=first.id, act=BEA)
    with pytest.raises(Conflict):
        cases.release(case=first.id, act=BEA)
    execute("UPDATE steward_case SET lease_until = clock_timestamp() - interval '1 second'")
    assert cases.claim(case=first.id, act=BEA).assignee == "user:bea"
    assert cases.claim(case=first.id, act=ANNA, takes_over=True).assignee == "user:anna"
    assert cases.release(case=first.id, act=ANNA).assignee == ""


def test_what_is_assigned_stays_with_them() -> None:
    (case,) = doubtful(1)
    cases.assign(case=case.id, to="user:bea", act=ANNA)
    with pytest.raises(Conflict, match="bea has it"):
        cases.claim(case=case.id, act=ANNA)
    assert cases.release(case=case.id, act=BEA).assignee == ""


def test_put_off_until_its_day_and_not_without_a_reason() -> None:
    (case,) = doubtful(1)
    tomorrow = timezone.now() + timedelta(days=1)
    with pytest.raises(Rejected, match="why"):
        cases.defer(case=case.id, until=tomorrow, act=Act("user:anna", " "))
    with pytest.raises(Rejected, match="still to come"):
        cases.defer(case=case.id, until=datetime(2026, 1, 1, tzinfo=UTC), act=ANNA)
    put_off = cases.defer(case=case.id, until=tomorrow, act=ANNA)
    assert (put_off.state, put_off.deferred_until, put_off.deferred_why) == ("deferred", tomorrow, "looked at it")
    assert cases.refresh() == 0
    execute("UPDATE steward_case SET deferred_until = clock_timestamp()")
    assert cases.refresh() == 1
    case.refresh_from_db()
    assert (case.state, case.deferred_until) == ("open", None)
    cases.defer(case=case.id, until=tomorrow, act=ANNA)
    assert cases.take_back(case=case.id, act=BEA).state == "open"


def test_of_many_who_take_it_at_once_one_gets_it() -> None:
    (case,) = doubtful(1)
    got, refused = list[str](), list[str]()
    begin = threading.Barrier(6)

    def take(name: str) -> None:
        try:
            begin.wait(20)
            got.append(cases.claim(case=case.id, act=Act(f"user:{name}")).assignee)
        except Conflict:
            refused.append(name)
        finally:
            connection.close()

    threads = [threading.Thread(target=take, args=(f"s{n}",)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert (len(got), len(refused)) == (1, 5)


def test_there_is_no_such_case() -> None:
    with pytest.raises(NotFound):
        cases.claim(case=uuid7(), act=ANNA)


def test_the_database_refuses_a_second_live_case_and_a_closed_one_without_an_outcome() -> None:
    (case,) = doubtful(1)
    with pytest.raises(IntegrityError, match="case_one_live"), transaction.atomic():
        Case.objects.create(
            kind="match", subject=case.subject, group_key="x", title="x", cause="x", priority=3, opened_at=timezone.now(),
            due_at=timezone.now(),
        )  # fmt: skip
    with pytest.raises(IntegrityError, match="case_closed_why"), transaction.atomic():
        Case.objects.update(state="closed", closed_at=timezone.now())
    with pytest.raises(IntegrityError, match="case_deferred_until_and_why"), transaction.atomic():
        Case.objects.update(state="deferred")


def test_components_of_pairs() -> None:
    a, b, c, d, e = sorted(uuid7() for _ in range(5))
    assert cases.components([(c, b), (d, e), (b, a)]) == {a: a, b: a, c: a, d: d, e: d}
