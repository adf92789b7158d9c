"""Each promise that SQL can see: broken by hand, with the guards off, it shows in the view."""

from collections.abc import Callable
from uuid import UUID

import pytest
from django.db import connection

from apps.common.ids import uuid7
from apps.customers.models import Customer, SourceRecord
from apps.matching import judge
from mdmhub.demo.checkdigits import TAX_ID
from tests import pipeline
from tests.customers import given
from tests.pipeline import query

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def hub() -> None:
    """Two people of two records each, one merge (so one retired id), one company; then every guard of the database is off."""
    pipeline.systems()
    for number in (1, 2):
        pipeline.take("crm", pipeline.person(number))
        pipeline.take("erp", pipeline.person(number, payment_terms="NET30"))
    other = pipeline.customer_of("crm", pipeline.person(3))
    judge.merge(customers=[customer("crm", "P2"), other], act=pipeline.alice())
    pipeline.take(
        "billing",
        {"record_id": "o", "kind": "organization", "organization_name": "Werft GmbH", "tax_id": TAX_ID["DE"](910_001)},
    )
    assert pipeline.broken() == []
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET LOCAL session_replication_role = replica")


def customer(system: str, external_id: str) -> UUID:
    return pipeline.where()[f"{system}:{external_id}"]


def retired() -> Customer:
    return Customer.objects.get(active=False)


def found() -> set[str]:
    return {row[0] for row in pipeline.broken()}


def record() -> SourceRecord:
    return SourceRecord.objects.get(system__code="crm", external_id="P1")


def record_of_nobody() -> None:
    query("UPDATE source_record SET customer_id = NULL, state = 'received' WHERE id = %s", record().id)


def record_without_membership() -> None:
    query(
        "UPDATE membership SET until = clock_timestamp() + interval '1 hour' WHERE source_record_id = %s", record().id
    )


def record_of_a_retired_customer() -> None:
    query("UPDATE source_record SET customer_id = %s WHERE id = %s", retired().id, record().id)


def retired_without_a_hop() -> None:
    query("DELETE FROM redirect")


def hop_to_a_retired_customer() -> None:
    query("UPDATE customer SET active = false, retired_reason = 'broken' WHERE id = %s", retired().replaced_by)


def hop_that_is_not_the_customers() -> None:
    query("UPDATE redirect SET successor_id = %s", customer("crm", "P1"))


def hop_away_from_an_active_customer() -> None:
    one, other = customer("crm", "P1"), customer("crm", "P2")
    query("INSERT INTO redirect (id, retired_id, successor_id, since, reason, actor, correlation_id)"
          " VALUES (%s, %s, %s, now(), '', 'test', %s)", uuid7(), one, other, uuid7())  # fmt: skip


def members_miscounted() -> None:
    query("UPDATE customer SET member_count = 9 WHERE id = %s", customer("crm", "P1"))


def active_without_members() -> None:
    query(
        "UPDATE source_record SET customer_id = %s WHERE customer_id = %s", customer("crm", "P2"), customer("crm", "P1")
    )


def identifier_torn() -> None:
    query("SET LOCAL session_replication_role = origin")
    item = {"kind": "organization", "organization_name": "Werft GmbH", "tax_id": TAX_ID["DE"](910_001)}
    other = given.record("crm", {"record_id": "torn", **item})
    given.place([[other]])


def pair_a_person_keeps_apart() -> None:
    records = pipeline.record_ids()
    a, b = sorted((records["crm:P1"], records["erp:P1"]))
    query("INSERT INTO judgement (id, record_a_id, record_b_id, verdict, origin, actor, reason, correlation_id, decided_at)"
          " VALUES (%s, %s, %s, 'no_match', 'person', 'test', '', %s, now())", uuid7(), a, b, uuid7())  # fmt: skip


def held_without_a_hold() -> None:
    query("""UPDATE customer SET held = '{"payment_terms": "NET60"}' WHERE id = %s""", customer("crm", "P1"))


def hold_that_holds_nothing() -> None:
    request = uuid7()
    query("INSERT INTO change_request (id, kind, state, author, approver, reason, opened_at, correlation_id)"
          " VALUES (%s, 'hold', 'open', 'test', '', '', now(), %s)", request, uuid7())  # fmt: skip
    query("INSERT INTO hold (id, customer_id, attribute, proposed_hash, state, change_request_id, opened_at)"
          " VALUES (%s, %s, 'payment_terms', '', 'open', %s, now())", uuid7(), customer("crm", "P1"), request)  # fmt: skip


def waiting_hold(attribute: str = "payment_terms", proposed: str = "NET60") -> UUID:
    """A change of the first person's that waits for approval, and nothing wrong with it."""
    request = uuid7()
    query("INSERT INTO change_request (id, kind, state, author, approver, reason, opened_at, correlation_id)"
          " VALUES (%s, 'hold', 'open', 'test', '', '', now(), %s)", request, uuid7())  # fmt: skip
    query("INSERT INTO hold (id, customer_id, attribute, proposed_value, proposed_hash, state, change_request_id, opened_at)"
          " VALUES (%s, %s, %s, to_jsonb(%s::text), '', 'open', %s, now())", uuid7(), customer("crm", "P1"), attribute, proposed, request)  # fmt: skip
    for table in ("customer", "historical_customer"):
        query(
            f"UPDATE {table} SET held = jsonb_build_object(%s::text, 'NET60') WHERE id = %s",
            attribute,
            customer("crm", "P1"),
        )
    return request


def waiting_merge(*customers: UUID) -> UUID:
    request = uuid7()
    query("INSERT INTO change_request (id, kind, state, author, approver, reason, opened_at, correlation_id)"
          " VALUES (%s, 'merge', 'open', 'test', '', '', now(), %s)", request, uuid7())  # fmt: skip
    query(
        "INSERT INTO merge_request (change_request_id, customers, title, vetoes) VALUES (%s, %s, '', '[{}]')",
        request,
        list(customers),
    )
    return request


def waiting_go_live(mode: str = "observe") -> None:
    connection, system = uuid7(), record().system_id
    query("INSERT INTO connection (id, system_id, name, adapter, mode, settings, cursor, paused_reason, paused_by, created_at)"
          " VALUES (%s, %s, 'crm', 'rest', %s, '{}', '{}', '', '', now())", connection, system, mode)  # fmt: skip
    query("INSERT INTO go_live (id, connection_id, state, counts, author, reason, opened_at, approver, decision, correlation_id)"
          " VALUES (%s, %s, 'open', '{}', 'test', 'x', now(), '', '', %s)", uuid7(), connection, uuid7())  # fmt: skip


def hold_of_a_retired_customer() -> None:
    waiting_hold()
    query("UPDATE hold SET customer_id = %s", retired().id)


def hold_of_what_is_not_proposed_any_more() -> None:
    waiting_hold(proposed="NET90")


def hold_of_a_request_that_is_decided() -> None:
    query("UPDATE change_request SET state = 'approved', decided_at = now() WHERE id = %s", waiting_hold())


def request_without_a_hold() -> None:
    query("UPDATE hold SET state = 'closed' WHERE change_request_id = %s", waiting_hold())


def request_for_nothing() -> None:
    query(
        "DELETE FROM merge_request WHERE change_request_id = %s",
        waiting_merge(customer("crm", "P1"), customer("crm", "P2")),
    )


def merge_of_a_retired_customer() -> None:
    waiting_merge(customer("crm", "P1"), retired().id)


def merge_of_nobody() -> None:
    waiting_merge(customer("crm", "P1"), uuid7())


def going_live_of_what_is_live() -> None:
    waiting_go_live("live")


def membership_twice() -> None:
    query("ALTER TABLE membership DROP CONSTRAINT membership_never_twice")
    query("INSERT INTO membership (id, source_record_id, customer_id, since, until, action, actor, reason, correlation_id)"
          " SELECT %s, source_record_id, customer_id, since, since + interval '1 hour', action, actor, reason, correlation_id"
          " FROM membership WHERE source_record_id = %s AND until IS NULL", uuid7(), record().id)  # fmt: skip


def version_without_a_snapshot() -> None:
    query("UPDATE customer SET version = version + 1 WHERE id = %s", customer("crm", "P1"))


def snapshot_that_differs() -> None:
    query("UPDATE customer SET name = 'somebody else' WHERE id = %s", customer("crm", "P1"))


def snapshot_with_another_list_of_names() -> None:
    query(
        """UPDATE customer SET names = '[{"type": "alias", "value": "somebody else"}]' WHERE id = %s""",
        customer("crm", "P1"),
    )


def version_without_an_event() -> None:
    query("DELETE FROM event WHERE subject_id = %s AND version = 1", customer("crm", "P1"))


def same_content_twice() -> None:
    query("INSERT INTO source_record_version (id, source_record_id, version, content_digest, received_at, replaced_at, deleted, digest)"
          " SELECT %s, id, version, content_digest, now(), now(), false, '' FROM source_record WHERE id = %s", uuid7(), record().id)  # fmt: skip
    query("UPDATE source_record SET version = version + 1 WHERE id = %s", record().id)


def run(counts: str) -> None:
    system = record().system_id
    query("INSERT INTO run (id, kind, system_id, state, file_name, file_digest, file_path, options, position, counts, actor, error,"
          " created_at, correlation_id) VALUES (%s, 'file', %s, 'succeeded', '', '', '', '{}', '{}', %s::jsonb, 'test', '', now(), %s)",
          uuid7(), system, counts, uuid7())  # fmt: skip


def record_unaccounted_for() -> None:
    run('{"read": 3, "created": 2}')


def quarantined_without_a_row() -> None:
    run('{"read": 1, "quarantined": 1}')


CASES: tuple[tuple[str, Callable[[], None]], ...] = (
    ("I1", record_of_nobody), ("I1", record_without_membership), ("I2", record_of_a_retired_customer), ("I3", retired_without_a_hop),
    ("I3", hop_to_a_retired_customer), ("I3", hop_that_is_not_the_customers), ("I3", hop_away_from_an_active_customer),
    ("I4", members_miscounted), ("I4", active_without_members), ("I5", identifier_torn), ("I6", pair_a_person_keeps_apart),
    ("I7", held_without_a_hold), ("I7", hold_that_holds_nothing), ("I9", membership_twice), ("I11", version_without_a_snapshot),
    ("I11", snapshot_that_differs), ("I11", snapshot_with_another_list_of_names), ("I11", version_without_an_event), ("I15", same_content_twice),
    ("I16", hold_of_a_retired_customer), ("I16", hold_of_what_is_not_proposed_any_more), ("I16", hold_of_a_request_that_is_decided),
    ("I16", request_without_a_hold), ("I16", request_for_nothing), ("I16", merge_of_a_retired_customer), ("I16", merge_of_nobody),
    ("I16", going_live_of_what_is_live), ("I17", record_unaccounted_for),
    ("I17", quarantined_without_a_row),
)  # fmt: skip


@pytest.mark.parametrize(("promise", "harm"), CASES, ids=[f"{promise}_{harm.__name__}" for promise, harm in CASES])
def test_a_broken_promise_shows(promise: str, harm: Callable[[], None]) -> None:
    harm()
    assert promise in found()


def test_a_hub_that_keeps_its_promises_shows_nothing() -> None:
    assert found() == set()


def test_what_waits_for_a_second_person_and_is_there_is_no_break() -> None:
    waiting_hold()
    waiting_merge(customer("crm", "P1"), customer("crm", "P2"))
    waiting_go_live()
    assert found() == set()


def test_a_doubt_or_a_verdict_excuses_a_torn_identifier() -> None:
    identifier_torn()
    records = pipeline.record_ids()
    a, b = sorted((records["billing:o"], records["crm:torn"]))
    query("INSERT INTO judgement (id, record_a_id, record_b_id, verdict, origin, actor, reason, correlation_id, decided_at)"
          " VALUES (%s, %s, %s, 'no_match', 'person', 'test', '', %s, now())", uuid7(), a, b, uuid7())  # fmt: skip
    assert found() == set()
