"""The one write path: fenced by version, sealed, append-only, and findable."""

import pytest
from django.db import IntegrityError, connection, transaction

from apps.common.errors import Conflict
from apps.customers import store
from apps.customers.golden import read_customers
from apps.customers.models import Customer, CustomerSearch, LookupKey
from apps.matching import judge
from tests import pipeline
from tests.customers.given import ACT
from tests.pipeline import alice, person, query

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def hub() -> None:
    pipeline.systems()


def test_a_customer_that_moved_on_is_not_overwritten() -> None:
    customer = pipeline.customer_of("crm", person(1))
    found = read_customers([customer])[customer]
    row = store.CustomerRow(
        id=customer,
        values=found.values,
        held={},
        lineage={},
        member_count=1,
        policy_hash="",
        version=found.version - 1,
        event="customer.changed",
    )
    with pytest.raises((Conflict, IntegrityError)), transaction.atomic():
        store.write(rows=[row], moves=[], act=ACT)
    row.version = found.version + 1
    with pytest.raises(Conflict), transaction.atomic():
        store.write(rows=[row], moves=[], act=ACT)


@pytest.mark.parametrize(
    "table", ["historical_customer", "source_record_version", "membership", "redirect", "judgement", "event", "edge"]
)
def test_what_happened_is_never_rewritten(table: str) -> None:
    one, other = (pipeline.customer_of("crm", person(n)) for n in (1, 2))
    pipeline.take("crm", person(1, status="closed"))
    pipeline.take("erp", person(1))
    judge.merge(customers=[one, other], act=alice())
    assert pipeline.one(f"SELECT count(*) > 0 FROM {table}")
    for statement in (
        f"DELETE FROM {table}",
        f"UPDATE {table} SET correlation_id = gen_random_uuid()",
        f"UPDATE {table} SET salt = NULL",
    ):
        column = statement.partition("SET ")[2].partition(" ")[0]
        if column and not query(
            "SELECT 1 FROM information_schema.columns WHERE table_name = %s AND column_name = %s", table, column
        ):
            continue
        with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
            query(statement)


def test_what_is_append_only_is_not_emptied_either() -> None:
    guarded = "SELECT DISTINCT tgrelid::regclass::text FROM pg_trigger WHERE tgname IN ('append_only', 'seal_stays')"
    tables = {row[0] for row in query(guarded)}
    assert len(tables) == 12
    for table in sorted(tables):
        with pytest.raises(IntegrityError, match=f"table {table} is append-only"), transaction.atomic():
            query(f"TRUNCATE {table} CASCADE")


SET_ONCE = {"until", "superseded_at", "superseded_by", "position"}


def test_a_guard_covers_every_column_of_its_table() -> None:
    """A guard names its columns: one that a later migration adds has to be named too."""
    tables = {row[0] for row in query("SELECT tgrelid::regclass::text FROM pg_trigger WHERE tgname = 'append_only'")}
    assert len(tables) == 10
    unguarded = query(
        "SELECT c.table_name, c.column_name FROM information_schema.columns c WHERE c.table_name = ANY(%s) AND NOT EXISTS (SELECT 1"
        " FROM information_schema.triggered_update_columns t WHERE t.trigger_name = 'append_only'"
        " AND t.event_object_table = c.table_name AND t.event_object_column = c.column_name)",
        sorted(tables),
    )
    assert {column for _, column in unguarded} <= SET_ONCE


def test_what_is_set_once_is_not_set_again() -> None:
    pipeline.customer_of("crm", person(1))
    query("UPDATE event SET position = 7")
    with pytest.raises(IntegrityError, match=r"event\.position is set once"), transaction.atomic():
        query("UPDATE event SET position = 8")


def test_every_snapshot_and_event_is_sealed() -> None:
    customer = pipeline.customer_of("crm", person(1))
    pipeline.take("crm", person(1, status="closed"))
    columns = ", ".join(f"h.{name}" for name in store.SNAPSHOT)
    sealed = query(
        f"SELECT version, digest = sealed_digest(h.id::text || h.version::text, salt, ROW({columns})::text) FROM historical_customer h"
        " WHERE h.id = %s ORDER BY version",
        customer,
    )
    assert sealed == [(1, True), (2, True)]
    assert query(
        "SELECT DISTINCT digest = sealed_digest(type || subject_id::text || version::text, salt, body::text) FROM event"
    ) == [(True,)]
    assert pipeline.one("SELECT count(DISTINCT salt) FROM historical_customer") == 2


def test_time_never_stands_still_within_a_customer() -> None:
    customer = pipeline.customer_of("crm", person(1))
    for status in ("closed", "active", "blocked"):
        pipeline.take("crm", person(1, status=status))
    dates = [
        row[0] for row in query("SELECT history_date FROM historical_customer WHERE id = %s ORDER BY version", customer)
    ]
    assert dates == sorted(set(dates))
    assert len(dates) == 4


def test_a_customer_is_found_by_every_exact_key_it_has_and_by_no_other() -> None:
    customer = pipeline.customer_of("crm", person(1))
    keys = set(LookupKey.objects.filter(customer=customer).values_list("kind", "value"))
    assert ("email", person(1)["email"]) in keys
    assert ("external", "crm:P1") in keys
    pipeline.take("crm", person(1, email="new@muster.example"))
    keys = set(LookupKey.objects.filter(customer=customer).values_list("kind", "value"))
    assert ("email", "new@muster.example") in keys
    assert ("email", person(1)["email"]) not in keys


def test_a_retired_customer_is_no_longer_found_by_text_or_key() -> None:
    one, other = (pipeline.customer_of("crm", person(n)) for n in (1, 2))
    judge.merge(customers=[one, other], act=alice())
    assert not CustomerSearch.objects.filter(customer=other).exists()
    assert not LookupKey.objects.filter(customer=other).exists()
    assert LookupKey.objects.filter(customer=one, kind="external").count() == 2


def test_more_parts_than_a_customer_can_have_are_refused_by_the_database() -> None:
    customer = pipeline.customer_of("crm", person(1))
    with pytest.raises(IntegrityError, match="customer_parts"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "UPDATE customer SET contact_points = (SELECT jsonb_agg(n) FROM generate_series(1, 201) n) WHERE id = %s",
            (customer,),
        )
    assert Customer.objects.get(id=customer).contact_points
