"""Rules of the merging policy stand against merges, whoever asks, in whatever order; a link or a second person is what is left."""

from collections.abc import Mapping
from itertools import permutations
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.common.errors import Conflict, NotFound, Rejected
from apps.common.ids import uuid7
from apps.customers.models import ChangeRequest, Judgement, Relation, System
from apps.matching import judge, merge_requests, merging
from apps.policies import activate
from tests import pipeline
from tests.pipeline import alice, bob

pytestmark = pytest.mark.django_db

ONE, OTHER = "DE136695976", "DE811569869"
CLOSED: Mapping[str, Any] = {
    "name": "closed", "sentence": "One is closed, the other is not.", "one": "status = closed", "other": "status = active",
}  # fmt: skip


@pytest.fixture(autouse=True)
def hub() -> None:
    pipeline.systems()


def people(*numbers: int, system: str = "crm", **values: Any) -> list[UUID]:
    return [pipeline.customer_of(system, pipeline.person(n, **values)) for n in numbers]


def use(*rules: Mapping[str, Any]) -> None:
    """These rules are in force, put there by two people; the sweep has decided everything by them."""
    drafted = activate.draft(kind="merging", body={"vetoes": [dict(r) for r in rules]}, note="", act=alice())
    activate.activate(policy=drafted.id, act=bob())
    pipeline.drain_all()


def two_tax_ids() -> list[UUID]:
    return [*people(1, tax_id=ONE, country="DE"), *people(2, tax_id=OTHER, country="DE")]


def test_a_persons_merge_is_refused_with_the_rule_and_the_values_of_both() -> None:
    ids = two_tax_ids()
    with pytest.raises(merging.Vetoed) as caught:
        judge.merge(customers=ids, act=alice())
    (met,) = caught.value.met
    assert (met.rule, met.second_person, set(met.customers)) == ("tax-ids", True, set(ids))
    assert {v for name, *both in met.values if name == "tax_id" for v in both} == {"136695976 (DE)", "811569869 (DE)"}
    assert "Link them instead" in caught.value.detail
    assert [f.code for f in caught.value.fields] == ["merge_veto"]
    assert len(pipeline.partition()) == 2
    assert not Judgement.objects.exists(), "nothing was said"


def test_one_record_joined_to_another_is_refused_alike() -> None:
    two_tax_ids()
    ids = pipeline.record_ids()
    with pytest.raises(merging.Vetoed):
        judge.join(record_a=ids["crm:P1"], record_b=ids["crm:P2"], act=alice())
    judge.separate(record_a=ids["crm:P1"], record_b=ids["crm:P2"], act=alice())


def test_of_many_every_pair_is_looked_at_and_all_are_named() -> None:
    use(CLOSED)
    first, second = people(1, 2, status="active")
    third, fourth = people(3, 4, status="closed")
    (neither,) = people(5)
    with pytest.raises(merging.Vetoed) as caught:
        judge.merge(customers=[first, second, third, fourth, neither], act=alice())
    named = {frozenset(m.customers) for m in caught.value.met}
    assert named == {frozenset((a, b)) for a in (first, second) for b in (third, fourth)}
    assert not caught.value.may_ask
    judge.merge(customers=[first, second, neither], act=alice())
    assert len(pipeline.partition()) == 3


def test_a_record_between_two_gets_nobody_past_a_rule() -> None:
    """Merged with either side first, it brings the other side's rule along."""
    ids = two_tax_ids()
    (between,) = people(3)
    for first, last in (ids, reversed(ids)):
        act = alice()
        judge.merge(customers=[first, between], act=act)
        with pytest.raises(merging.Vetoed):
            judge.merge(customers=[*sorted({*pipeline.where().values()} - {last})[:1], last], act=alice())
        judge.undo(correlation_id=act.correlation_id, act=alice())
    assert len(pipeline.partition()) == 3


def test_a_deleted_record_stands_against_nothing_unless_its_system_keeps_it() -> None:
    ids = two_tax_ids()
    pipeline.take("crm", pipeline.person(2, tax_id=OTHER, country="DE", deleted=True))
    System.objects.filter(code="crm").update(delete_policy="keep")
    with pytest.raises(merging.Vetoed):
        judge.merge(customers=ids, act=alice())
    System.objects.filter(code="crm").update(delete_policy="downgrade")
    judge.merge(customers=ids, act=alice())
    assert len(pipeline.partition()) == 1


# ── the machine ─────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("order", list(permutations(("crm", "erp", "billing"))), ids="-".join)
def test_the_machine_asks_a_person_in_whatever_order_records_come(order: tuple[str, ...]) -> None:
    use(CLOSED)
    status = {"crm": {"status": "active"}, "erp": {"status": "closed"}, "billing": {}}
    for system in order:
        pipeline.take(system, pipeline.person(1, **status[system]))
    pipeline.drain_all()
    where = pipeline.where()
    assert where["crm:P1"] != where["erp:P1"]
    doubts = pipeline.open_doubts()
    assert (frozenset(("crm:P1", "erp:P1")), "policy_veto") in doubts
    assert pipeline.broken() == []
    sentence = pipeline.one("SELECT sentence FROM doubt WHERE state = 'open' AND reason = 'policy_veto'")
    assert sentence.endswith("One is closed, the other is not.")


def test_not_even_one_confirmed_identifier_gets_the_machine_past_a_rule() -> None:
    use(CLOSED)
    pipeline.take("crm", pipeline.person(1, status="active", tax_id=ONE, country="DE"))
    pipeline.take("erp", pipeline.person(1, status="closed", tax_id=ONE, country="DE"))
    assert len(pipeline.partition()) == 2
    assert pipeline.open_doubts() == {(frozenset(("crm:P1", "erp:P1")), "policy_veto")}
    assert pipeline.broken() == []


def test_a_rule_that_does_not_bind_the_machine() -> None:
    use({**CLOSED, "machine": False})
    pipeline.take("crm", pipeline.person(1, status="active"))
    pipeline.take("erp", pipeline.person(1, status="closed"))
    assert len(pipeline.partition()) == 1


def test_another_policy_is_followed_by_what_was_decided_before() -> None:
    pipeline.take("crm", pipeline.person(1, status="active"))
    pipeline.take("erp", pipeline.person(1, status="closed"))
    assert len(pipeline.partition()) == 1
    use(CLOSED)
    assert len(pipeline.partition()) == 2
    use()
    assert len(pipeline.partition()) == 1


def test_what_a_batch_asks_the_database_does_not_grow_with_it() -> None:
    use(CLOSED)

    def queries(*numbers: int) -> int:
        with CaptureQueriesContext(
            connection,
        ) as caught:
            pipeline.take("crm", *(pipeline.person(n, status="active") for n in numbers))
            pipeline.take("erp", *(pipeline.person(n, status="closed") for n in numbers))
        return sum("jsonb_each" in q["sql"] for q in caught)

    queries(20)  # this process has looked at the policy in force
    assert queries(1) == queries(*range(2, 12)) == 1


# ── what is left ────────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_link_instead() -> None:
    ids = two_tax_ids()
    judge.relate(customers=ids, kind="group", act=alice())
    relation = Relation.objects.get(until=None)
    names = pipeline.record_ids()
    assert {relation.record_a_id, relation.record_b_id} == {names["crm:P1"], names["crm:P2"]}
    assert relation.kind == "group"
    assert Judgement.objects.get(superseded_at=None).verdict == "no_match"
    with pytest.raises(Rejected):
        judge.relate(customers=ids, kind="", act=alice())
    with pytest.raises(Rejected):
        judge.relate(customers=[ids[0], ids[0]], kind="group", act=alice())


def test_a_second_person_lets_it_pass() -> None:
    ids = two_tax_ids()
    asked = merge_requests.ask(customers=ids, act=alice())
    assert len(pipeline.partition()) == 2
    with pytest.raises(Conflict):
        merge_requests.ask(customers=list(reversed(ids)), act=bob())
    with pytest.raises(Rejected):
        merge_requests.decide(request=asked.id, approve=True, act=alice())
    assert len(pipeline.partition()) == 2
    merge_requests.decide(request=asked.id, approve=True, act=bob())
    assert len(pipeline.partition()) == 1
    assert (Judgement.objects.get().actor, ChangeRequest.objects.get().state) == ("user:bob", "approved")
    pipeline.take("crm", pipeline.person(1, tax_id=ONE, country="DE", phone="+49 30 1111111"))
    pipeline.drain_all()
    assert len(pipeline.partition()) == 1, "the machine does not undo what two people said"
    with pytest.raises(Conflict):
        merge_requests.decide(request=asked.id, approve=True, act=bob())
    assert pipeline.broken() == []


def test_a_request_that_is_rejected_merges_nothing() -> None:
    asked = merge_requests.ask(customers=two_tax_ids(), act=alice())
    assert merge_requests.decide(request=asked.id, approve=False, act=bob()) is None
    assert len(pipeline.partition()) == 2
    assert merge_requests.asked(asked.id).state == "rejected"


def test_only_what_was_asked_about_is_let_pass() -> None:
    soft = {**CLOSED, "second_person": True}
    use(soft)
    first, second = [*people(1, status="active"), *people(2, status="closed")]
    asked = merge_requests.ask(customers=[first, second], act=alice())
    use(soft, {"name": "sites", "sentence": "Two sites.", "differ": ["website"], "second_person": True})
    for n, status in ((1, "active"), (2, "closed")):
        pipeline.take("crm", pipeline.person(n, status=status, website=f"https://site{n}.example"))
    with pytest.raises(merging.Vetoed) as caught:
        merge_requests.decide(request=asked.id, approve=True, act=bob())
    assert [m.rule for m in caught.value.met] == ["sites"]
    assert merge_requests.asked(asked.id).state == "open"
    use(CLOSED)
    with pytest.raises(merging.Vetoed):
        merge_requests.decide(request=asked.id, approve=True, act=bob())
    assert len(pipeline.partition()) == 2


def test_a_request_is_closed_when_one_of_its_customers_goes_into_another() -> None:
    """It is about customers as they were; by whose hand one of them went does not matter."""
    (oldest,) = people(3)
    first, second = two_tax_ids()
    (newest,) = people(4)
    asked = merge_requests.ask(customers=[first, second], act=alice())
    judge.merge(customers=[first, newest], act=bob())
    assert merge_requests.asked(asked.id).state == "open", "the older of the two stays"
    judge.merge(customers=[oldest, second], act=bob())
    assert merge_requests.asked(asked.id).state == "closed"
    assert pipeline.broken() == []
    for approve in (True, False):
        with pytest.raises(Conflict, match="went into another"):
            merge_requests.decide(request=asked.id, approve=approve, act=bob())
    assert merge_requests.ask(customers=[first, oldest], act=alice()).state == "open", "it can be asked for anew"


def test_the_machine_closes_a_request_alike() -> None:
    (oldest,) = people(3, system="erp")
    first, second = two_tax_ids()
    asked = merge_requests.ask(customers=[first, second], act=alice())
    pipeline.take("crm", pipeline.person(3, record_id="P2"))
    pipeline.drain_all()
    assert pipeline.where()["crm:P2"] == oldest
    assert merge_requests.asked(asked.id).state == "closed"
    assert pipeline.broken() == []


def test_what_nobody_can_ask_for() -> None:
    use(CLOSED)
    first, second, third = [*people(1, status="active"), *people(2, status="closed"), *people(3)]
    with pytest.raises(merging.Vetoed):
        merge_requests.ask(customers=[first, second], act=alice())
    with pytest.raises(Rejected, match="No rule stands"):
        merge_requests.ask(customers=[first, third], act=alice())
    with pytest.raises(Rejected):
        merge_requests.ask(customers=[first, first], act=alice())
    with pytest.raises(Rejected):
        merge_requests.ask(customers=[first, second], act=alice().because(" "))
    with pytest.raises(NotFound):
        merge_requests.ask(customers=[first, uuid7()], act=alice())
    with pytest.raises(NotFound):
        merge_requests.decide(request=uuid7(), approve=True, act=bob())
    assert not ChangeRequest.objects.exists()


# ── in any order ────────────────────────────────────────────────────────────────────────────────────────────────────
_status = st.sampled_from(["active", "closed", None])


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(_status, min_size=3, max_size=5), st.data())
def test_no_order_of_merges_gets_past_a_rule(statuses: list[str | None], data: st.DataObject) -> None:
    pipeline.empty()
    use(CLOSED)
    values = [{} if status is None else {"status": status} for status in statuses]
    for n, given_ in enumerate(values):
        people(n, **given_)
    for _ in range(6):
        standing = sorted(set(pipeline.where().values()))
        if len(standing) < 2:
            break
        chosen = data.draw(st.lists(st.sampled_from(standing), min_size=2, max_size=4, unique=True))
        held = {
            customer: {
                statuses[int(name.removeprefix("crm:P"))] for name, c in pipeline.where().items() if c == customer
            }
            for customer in chosen
        }
        against = any({"active", "closed"} <= held[a] | held[b] for a, b in permutations(chosen, 2))
        if against:
            with pytest.raises(merging.Vetoed):
                judge.merge(customers=chosen, act=alice())
        else:
            judge.merge(customers=chosen, act=alice())
    for customer in set(pipeline.where().values()):
        names = [name for name, c in pipeline.where().items() if c == customer]
        assert not {"active", "closed"} <= {statuses[int(name.removeprefix("crm:P"))] for name in names}
    assert pipeline.broken() == []
