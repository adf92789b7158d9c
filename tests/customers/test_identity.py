"""Which id survives, which comes back, and where a retired one leads: the id rules."""

from uuid import UUID

import pytest
from django.db import IntegrityError, connection, transaction

from apps.common.errors import Conflict, Permanent
from apps.customers import identity
from apps.customers.models import Customer, Membership, Redirect, SourceRecord
from apps.events.models import Event
from apps.matching import judge
from tests import pipeline
from tests.customers import given
from tests.pipeline import alice

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def hub() -> None:
    pipeline.systems()


def people(*numbers: int) -> list[UUID]:
    """One customer each, in this order; none like another."""
    return [pipeline.customer_of("crm", pipeline.person(n)) for n in numbers]


def records_of(*customers: UUID) -> list[UUID]:
    return list(SourceRecord.objects.filter(customer__in=customers).order_by("id").values_list("id", flat=True))


def leads_to(customer: UUID) -> UUID | None:
    return pipeline.resolved([customer])[customer]


def check() -> None:
    assert pipeline.broken() == []


def test_of_two_the_older_survives_whatever_the_order_of_asking() -> None:
    old, young = people(1, 2)
    judge.merge(customers=[young, old], act=alice())
    assert (leads_to(young), leads_to(old)) == (old, old)
    gone = Customer.objects.get(id=young)
    assert (gone.active, gone.replaced_by, gone.retired_reason, gone.member_count) == (False, old, "merged", 0)
    check()


def test_of_two_of_one_moment_the_one_with_more_members_survives() -> None:
    """One batch makes both at the same time."""
    one, two = given.customers(
        [("crm", pipeline.person(1))], [("crm", pipeline.person(2)), ("erp", pipeline.person(3))]
    )
    assert Customer.objects.get(id=one).created_at == Customer.objects.get(id=two).created_at
    given.place([records_of(one, two)])
    assert (leads_to(one), leads_to(two)) == (two, two)


def test_of_two_equals_the_smaller_id_survives() -> None:
    one, two = given.customers([("crm", pipeline.person(1))], [("crm", pipeline.person(2))])
    given.place([records_of(one, two)])
    assert leads_to(max(one, two)) == min(one, two)


def test_a_split_leaves_the_id_with_the_oldest_member() -> None:
    customer = given.customer(("crm", pipeline.person(1)), ("erp", pipeline.person(2)), ("billing", pipeline.person(3)))
    oldest, middle, newest = records_of(customer)
    judge.unmerge(customer=customer, records=[oldest], act=alice())
    assert SourceRecord.objects.get(id=oldest).customer_id == customer
    parted = {SourceRecord.objects.get(id=r).customer_id for r in (middle, newest)}
    assert customer not in parted
    assert Event.objects.get(subject_id=customer, version=2).type == "customer.unmerged"
    check()


def test_an_unmerge_brings_the_retired_id_back() -> None:
    old, young = people(1, 2)
    taken = records_of(young)
    judge.merge(customers=[old, young], act=alice())
    judge.unmerge(customer=old, records=taken, act=alice())
    assert leads_to(young) == young
    back = Customer.objects.get(id=young)
    assert (back.active, back.replaced_by, back.retired_reason, back.version) == (True, None, "", 3)
    assert Redirect.objects.get(retired=young).until is not None
    check()


def test_every_id_of_a_chain_of_merges_leads_to_the_end_in_one_hop() -> None:
    first, second, third, fourth = people(1, 2, 3, 4)
    judge.merge(customers=[third, fourth], act=alice())
    judge.merge(customers=[second, third], act=alice())
    judge.merge(customers=[first, second], act=alice())
    assert {leads_to(c) for c in (first, second, third, fourth)} == {first}
    assert set(Customer.objects.filter(active=False).values_list("replaced_by", flat=True)) == {first}
    told = Event.objects.filter(subject_id=fourth, type="customer.retired").order_by("version")
    assert [e.body["replaced_by"] for e in told] == [str(third), str(second), str(first)]
    assert Redirect.objects.filter(retired=fourth).count() == 3
    check()


def test_ids_that_followed_a_customer_come_back_with_it() -> None:
    first, second, third = people(1, 2, 3)
    judge.merge(customers=[second, third], act=alice())
    taken = records_of(second)
    judge.merge(customers=[first, second], act=alice())
    judge.unmerge(customer=first, records=taken, act=alice())
    assert (leads_to(first), leads_to(second), leads_to(third)) == (first, second, second)
    check()


def test_taking_a_chain_apart_from_its_beginning() -> None:
    """The customer that was merged first is taken out last customer's way round; every id ends where its record is."""
    first, second, third = people(1, 2, 3)
    last = records_of(third)
    judge.merge(customers=[second, third], act=alice())
    judge.merge(customers=[first, second], act=alice())
    judge.unmerge(customer=first, records=last, act=alice())
    assert (leads_to(first), leads_to(second), leads_to(third)) == (first, first, third)
    check()


def test_of_two_ids_retired_at_once_the_older_comes_back() -> None:
    first, second, third = people(1, 2, 3)
    taken = records_of(second, third)
    judge.merge(customers=[first, second, third], act=alice())
    judge.unmerge(customer=first, records=taken, act=alice())
    assert (leads_to(second), leads_to(third)) == (second, second)
    check()


def test_a_redirect_is_dated_and_never_deleted() -> None:
    old, young = people(1, 2)
    taken = records_of(young)
    for _ in range(2):
        judge.merge(customers=[old, young], act=alice())
        judge.unmerge(customer=old, records=taken, act=alice())
    rows = list(Redirect.objects.filter(retired=young).order_by("since"))
    assert len(rows) == 2
    assert all(row.until is not None and row.since < row.until for row in rows)
    with pytest.raises(IntegrityError), transaction.atomic():
        rows[0].delete()
    check()


def test_memberships_tell_who_moved_when_and_why() -> None:
    old, young = people(1, 2)
    record = records_of(young)[0]
    judge.merge(customers=[old, young], act=alice())
    judge.unmerge(customer=old, records=[record], act=alice())
    told = list(Membership.objects.filter(source_record=record).order_by("since"))
    assert [(m.customer_id, m.action) for m in told] == [(young, "created"), (old, "merged"), (young, "unmerged")]
    assert [m.until for m in told[:2]] == [m.since for m in told[1:]]
    assert {(m.actor, m.reason) for m in told[1:]} == {("user:alice", "alice says so")}


def test_a_member_that_nobody_named_is_a_conflict() -> None:
    customer = given.customer(("crm", pipeline.person(1)), ("erp", pipeline.person(2)))
    with pytest.raises(Conflict):
        identity.place(clusters=[records_of(customer)[:1]], act=given.ACT)


def test_a_customer_is_neither_saved_nor_deleted() -> None:
    customer = Customer.objects.get(id=people(1)[0])
    with pytest.raises(Permanent):
        customer.save()
    with pytest.raises(Permanent):
        customer.delete()


def test_the_database_itself_keeps_records_off_retired_customers() -> None:
    old, young = people(1, 2)
    judge.merge(customers=[old, young], act=alice())
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE source_record SET customer_id = %s", (young,))
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
