"""apps.connectors.desk: what failed is told again, mended or given up, and nothing older is told after something newer."""

from pathlib import Path
from uuid import UUID

import pytest

from apps.common.act import Act
from apps.common.errors import Conflict, NotFound, Rejected
from apps.common.ids import uuid7
from apps.connectors import desk, planner
from apps.connectors.contract import Trouble
from apps.connectors.desk_fields import columns_of, flattened, mended, nested
from apps.connectors.models import Connection, Delivery, PlanDue
from apps.connectors.sandbox.running import Far
from apps.customers.models import Customer, Link
from tests import outward, pipeline

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("empty")]
LONG = "Long Street " * 24
ACT = Act("user:sue", "asked the people there")


def refused(far: Far, connection: Connection, number: int = 1) -> Delivery:
    """A create that the CRM refuses: its column is too short for this street."""
    pipeline.take("erp", pipeline.person(number, address_line1=LONG, city="Bonn"))
    outward.settle()
    row = Delivery.objects.get(connection=connection, record__external_id=f"P{number}")
    assert (row.state, row.trouble) == ("failed", Trouble.VALIDATION), (row.state, row.trouble, row.detail)
    return row


def test_a_retry_is_told_under_the_same_key(crm: tuple[Far, Connection]) -> None:
    far, connection = crm
    row = refused(far, connection)
    far.faults()
    assert desk.retry(deliveries=[row.id], act=ACT) == 1
    row.refresh_from_db()
    assert (row.state, row.burned, row.revision, row.finished_at, row.actor, row.lane) == (
        "waiting",
        0,
        0,
        None,
        "user:sue",
        0,
    )
    assert row.attempts == 1, "attempts are the fence and only grow"
    outward.settle()
    row.refresh_from_db()
    assert (row.state, row.attempts, row.tries.count()) == ("failed", 2, 2)


def test_what_has_not_failed_is_not_retried(crm: tuple[Far, Connection]) -> None:
    pipeline.take("erp", pipeline.person(1))
    outward.settle()
    done = Delivery.objects.get()
    with pytest.raises(Conflict, match="is done"):
        desk.retry(deliveries=[done.id], act=ACT)
    with pytest.raises(NotFound):
        desk.retry(deliveries=[done.id, uuid7()], act=ACT)
    with pytest.raises(Rejected):
        desk.retry(deliveries=[], act=ACT)


def test_all_or_none(crm: tuple[Far, Connection]) -> None:
    far, connection = crm
    pipeline.take("erp", pipeline.person(2))
    row = refused(far, connection)
    done = Delivery.objects.get(state="done")
    with pytest.raises(Conflict):
        desk.retry(deliveries=[row.id, done.id], act=ACT)
    row.refresh_from_db()
    assert row.state == "failed"


def test_a_superseded_one_says_so(crm: tuple[Far, Connection]) -> None:
    far, connection = crm
    row = refused(far, connection)
    pipeline.take("erp", pipeline.person(1, address_line1="Short 1", city="Bonn"))
    outward.settle()
    row.refresh_from_db()
    assert row.state == "superseded"
    with pytest.raises(Conflict, match="is superseded: a newer one took its place"):
        desk.retry(deliveries=[row.id], act=ACT)


@pytest.mark.parametrize("state", ["waiting", "done", "failed"])
def test_a_newer_one_is_named(crm: tuple[Far, Connection], state: str) -> None:
    """It failed while the next one waited behind it already."""
    far, connection = crm
    row = refused(far, connection)
    newer = sibling(row, state)
    with pytest.raises(Conflict, match=f"newer delivery, {newer}"):
        desk.retry(deliveries=[row.id], act=ACT)
    with pytest.raises(Conflict, match=str(newer)):
        desk.edit(delivery=row.id, native={"BillingStreet": "Ulm 1"}, act=ACT)
    assert desk.discard(deliveries=[row.id], act=ACT) == 1


def sibling(row: Delivery, state: str) -> UUID:
    """A later delivery of the same record."""
    newer = uuid7()
    pipeline.execute(
        'INSERT INTO delivery (id, connection_id, customer_id, record_id, op, cause, version, state, lane, "values", native, losers,'
        " revision, due_at, attempts, burned, trouble, code, detail, correlation_id, created_at, changed_at, finished_at, actor, reason)"
        ' SELECT %s, connection_id, customer_id, record_id, op, cause, version + 1, %s, lane, "values", native, losers, 0,'
        " clock_timestamp() + interval '1 hour', 0, 0, '', '', '', correlation_id, clock_timestamp(), changed_at, finished_at, '', ''"
        " FROM delivery WHERE id = %s",
        newer, state, row.id,
    )  # fmt: skip
    return newer


def test_a_record_that_moved_is_not_told_what_its_old_customer_was(crm: tuple[Far, Connection]) -> None:
    far, connection = crm
    row = refused(far, connection)
    other = pipeline.customer_of("erp", pipeline.person(7))
    pipeline.execute("UPDATE delivery SET customer_id = %s WHERE id = %s", other, row.id)
    with pytest.raises(Conflict, match="another customer"):
        desk.retry(deliveries=[row.id], act=ACT)


def test_an_unknown_outcome_is_found_out_before_it_is_told_again(crm: tuple[Far, Connection]) -> None:
    far, _ = crm
    far.faults(lost_reply=1, times=1)
    pipeline.take("erp", pipeline.person(1))
    outward.settle()
    row = Delivery.objects.get()
    assert row.state == "uncertain"
    pipeline.execute("UPDATE delivery SET state = 'failed', finished_at = clock_timestamp()")
    with pytest.raises(Conflict, match="find out"):
        row.refresh_from_db()
        desk.edit(delivery=row.id, native=row.native, act=ACT)
    assert desk.retry(deliveries=[row.id], act=ACT) == 1
    row.refresh_from_db()
    assert row.state == "uncertain"
    outward.due_now()
    outward.settle()
    assert outward.states() == {"done": 1}
    assert len(far.records()) == 1


def test_what_cannot_be_asked_is_retried_only_with_a_finding(crm: tuple[Far, Connection]) -> None:
    far, connection = crm
    row = refused(far, connection)
    pipeline.execute("UPDATE delivery SET trouble = 'fatal', code = 'unknown_outcome'")
    with pytest.raises(Rejected, match="look there"):
        desk.retry(deliveries=[row.id], act=Act("user:sue", "again"))
    with pytest.raises(Rejected, match="One of them"):
        desk.discard(deliveries=[row.id], act=Act("user:sue", "no"))
    with pytest.raises(Rejected, match="look each up"):
        desk.replay(connection=connection.id, trouble="fatal", code="unknown_outcome", act=ACT)
    assert desk.replay(connection=connection.id, trouble="fatal", code=None, act=ACT) == 0
    assert desk.retry(deliveries=[row.id], act=Act("user:sue", "searched by name and mail: not there")) == 1
    row.refresh_from_db()
    assert row.state == "waiting"


def test_what_the_planner_put_there_meanwhile_stays(crm: tuple[Far, Connection]) -> None:
    """Seen by the database alone: between the look and the write something else of the same record came to wait."""
    far, connection = crm
    row = refused(far, connection)
    other = refused(far, connection, 2)
    meanwhile = sibling(row, "waiting")
    pipeline.execute("UPDATE delivery SET version = 0 WHERE id = %s", meanwhile)
    with pytest.raises(Conflict, match="look again"):
        desk.retry(deliveries=[row.id, other.id], act=ACT)
    assert outward.states() == {"failed": 2, "waiting": 1}
    assert desk.replay(connection=connection.id, trouble="validation", code=None, act=ACT) == 1
    other.refresh_from_db()
    assert (other.state, Delivery.objects.get(id=row.id).state) == ("waiting", "failed")


# ── edit ────────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_an_edit_is_told_under_a_new_key_and_kept_as_what_was_told(crm: tuple[Far, Connection]) -> None:
    far, connection = crm
    row = refused(far, connection)
    native = {**row.native, "BillingStreet": "Ulm 1"}
    edited = desk.edit(delivery=row.id, native=native, act=ACT)
    assert (edited.state, edited.revision, edited.native["BillingStreet"], edited.values["address_line1"]) == (
        "waiting",
        1,
        "Ulm 1",
        "Ulm 1",
    )
    assert {**edited.values, "address_line1": ""} == {**row.values, "address_line1": ""}, "nothing else is told"
    outward.settle()
    (there,) = far.records()
    assert there["BillingStreet"] == "Ulm 1"
    assert there["MDM_Id__c"] == str(row.customer_id)
    link = Link.objects.get(system__code="crm")
    assert link.last_sent["address_line1"] == "Ulm 1"
    assert Customer.objects.get().addresses[0]["line1"] == LONG.strip(), "the golden record stays as it is"
    assert pipeline.broken() == []


def test_a_field_left_out_is_not_told(crm: tuple[Far, Connection]) -> None:
    far, connection = crm
    row = refused(far, connection)
    native = {k: v for k, v in row.native.items() if not k.startswith("MDM_") and k != "BillingStreet"}
    edited = desk.edit(delivery=row.id, native=native, act=ACT)
    assert "address_line1" not in edited.values
    assert "BillingStreet" not in edited.native
    assert edited.native["MDM_Id__c"] == row.native["MDM_Id__c"], "the hub's own columns stay"
    outward.settle()
    assert len(far.records()) == 1


def test_an_edit_is_checked(crm: tuple[Far, Connection]) -> None:
    far, connection = crm
    row = refused(far, connection)
    for native, column in (
        ({**row.native, "BillingStret": "Ulm"}, "BillingStret"),
        ({**row.native, "MDM_Id__c": "me"}, "MDM_Id__c"),
        ({}, ""),
        ({"MDM_Id__c": row.native["MDM_Id__c"]}, ""),
    ):
        with pytest.raises(Rejected) as raised:
            desk.edit(delivery=row.id, native=native, act=ACT)
        assert raised.value.fields[0].field == f"/native/{column}".rstrip("/")
    row.refresh_from_db()
    assert (row.state, row.revision) == ("failed", 0)


def test_a_mask_given_back_is_no_value(crm: tuple[Far, Connection]) -> None:
    far, connection = crm
    row = refused(far, connection)
    born = row.native["PersonBirthdate"]
    edited = desk.edit(
        delivery=row.id, native={**row.native, "BillingStreet": "Ulm 1", "PersonBirthdate": f"•••{born[-2:]}"}, act=ACT
    )
    assert edited.native["PersonBirthdate"] == born


def test_masks_of_whole_parts_and_of_credentials_are_no_values_either(tmp_path: Path) -> None:
    with outward.target("billing", tmp_path / "billing.db") as (_, made):
        target = outward.here(made)
        before = target.mapping.render({"name": "Anna Berg", "address_line1": "A 1", "city": "Ulm", "hub_key": "k-1"})
        columns = flattened(before)
        inside = next(name for name, value in columns.items() if value == "Ulm")
        assert "." in inside, "this system keeps addresses as objects"
        assert nested(columns) == before
        top = inside.split(".")[0]
        for shown in (before | {top: "•••"}, before | {top: "[credential]"}, columns):
            assert mended(shown, before, target) == before
        with pytest.raises(Rejected):
            mended({"nowhere": "•••"}, before, target)


def test_text_of_a_form_gets_the_columns_type(tmp_path: Path) -> None:
    with outward.target("erp", tmp_path / "erp.db") as (_, made):
        target = outward.here(made)
        (limit,) = columns_of(target, "credit_limit")
        before = {limit: 10, **target.mapping.render({"name": "x"})}
        for text, value in (("2500", 2500), ("2500.5", 2500.5), ("many", "many"), ("NaN", "NaN")):
            assert mended({limit: text}, before, target)[limit] == value
        assert mended({limit: ""}, before, target)[limit] == target.mapping.out.empty


# ── discard ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_discarded_with_a_reason(crm: tuple[Far, Connection]) -> None:
    far, connection = crm
    row = refused(far, connection)
    with pytest.raises(Rejected, match="Say why"):
        desk.discard(deliveries=[row.id], act=Act("user:sue", "  "))
    assert desk.discard(deliveries=[row.id], act=ACT) == 1
    row.refresh_from_db()
    assert (row.state, row.reason, row.actor) == ("discarded", ACT.reason, "user:sue")
    assert row.finished_at is not None
    with pytest.raises(Conflict, match="is discarded"):
        desk.discard(deliveries=[row.id], act=ACT)
    outward.settle()
    assert far.records() == []


def test_what_waits_and_what_is_uncertain_is_discarded_too(crm: tuple[Far, Connection]) -> None:
    far, _ = crm
    far.faults(lost_reply=1, times=1)
    pipeline.take("erp", pipeline.person(1))
    outward.settle()
    row = Delivery.objects.get(state="uncertain")
    with pytest.raises(Rejected, match="what you found"):
        desk.discard(deliveries=[row.id], act=Act("user:sue", "no"))
    assert desk.discard(deliveries=[row.id], act=Act("user:sue", "it is there: 001x4")) == 1
    assert outward.states() == {"discarded": 1}


# ── replay ──────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_group_is_replayed_in_batches(crm: tuple[Far, Connection], monkeypatch: pytest.MonkeyPatch) -> None:
    far, connection = crm
    monkeypatch.setattr(desk, "MOST", 2)
    far.faults(read_only=True)
    pipeline.take("erp", *(pipeline.person(n) for n in range(5)))
    outward.settle()
    pipeline.execute(
        "UPDATE delivery SET state = 'failed', trouble = 'fatal', code = 'X', finished_at = clock_timestamp()"
    )
    pipeline.execute("UPDATE connection SET mode = 'live', paused_reason = ''")
    pipeline.execute("UPDATE circuit SET state = 'closed', probe_at = NULL")
    old = Delivery.objects.order_by("id")[0]
    newer = sibling(old, "failed")
    far.faults()
    assert desk.replay(connection=connection.id, trouble="fatal", code="X", act=ACT, dry_run=True) == 4
    assert outward.states() == {"failed": 6}
    assert desk.replay(connection=connection.id, trouble="validation", code=None, act=ACT) == 0
    assert desk.replay(connection=connection.id, trouble="fatal", code="X", act=ACT) == 4
    old.refresh_from_db()
    assert (old.state, old.reason) == ("superseded", "a newer one took its place")
    assert Delivery.objects.get(id=newer).state == "failed", "it is of no group"
    assert set(Delivery.objects.filter(state="waiting").values_list("lane", "burned")) == {(1, 0)}
    outward.settle()
    assert len(far.records()) == 4
    with pytest.raises(NotFound):
        desk.replay(connection=uuid7(), trouble="fatal", code="X", act=ACT)


def test_only_what_failed_since(crm: tuple[Far, Connection]) -> None:
    far, connection = crm
    rows = [refused(far, connection, n) for n in (1, 2)]
    pipeline.execute("UPDATE delivery SET finished_at = finished_at - interval '1 day' WHERE id = %s", rows[0].id)
    since = rows[1].finished_at
    assert desk.replay(connection=connection.id, trouble="validation", code=None, since=since, act=ACT) == 1
    rows[0].refresh_from_db()
    assert rows[0].state == "failed"


# ── plan again ──────────────────────────────────────────────────────────────────────────────────────────────────────
def test_planning_again_changes_nothing_where_nothing_differs(crm: tuple[Far, Connection]) -> None:
    _, connection = crm
    customers = [pipeline.customer_of("erp", pipeline.person(n)) for n in range(3)]
    outward.settle()
    assert desk.plan_again(connection=connection.id, act=ACT) == 3
    assert desk.plan_again(customers=customers[:2], act=ACT) == 2
    assert set(PlanDue.objects.values_list("customer", "lane")) == {
        (customers[0], 0),
        (customers[1], 0),
        (customers[2], 1),
    }
    while planner.drain(seconds=5):
        pass
    assert outward.states() == {"done": 3}
    with pytest.raises(Rejected):
        desk.plan_again(act=ACT)
    with pytest.raises(NotFound):
        desk.plan_again(connection=uuid7(), act=ACT)
