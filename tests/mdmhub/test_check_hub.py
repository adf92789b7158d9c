"""manage.py check_hub: broken promises are found, named, and mended where doing the work again mends them."""

import json
from datetime import timedelta
from io import StringIO
from typing import Any
from uuid import UUID

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from apps.common.ids import uuid7
from apps.customers.models import Customer, Hold
from apps.events.models import AuditCheck
from apps.matching import merge_requests
from mdmhub.checkup import MENDED_BY, PROMISES
from mdmhub.demo.checkdigits import TAX_ID
from tests import pipeline
from tests.customers import given
from tests.pipeline import query

pytestmark = pytest.mark.django_db

FIRM = {"kind": "organization", "organization_name": "Werft GmbH", "tax_id": TAX_ID["DE"](910_001)}


@pytest.fixture(autouse=True)
def customer() -> UUID:
    """A person of two records and a company; every promise holds."""
    pipeline.systems()
    pipeline.take("crm", pipeline.person(1))
    pipeline.take("erp", pipeline.person(1, payment_terms="NET30"))
    pipeline.take("billing", {"record_id": "o", **FIRM})
    return pipeline.where()["crm:P1"]


def check(*options: str) -> tuple[int, str]:
    """Exit code and what was printed."""
    out = StringIO()
    try:
        call_command("check_hub", *options, stdout=out)
    except SystemExit as ended:
        return int(str(ended.code)), out.getvalue()
    return 0, out.getvalue()


def by_hand(statement: str, *values: Any) -> None:
    """With the guards of the database off."""
    query("SET LOCAL session_replication_role = replica")
    query(statement, *values)
    query("SET LOCAL session_replication_role = origin")


def test_a_sound_hub_says_so_promise_by_promise() -> None:
    code, said = check()
    assert code == 0
    assert said.count(" ok ") == len(PROMISES) == len(said.splitlines()) - 3
    assert [line.split()[0] for line in said.splitlines()] == [f"I{n}" for n in range(1, 18)]
    assert said.count("by tests") == 2
    assert "I14  not yet" in said


def test_the_audit_counts_as_it_was_verified_last() -> None:
    told = {"table": "event", "id": "e1", "detail": "the row is not as it was sealed"}
    now = timezone.now()
    AuditCheck.objects.create(started_at=now, finished_at=now, broken=1, findings=[told])
    AuditCheck.objects.create(started_at=now + timedelta(hours=1))  # not done yet
    code, said = check()
    assert code == 1
    assert f"verified {now:%Y-%m-%d %H:%M} UTC" in said
    assert "event e1  the row is not as it was sealed" in said


def test_values_are_derived_again_where_that_is_asked_for(customer: UUID) -> None:
    """A name that nobody says: the tables agree with one another, but not with the records."""
    assert check("--values")[0] == 0
    by_hand("UPDATE customer SET payment_terms = 'NET99' WHERE id = %s", customer)
    by_hand("UPDATE historical_customer SET payment_terms = 'NET99' WHERE id = %s", customer)
    assert check()[0] == 0
    code, said = check("--values")
    assert code == 1
    assert f"{customer}  would be derived otherwise: payment_terms" in said
    assert "manage.py rebuild_customers" in said


def test_derived_rows_are_mended_and_history_goes_on(customer: UUID) -> None:
    by_hand("UPDATE customer SET member_count = 9 WHERE id = %s", customer)
    by_hand("""UPDATE customer SET held = '{"payment_terms": "NET60"}' WHERE id = %s""", customer)
    code, said = check()
    assert code == 1
    assert f"{customer}  active with 2 members, 9 counted" in said
    assert "--fix mends it by building the customer again." in said
    version = Customer.objects.get(id=customer).version
    code, said = check("--fix")
    assert Customer.objects.get(id=customer).member_count == 2
    assert Customer.objects.get(id=customer).held == {}
    assert Customer.objects.get(id=customer).version == version + 1
    assert (code, "I4: building the customer again, 1 of them" in said) == (0, True)


def test_one_verified_number_of_two_customers_is_matched_again() -> None:
    pipeline.take("crm", {"record_id": "torn", **FIRM})
    records = pipeline.record_ids()
    given.place([[records["crm:torn"]], [records["billing:o"]]])
    assert check()[0] == 1
    assert "I5: matching its records again" in check("--fix")[1]
    assert query("SELECT count(*) FROM redo")[0][0] >= 1
    pipeline.drain_all()
    assert check() == (0, check()[1])
    assert pipeline.where()["crm:torn"] == pipeline.where()["billing:o"]


def test_facts_are_not_edited(customer: UUID) -> None:
    by_hand("DELETE FROM event WHERE subject_id = %s AND version = 1", customer)
    for options in ((), ("--fix",)):
        code, said = check(*options)
        assert code == 1
        assert "Facts are not edited: see docs/runbooks/broken-invariants.md." in said


def test_what_waits_for_nothing_is_closed_and_what_waits_for_something_is_not(customer: UUID) -> None:
    first, second = (
        pipeline.customer_of("crm", pipeline.person(n, tax_id=TAX_ID["DE"](n), country="DE"))
        for n in (910_002, 910_003)
    )
    asked = merge_requests.ask(customers=[first, second], act=pipeline.alice())
    pipeline.owners_of_nothing()
    for terms in ("NET45", "NET60"):
        pipeline.take("erp", pipeline.person(1, payment_terms=terms))
    hold = Hold.objects.get(customer=customer)
    assert (hold.state, check()) == ("open", (0, check()[1]))
    by_hand("UPDATE hold SET proposed_value = '\"NET5\"', proposed_hash = '' WHERE id = %s", hold.id)
    by_hand("UPDATE merge_request SET customers = ARRAY[%s, %s]", first, uuid7())
    code, said = check()
    assert code == 1
    assert "something else is proposed by now" in said
    assert "is no customer any more" in said
    assert "--fix mends it by closing what waits for nothing." in said
    code, said = check("--fix")
    assert code == 0, said
    hold.refresh_from_db()
    assert (hold.state, hold.proposed_value) == ("open", "NET60")
    asked.refresh_from_db()
    assert (asked.state, asked.approver) == ("closed", "")


def test_as_json_and_with_as_many_as_are_wanted(customer: UUID) -> None:
    by_hand("UPDATE customer SET member_count = 9 WHERE active")
    code, said = check("--json", "--most", "1")
    assert code == 1
    told = {one["invariant"]: one for one in json.loads(said)["findings"]}
    assert (told["I4"]["broken"], len(told["I4"]["first"])) == (2, 1)
    assert told["I1"]["broken"] == 0
    assert set(MENDED_BY) <= set(told)
    with pytest.raises(CommandError, match="0 or more"):
        check("--most", "-1")
