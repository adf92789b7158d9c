"""Holds: who may change a protected attribute at once, what waits, and what a decision does."""

from uuid import UUID

import pytest
from django.db import IntegrityError, transaction

from apps.common.act import Act
from apps.common.errors import Conflict, NotFound, Rejected
from apps.common.ids import uuid7
from apps.customers.golden import read_customers
from apps.customers.holds import parse_approval
from apps.customers.models import ChangeRequest, Hold
from apps.customers.ownership import parse_ownership
from apps.customers.refresh import decide_request, refresh
from apps.matching import judge
from apps.policies.active import document_hash
from apps.policies.models import Policy
from tests import pipeline
from tests.pipeline import alice, bob

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def hub() -> None:
    pipeline.systems()
    policy("ownership", {"owners": {}})


def policy(kind: str, body: dict[str, object]) -> None:
    version = Policy.objects.filter(kind=kind).count() + 1
    Policy.objects.filter(kind=kind, state="active").update(state="retired")
    Policy.objects.create(
        kind=kind, version=version, state="active", body=body, hash=document_hash(body), author="alice"
    )


def terms(value: str | None, *, system: str = "crm", act: Act | None = None) -> UUID:
    return pipeline.customer_of(system, pipeline.person(1, payment_terms=value), act=act or Act("client:crm", "sync"))


def standing(customer: UUID) -> tuple[str | None, dict[str, object]]:
    """(what readers see, what is held back)."""
    found = read_customers([customer])[customer]
    return found.values.get("payment_terms"), found.held


def request() -> ChangeRequest:
    return ChangeRequest.objects.get(state="open")


def test_a_new_customer_and_a_first_value_need_no_approval() -> None:
    customer = terms(None)
    assert standing(customer) == (None, {})
    terms("NET30")
    assert standing(customer) == ("NET30", {})
    assert not Hold.objects.exists()


def test_a_change_by_a_system_that_does_not_own_it_waits() -> None:
    customer = terms("NET30")
    terms("NET60")
    assert standing(customer) == ("NET30", {"payment_terms": "NET60"})
    hold = Hold.objects.get()
    assert (hold.kept_value, hold.proposed_value, hold.state) == ("NET30", "NET60", "open")
    assert (request().kind, request().author) == ("hold", "client:crm")
    assert pipeline.broken() == []


def test_an_owners_change_passes() -> None:
    policy("ownership", {"owners": {"payment_terms": ["crm"]}})
    customer = terms("NET30")
    terms("NET60")
    assert standing(customer) == ("NET60", {})


def test_an_owners_change_ends_what_waited() -> None:
    customer = terms("NET30")
    terms("NET60")
    policy("ownership", {"owners": {"payment_terms": ["erp"]}})
    terms("NET90", system="erp")
    assert standing(customer) == ("NET90", {})
    assert Hold.objects.get().state == ChangeRequest.objects.get().state == "closed"
    assert pipeline.broken() == []


def test_a_released_initial_load_passes() -> None:
    customer = terms("NET30")
    terms("NET60", act=Act("command:ingest", "first load", quiet=True))
    assert standing(customer) == ("NET60", {})


def test_approved_becomes_effective() -> None:
    customer = terms("NET30")
    terms("NET60")
    version = read_customers([customer])[customer].version
    assert decide_request(change_request=request().id, approve=True, act=bob()) == [customer]
    assert standing(customer) == ("NET60", {})
    assert read_customers([customer])[customer].version == version + 1
    decided = ChangeRequest.objects.get()
    assert (decided.state, decided.approver, Hold.objects.get().state) == ("approved", "user:bob", "approved")
    terms("NET60")
    assert standing(customer) == ("NET60", {})
    assert pipeline.broken() == []


def test_rejected_stands_until_the_proposal_changes() -> None:
    customer = terms("NET30")
    terms("NET60")
    decide_request(change_request=request().id, approve=False, act=bob())
    assert standing(customer) == ("NET30", {"payment_terms": "NET60"})
    before = pipeline.activity()[:2]
    refresh([customer], act=alice())
    assert pipeline.activity()[:2] == before
    assert Hold.objects.get().state == "rejected"
    terms("NET90")
    assert standing(customer) == ("NET30", {"payment_terms": "NET90"})
    assert sorted(Hold.objects.values_list("state", flat=True)) == ["closed", "open"]
    assert pipeline.broken() == []


def test_a_source_that_returns_to_the_kept_value_ends_the_matter() -> None:
    for approve in (None, False):
        customer = terms("NET30")
        terms("NET60")
        if approve is False:
            decide_request(change_request=request().id, approve=False, act=bob())
        terms("NET30")
        assert standing(customer) == ("NET30", {})
        assert not Hold.objects.filter(state__in=("open", "rejected")).exists()
    assert pipeline.broken() == []


def test_a_proposal_that_moves_stays_one_request() -> None:
    customer = terms("NET30")
    for value in ("NET60", "NET90"):
        terms(value)
    hold = Hold.objects.get()
    assert (hold.proposed_value, hold.kept_value) == ("NET90", "NET30")
    decide_request(change_request=request().id, approve=True, act=bob())
    assert standing(customer) == ("NET90", {})


def test_taking_a_value_away_waits_too() -> None:
    customer = terms("NET30")
    terms(None)
    assert standing(customer) == ("NET30", {"payment_terms": None})
    decide_request(change_request=request().id, approve=True, act=bob())
    assert standing(customer) == (None, {})
    assert pipeline.broken() == []


def test_the_author_never_decides() -> None:
    terms("NET30")
    terms("NET60", act=alice())
    with pytest.raises(Rejected):
        decide_request(change_request=request().id, approve=True, act=alice())
    with pytest.raises(IntegrityError), transaction.atomic():
        ChangeRequest.objects.update(approver="user:alice")
    decide_request(change_request=request().id, approve=True, act=bob())


def test_a_request_is_decided_once() -> None:
    terms("NET30")
    terms("NET60")
    id_ = request().id
    decide_request(change_request=id_, approve=False, act=bob())
    with pytest.raises(Conflict):
        decide_request(change_request=id_, approve=True, act=bob())
    with pytest.raises(NotFound):
        decide_request(change_request=uuid7(), approve=True, act=bob())


def test_a_merge_waits_for_the_attribute_and_not_for_the_rest() -> None:
    one = terms("NET30")
    other = pipeline.customer_of("erp", pipeline.person(2, payment_terms="NET60"))
    judge.merge(customers=[one, other], act=alice())
    assert standing(one) == ("NET30", {"payment_terms": "NET60"})
    assert request().author == "user:alice"
    records = pipeline.record_ids()
    judge.unmerge(customer=one, records=[records["erp:P2"]], act=bob())
    assert (standing(one), standing(other)) == (("NET30", {}), ("NET60", {}))
    assert not Hold.objects.filter(state__in=("open", "rejected")).exists()
    assert ChangeRequest.objects.get().state == "closed"
    assert pipeline.broken() == []


def test_what_left_with_its_members_does_not_stay_in_force() -> None:
    one = terms(None)
    other = pipeline.customer_of("erp", pipeline.person(2, payment_terms="NET60"))
    judge.merge(customers=[one, other], act=alice())
    assert standing(one) == ("NET60", {})
    judge.unmerge(customer=one, records=[pipeline.record_ids()["erp:P2"]], act=bob())
    assert (standing(one), standing(other)) == ((None, {}), ("NET60", {}))


def test_a_merge_and_an_unmerge_are_no_way_around_an_approval() -> None:
    one = pipeline.customer_of("erp", pipeline.person(2))
    other = terms("NET30")
    terms("NET60")
    judge.merge(customers=[one, other], act=alice())
    judge.unmerge(customer=one, records=[pipeline.record_ids()["crm:P1"]], act=alice())
    assert standing(other) == ("NET30", {"payment_terms": "NET60"})
    assert pipeline.broken() == []


def test_a_retired_customers_holds_end() -> None:
    one = pipeline.customer_of("erp", pipeline.person(2))
    other = terms("NET30")
    terms("NET60")
    judge.merge(customers=[one, other], act=alice())
    assert not Hold.objects.filter(customer=other, state__in=("open", "rejected")).exists()
    assert pipeline.broken() == []


def test_what_is_no_longer_protected_is_let_go() -> None:
    customer = terms("NET30")
    terms("NET60")
    for protected in ([], ["credit_limit"]):
        policy("approval", {"protected": protected})
        refresh([customer], act=alice())
        assert standing(customer) == ("NET60", {})
        assert pipeline.broken() == []


def test_policies_that_make_no_sense_are_refused() -> None:
    with pytest.raises(Rejected) as refused:
        parse_approval({"protected": ["shoe_size"]})
    assert refused.value.fields[0].field == "/protected"
    with pytest.raises(Rejected):
        parse_ownership({"owners": {"shoe_size": ["crm"]}})
