"""The branch of a join: by evidence as the tree shows it, by a person's word what that person brought in."""

from uuid import UUID

import pytest

from apps.common.errors import Conflict
from apps.common.ids import uuid7
from apps.matching import judge
from apps.matching.branches import branch
from apps.matching.queries_joins import joins_of
from tests import pipeline
from tests.pipeline import alice, person

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def hub() -> None:
    pipeline.systems()


def test_a_join_by_evidence_brought_in_one_group_or_the_other() -> None:
    pipeline.take("crm", person(1))
    pipeline.take("erp", person(1))
    customer = pipeline.customer_of("billing", person(1, email="other@mail.example"))
    ids = pipeline.record_ids()
    inner, outer = joins_of([customer])[customer].joins
    assert {inner.a.id, inner.b.id} == {ids["crm:P1"], ids["erp:P1"]}
    late, other = (outer.a.id, outer.b.id) if outer.a.id == ids["billing:P1"] else (outer.b.id, outer.a.id)
    assert branch(customer=customer, out=late, of=other) == [ids["billing:P1"]]
    assert set(branch(customer=customer, out=other, of=late)) == {ids["crm:P1"], ids["erp:P1"]}
    smaller = outer.smaller
    assert (smaller[0].id, smaller[1].id, smaller[2]) == (late, other, 1)


def test_a_merge_brought_in_all_that_was_one_before() -> None:
    """Of two pairs merged by a person the tie of any two records stands for both pairs; who came later is of neither."""
    for system, number in (("crm", 1), ("erp", 1), ("billing", 2), ("support", 2)):
        pipeline.take(system, person(number))
    where = pipeline.where()
    judge.merge(customers=[where["crm:P1"], where["billing:P2"]], act=alice())
    pipeline.take("crm", person(2, record_id="late"))
    ids = pipeline.record_ids()
    customer = where["crm:P1"]
    assert set(pipeline.where().values()) == {customer}
    pair = {ids["billing:P2"], ids["support:P2"]}
    assert set(branch(customer=customer, out=ids["support:P2"], of=ids["crm:P1"])) == pair
    assert set(branch(customer=customer, out=ids["crm:P1"], of=ids["support:P2"])) == {ids["crm:P1"], ids["erp:P1"]}


def test_what_joins_nothing_is_refused() -> None:
    customer = pipeline.customer_of("crm", person(1))
    known = pipeline.record_ids()["crm:P1"]
    pairs: list[tuple[UUID, UUID]] = [(known, known), (known, uuid7()), (uuid7(), uuid7())]
    for out, of in pairs:
        with pytest.raises(Conflict, match="join nothing of this customer"):
            branch(customer=customer, out=out, of=of)
    with pytest.raises(Conflict):
        branch(customer=uuid7(), out=known, of=known)
