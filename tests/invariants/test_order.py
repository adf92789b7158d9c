"""I10: the same records in any order and in batches of any size end as the same customers."""

import random
from collections.abc import Iterator

import pytest

from mdmhub.demo.generator import generate
from tests import pipeline
from tests.pipeline import Partition

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.flow]
SIZES = (1, 7, 40, 100, 250)
RECORDS = 600


@pytest.fixture(autouse=True)
def hub() -> Iterator[None]:
    pipeline.systems()
    pipeline.empty()
    yield
    pipeline.empty()


def records() -> list[tuple[str, dict[str, object]]]:
    """The told stories, which hold the hard cases, and others, up to the number."""
    return [(r.system, r.item) for r in generate(700)][:RECORDS]


def partition_of(
    order: list[tuple[str, dict[str, object]]], rng: random.Random
) -> tuple[Partition, set[tuple[frozenset[str], str]]]:
    pipeline.take_all(order, iter(lambda: rng.choice(SIZES), 0))
    pipeline.drain_all()
    assert pipeline.broken() == []
    return pipeline.partition(), pipeline.open_doubts()


def same_in_every_order(orders: int, **thresholds: float) -> Partition:
    rng = random.Random(11)
    given = records()
    expected = None
    for _ in range(orders):
        pipeline.empty()
        if thresholds:
            pipeline.use_model(**thresholds)
        found = partition_of(rng.sample(given, len(given)), rng)
        expected = expected or found
        assert found[0] == expected[0], sorted(map(sorted, found[0] ^ expected[0]))
        assert found[1] == expected[1]
    assert expected is not None
    return expected[0]


def test_ten_orders_and_batch_sizes_give_one_partition() -> None:
    partition = same_in_every_order(10)
    assert sum(map(len, partition)) == len(records()) - pipeline.one("SELECT count(*) FROM quarantine")
    assert max(map(len, partition)) > 2


def test_keys_that_overflow_link_nobody_whoever_came_first() -> None:
    """A cap of 3 makes many keys overflow, at another record in each order; the redo queue evens it out."""
    same_in_every_order(5, block_cap=3, cluster_cap=40)
    assert pipeline.one("SELECT count(*) FROM oversized_key") > 10


def test_a_key_that_falls_back_to_the_cap_links_again() -> None:
    pipeline.use_model(block_cap=3)
    people = [
        {"record_id": str(n), "kind": "person", "given_name": "Ada", "family_name": "Lund", "email": "ada@lund.example"}
        for n in range(4)
    ]
    pipeline.take("crm", *people)
    pipeline.drain_all()
    assert len(pipeline.partition()) == 4
    pipeline.take(
        "crm",
        {
            "record_id": "0",
            "kind": "person",
            "given_name": "Vera",
            "family_name": "Stein",
            "email": "vera@stein.example",
        },
    )
    pipeline.drain_all()
    assert pipeline.partition() == {frozenset({"crm:0"}), frozenset({"crm:1", "crm:2", "crm:3"})}
    pipeline.take("crm", {**people[0]})
    pipeline.drain_all()
    assert len(pipeline.partition()) == 4
