"""I8 and I9: an unmerge equals never having merged; merging is the same in any order, and once is as good as twice."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import permutations, product
from typing import Any
from uuid import UUID

import pytest
from django.db import transaction
from hypothesis import HealthCheck, Phase, example, given, note, settings
from hypothesis import strategies as st

from apps.customers import identity
from apps.customers.golden import read_customers
from apps.customers.models import Customer, Judgement, SourceRecord
from apps.customers.pins import pin
from apps.matching import judge
from apps.matching.match import redecide
from tests import pipeline
from tests.invariants.machine import TEMPLATES, overridden, overrides
from tests.pipeline import alice

pytestmark = pytest.mark.django_db
RELAXED = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
)  # an example takes a tenth of a second: shrinking would take minutes

records = st.lists(
    st.tuples(st.sampled_from(tuple(pipeline.SYSTEMS)), st.integers(0, len(TEMPLATES) - 1), overrides),
    min_size=4,
    max_size=9,
)


@pytest.fixture(autouse=True)
def hub() -> None:
    pipeline.systems()


@contextmanager
def undone() -> Iterator[None]:
    """What happens inside never happened."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def take(drawn: Sequence[tuple[str, int, dict[str, int]]]) -> list[UUID]:
    """The drawn records, from as many systems' ids; the active customers they make, oldest first."""
    for at, (system, template, changes) in enumerate(drawn):
        item = {
            **TEMPLATES[template],
            **overridden(changes),
            "record_id": str(at),
            "source_updated_at": f"2024-02-{at + 1:02d}T00:00:00Z",
        }
        pipeline.take(system, item)
    return customers()


def customers() -> list[UUID]:
    return list(Customer.objects.filter(active=True).order_by("created_at", "id").values_list("id", flat=True))


def members(customer: UUID) -> list[UUID]:
    rows = SourceRecord.objects.filter(customer=customer).exclude(system__kind="steward")
    return list(rows.order_by("id").values_list("id", flat=True))


def keep_apart(mine: Sequence[UUID], others: Sequence[UUID]) -> None:
    """A person's verdict on all pairs at once."""
    identity.lock_records([*mine, *others])
    judge.judge([(min(a, b), max(a, b)) for a, b in product(mine, others)], verdict="no_match", act=alice())
    redecide([*mine, *others], act=alice())


def picture() -> dict[UUID, tuple[Any, ...]]:
    """Every active customer's id, members, values, lineage and what is held back of it."""
    return {
        id_: (members(id_), s.values, s.lineage, s.held, s.member_count) for id_, s in read_customers(customers()).items()
    }  # fmt: skip


def derived() -> dict[UUID, tuple[Any, ...]]:
    """Every active customer's id, members, values as the rules say them, whether a hold keeps another one or not, and lineage."""
    return {
        id_: (own, {n: v for n, v in {**values, **held}.items() if v is not None}, lineage)
        for id_, (own, values, lineage, held, _) in picture().items()
    }


@given(
    drawn=records, first=st.integers(0, 8), second=st.integers(0, 8), pinned=st.booleans(), older_leaves=st.booleans()
)
@RELAXED
def test_an_unmerge_equals_never_merged(
    drawn: list[tuple[str, int, dict[str, int]]], first: int, second: int, pinned: bool, older_leaves: bool
) -> None:
    """The two sides are kept apart afterwards, so what never was merged but kept apart is what it has to equal."""
    with undone():
        found = take(drawn)
        one, other = sorted((found[first % len(found)], found[second % len(found)]), key=found.index)
        if one == other:
            return
        if pinned:
            pin(customer=one, attribute="language", value="de", act=alice())
            pin(customer=other, attribute="language", value="fr", act=alice())
        mine, others = members(one), members(other)
        with undone():
            keep_apart(mine, others)
            expected = picture()
        pipeline.merge_all_the_same([one, other], alice())
        assert pipeline.resolved([one, other]) == {one: one, other: one} or len(members(one)) != len(mine + others)
        if members(one) != sorted(mine + others):
            return  # a third customer that fitted both came along, so this unmerge says something else
        note(f"{mine} and {others} were merged")
        judge.unmerge(customer=one, records=mine if older_leaves else others, act=alice())
        assert picture() == expected
        assert not Judgement.objects.filter(superseded_at=None, verdict="match").exists()
        assert pipeline.broken() == []


def test_an_unmerge_leaves_no_verdict_behind() -> None:
    """Two records the machine joined, merged with a third and parted again, are the machine's affair as before."""
    for third_first in (False, True):
        with undone():
            third = {"record_id": "3", **pipeline.person(3, record_id="3")}
            if third_first:
                pipeline.take("crm", third)
            pipeline.take("erp", pipeline.person(1))
            pipeline.take("billing", pipeline.person(1))
            pipeline.take("crm", third)
            where = pipeline.where()
            pair, single = where["erp:P1"], where["crm:3"]
            records_of_pair = members(pair)
            judge.merge(customers=[pair, single], act=alice())
            judge.unmerge(customer=min(pair, single), records=records_of_pair, act=alice())
            assert not Judgement.objects.filter(superseded_at=None, verdict="match").exists()
            pipeline.take("billing", {**pipeline.person(2), "record_id": "P1"})
            where = pipeline.where()
            assert where["erp:P1"] != where["billing:P1"]
            assert pipeline.broken() == []


def test_of_three_merged_the_two_that_stay_are_still_one() -> None:
    for order in permutations((1, 2, 3)):
        with undone():
            ids = [pipeline.customer_of("crm", pipeline.person(n)) for n in order]
            leaves = members(ids[order.index(3)])
            judge.merge(customers=ids, act=alice())
            judge.unmerge(customer=ids[0], records=leaves, act=alice())
            where = pipeline.where()
            assert where["crm:P1"] == where["crm:P2"] != where["crm:P3"]
            both = [r for n, r in pipeline.record_ids().items() if n != "crm:P3"]
            judge.unmerge(customer=where["crm:P1"], records=both[:1], act=alice())
            assert len(set(pipeline.where().values())) == 3
            assert not Judgement.objects.filter(superseded_at=None, verdict="match").exists()
            assert pipeline.broken() == []


@example(
    drawn=[
        ("support", 2, {"city": 2}), ("crm", 0, {"organization_name": 0, "birth_date": 2}), ("erp", 2, {"given_name": 1}),
        ("support", 1, {"credit_limit": 1}), ("crm", 4, {"phone": 0, "credit_limit": 0}), ("billing", 5, {"credit_limit": 2}),
    ]
)  # fmt: skip
@given(drawn=records)
@RELAXED
def test_merging_is_the_same_in_any_order(drawn: list[tuple[str, int, dict[str, int]]]) -> None:
    """All customers into one, two at a time, in three orders. A protected value stays what readers saw first, and that depends on whom
    they saw first; what is proposed in its place does not."""
    with undone():
        found = take(drawn)
        if len(found) < 3:
            return
        results = []
        for order in (found, found[::-1], found[1:] + found[:1]):
            with undone():
                for other in order[1:]:
                    now = pipeline.resolved([order[0], other])
                    if len(set(now.values())) > 1:  # the verdict on one pair may have settled the next one
                        pipeline.merge_all_the_same([id_ for id_ in now.values() if id_], alice())
                assert pipeline.broken() == []
                results.append((derived(), set(pipeline.resolved(found).values())))
        assert results[0] == results[1] == results[2]
        assert results[0][1] == {found[0]}


def test_merging_again_changes_nothing() -> None:
    one, other = (pipeline.customer_of("crm", pipeline.person(n)) for n in (1, 2))
    judge.merge(customers=[one, other], act=alice())
    before = pipeline.activity()
    records_of_one = members(one)
    judge.join(record_a=records_of_one[0], record_b=records_of_one[1], act=alice())
    assert pipeline.activity() == before
