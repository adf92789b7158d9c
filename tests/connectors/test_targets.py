"""Targets: read once, kept while nothing about them changes; one that cannot be used takes part in nothing."""

import pytest

from apps.common.errors import Conflict
from apps.connectors import connections
from apps.connectors.contract import Can
from apps.connectors.targets import LEAST_LEASE_SECONDS, LONGEST_CALL_SECONDS, targets, usable
from tests import outward, pipeline
from tests.connectors import outbox
from tests.pipeline import execute

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("empty")]


def test_what_did_not_change_is_kept_and_what_did_is_made_anew() -> None:
    crm, erp = outbox.connect("crm"), outbox.connect("erp")
    before = targets()
    assert targets()[crm.id] is before[crm.id]
    connections.connect(
        document=outward.document("crm", outbox.NOWHERE, in_flight=2), credentials={}, act=outward.ALICE
    )
    after = targets()
    assert after[crm.id] is not before[crm.id]
    assert after[crm.id].in_flight == 2
    assert after[erp.id] is before[erp.id]
    assert after[crm.id].adapter is not before[crm.id]._adapter


def test_new_credentials_make_a_new_adapter() -> None:
    made = outbox.connect()
    before = targets()[made.id]
    connections.connect(
        document=outward.document("crm", outbox.NOWHERE), credentials={"token": "another"}, act=outward.ALICE
    )
    assert targets()[made.id] is not before


def test_a_pause_keeps_the_adapter() -> None:
    made = outbox.connect()
    before = targets()[made.id]
    connections.pause(connection=made.id, act=outward.ALICE)
    assert targets()[made.id] is before
    assert before.mode == "paused"


def test_a_document_that_cannot_be_used_is_said_and_left_out() -> None:
    crm, erp = outbox.connect("crm"), outbox.connect("erp")
    execute(
        "UPDATE connection SET settings = jsonb_set(settings, '{document,operations}', '7'::jsonb) WHERE id = %s",
        crm.id,
    )
    found = targets()
    assert found[crm.id].error
    assert [t.id for t in usable(found.values())] == [erp.id]
    connections.connect(document=outward.document("crm", outbox.NOWHERE), credentials={"token": "x"}, act=outward.ALICE)
    assert targets()[crm.id].error == ""


def test_a_system_that_is_switched_off_and_one_that_only_sends_are_no_targets() -> None:
    made = outbox.connect()
    execute("UPDATE system SET is_active = false WHERE code = 'crm'")
    try:
        assert targets() == {}
    finally:
        execute("UPDATE system SET is_active = true WHERE code = 'crm'")
    execute("UPDATE connection SET adapter = 'webhook' WHERE id = %s", made.id)
    assert targets() == {}


@pytest.mark.parametrize(
    ("seconds", "timeout", "lease"), [(1, 1, LEAST_LEASE_SECONDS), (20, 20, 60), (600, LONGEST_CALL_SECONDS, 90)]
)
def test_a_lease_outlives_three_calls(seconds: float, timeout: float, lease: float) -> None:
    made = outbox.connect(timeout=seconds)
    found = targets()[made.id]
    assert (found.timeout, found.lease) == (timeout, lease)


def test_what_each_is_capable_of_is_read_from_its_document() -> None:
    crm, erp = outbox.connect("crm"), outbox.connect("erp")
    found = targets()
    assert Can.MERGE in found[crm.id].adapter.can
    assert Can.UPSERT in found[crm.id].adapter.can
    assert Can.ETAG in found[erp.id].adapter.can
    assert not {Can.MERGE, Can.UPSERT, Can.REPLAY} & found[erp.id].adapter.can


def test_values_as_they_come_back() -> None:
    made = outbox.connect("erp")
    target = targets()[made.id]
    long = "The Very Long Name Of A Company That Nobody Can Remember GmbH"
    native = target.mapping.render({"organization_name": long, "kind": "organization", "city": "Ulm"})
    assert target.read(native, "organization")["organization_name"] == long[:40].strip()
    assert target.holds({"customertype": "organization", "city": "Ulm"}, {"city": "Ulm", "phone": None})
    assert not target.holds(
        {"customertype": "organization", "city": "Ulm", "telephone": "+49 30 1234567"}, {"city": "Ulm", "phone": None}
    )


def test_who_asked_to_take_it_live_had_seen_another_document() -> None:
    """What is asked for is rejected when the target is set up anew, by no person; the same document again changes nothing."""
    pipeline.systems()
    document = outward.document("crm", outbox.NOWHERE)
    made = connections.connect(document=document, credentials={"token": "a"}, act=outward.ALICE)
    asked = connections.request_go_live(connection=made.id, act=outward.ALICE)
    connections.connect(document=document, credentials={"token": "another"}, act=outward.ALICE)
    asked.refresh_from_db()
    assert asked.state == "open"
    connections.connect(
        document=outward.document("crm", outbox.NOWHERE, in_flight=2), credentials={}, act=outward.ALICE
    )
    asked.refresh_from_db()
    assert (asked.state, asked.approver) == ("rejected", "hub:withdrawn")
    with pytest.raises(Conflict, match="decided already"):
        connections.decide_go_live(go_live=asked.id, approve=True, act=outward.BOB)
    again = connections.request_go_live(connection=made.id, act=outward.ALICE)
    connections.decide_go_live(go_live=again.id, approve=True, act=outward.BOB)
    made.refresh_from_db()
    assert made.mode == "live"


def test_what_does_not_observe_is_not_taken_live_and_its_request_can_be_withdrawn() -> None:
    pipeline.systems()
    made = connections.connect(
        document=outward.document("crm", outbox.NOWHERE), credentials={"token": "a"}, act=outward.ALICE
    )
    asked = connections.request_go_live(connection=made.id, act=outward.ALICE)
    assert connections.withdraw_stale() == 0
    execute("UPDATE connection SET mode = 'paused' WHERE id = %s", made.id)
    assert [row[0] for row in pipeline.broken()] == ["I16"]
    with pytest.raises(Conflict, match="does not observe"):
        connections.decide_go_live(go_live=asked.id, approve=True, act=outward.BOB)
    assert connections.withdraw_stale() == 1
    assert pipeline.broken() == []
