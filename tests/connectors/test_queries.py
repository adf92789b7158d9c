"""apps.connectors.queries: how targets are doing, what they would be told, what failed, and where a customer's data have gone."""

from pathlib import Path
from typing import Any

import pytest

from apps.connectors import connections, queries
from apps.connectors.models import Connection, Delivery
from apps.connectors.queries import Filters
from apps.customers.models import Link
from tests import outward, pipeline

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _clean() -> None:
    pipeline.empty()


def test_the_monitor_of_a_target_that_observes(tmp_path: Path, django_assert_num_queries: Any) -> None:
    with outward.target("crm", tmp_path / "crm.db", live=False, per_second=7, in_flight=3) as (_, made):
        pipeline.take("erp", *(pipeline.person(n) for n in range(3)))
        outward.settle()
        asked = connections.request_go_live(connection=made.id, act=outward.ALICE)
        queries.monitor()
        with django_assert_num_queries(2):
            (health,) = queries.monitor()
        assert (health.name, health.system, health.mode, health.breaker) == ("CRM", "crm", "observe", "closed")
        assert (health.planned, health.waiting, health.failed, health.lag) == (3, 0, 0, None)
        assert (health.per_second, health.in_flight_cap, health.error, health.success) == (7, 3, "", None)
        assert health.go_live is not None
        assert (health.go_live.id, health.go_live.author, health.go_live.counts["create"]) == (asked.id, "user:alice", 3)
        assert health.polled_at is None


def test_the_monitor_counts_what_waits_and_what_came_to_an_end(tmp_path: Path) -> None:
    with outward.target("crm", tmp_path / "crm.db") as (far, made):
        pipeline.take("erp", *(pipeline.person(n) for n in range(2)))
        outward.settle()
        connections.pause(connection=made.id, act=outward.ALICE.because("inventory"))
        pipeline.take("erp", pipeline.person(3), pipeline.person(4))
        outward.settle()
        pipeline.execute("UPDATE delivery SET changed_at = clock_timestamp() - interval '90 seconds' WHERE state = 'waiting'")
        (health,) = queries.monitor()
        assert (health.mode, health.paused_reason, health.paused_by) == ("paused", "inventory", "user:alice")
        assert (health.waiting, health.done_hour, health.failed_hour, health.success) == (2, 2, 0, 1.0)
        assert health.lag is not None
        assert 90 <= health.lag < 120
        assert health.last_success_at is not None
        assert health.hour_writes == 2
        far.faults()
