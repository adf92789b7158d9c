"""Verdicts of people: they outrank the machine, hold for ever, and are refused with a reason when they make no sense."""

from uuid import UUID

import pytest
from django.db import IntegrityError, transaction

from apps.common.errors import Conflict, NotFound, Rejected
from apps.common.ids import uuid7
from apps.customers.models import Judgement, Relation
from apps.matching import judge
from apps.matching.models import Doubt
from tests import pipeline
from tests.pipeline import alice, bob

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def hub() -> None:
    pipeline.systems()


def people(*numbers: int) -> list[UUID]:
    return [pipeline.customer_of("crm", pipeline.person(n)) for n in numbers]


def record(name: str) -> UUID:
    return pipeline.record_ids()[name]


def test_a_person_joins_what_the_machine_would_not() -> None:
    people(1, 2)
    judge.join(record_a=record("crm:P1"), record_b=record("crm:P2"), act=alice())
    assert len(pipeline.partition()) == 1
    pipeline.take("crm", pipeline.person(1, phone="+49 30 1111111"))
    assert len(pipeline.partition()) == 1, "new data does not undo a person's verdict"
    assert pipeline.broken() == []


def test_what_a_person_parts_no_new_record_brings_together() -> None:
    """Not even through a third record that fits both."""
    pipeline.take("crm", pipeline.person(1))
    pipeline.take("erp", pipeline.person(1))
    assert len(pipeline.partition()) == 1
    judge.separate(record_a=record("crm:P1"), record_b=record("erp:P1"), act=alice())
    assert len(pipeline.partition()) == 2
    pipeline.take("billing", pipeline.person(1))
    where = pipeline.where()
    assert where["crm:P1"] != where["erp:P1"]
    pipeline.take("crm", pipeline.person(1, phone="+49 30 2222222"))
    where = pipeline.where()
    assert where["crm:P1"] != where["erp:P1"]
    assert pipeline.broken() == []


def test_the_last_verdict_of_a_person_counts() -> None:
    people(1, 2)
    a, b = record("crm:P1"), record("crm:P2")
    for verb, customers in ((judge.join, 1), (judge.separate, 2), (judge.join, 1)):
        verb(record_a=a, record_b=b, act=alice())
        assert len(pipeline.partition()) == customers
    assert list(Judgement.objects.order_by("decided_at").values_list("verdict", flat=True)) == [
        "match",
        "no_match",
        "match",
    ]
    assert Judgement.objects.filter(superseded_at=None).count() == 1


def test_verdicts_that_contradict_keep_apart_and_leave_a_doubt() -> None:
    people(1, 2, 3)
    a, b, c = (record(f"crm:P{n}") for n in (1, 2, 3))
    judge.separate(record_a=a, record_b=c, act=alice())
    judge.join(record_a=a, record_b=b, act=alice())
    judge.join(record_a=b, record_b=c, act=bob())
    where = pipeline.where()
    assert where["crm:P1"] != where["crm:P3"]
    assert [d.reason for d in Doubt.objects.filter(state="open")] == ["verdict_conflict"]
    judge.join(record_a=a, record_b=c, act=bob())
    assert len(pipeline.partition()) == 1
    assert not Doubt.objects.filter(state="open").exists()
    assert pipeline.broken() == []


def test_a_merge_supersedes_older_verdicts_between_the_two() -> None:
    one, other = people(1, 2)
    judge.separate(record_a=record("crm:P1"), record_b=record("crm:P2"), act=bob())
    judge.merge(customers=[one, other], act=alice())
    assert len(pipeline.partition()) == 1
    assert pipeline.broken() == []


def test_a_link_ends_no_relation_of_another_pair() -> None:
    """P1–P4 stays what it is while P1–P3 and P2–P4 are linked."""
    people(1, 2, 3, 4)
    r = sorted(record(f"crm:P{n}") for n in (1, 2, 3, 4))
    judge.keep_apart(pairs=[(r[0], r[3])], related_as="group", act=alice())
    judge.keep_apart(pairs=[(r[0], r[2]), (r[1], r[3])], related_as="household", act=bob())
    live = Relation.objects.filter(until=None).values_list("record_a_id", "record_b_id", "kind")
    assert set(live) == {(r[0], r[3], "group"), (r[0], r[2], "household"), (r[1], r[3], "household")}


def test_a_machine_never_replaces_a_persons_verdict() -> None:
    people(1, 2)
    a, b = sorted((record("crm:P1"), record("crm:P2")))
    judge.separate(record_a=a, record_b=b, act=alice())
    machine = {
        "record_a_id": a,
        "record_b_id": b,
        "verdict": "match",
        "origin": "machine",
        "actor": "hub:match",
        "correlation_id": uuid7(),
    }
    with pytest.raises(IntegrityError), transaction.atomic():
        Judgement.objects.create(**machine)


def test_a_merge_needs_two_active_customers() -> None:
    one, other, third = people(1, 2, 3)
    with pytest.raises(Rejected):
        judge.merge(customers=[one, one], act=alice())
    with pytest.raises(NotFound):
        judge.merge(customers=[one, uuid7()], act=alice())
    judge.merge(customers=[one, other], act=alice())
    with pytest.raises(Conflict):
        judge.merge(customers=[other, third], act=alice())
    with pytest.raises(Conflict):
        judge.unmerge(customer=other, records=[record("crm:P2")], act=alice())


def test_of_two_merges_the_second_goes_on_without_what_is_taken_out() -> None:
    """1 and 2 were merged, then both with 3; 1 turns out to be somebody else: 2 and 3 stay one, by what the second merge said."""
    one, other, third = people(1, 2, 3)
    judge.merge(customers=[one, other], act=alice())
    judge.merge(customers=[one, third], act=bob())
    judge.unmerge(customer=one, records=[record("crm:P1")], act=alice())
    assert pipeline.partition() == {frozenset({"crm:P1"}), frozenset({"crm:P2", "crm:P3"})}
    assert pipeline.broken() == []


def test_an_unmerge_needs_some_of_the_records() -> None:
    one, other = people(1, 2)
    judge.merge(customers=[one, other], act=alice())
    both = [record("crm:P1"), record("crm:P2")]
    for wrong in ([], both):
        with pytest.raises(Rejected):
            judge.unmerge(customer=one, records=wrong, act=alice())
    people(3)
    with pytest.raises(Conflict):
        judge.unmerge(customer=one, records=[record("crm:P3")], act=alice())
    with pytest.raises(NotFound):
        judge.unmerge(customer=uuid7(), records=both[:1], act=alice())


def test_a_verdict_needs_two_records() -> None:
    people(1)
    known = record("crm:P1")
    for other in (known, uuid7()):
        with pytest.raises(NotFound):
            judge.separate(record_a=known, record_b=other, act=alice())


def test_a_merge_that_would_be_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = people(1, 2)
    monkeypatch.setattr(judge, "MOST_RECORDS", 1)
    with pytest.raises(Rejected, match="2 records"):
        judge.merge(customers=[one, other], act=alice())
    assert pipeline.activity()[0] == 2
