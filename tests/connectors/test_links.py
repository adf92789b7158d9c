"""Records the hub makes in a target: one link each, whoever hears of it first, and it goes where the record it follows goes."""

from uuid import UUID

import pytest

from apps.connectors import deliver
from apps.connectors.claim import Claimed, claim
from apps.connectors.contract import Answer
from apps.connectors.models import Connection, Delivery
from apps.connectors.sandbox.running import Far
from apps.connectors.settle import Result, settle
from apps.connectors.targets import targets
from apps.customers.models import Customer, Link, SourceRecord
from apps.customers.queries_search import search
from apps.matching import judge
from tests import outward, pipeline
from tests.connectors.telling import source, without_chance
from tests.pipeline import customer_of, execute, one, person, take

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch, creates_people: None) -> None:
    without_chance(monkeypatch)


def planned() -> None:
    outward.relay_all()
    outward.planner.drain()


def carried_out() -> tuple[Claimed, Answer]:
    """One delivery told, its answer not written down: the process dies between the two, or is slow."""
    (claimed,) = claim(targets(), most=1)
    answer = deliver.tell(claimed, targets()[claimed.connection])
    assert answer.trouble is None
    return claimed, answer


def written_down(claimed: Claimed, answer: Answer) -> int:
    return settle(
        [
            Result(
                claimed,
                targets()[claimed.connection],
                answer,
                deliver.backoff.after(None, burned=0, retry_after=None, chance=0),
            )
        ]
    )


def lease_over() -> None:
    execute("UPDATE delivery SET lease_until = clock_timestamp(), due_at = clock_timestamp() WHERE state = 'sending'")


def of(far: Far) -> SourceRecord:
    return SourceRecord.objects.get(system__code=far.kind)


def test_a_record_that_was_made_follows_the_one_it_was_made_for(any_kind: tuple[Far, Connection]) -> None:
    far, _ = any_kind
    customer = customer_of(source(far), person(1))
    outward.settle()
    made, (there,) = of(far), far.records()
    assert made.external_id == there["_id"]
    assert made.follows_id == SourceRecord.objects.get(system__code=source(far)).id
    assert (made.customer_id, made.version, made.state) == (customer, 1, "built")
    link = Link.objects.get(system__code=far.kind)
    assert (link.external_id, link.state, link.disposition) == (there["_id"], "active", "there")
    assert link.acknowledged_customer == customer
    assert one("SELECT count(*) FROM match_record WHERE source_record_id = %s", made.id) == 0, "it is never matched"
    assert Customer.objects.get().version == 1, "it says nothing by itself"
    assert pipeline.broken() == []


def test_the_new_id_is_found_at_once(any_kind: tuple[Far, Connection]) -> None:
    far, _ = any_kind
    customer = customer_of(source(far), person(1))
    outward.settle()
    id_ = far.records()[0]["_id"]
    assert (
        one("SELECT customer_id FROM lookup_key WHERE kind = 'external' AND value = %s", f"{far.kind}:{id_}")
        == customer
    )
    assert [h.id for h in search(f"{far.kind}:{id_}", limit=5).items] == [customer]


def test_a_create_is_confirmed_once(any_kind: tuple[Far, Connection]) -> None:
    far, _ = any_kind
    customer_of(source(far), person(1))
    planned()
    claimed, answer = carried_out()
    assert [written_down(claimed, answer) for _ in range(3)] == [1, 0, 0]
    assert Link.objects.filter(system__code=far.kind).count() == 1
    assert (
        one(
            "SELECT count(*) FROM membership m JOIN source_record s ON s.id = m.source_record_id WHERE s.id = %s",
            of(far).id,
        )
        == 1
    )


def test_a_poll_that_hears_of_it_before_the_answer_is_written_down_adopts_it(any_kind: tuple[Far, Connection]) -> None:
    far, _ = any_kind
    customer = customer_of(source(far), person(1))
    planned()
    claimed, answer = carried_out()
    assert outward.poll_all() >= 1
    assert of(far).customer_id == customer
    assert Customer.objects.count() == 1, "what the hub made itself became a customer of its own"
    assert Customer.objects.get().version == 1, "an echo made a version"
    written_down(claimed, answer)
    assert Delivery.objects.get(id=claimed.id).state == "done"
    outward.settle()
    assert len(far.records()) == 1
    assert Link.objects.filter(system__code=far.kind).count() == 1
    assert pipeline.broken() == []


def test_the_process_dies_after_the_effect_and_a_poll_comes_before_the_next_attempt(
    any_kind: tuple[Far, Connection],
) -> None:
    far, _ = any_kind
    customer_of(source(far), person(1))
    planned()
    carried_out()
    outward.poll_all()
    lease_over()
    for _ in range(2):
        outward.settle()
        outward.due_now()
    assert len(far.records()) == 1
    assert Link.objects.filter(system__code=far.kind).count() == 1
    assert set(outward.states()) <= {"done", "superseded"}
    assert Customer.objects.get().version == 1
    assert pipeline.broken() == []


@pytest.mark.parametrize("answered", [True, False], ids=["the answer comes late", "the process died"])
def test_a_create_that_a_poll_told_of_takes_nothing_back_that_was_told_since(
    any_kind: tuple[Far, Connection], *, answered: bool
) -> None:
    far, _ = any_kind
    customer_of(source(far), person(1, city="Ulm"))
    planned()
    claimed, answer = carried_out()
    outward.poll_all()
    take(source(far), person(1, city="Bonn"))
    outward.settle()
    (there,) = far.records()
    told = far.requests(log=True)["log"]
    if answered:
        written_down(claimed, answer)
    else:
        lease_over()
    for _ in range(3):
        outward.settle()
        outward.due_now()
    assert far.requests(log=True)["log"] == told, "it was told once more"
    assert far.records() == [there]
    assert set(outward.states()) <= {"done", "superseded"}
    assert pipeline.broken() == []


def test_the_process_dies_after_the_effect_and_the_next_attempt_comes_before_any_poll(
    any_kind: tuple[Far, Connection],
) -> None:
    far, _ = any_kind
    customer_of(source(far), person(1))
    planned()
    carried_out()
    lease_over()
    outward.settle()
    assert len(far.records()) == 1
    assert outward.states() == {"done": 1}
    outward.poll_all()
    outward.settle()
    assert Customer.objects.get().version == 1
    assert pipeline.broken() == []


def test_an_uncertain_create_that_a_poll_tells_of_is_done(crm: tuple[Far, Connection]) -> None:
    far, _ = crm
    far.faults(lost_reply=1.0, times=1, methods="PATCH")
    customer_of("erp", person(1))
    outward.settle(rounds=1)
    execute("UPDATE delivery SET due_at = clock_timestamp() + interval '1 hour' WHERE state = 'uncertain'")
    assert Delivery.objects.get().state == "uncertain"
    outward.poll_all()
    told = Delivery.objects.get()
    assert (told.state, told.reason) == ("done", "the target told of it")
    outward.settle()
    assert len(far.records()) == 1
    assert pipeline.broken() == []


def test_a_customer_that_is_merged_between_claim_and_answer(any_kind: tuple[Far, Connection]) -> None:
    """The record follows the one it was made for to the survivor; who survives is told what it is now."""
    far, _ = any_kind
    one_, other = (customer_of(source(far), person(n)) for n in (1, 2))
    planned()
    (claimed,) = claim(targets(), most=1)
    answer = deliver.tell(claimed, targets()[claimed.connection])
    survivor = next(iter(set(judge.merge(customers=[one_, other], act=pipeline.alice()).customer_of.values())))
    assert written_down(claimed, answer) == 1
    made = SourceRecord.objects.get(system__code=far.kind, external_id=answer.external_id)
    assert made.customer_id == survivor
    for _ in range(2):
        outward.settle()
        outward.due_now()
    assert {r.customer_id for r in SourceRecord.objects.filter(system__code=far.kind)} == {survivor}
    assert not Delivery.objects.filter(state__in=("waiting", "failed", "uncertain")).exists()
    assert pipeline.broken() == []


def where_made() -> dict[UUID, UUID]:
    """The record that is followed -> the customer of the record that follows."""
    return dict(SourceRecord.objects.filter(system__code="crm").values_list("follows_id", "customer_id"))


def test_what_follows_goes_along_on_merge_and_unmerge(crm: tuple[Far, Connection]) -> None:
    far, _ = crm
    found = [customer_of("erp", person(n)) for n in (1, 2)]
    outward.settle()
    ids = pipeline.record_ids()
    assert where_made() == {ids["erp:P1"]: found[0], ids["erp:P2"]: found[1]}
    survivor = next(iter(set(judge.merge(customers=found, act=pipeline.alice()).customer_of.values())))
    outward.settle()
    assert set(where_made().values()) == {survivor}
    judge.unmerge(customer=survivor, records=[ids["erp:P2"]], act=pipeline.alice())
    outward.settle()
    now = {r.id: r.customer_id for r in SourceRecord.objects.filter(system__code="erp")}
    assert where_made() == now
    assert len(set(now.values())) == 2
    assert {r["LastName"] for r in far.records()} == {person(1)["family_name"], person(2)["family_name"]}
    assert len(far.records()) == 2
    assert pipeline.broken() == []


def test_a_key_that_is_none_of_ours_adopts_nothing(crm: tuple[Far, Connection]) -> None:
    far, _ = crm
    far.load([
        {"Id": "C-1", "RecordType": "Person", "FirstName": "Anna", "LastName": "Sommer", "MDM_Key__c": "not a key"},
        {"Id": "C-2", "RecordType": "Person", "FirstName": "Udo", "LastName": "Winter", "MDM_Key__c": "01890000-0000-7000-8000-000000000000"},
    ])  # fmt: skip
    outward.poll_all()
    found = SourceRecord.objects.filter(system__code="crm")
    assert found.count() == 2
    assert all(r.follows_id is None for r in found)
