"""Polls and sweeps: nothing skipped, nothing twice, and nothing taken for deleted that was only not read."""

import json
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction

from apps.common.act import Act
from apps.connectors import deliver, poll
from apps.connectors.claim import claim
from apps.connectors.inbound import Door, Item, take_in
from apps.connectors.models import Connection
from apps.connectors.sandbox.running import Far
from apps.connectors.targets import targets
from apps.customers.models import Customer, Link, SourceRecord, System
from tests import outward, pipeline
from tests.connectors import outbox
from tests.pipeline import execute, one, person, take

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("creates_people")]


@pytest.fixture
def limits() -> dict[str, Any]:
    return {"timeout": 5, "overlap_seconds": 1e-6}


def native(n: int, **values: Any) -> dict[str, Any]:
    """Account C-n of the CRM, unlike every other."""
    p = person(n)
    return {
        "Id": f"C-{n}", "RecordType": "Person", "FirstName": p["given_name"], "LastName": p["family_name"], "PersonEmail": p["email"],
        "PersonBirthdate": p["birth_date"], "BillingCity": "Ulm", "Status__c": "Active", **values,
    }  # fmt: skip


def told(far: Far, *numbers: int) -> list[str]:
    """People from elsewhere that the hub made there, heard of by poll; their ids there."""
    take("billing" if far.kind == "erp" else "erp", *(person(n) for n in numbers))
    outward.settle()
    outward.poll_all()
    return [r["_id"] for r in far.records()]


def cursor(made: Connection) -> Any:
    return json.loads(one('SELECT "cursor"::text FROM connection WHERE id = %s', made.id)).get("changes")


class Killed(BaseException):
    """The process ends here."""


# ── the cursor ──────────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_poll_that_dies_keeps_neither_records_nor_cursor_and_the_next_has_both(
    crm: tuple[Far, Connection],
) -> None:
    far, made = crm
    far.load([native(n) for n in range(3)])
    target = outward.here(made)
    page = target.adapter.changes({}, limit=100, timeout=5)
    with pytest.raises(Killed), transaction.atomic():
        poll.take_in_far(target, page.records, correlation_id=made.id, cursor=page.cursor)
        assert SourceRecord.objects.filter(system__code="crm").count() == 3
        assert cursor(made) is not None
        raise Killed
    assert cursor(made) is None
    assert not SourceRecord.objects.exists()
    assert poll.poll(target) == 3
    assert cursor(made) is not None
    assert SourceRecord.objects.filter(system__code="crm").count() == 3
    assert poll.poll(target) == 0


def test_what_is_read_twice_makes_nothing(any_kind: tuple[Far, Connection]) -> None:
    far, made = any_kind
    told(far, 1, 2, 3)
    before = pipeline.activity()
    execute("UPDATE connection SET \"cursor\" = '{}'::jsonb")
    assert outward.poll_all() >= 3
    outward.settle()
    assert pipeline.activity() == before
    assert cursor(made)


def test_pages_are_read_to_the_end(crm: tuple[Far, Connection], monkeypatch: pytest.MonkeyPatch) -> None:
    far, made = crm
    monkeypatch.setattr(poll, "PAGE", 4)
    far.load([native(n) for n in range(11)])
    assert poll.poll(outward.here(made)) == 11
    assert SourceRecord.objects.filter(system__code="crm").count() == 11
    assert poll.poll(outward.here(made)) == 0


def test_a_page_that_cannot_be_read_leaves_the_cursor_where_it_is(any_kind: tuple[Far, Connection]) -> None:
    far, made = any_kind
    (id_,) = told(far, 1)
    before = cursor(made)
    far.edit(
        id_,
        {"city": "Bonn"}
        if far.kind in ("erp", "support")
        else {"phone" if far.kind == "billing" else "Phone": "+49 30 7654321"},
    )
    far.faults(error_500=1.0)
    assert outward.poll_all() == 0
    assert cursor(made) == before
    assert one("SELECT failures FROM circuit WHERE connection_id = %s", made.id) == 1, "reads count as writes do"
    far.faults()
    assert outward.poll_all() == 1


def test_two_polls_at_once_take_everything_in_once(crm: tuple[Far, Connection]) -> None:
    far, made = crm
    far.load([native(n) for n in range(30)])
    target = outward.here(made)

    with outbox.side_by_side(3, lambda: poll.poll(target)):
        pass
    assert SourceRecord.objects.filter(system__code="crm").count() == 30
    assert set(SourceRecord.objects.filter(system__code="crm").values_list("version", flat=True)) == {1}
    assert one("SELECT count(*) FROM quarantine") == 0
    assert poll.poll(target) == 0
    pipeline.drain_all()
    assert Customer.objects.filter(active=True).count() == 30
    assert pipeline.broken() == []


def test_whose_turn_it_is_and_only_once(crm: tuple[Far, Connection]) -> None:
    _, made = crm
    assert poll.claim_due("poll") == [made.id]
    assert poll.claim_due("poll") == []
    execute("UPDATE connection SET poll_due_at = clock_timestamp(), mode = 'paused' WHERE id = %s", made.id)
    assert poll.claim_due("poll") == []
    execute("UPDATE connection SET mode = 'observe' WHERE id = %s", made.id)
    assert poll.claim_due("poll") == [made.id], "what a target says is heard while nothing is told"


# ── what somebody there does ────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("kind", ["crm", "billing", "support", "erp"])
def test_a_record_that_is_deleted_there_is_gone_here_and_not_made_again(kind: str, tmp_path: Path) -> None:
    with outward.target(kind, tmp_path / "far.db") as (far, made):
        kept, gone = told(far, 1, 2)
        far.delete(gone)
        outward.poll_all()
        poll.sweep(outward.here(made))
        assert Link.objects.get(external_id=gone, system__code=kind).disposition == "gone"
        assert Link.objects.get(external_id=kept, system__code=kind).disposition == "there"
        outward.settle()
        take("billing" if kind == "erp" else "erp", person(2, city="Bonn"))
        outward.settle()
        assert sum(not r["_deleted"] for r in far.records()) == 1
        assert pipeline.broken() == []


def test_a_merge_there_is_kept_with_who_took_the_record_in(crm: tuple[Far, Connection]) -> None:
    far, _ = crm
    far.load([native(1), native(2)])
    outward.poll_all()
    far.merge("C-1", "C-2")
    outward.poll_all()
    outward.settle()
    lost = Link.objects.get(external_id="C-2")
    assert (lost.merged_into, lost.disposition) == ("C-1", "gone")
    assert Link.objects.get(external_id="C-1").merged_into == ""
    assert pipeline.broken() == []


def test_the_same_change_by_webhook_and_poll_is_one_version(crm: tuple[Far, Connection]) -> None:
    far, made = crm
    far.load([native(1)])
    outward.poll_all()
    far.edit("C-1", {"BillingCity": "Bonn"})
    said = {k: v for k, v in far.record("C-1").items() if not k.startswith("_")}
    target = outward.here(made)
    door = Door(System.objects.get(code="crm"), target.mapping)
    for _ in range(2):
        take_in(door=door, items=[Item(said, json.dumps(said))], act=Act("webhook:CRM", "webhook"))
    assert outward.poll_all() == 1
    assert SourceRecord.objects.get().version == 2
    assert Customer.objects.get().version == 2
    assert Customer.objects.get().addresses[0]["city"] == "Bonn"


# ── what was read before the hub's last word ────────────────────────────────────────────────────────────────────────
def test_a_reading_that_is_older_than_what_was_acknowledged_since_is_no_news(any_kind: tuple[Far, Connection]) -> None:
    """The poll read the record, then the hub's change was told and acknowledged, then what was read came in."""
    far, made = any_kind
    origin = "billing" if far.kind == "erp" else "erp"
    told(far, 1)
    take(origin, person(1, city="Ulm"))
    outward.settle()
    target = outward.here(made)
    read_at = poll._clock()
    page = target.adapter.changes(cursor(made) or {}, limit=100, timeout=5)
    assert len(page.records) >= 1
    take(origin, person(1, city="Bonn"))
    outward.settle()
    poll.take_in_far(target, page.records, correlation_id=made.id, cursor=page.cursor, read_at=read_at)
    outward.settle()
    assert (
        one("SELECT last_sent ->> 'city' FROM link l JOIN system y ON y.id = l.system_id WHERE y.code = %s", far.kind)
        == "Bonn"
    )
    record = SourceRecord.objects.get(system__code=far.kind)
    assert (record.version, record.canonical) == (1, {"kind": "person"})
    assert one("SELECT count(*) FROM delivery WHERE cause = 'reassert'") == 0
    assert outward.poll_all() >= 1, "the hub's own word changed it: it is read again"
    outward.settle()
    assert SourceRecord.objects.get(system__code=far.kind).version == 1
    assert pipeline.broken() == []


def test_a_value_that_is_on_its_way_and_read_before_its_answer_is_no_news(any_kind: tuple[Far, Connection]) -> None:
    far, _ = any_kind
    origin = "billing" if far.kind == "erp" else "erp"
    told(far, 1)
    take(origin, person(1, city="Bonn"))
    outward.relay_all()
    outward.planner.drain()
    (going,) = claim(targets(), most=1)
    answer = deliver.tell(going, targets()[going.connection])
    assert answer.trouble is None
    outward.poll_all()
    assert SourceRecord.objects.get(system__code=far.kind).version == 1
    execute("UPDATE delivery SET lease_until = clock_timestamp(), due_at = clock_timestamp() WHERE state = 'sending'")
    outward.settle()
    assert set(outward.states()) <= {"done", "superseded"}
    assert SourceRecord.objects.get(system__code=far.kind).version == 1
    assert pipeline.broken() == []


# ── sweeps ──────────────────────────────────────────────────────────────────────────────────────────────────────────
def vanished(far: Far, *ids: str) -> None:
    """These are gone there without a trace, as though they had been removed from its database by hand."""
    left = [r for r in far.records() if r["_id"] not in ids]
    far.empty()
    far.load([{k: v for k, v in r.items() if not k.startswith("_")} for r in left])


def test_a_sweep_finds_what_went_without_a_word(any_kind: tuple[Far, Connection]) -> None:
    far, made = any_kind
    kept, lost = told(far, 1, 2)
    vanished(far, lost)
    outward.poll_all()
    assert Link.objects.get(external_id=lost, system__code=far.kind).disposition == "there", "no poll can see it"
    assert poll.sweep(outward.here(made)) == [lost]
    assert one("SELECT count(*) FROM quarantine") == 0
    assert Link.objects.get(external_id=lost, system__code=far.kind).disposition == "gone"
    found = SourceRecord.objects.filter(system__code=far.kind)
    assert dict(found.values_list("external_id", "deleted")) == {kept: False, lost: True}
    assert poll.sweep(outward.here(made)) == [], "it is told once"
    outward.settle()
    assert pipeline.broken() == []


@pytest.mark.parametrize("fault", [{"error_500": 1.0}, {"auth_off": True}, {"html_instead_of_json": 1.0, "html_status": 200}, {"ok_with_error_inside": 1.0}],
                         ids=["500", "auth", "html", "200 with an error"])  # fmt: skip
def test_a_sweep_that_cannot_read_deletes_nothing(fault: dict[str, Any], any_kind: tuple[Far, Connection]) -> None:
    far, made = any_kind
    told(far, 1, 2)
    far.faults(**fault)
    assert poll.sweep(outward.here(made)) == []
    assert not SourceRecord.objects.filter(deleted=True).exists()
    assert not Link.objects.filter(disposition="gone").exists()


def test_a_sweep_that_fails_half_way_deletes_nothing(
    crm: tuple[Far, Connection], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first page comes, the second one does not: what is on it is not gone."""
    far, made = crm
    monkeypatch.setattr(poll, "PAGE", 1)
    far.load([native(n) for n in range(12)])
    assert poll.poll(outward.here(made)) == 12
    target = outward.here(made)
    first = target.adapter.list({}, limit=4, timeout=5)
    assert first.more
    assert len(first.records) == 4

    class Fails:
        """Well for one page, then the real target's real errors."""

        can = target.adapter.can
        asked = 0

        def list(self, cursor: Any, *, limit: int, timeout: float) -> Any:
            self.asked += 1
            if self.asked == 2:
                far.faults(error_500=1.0)
            return real.list(cursor, limit=limit, timeout=timeout)

        def close(self) -> None:
            real.close()

    real = target.adapter
    target._adapter = fails = Fails()  # type: ignore[assignment]  # the part of an adapter that is called
    assert poll.sweep(target) == []
    assert fails.asked == 2
    assert not SourceRecord.objects.filter(deleted=True).exists()


def test_a_sweep_leaves_alone_what_was_made_while_it_read(crm: tuple[Far, Connection]) -> None:
    """A record that is younger than the list is not on it."""
    far, made = crm
    told(far, 1)
    assert poll.sweep(outward.here(made)) == []
    execute("UPDATE link SET created_at = clock_timestamp() + interval '1 minute'")
    vanished(far, far.records()[0]["_id"])
    assert poll.sweep(outward.here(made)) == []


def test_one_target_that_breaks_stops_no_other(tmp_path: Path) -> None:
    with (
        outward.target("crm", tmp_path / "crm.db", live=False) as (crm, broken),
        outward.target("support", tmp_path / "s.db", live=False) as (support, _),
    ):
        crm.load([native(1)])
        support.load(
            [
                {
                    "id": 501,
                    "contact_type": "person",
                    "given_name": "Udo",
                    "family_name": "Winter",
                    "email": "udo@winter.example",
                }
            ]
        )
        target = outward.here(broken)

        class Breaks:
            can = target.adapter.can

            def changes(self, *args: Any, **options: Any) -> Any:
                raise ZeroDivisionError("the hub's own fault")

            list = changes

            def close(self) -> None:
                return

        target._adapter = Breaks()  # type: ignore[assignment]  # the part of an adapter that is called
        assert poll.run_due() >= 1
        assert set(SourceRecord.objects.values_list("system__code", flat=True)) == {"support"}
