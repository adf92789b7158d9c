"""What a person decided is taken back: as though it had never been said, unless somebody has decided about the same since."""

from uuid import UUID

import pytest
from django.db import IntegrityError, transaction

from apps.common.errors import Conflict, NotFound
from apps.common.ids import uuid7
from apps.customers.models import Judgement
from apps.matching import judge
from tests import pipeline
from tests.pipeline import alice, bob

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def hub() -> None:
    pipeline.systems()


def people(*numbers: int) -> list[UUID]:
    return [pipeline.customer_of("crm", pipeline.person(n)) for n in numbers]


def record(number: int) -> UUID:
    return pipeline.record_ids()[f"crm:P{number}"]


def test_a_merge_is_taken_back_with_the_ids_there_were() -> None:
    first, second, third = people(1, 2, 3)
    act = alice()
    judge.merge(customers=[first, second, third], act=act)
    assert len(pipeline.partition()) == 1
    judge.undo(correlation_id=act.correlation_id, act=bob())
    assert pipeline.where() == {"crm:P1": first, "crm:P2": second, "crm:P3": third}
    assert not Judgement.objects.filter(superseded_at=None).exists(), "nobody has said that they are two"
    assert pipeline.broken() == []


def test_what_the_merge_had_replaced_counts_again() -> None:
    first, second = people(1, 2)
    judge.separate(record_a=record(1), record_b=record(2), act=alice())
    act = bob()
    judge.merge(customers=[first, second], act=act)
    judge.undo(correlation_id=act.correlation_id, act=bob())
    live = Judgement.objects.get(superseded_at=None)
    assert (live.verdict, live.actor) == ("no_match", "user:alice")
    with pytest.raises(Conflict, match="taken back already"):
        judge.undo(correlation_id=act.correlation_id, act=bob())
    assert pipeline.broken() == []


def test_pairs_kept_apart_are_one_again_when_it_is_taken_back() -> None:
    pipeline.take("crm", pipeline.person(1))
    pipeline.take("erp", pipeline.person(1))
    ids = pipeline.record_ids()
    act = alice()
    judge.keep_apart(pairs=[(ids["erp:P1"], ids["crm:P1"])], act=act)
    assert len(pipeline.partition()) == 2
    judge.undo(correlation_id=act.correlation_id, act=alice())
    assert len(pipeline.partition()) == 1
    assert pipeline.broken() == []


def test_what_somebody_has_said_since_is_named() -> None:
    first, second = people(1, 2)
    act = alice()
    merged = judge.merge(customers=[first, second], act=act)
    judge.unmerge(customer=next(iter(set(merged.customer_of.values()))), records=[record(2)], act=bob())
    with pytest.raises(Conflict, match="bob has said since that these records are no match"):
        judge.undo(correlation_id=act.correlation_id, act=alice())
    assert len(pipeline.partition()) == 2


def test_taken_back_once_only_and_never_what_nobody_said() -> None:
    act = alice()
    judge.merge(customers=people(1, 2), act=act)
    judge.undo(correlation_id=act.correlation_id, act=alice())
    with pytest.raises(Conflict, match="taken back already"):
        judge.undo(correlation_id=act.correlation_id, act=alice())
    with pytest.raises(NotFound):
        judge.undo(correlation_id=uuid7(), act=alice())


def test_who_replaced_a_verdict_is_written_once() -> None:
    act = alice()
    judge.merge(customers=people(1, 2), act=act)
    judge.undo(correlation_id=act.correlation_id, act=alice())
    with pytest.raises(IntegrityError, match="superseded_by is set once"), transaction.atomic():
        Judgement.objects.update(superseded_by=uuid7())
