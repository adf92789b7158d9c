"""apps.connectors.queries: how targets are doing, what they would be told, what failed, and where a customer's data have gone."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.common.act import Act
from apps.common.errors import NotFound, Rejected
from apps.common.ids import uuid7
from apps.connectors import connections, queries
from apps.connectors.contract import Trouble
from apps.connectors.models import Connection, Delivery
from apps.connectors.queries import Filters
from apps.connectors.sandbox.running import Far
from apps.customers.models import Link
from tests import outward, pipeline

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("empty")]
LONG = "Long Street " * 24


@pytest.fixture
def observed(empty: None, tmp_path: Path) -> Iterator[tuple[Far, Connection]]:
    with outward.target("crm", tmp_path / "crm.db", live=False, per_second=7, in_flight=3) as found:
        yield found


# ── monitor ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_the_monitor_of_a_target_that_observes(
    observed: tuple[Far, Connection], django_assert_num_queries: Any
) -> None:
    _, made = observed
    pipeline.take("erp", *(pipeline.person(n) for n in range(3)))
    outward.settle()
    asked = connections.request_go_live(connection=made.id, act=outward.ALICE)
    with django_assert_num_queries(2):
        (health,) = queries.monitor()
    assert (health.name, health.system, health.mode, health.breaker) == ("CRM", "crm", "observe", "closed")
    assert (health.planned, health.waiting, health.failed, health.lag) == (3, 0, 0, None)
    assert (health.per_second, health.in_flight_cap, health.error, health.success) == (7, 3, "", None)
    assert health.go_live is not None
    assert (health.go_live.id, health.go_live.author, health.go_live.counts["create"]) == (asked.id, "user:alice", 3)
    assert (health.polled_at, health.poll_due_at) == (None, None)


def test_the_monitor_counts_what_waits_and_what_came_to_an_end(crm: tuple[Far, Connection]) -> None:
    _, made = crm
    pipeline.take("erp", *(pipeline.person(n) for n in range(2)), pipeline.person(2, address_line1=LONG, city="Bonn"))
    outward.settle()
    connections.pause(connection=made.id, act=outward.ALICE.because("inventory"))
    pipeline.take("erp", pipeline.person(3), pipeline.person(4))
    outward.settle()
    pipeline.execute(
        "UPDATE delivery SET changed_at = clock_timestamp() - interval '90 seconds' WHERE state = 'waiting'"
    )
    (health,) = queries.monitor()
    assert (health.mode, health.paused_reason, health.paused_by) == ("paused", "inventory", "user:alice")
    assert (health.waiting, health.failed, health.done_hour, health.failed_hour) == (2, 1, 2, 1)
    assert health.success == pytest.approx(2 / 3)
    assert health.lag is not None
    assert 90 <= health.lag < 120
    assert health.last_success_at is not None
    assert "255" in health.last_error
    assert health.hour_writes == 2
    pipeline.execute("UPDATE delivery SET finished_at = finished_at - interval '2 hours'")
    assert queries.monitor()[0].success is None


def test_the_monitor_says_when_a_target_was_read(crm: tuple[Far, Connection]) -> None:
    pipeline.execute("UPDATE connection SET poll_due_at = clock_timestamp() + interval '40 seconds'")
    (health,) = queries.monitor()
    assert health.polled_at is not None
    assert health.poll_due_at is not None
    assert (health.poll_due_at - health.polled_at).total_seconds() == 60
    assert health.swept_at is None


def test_a_document_that_cannot_be_used_is_told(crm: tuple[Far, Connection]) -> None:
    pipeline.execute(
        "UPDATE connection SET settings = jsonb_set(settings, '{document,connection,adapter}', '\"nonsense\"'), adapter = 'nonsense'"
    )
    (health,) = queries.monitor()
    assert "nonsense" in health.error


def test_no_target_no_row() -> None:
    assert queries.monitor() == []
    assert queries.failures() == []
    assert queries.switch_state().stopped is False
    connections.switch(stopped=True, act=Act("user:alice", "attack"))
    assert (queries.switch_state().stopped, queries.switch_state().reason) == (True, "attack")


# ── planned ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_plan_shows_each_field_before_and_after(crm: tuple[Far, Connection], django_assert_num_queries: Any) -> None:
    _, made = crm
    customer = pipeline.customer_of("erp", pipeline.person(1, city="Bonn", tax_id="DE123456789"))
    outward.settle()
    connections.pause(connection=made.id, act=outward.ALICE)
    pipeline.take("erp", pipeline.person(1, city="Ulm", tax_id="DE136695976"))
    outward.settle()
    with django_assert_num_queries(1):
        page = queries.planned(made.id)
    (row,) = page.rows
    link = Link.objects.get(system__code="crm")
    assert (row.op, row.customer, row.external_id, row.version, page.next) == (
        "update",
        customer,
        link.external_id,
        2,
        None,
    )
    told = {d.field: (d.name, d.before, d.after) for d in row.fields}
    assert told["city"] == ("City", "Bonn", "Ulm")
    assert told["tax_id"] == ("Tax ID", "•••89", "•••76")


def test_a_plan_has_pages_and_kinds(observed: tuple[Far, Connection]) -> None:
    _, made = observed
    pipeline.take("erp", *(pipeline.person(n) for n in range(5)))
    outward.settle()
    first = queries.planned(made.id, limit=3)
    second = queries.planned(made.id, "create", first.next, 3)
    records = [r.record for r in (*first.rows, *second.rows)]
    assert len(set(records)) == 5
    assert records == sorted(records)
    assert (len(first.rows), second.next) == (3, None)
    assert all(d.before is None for r in first.rows for d in r.fields)
    assert queries.planned(made.id, "merge").rows == ()


# ── deliveries ──────────────────────────────────────────────────────────────────────────────────────────────────────
def refused(number: int) -> Delivery:
    pipeline.take(
        "erp", pipeline.person(number, address_line1=LONG, city="Bonn", birth_date="1980-02-29"), act=pipeline.alice()
    )
    outward.settle()
    row = Delivery.objects.get(record__external_id=f"P{number}")
    assert row.state == "failed", row.detail
    return row


def test_deliveries_are_listed_by_filter_and_page(crm: tuple[Far, Connection], django_assert_num_queries: Any) -> None:
    _, made = crm
    pipeline.take("erp", *(pipeline.person(n) for n in range(4)))
    outward.settle()
    bad = refused(9)
    with django_assert_num_queries(1):
        first = queries.deliveries(limit=3)
    second = queries.deliveries(cursor=first.next, limit=3)
    ids = [r.id for r in (*first.rows, *second.rows)]
    assert ids == sorted(Delivery.objects.values_list("id", flat=True), reverse=True)
    assert second.next is None
    for found in (
        Filters(state="failed"), Filters(trouble="validation"), Filters(customer=bad.customer_id), Filters(code=bad.code),
        Filters(correlation_id=bad.correlation_id), Filters(connection=made.id, state="failed", trouble="validation"),
    ):  # fmt: skip
        assert [r.id for r in queries.deliveries(found).rows] == [bad.id], found
    assert queries.deliveries(Filters(connection=uuid7())).rows == []
    with pytest.raises(Rejected):
        queries.deliveries(cursor="x")


def test_one_delivery_with_all_that_is_known(crm: tuple[Far, Connection], django_assert_num_queries: Any) -> None:
    bad = refused(1)
    with django_assert_num_queries(3):
        found = queries.delivery(bad.id)
    assert found.row.key == f"{bad.id}.0"
    assert found.native["PersonBirthdate"] == "•••29"
    assert {d.field: d.after for d in found.fields}["birth_date"] == "•••29"
    (attempt,) = found.attempts
    assert (attempt.number, attempt.status, attempt.trouble) == (1, 400, "validation")
    assert "BillingStreet" in attempt.request
    assert "1980-02-29" not in attempt.request + attempt.response
    assert found.advice == queries.ADVICE[Trouble.VALIDATION]
    assert (found.newer, found.url) == (None, "")
    with pytest.raises(NotFound):
        queries.delivery(uuid7())


def test_a_delivery_opens_its_record_there_and_names_a_newer_one(crm: tuple[Far, Connection]) -> None:
    pipeline.execute("UPDATE system SET record_url = 'https://crm.example/{id}' WHERE code = 'crm'")
    pipeline.take("erp", pipeline.person(1))
    outward.settle()
    first = Delivery.objects.get()
    pipeline.take("erp", pipeline.person(1, city="Ulm"))
    outward.settle()
    link = Link.objects.get(system__code="crm")
    newest = Delivery.objects.order_by("-id")[0]
    assert queries.delivery(first.id).url == f"https://crm.example/{link.external_id}"
    assert queries.delivery(newest.id).newer is None
    pipeline.execute("UPDATE system SET record_url = ''")


def test_failures_are_grouped_by_cause(crm: tuple[Far, Connection], django_assert_num_queries: Any) -> None:
    _, made = crm
    rows = [refused(n) for n in (1, 2, 3)]
    pipeline.execute("UPDATE delivery SET trouble = 'fatal', code = 'unknown_outcome' WHERE id = %s", rows[2].id)
    with django_assert_num_queries(1):
        big, small = queries.failures()
    assert (big.connection, big.connection_name, big.trouble, big.code, big.count) == (
        made.id, "CRM", "validation", "STRING_TOO_LONG", 2,
    )  # fmt: skip
    assert (big.oldest, big.newest) == (rows[0].finished_at, rows[1].finished_at)
    assert "255" in big.detail
    assert (small.code, small.count) == ("unknown_outcome", 1)
    assert "what you found" in small.advice.fix


def test_every_trouble_has_advice() -> None:
    assert queries.ADVICE.keys() == set(Trouble)
    for one in queries.ADVICE.values():
        assert all(part.endswith(".") for part in (one.cause, one.fix, one.who))


MANY = """
INSERT INTO delivery (id, connection_id, customer_id, record_id, op, cause, version, state, lane, "values", native, losers, revision, due_at,
  attempts, burned, trouble, code, detail, correlation_id, created_at, changed_at, finished_at, actor, reason)
SELECT gen_random_uuid(), d.connection_id, gen_random_uuid(), gen_random_uuid(), d.op, d.cause, 1, 'done', 1, '{}', '{}', '[]', 0, d.due_at,
  1, 0, '', '', '', gen_random_uuid(), d.created_at, d.changed_at, d.created_at - interval '1 day', '', ''
FROM delivery d, generate_series(1, 20000) WHERE d.id = %s
"""
TRIED = """
INSERT INTO delivery_attempt (delivery_id, number, started_at, ms, trouble, code, detail, request, response)
SELECT id, 1, created_at, 5, '', '', '', '', '' FROM delivery WHERE state = 'done'
"""


def test_what_is_told_already_costs_nothing(crm: tuple[Far, Connection]) -> None:
    """20,000 deliveries that are done: no question reads them, each finds its few rows by a partial index."""
    _, made = crm
    bad = refused(1)
    pipeline.execute(MANY, bad.id)
    pipeline.execute(TRIED)
    pipeline.execute("ANALYZE delivery, delivery_attempt")
    asked: dict[str, Callable[[], object]] = {
        "monitor": queries.monitor,
        "failures": queries.failures,
        "planned": lambda: queries.planned(made.id),
        "one": lambda: queries.delivery(bad.id),
        "group": lambda: queries.deliveries(
            Filters(connection=made.id, state="failed", trouble="validation", code=bad.code)
        ),
        "first page": queries.deliveries,
        "of a customer": lambda: queries.deliveries(Filters(customer=bad.customer_id)),
        "distribution": lambda: queries.distribution(bad.customer_id),
    }
    for name, ask in asked.items():
        with CaptureQueriesContext(connection) as seen:
            ask()
        for query in seen.captured_queries:
            plan = "\n".join(row[0] for row in pipeline.query("EXPLAIN " + query["sql"].replace("%", "%%")))
            assert "Seq Scan on delivery" not in plan, (name, plan)


# ── distribution ────────────────────────────────────────────────────────────────────────────────────────────────────
MOST_QUERIES = 8


def test_where_a_customer_has_gone(crm: tuple[Far, Connection], django_assert_max_num_queries: Any) -> None:
    far, made = crm
    customer = pipeline.customer_of("erp", pipeline.person(1, city="Bonn"))
    outward.settle()
    with django_assert_max_num_queries(MOST_QUERIES):
        (one,) = queries.distribution(customer)
    (held,) = one.held
    assert (one.name, one.mode, one.pending, one.why_not, tuple(one.creates)) == ("CRM", "live", [], "", ())
    assert held.external_id == far.records()[0]["Id"]
    assert (held.state, held.disposition, held.own, held.acknowledged_version) == ("active", "there", False, 1)
    assert ("city", "City", "Bonn") in held.sent
    assert held.differs == []
    connections.pause(connection=made.id, act=outward.ALICE)
    pipeline.take("erp", pipeline.person(1, city="Ulm"))
    outward.settle()
    (one,) = queries.distribution(customer)
    assert [(p.op, p.state) for p in one.pending] == [("update", "waiting")]
    assert {d.field: (d.before, d.after) for d in one.held[0].differs}["city"] == ("Bonn", "Ulm")


def why(customer: UUID) -> str:
    (one,) = queries.distribution(customer)
    assert one.held == [] or all(h.disposition == "gone" for h in one.held)
    return one.why_not


def test_why_a_target_has_no_record(crm: tuple[Far, Connection]) -> None:
    pipeline.execute("UPDATE connection SET mode = 'observe'")
    customer = pipeline.customer_of("erp", pipeline.person(1))
    outward.settle()
    assert "once it is live" in why(customer)
    (one,) = queries.distribution(customer)
    assert {"given_name", "email"} <= {d.field for d in one.creates}
    pipeline.execute("UPDATE connection SET mode = 'live'")
    pipeline.execute("UPDATE delivery SET state = 'waiting'")
    assert why(customer) == "It waits to be made there."
    pipeline.execute("UPDATE delivery SET state = 'failed', trouble = 'validation', finished_at = clock_timestamp()")
    assert "see the exception" in why(customer)
    outward.policy(crm={"creates": ["organization"]})
    outward.settle()
    pipeline.execute("UPDATE delivery SET state = 'discarded', reason = 'x'")
    assert why(customer) == "The ownership policy makes no person there."
    quiet = pipeline.customer_of("erp", pipeline.person(2), act=Act("hub:test", "load", quiet=True))
    assert "not released" in why(quiet)


def test_what_the_target_deleted_is_told(crm: tuple[Far, Connection]) -> None:
    far, _ = crm
    customer = pipeline.customer_of("erp", pipeline.person(1))
    outward.settle()
    outward.poll_all()
    far.delete(far.records()[0]["Id"])
    outward.poll_all()
    outward.settle()
    assert "deleted there" in why(customer)
    with pytest.raises(NotFound):
        queries.distribution(uuid7())
