"""apps.connectors outward: planned, told, acknowledged, and what comes back is no news."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from apps.common.act import Act
from apps.common.errors import Rejected
from apps.connectors import connections
from apps.connectors.models import Delivery
from apps.customers import refresh
from apps.customers.models import Customer, Link, SourceRecord
from tests import outward, pipeline

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("empty")]


def test_a_customer_is_created_where_it_is_lacking(tmp_path: Path) -> None:
    with outward.target("crm", tmp_path / "crm.db") as (far, _):
        customer = pipeline.customer_of("erp", pipeline.person(1, payment_terms="NET30"))
        outward.settle()
        assert outward.states() == {"done": 1}
        (made,) = far.records()
        assert made["MDM_Id__c"] == str(customer)
        link = Link.objects.get(system__code="crm")
        assert link.external_id == made["Id"]
        assert link.source_record.customer_id == customer
        assert Customer.objects.get().version == 1
        assert outward.poll_all() >= 1
        outward.settle()
        assert Customer.objects.get().version == 1, "an echo made a version"
        assert outward.states() == {"done": 1}
        assert pipeline.broken() == []


def test_a_change_is_told_and_its_echo_is_no_news(tmp_path: Path) -> None:
    with outward.target("crm", tmp_path / "crm.db") as (far, _):
        pipeline.take("erp", pipeline.person(1))
        outward.settle()
        pipeline.take("erp", pipeline.person(1, city="Ulm"))
        outward.settle()
        (there,) = far.records()
        assert there["BillingCity"] == "Ulm"
        outward.poll_all()
        outward.settle()
        assert Customer.objects.get().version == 2
        assert Delivery.objects.count() == 2
        assert SourceRecord.objects.filter(system__code="crm").get().version == 1
        assert pipeline.broken() == []


def test_a_field_that_the_far_side_changes_is_its_own(tmp_path: Path) -> None:
    with outward.target("crm", tmp_path / "crm.db") as (far, _):
        pipeline.take("erp", pipeline.person(1))
        outward.settle()
        outward.poll_all()
        far.edit(far.records()[0]["Id"], {"Website": "new.example.org"})
        outward.poll_all()
        outward.settle()
        assert Customer.objects.get().website is not None
        assert pipeline.broken() == []


def test_the_owner_has_the_last_word(tmp_path: Path) -> None:
    """The CRM changes a field whose golden value comes from a system that is trusted more: it is told again."""
    with outward.target("crm", tmp_path / "crm.db") as (far, _):
        pipeline.take("erp", pipeline.person(1, city="Ulm"))
        outward.settle()
        far.edit(far.records()[0]["Id"], {"BillingCity": "Bonn"})
        outward.poll_all()
        outward.settle()
        assert far.records()[0]["BillingCity"] == "Ulm"
        assert pipeline.broken() == []


def test_two_that_correct_each_other_are_stopped(tmp_path: Path) -> None:
    """Somebody there puts the value back each time: after five times within the hour a person is asked."""
    with outward.target("crm", tmp_path / "crm.db") as (far, _):
        pipeline.take("erp", pipeline.person(1, city="Ulm"))
        outward.settle()
        id_ = far.records()[0]["Id"]
        for _ in range(7):
            far.edit(id_, {"BillingCity": "Bonn"})
            outward.poll_all()
            outward.settle()
        assert far.records()[0]["BillingCity"] == "Bonn"
        (stopped,) = Delivery.objects.filter(state="failed")
        assert stopped.trouble == "ping_pong"
        assert Delivery.objects.filter(state="done", cause="reassert").count() == 5
        assert pipeline.broken() == []


def test_a_quiet_load_is_told_when_it_is_released(tmp_path: Path) -> None:
    with outward.target("crm", tmp_path / "crm.db") as (far, _):
        customer = pipeline.customer_of("erp", pipeline.person(1), act=Act("user:alice", quiet=True))
        outward.settle()
        assert far.records() == []
        refresh.refresh([customer], act=outward.ALICE, releases=True)
        outward.settle()
        assert len(far.records()) == 1
        assert pipeline.broken() == []


def test_an_observed_target_is_told_nothing_and_the_plan_says_what_would_be(tmp_path: Path) -> None:
    with outward.target("crm", tmp_path / "crm.db", live=False) as (far, made):
        pipeline.take("erp", pipeline.person(1), pipeline.person(2))
        outward.settle()
        assert far.records() == []
        assert connections.planned_counts(made.id)["create"] == 2
        asked = connections.request_go_live(connection=made.id, act=outward.ALICE)
        with pytest.raises(Rejected, match="second person"):
            connections.decide_go_live(go_live=asked.id, approve=True, act=outward.ALICE)
        connections.decide_go_live(go_live=asked.id, approve=True, act=outward.BOB)
        outward.settle()
        assert len(far.records()) == 2


def test_the_newest_replaces_what_waits(tmp_path: Path) -> None:
    """A thousand changes while the target is away are one call."""
    with outward.target("crm", tmp_path / "crm.db") as (far, made):
        pipeline.take("erp", pipeline.person(1))
        outward.settle()
        connections.pause(connection=made.id, act=outward.ALICE)
        for n in range(20):
            pipeline.take("erp", pipeline.person(1, city=f"Ort {n}"))
            outward.settle()
        before = far.requests()["requests"]["total"]
        connections.resume(connection=made.id, act=outward.ALICE)
        outward.settle()
        assert far.requests()["requests"]["total"] == before + 1
        assert far.records()[0]["BillingCity"] == "Ort 19"
        assert outward.states()["superseded"] == 19


def test_the_one_switch_stops_everything(tmp_path: Path) -> None:
    with outward.target("crm", tmp_path / "crm.db") as (far, _):
        connections.switch(stopped=True, act=outward.ALICE)
        pipeline.take("erp", pipeline.person(1))
        outward.settle()
        assert far.records() == []
        connections.switch(stopped=False, act=outward.ALICE)
        outward.settle()
        assert len(far.records()) == 1


def test_the_guard_stops_a_target_that_would_be_rewritten(tmp_path: Path) -> None:
    with outward.target("crm", tmp_path / "crm.db", guard_least=5, guard_share=0.1) as (far, made):
        pipeline.execute("UPDATE circuit SET guard_lifted_until = NULL")
        pipeline.take("erp", *(pipeline.person(n) for n in range(20)))
        outward.settle()
        made.refresh_from_db()
        assert (made.mode, made.paused_by) == ("paused", "hub:guard")
        assert len(far.records()) == 5
        connections.resume(connection=made.id, act=outward.BOB, guard_hours=1)
        outward.settle()
        assert len(far.records()) == 20


def test_what_was_committed_late_there_is_read_all_the_same(tmp_path: Path) -> None:
    """A record whose moment lies a little before one that was read already: its transaction took longer."""
    with outward.target("crm", tmp_path / "crm.db") as (far, _):
        now = datetime.now(UTC)
        far.load([crm_account("C-1", now)])
        outward.poll_all()
        far.load([crm_account("C-2", now - timedelta(seconds=3))])
        outward.poll_all()
        assert set(SourceRecord.objects.values_list("external_id", flat=True)) == {"C-1", "C-2"}
        outward.poll_all()
        assert SourceRecord.objects.filter(version=1).count() == 2


def crm_account(id_: str, changed_at: datetime) -> dict[str, str]:
    person = pipeline.person(int(id_[-1]))
    return {
        "Id": id_, "RecordType": "Person", "FirstName": person["given_name"], "LastName": person["family_name"],
        "PersonEmail": person["email"], "SystemModstamp": changed_at.strftime("%Y-%m-%dT%H:%M:%S.%f+0000"),
    }  # fmt: skip
