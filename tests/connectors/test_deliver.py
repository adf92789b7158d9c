"""Telling over real HTTP, fault by fault: what each costs the delivery, and that nothing is made twice or lost."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from apps.connectors import connections
from apps.connectors.contract import Adapter, Answer, Write
from apps.connectors.models import Circuit, Connection, Delivery, DeliveryAttempt
from apps.connectors.sandbox.running import Far
from apps.customers.models import Link
from tests import outward, pipeline
from tests.connectors.telling import again, delivery, source, value, without_chance
from tests.pipeline import execute, one, person, query, take

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def limits() -> dict[str, Any]:
    return {"timeout": 3}


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch, creates_people: None) -> None:
    without_chance(monkeypatch)


# ── what burns no attempt ───────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("fault", ["throttle_429", "error_503_retry_after", "request_limit"])
def test_a_target_that_has_enough_is_left_alone_as_long_as_it_says(fault: str, crm: tuple[Far, Connection]) -> None:
    far, made = crm
    far.faults(**{fault: 1.0, "retry_after": 60})
    take("erp", person(1), person(2))
    outward.settle()
    assert set(Delivery.objects.values_list("state", "burned", "trouble")) <= {
        ("waiting", 0, "throttled"),
        ("waiting", 0, ""),
    }
    held = one(
        "SELECT extract(epoch FROM not_before - clock_timestamp())::float8 FROM circuit WHERE connection_id = %s",
        made.id,
    )
    assert (50 if fault != "request_limit" else 2) < held <= 60
    before = far.requests()["requests"]["total"]
    execute("UPDATE delivery SET due_at = clock_timestamp()")
    outward.settle()
    assert far.requests()["requests"]["total"] == before, "it was called before its time"
    circuit = Circuit.objects.get(connection=made)
    assert (circuit.state, circuit.failures) == ("closed", 0), "to be busy is no illness"
    far.faults()
    again()
    assert len(far.records()) == 2


def test_refused_credentials_pause_the_connection_and_a_resume_goes_on(any_kind: tuple[Far, Connection]) -> None:
    far, made = any_kind
    far.faults(auth_off=True)
    take(source(far), *(person(n) for n in range(3)))
    outward.settle()
    made.refresh_from_db()
    assert (made.mode, made.paused_by) == ("paused", "hub:deliver")
    assert made.paused_reason.startswith("Its credentials are refused")
    assert set(Delivery.objects.values_list("state", "burned")) == {("waiting", 0)}
    far.faults()
    again()
    assert far.records() == []
    connections.resume(connection=made.id, act=outward.BOB)
    again()
    assert len(far.records()) == 3
    assert outward.states() == {"done": 3}


@pytest.mark.parametrize(
    "fault", [{"read_only": True}, {"redirect": "http://127.0.0.1:9/elsewhere"}], ids=["read_only", "redirect"]
)
def test_what_only_a_person_can_mend_pauses_and_burns_nothing(
    fault: dict[str, Any], any_kind: tuple[Far, Connection]
) -> None:
    far, made = any_kind
    far.faults(**fault)
    take(source(far), person(1))
    outward.settle()
    made.refresh_from_db()
    assert made.mode == "paused"
    assert made.paused_reason
    assert (delivery().state, delivery().burned) == ("waiting", 0)
    far.faults()
    connections.resume(connection=made.id, act=outward.BOB)
    again()
    assert len(far.records()) == 1


# ── what the target says inside ─────────────────────────────────────────────────────────────────────────────────────
def test_200_with_an_error_inside_is_no_success(any_kind: tuple[Far, Connection]) -> None:
    far, _ = any_kind
    far.faults(ok_with_error_inside=1.0, methods="POST,PATCH,PUT")
    take(source(far), person(1))
    outward.settle(rounds=1)
    assert far.records() == []
    assert not Link.objects.filter(system__code=far.kind).exists()
    assert delivery().trouble in ("transient", "fatal", "validation")
    assert DeliveryAttempt.objects.get().status == 200


def test_a_status_word_nobody_knows_stops_no_delivery(crm: tuple[Far, Connection]) -> None:
    far, _ = crm
    take("erp", person(1, status="active"))
    outward.settle()
    far.faults(status_word="Zombie")
    far.edit(far.records()[0]["_id"], {"Website": "https://new.example"})
    outward.poll_all()
    take("erp", person(1, status="active", city="Ulm"))
    outward.settle()
    assert value(far, "city") == "Ulm"
    assert not Delivery.objects.filter(state="failed").exists()


def test_a_conflict_keeps_what_somebody_changed_there_and_ours_is_told_on_top(tmp_path: Path) -> None:
    with outward.target("erp", tmp_path / "erp.db") as (far, _):
        take("billing", person(1, city="Ulm"))
        outward.settle()
        far.faults(conflict=1.0, times=1)
        take("billing", person(1, city="Bonn"))
        outward.settle()
        again()
        assert value(far, "city") == "Bonn"
        assert far.requests()["faults"]["conflict"] == 1
        assert DeliveryAttempt.objects.filter(trouble="conflict").exists()
        assert set(outward.states()) <= {"done", "superseded"}
        assert pipeline.broken() == []


def test_a_conflict_over_another_field_leaves_their_value_there(tmp_path: Path) -> None:
    """The telephone is not the hub's to tell: what somebody puts there between stays."""
    outward.policy(erp={"creates": ["person"], "attributes": ["name", "given_name", "family_name", "addresses"]})
    with outward.target("erp", tmp_path / "erp.db") as (far, _):
        take("billing", person(1, city="Ulm"))
        outward.settle()
        far.faults(conflict=1.0, times=1)
        take("billing", person(1, city="Bonn"))
        outward.settle()
        again()
        assert value(far, "city") == "Bonn"
        assert value(far, "telephone").startswith("+49 30 555")
        record = one(
            "SELECT canonical::text FROM source_record s JOIN system y ON y.id = s.system_id WHERE y.code = 'erp'"
        )
        assert "+4930555" in record.replace(" ", ""), "it was taken in"


def test_what_was_deleted_there_between_is_not_made_again(any_kind: tuple[Far, Connection]) -> None:
    far, _ = any_kind
    take(source(far), person(1, city="Ulm"))
    outward.settle()
    far.delete(far.records()[0]["_id"])
    take(source(far), person(1, city="Bonn"))
    outward.settle()
    failed = Delivery.objects.get(state="failed")
    assert failed.trouble == "not_found"
    assert Link.objects.get(system__code=far.kind).disposition == "gone"
    outward.poll_all()
    take(source(far), person(1, city="Kiel"))
    outward.settle()
    assert [r["_deleted"] for r in far.records()] == [True]


class ToldMeanwhile:
    """The adapter of a target, where right after the first search another process, with the same delivery, has made the record."""

    def __init__(self, adapter: Adapter, make: Callable[[str], None]) -> None:
        self.adapter, self.make, self.can, self.replay_hours = adapter, [make], adapter.can, adapter.replay_hours

    def find(self, hub_key: str, *, timeout: float) -> Answer:
        found = self.adapter.find(hub_key, timeout=timeout)
        while self.make:
            self.make.pop()(hub_key)
        return found

    def __getattr__(self, name: str) -> Any:
        return getattr(self.adapter, name)


@pytest.mark.parametrize("when", ["before the search", "after the search"])
def test_a_key_that_is_there_already_is_adopted(when: str, tmp_path: Path) -> None:
    """The ERP refuses a second record with our key; the one it has is ours."""
    with outward.target("erp", tmp_path / "erp.db") as (far, made):
        take("billing", person(1))
        outward.relay_all()
        outward.planner.drain()
        waits, target = delivery(), outward.here(made)

        def make(key: str) -> None:
            far.load(
                [
                    {
                        "customerid": "77",
                        "mdmkey": key,
                        "customertype": "person",
                        "firstname": "Anna",
                        "lastname": "Sommer",
                    }
                ]
            )

        if when == "before the search":
            make(str(waits.record_id))
        else:
            target._adapter = ToldMeanwhile(target.adapter, make)
        outward.settle(rounds=1)
        for _ in range(2):
            again()
        (there,) = far.records()
        assert Link.objects.get(system__code="erp").external_id == there["_id"] == "77"
        waits.refresh_from_db()
        assert waits.state == "done"


# ── the breaker ─────────────────────────────────────────────────────────────────────────────────────────────────────
def test_the_breaker_opens_after_ten_in_a_row_probes_and_closes(crm: tuple[Far, Connection]) -> None:
    far, made = crm
    far.faults(reset=1.0)
    take("erp", *(person(n) for n in range(60)))
    outward.settle()
    circuit = Circuit.objects.get(connection=made)
    assert (circuit.state, circuit.trips) == ("open", 1)
    called = DeliveryAttempt.objects.count()
    assert 10 <= called < 40, "what was in flight, or not written down yet, comes on top"
    execute("UPDATE delivery SET due_at = clock_timestamp() WHERE state IN ('waiting', 'uncertain')")
    outward.settle()
    assert DeliveryAttempt.objects.count() == called, "nobody calls while it is open"
    execute("UPDATE circuit SET probe_at = clock_timestamp()")
    outward.settle()
    assert DeliveryAttempt.objects.count() == called + 1, "one call tries"
    circuit.refresh_from_db()
    assert (circuit.state, circuit.trips) == ("open", 2)
    far.faults()
    again()
    circuit.refresh_from_db()
    assert (circuit.state, circuit.trips, circuit.failures) == ("closed", 0, 0)
    again()
    assert len(far.records()) == 60
    assert outward.states() == {"done": 60}


def test_a_target_that_is_away_altogether_is_told_when_it_is_back(crm: tuple[Far, Connection]) -> None:
    far, _ = crm
    far.kill()
    take("erp", *(person(n) for n in range(3)))
    outward.settle(rounds=1)
    assert set(Delivery.objects.values_list("state", "trouble")) == {("waiting", "transient")}, (
        "nothing of it arrived there"
    )
    far.start()
    again()
    assert len(far.records()) == 3


# ── poison, and what is kept ────────────────────────────────────────────────────────────────────────────────────────
class Breaks:
    """The adapter of a target, but that the hub's own code breaks over one record."""

    def __init__(self, adapter: Adapter, record: str) -> None:
        self.adapter, self.record, self.can, self.replay_hours = adapter, record, adapter.can, adapter.replay_hours

    def write(self, write: Write, *, timeout: float) -> Answer:
        if write.hub_key == self.record:
            raise ZeroDivisionError("the hub's own fault")
        return self.adapter.write(write, timeout=timeout)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.adapter, name)


def test_what_breaks_the_hub_itself_goes_to_the_desk_and_the_others_arrive(crm: tuple[Far, Connection]) -> None:
    far, made = crm
    take("erp", *(person(n) for n in range(5)))
    outward.relay_all()
    outward.planner.drain()
    poison = Delivery.objects.order_by("id")[2]
    target = outward.here(made)
    target._adapter = Breaks(target.adapter, str(poison.record_id))
    outward.settle()
    poison.refresh_from_db()
    assert (poison.state, poison.trouble, poison.code) == ("failed", "fatal", "ZeroDivisionError")
    assert outward.states() == {"done": 4, "failed": 1}
    assert len(far.records()) == 4


def test_credentials_and_sensitive_values_are_nowhere_in_the_database(any_kind: tuple[Far, Connection]) -> None:
    far, _ = any_kind
    far.faults(error_500=1.0, times=1)
    take(source(far), person(1, city="Ulm", national_id="AB123456C"))
    outward.settle()
    again()
    far.faults(auth_off=True)
    take(source(far), person(1, city="Bonn"))
    outward.settle()
    tried = list(DeliveryAttempt.objects.values_list("request", "response"))
    assert len(tried) >= 3
    assert all(request for request, _ in tried)
    assert all("AB123456C" not in request + response for request, response in tried)
    assert found_in_the_database(far.key) == []


def found_in_the_database(text: str) -> list[str]:
    """Columns of any table that hold `text` in any row."""
    columns = query(
        "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'"
        " AND data_type IN ('text', 'jsonb', 'json', 'character varying', 'bytea', 'ARRAY')"
    )
    assert len(columns) > 100
    return [
        f"{table}.{column}"
        for table, column in columns
        if one(
            f'SELECT count(*) FROM "{table}" WHERE position(%s in coalesce("{column}"::text, \'\')) > 0'
            f' OR position(encode(%s::bytea, \'hex\') in coalesce("{column}"::text, \'\')) > 0',
            text, text.encode(),
        )
    ]  # fmt: skip
