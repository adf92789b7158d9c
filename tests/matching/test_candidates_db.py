"""Keys in, candidates out: the table of blocking keys follows the records, and a key on too many links nobody."""

from collections.abc import Iterator
from itertools import permutations
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.common.ids import uuid7
from apps.common.plans import never_whole_tables
from apps.customers.pins import pin
from apps.matching import candidates, engine
from apps.matching.model import active_model
from apps.matching.models import BlockingKey, MatchRecord, OversizedKey, Redo
from apps.matching.pairs import candidate_pairs
from tests import pipeline
from tests.pipeline import person

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def hub() -> None:
    pipeline.systems()


def record(name: str = "crm:P1") -> UUID:
    return pipeline.record_ids()[name]


def keys(of: UUID) -> set[int]:
    return set(BlockingKey.objects.filter(source_record=of).values_list("key", flat=True))


def test_keys_follow_the_record() -> None:
    pipeline.take("crm", person(1))
    before = keys(record())
    assert before == set(MatchRecord.objects.get(source_record=record()).keys)
    pipeline.take("crm", person(2, record_id="P1"))
    after = keys(record())
    assert before & after == set()
    assert after == set(MatchRecord.objects.get(source_record=record()).keys)


def test_a_pair_is_found_from_either_side_and_once() -> None:
    pipeline.take("crm", person(1))
    pipeline.take("erp", person(1))
    pair = {tuple(sorted((record(), record("erp:P1"))))}
    model = active_model().model
    for asking in ([record()], [record("erp:P1")], [record(), record("erp:P1")]):
        assert set(candidates.pairs_for(asking, model)) == pair


def test_the_table_finds_the_pairs_that_a_file_has() -> None:
    """Names of two common words each, in two cities: many pairs share one weak key, some two."""
    words, cities = ("Nordlicht", "Kranich", "Wiesen", "Birken", "Talwerk"), ("Kiel", "Ulm")
    firms = [
        {"record_id": f"{one}-{other}-{city}", "kind": "organization", "organization_name": f"{one} {other}", "city": city, "country": "DE"}
        for one, other in permutations(words, 2) for city in cities
    ]  # fmt: skip
    pipeline.take("crm", *firms)
    model = active_model().model
    known, table = candidates.features_of(pipeline.record_ids().values())
    low, high = candidate_pairs(engine.blocking_keys(table, model), model)
    expected = {tuple(sorted((known[a], known[b]))) for a, b in zip(low.tolist(), high.tolist(), strict=True)}
    found = candidates.pairs_for(known, model)
    assert len(found) == len(set(found))
    assert set(found) == expected
    assert 0 < len(expected) < len(firms) * (len(firms) - 1) / 4
    half = known[::2]
    assert set(candidates.pairs_for(half, model)) == {pair for pair in expected if set(pair) & set(half)}


def test_a_key_that_becomes_oversized_has_its_holders_looked_at_again_once() -> None:
    pipeline.use_model(block_cap=2)
    mail = {"email": "info@shared.example"}
    pipeline.take("crm", person(1, **mail), person(2, **mail))
    assert not OversizedKey.objects.exists()
    pipeline.take("crm", person(3, **mail))
    assert OversizedKey.objects.exists()
    asked = set(Redo.objects.values_list("source_record_id", flat=True))
    assert {record("crm:P1"), record("crm:P2")} <= asked
    pipeline.drain_all()
    pipeline.take("crm", person(4, **mail))
    assert not Redo.objects.exists(), "it was known to be oversized"


def test_a_key_that_falls_back_is_revived() -> None:
    pipeline.use_model(block_cap=2)
    mail = {"email": "info@shared.example"}
    pipeline.take("crm", *(person(n, **mail) for n in (1, 2, 3)))
    pipeline.drain_all()
    oversized = OversizedKey.objects.count()
    pipeline.take("crm", person(3))
    assert OversizedKey.objects.count() < oversized
    assert {record("crm:P1"), record("crm:P2")} <= set(Redo.objects.values_list("source_record_id", flat=True))
    pipeline.drain_all()
    assert not Redo.objects.exists()


def test_an_anchor_of_pins_has_no_keys() -> None:
    customer = pipeline.customer_of("crm", person(1))
    pin(customer=customer, attribute="language", value="de", act=pipeline.alice())
    assert MatchRecord.objects.count() == 1


def test_keys_are_taken_away_one_by_one_even_where_the_table_is_taken_for_empty() -> None:
    """As after a reset: counted while it held nothing, then filled. A plan that goes through the table is hours long at 100,000."""
    BlockingKey.objects.bulk_create(BlockingKey(key=number, source_record_id=uuid7()) for number in range(3_000))
    BlockingKey.objects.all().delete()
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE blocking_key")
        cursor.execute("SELECT reltuples FROM pg_class WHERE relname = 'blocking_key'")
        assert cursor.fetchone() == (0.0,)
    pipeline.take("crm", *[person(n) for n in range(60)])
    ids = pipeline.record_ids()
    changed = {ids[f"crm:P{n}"]: {"given_name": "Someone", "family_name": f"Else{n}"} for n in range(60)}
    with CaptureQueriesContext(connection) as asked:
        candidates.index(changed, active_model().model)
    assert all(keys(record) == set(MatchRecord.objects.get(source_record=record).keys) for record in changed)
    (statement,) = [query["sql"] for query in asked if query["sql"].startswith("DELETE FROM blocking_key")]
    with never_whole_tables(), connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}")
        plan = cursor.fetchone()[0][0]["Plan"]
    assert {node["Node Type"] for node in nodes(plan) if node.get("Relation Name") == "blocking_key"} <= {
        "ModifyTable", "Tid Scan", "Index Scan", "Index Only Scan",
    }  # fmt: skip
    assert all("key = " in node.get("Index Cond", "") for node in nodes(plan) if "Index" in node["Node Type"])


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for inner in plan.get("Plans", ()):
        yield from nodes(inner)
