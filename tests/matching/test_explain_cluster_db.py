"""How customers came together, read from the real database: joins, people's words, refusals, and how much is asked for it."""

from typing import Any
from uuid import UUID

import pytest

from apps.common.ids import uuid7
from apps.customers.models import Customer
from apps.matching import judge
from apps.matching.edges import neighbourhood
from apps.matching.match import decide_members
from apps.matching.model import active_model
from apps.matching.queries_joins import Joins, joins_of
from tests import pipeline
from tests.pipeline import alice

pytestmark = pytest.mark.django_db
QUERIES = 8
RULES = 1
"""Of these, the one that asks what the policy keeps apart: none for a record that stands alone."""


@pytest.fixture(autouse=True)
def hub() -> None:
    pipeline.systems()
    active_model()


def of(customer: UUID) -> Joins:
    return joins_of([customer])[customer]


def three() -> UUID:
    """One person in three systems, one record with another mail."""
    pipeline.take("crm", pipeline.person(1))
    pipeline.take("erp", pipeline.person(1))
    return pipeline.customer_of("billing", pipeline.person(1, email="other@mail.example"))


def test_each_join_names_its_records_its_groups_and_what_speaks_for_it() -> None:
    pipeline.take("crm", pipeline.person(2))
    why = of(three())
    assert {(r.system, r.external_id) for r in why.records} == {("billing", "P1"), ("crm", "P1"), ("erp", "P1")}
    assert len(why.joins) == 2
    assert why.groups == ((0, 1, 2),)
    first, second = why.joins
    assert {first.a.system, first.b.system} == {"crm", "erp"}, "the pair with the same mail is the strongest"
    assert first.weight is not None
    assert second.weight is not None
    assert first.weight >= second.weight
    assert all(join.why == "weight" and join.probability is not None and join.probability > 0.5 for join in why.joins)
    assert {"same email", "same family name", "same given name"} & {told.split(" (")[0] for told in first.told}
    assert "different emails" in {told.split(" (")[0] for told in second.against}
    assert sorted(len(group) for group in (second.one, second.other)) == [1, 2]
    assert why.refused == ()


def test_one_record_has_nothing_to_tell_and_an_unknown_customer_no_records() -> None:
    alone = pipeline.customer_of("crm", pipeline.person(1))
    nobody = uuid7()
    found = joins_of([alone, nobody])
    assert [r.external_id for r in found[alone].records] == ["P1"]
    assert (found[alone].joins, found[alone].groups, found[alone].refused) == ((), ((0,),), ())
    assert found[nobody] == Joins()


def test_a_persons_word_is_told_as_such() -> None:
    a, b = (pipeline.customer_of("crm", pipeline.person(n)) for n in (1, 2))
    survivor = min(a, b)
    judge.merge(customers=[a, b], act=alice())
    (join,) = of(survivor).joins
    assert (join.why, join.weight, join.probability) == ("person", None, None)
    assert (join.actor, join.reason, join.told) == ("user:alice", "alice says so", ())


def test_what_a_person_keeps_apart_is_told_once_on_both_sides() -> None:
    pipeline.take("crm", pipeline.person(1))
    customer = pipeline.customer_of("erp", pipeline.person(1))
    pipeline.take("billing", pipeline.person(1))
    records = pipeline.record_ids()
    judge.unmerge(customer=customer, records=[records["crm:P1"]], act=alice())
    where = pipeline.where()
    for own, others in (("crm:P1", {"erp", "billing"}), ("erp:P1", {"crm"})):
        (refused,) = of(where[own]).refused
        assert (refused.why, refused.actor, refused.reason) == ("person", "user:alice", "alice says so")
        assert (refused.inside, refused.weight) == (False, None)
        assert refused.own.customer == where[own]
        assert refused.other.system in others
        assert refused.other.customer != where[own]


def test_what_the_machine_would_not_join_is_told_with_its_sentence() -> None:
    pipeline.take("crm", pipeline.person(1, tax_id="DE136695976", country="DE"))
    pipeline.take("erp", pipeline.person(1, tax_id="DE129273398", country="DE"))
    where = pipeline.where()
    assert where["crm:P1"] != where["erp:P1"]
    (doubt,) = pipeline.query("SELECT reason, sentence, weight FROM doubt WHERE state = 'open'")
    for own, other in (("crm", "erp"), ("erp", "crm")):
        (refused,) = of(where[f"{own}:P1"]).refused
        assert (refused.why, refused.sentence, refused.weight) == doubt
        assert (refused.own.system, refused.other.system) == (own, other)


def test_records_that_a_later_model_would_not_join_are_told_as_groups() -> None:
    customer = three()
    pipeline.use_model(automatic=900.0, bridge=950.0, review=800.0)
    why = of(customer)
    assert why.joins == ()
    assert why.groups == ((0,), (1,), (2,))


def test_a_record_that_follows_another_is_named_beside_them() -> None:
    customer = three()
    records = pipeline.record_ids()
    pipeline.execute(
        "INSERT INTO source_record SELECT (jsonb_populate_record(s, jsonb_build_object('id', gen_random_uuid(), 'external_id', 'H-1',"
        " 'follows_id', s.id))).* FROM source_record s WHERE id = %s",
        records["crm:P1"],
    )
    why = of(customer)
    assert {r.external_id for r in why.records} == {"P1"}
    ((record, follows),) = why.followers
    assert (record.external_id, follows) == ("H-1", records["crm:P1"])


def test_it_is_the_decision_that_the_machine_would_take() -> None:
    """The groups that are told are those of the decision, seen from each customer."""
    three()
    pipeline.take("support", pipeline.person(1, birth_date="1931-01-01"), pipeline.person(2))
    judge.merge(customers=sorted(set(pipeline.where().values()))[:2], act=alice())
    around = neighbourhood(pipeline.record_ids().values())
    decided = set()
    for members in around.components():
        label = decide_members(members, around, active_model()).label
        decided |= {
            frozenset(
                r for r, own in zip(members, label, strict=True) if own == group and around.members[r][2] == customer
            )
            for group in set(label)
            for customer in {around.members[r][2] for r in members}
        } - {frozenset()}
    told = joins_of(set(pipeline.where().values())).values()
    assert {frozenset(one.records[at].id for at in group) for one in told for group in one.groups} == decided
    assert max(map(len, decided)) > 1


def chain(length: int) -> UUID:
    """Customers in a row, each like the next by evidence too weak to join them: the last is `length` rings away from the first."""
    for number in range(length):
        pipeline.take("crm", pipeline.person(number))
    records = pipeline.record_ids()
    for number in range(length - 1):
        a, b = sorted((records[f"crm:P{number}"], records[f"crm:P{number + 1}"]))
        pipeline.execute(
            "INSERT INTO edge (id, record_a_id, record_b_id, weight, probability, flags, model_version, scored_at, digest)"
            " VALUES (gen_random_uuid(), %s, %s, -1, 0.3, 0, 1, clock_timestamp(), '\\x00')",
            a,
            b,
        )
    return pipeline.where()["crm:P0"]


def test_the_number_of_questions_depends_on_nothing(django_assert_num_queries: Any) -> None:
    customers = [pipeline.customer_of("crm", pipeline.person(100)), three(), chain(12)]
    joins_of(customers)
    for asked in ([customers[1]], [customers[2]], customers):
        with django_assert_num_queries(QUERIES):
            joins_of(asked)
    with django_assert_num_queries(QUERIES - RULES):
        joins_of([customers[0]])


def test_the_largest_customer_there_can_be(django_assert_num_queries: Any) -> None:
    """500 records by a person's word: told in full, with as many questions as one record takes."""
    outcomes = [
        pipeline.take("crm", *(pipeline.person(n, email="", phone="") for n in range(at, at + 250))) for at in (1, 251)
    ]
    customers = sorted({o.customer for took in outcomes for o in took if o.customer})
    assert len(customers) == 500
    judge.merge(customers=customers, act=alice())
    customer = Customer.objects.get(active=True).id
    active_model()
    with django_assert_num_queries(QUERIES):
        why = of(customer)
    assert (len(why.records), len(why.joins), len(why.groups)) == (500, 499, 1)
    assert sorted(why.groups[0]) == list(range(500))
    assert {join.actor for join in why.joins} == {"user:alice"}
