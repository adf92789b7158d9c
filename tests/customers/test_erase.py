"""Erasing the history of a customer: the one way past the guards, and only for whom an erasure names."""

from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.db import IntegrityError, transaction

from apps.common.act import Act
from apps.common.errors import NotFound, Rejected
from apps.common.ids import uuid7
from apps.customers.erase import erase_history
from apps.customers.models import Erasure
from apps.events.queries import changes
from apps.events.relay import relay_all
from apps.matching import judge
from mdmhub import sealed
from tests import pipeline
from tests.events.sealed_hub import own_file, seal_all, verify
from tests.pipeline import alice, one, person, query
from tests.stewardship.given import browser, text

pytestmark = pytest.mark.django_db
LAW = Act("user:dora", "Art. 17, request 4711")
ERASABLE = ("historical_customer", "event", "source_record_version", "edge", "quarantine")
PLANTED = ("Zanzibar", "quetzal", "Nowherestr")


@pytest.fixture(autouse=True)
def customer(settings: Any, tmp_path: Path) -> UUID:
    """A person with a past of two merged ids, beside another one."""
    own_file(settings, tmp_path)
    pipeline.systems()
    pipeline.take(
        "crm", person(1, city="Zanzibar"), person(2, city="Bonn"), person(3, city="Kiel", email="quetzal@mail.example")
    )
    pipeline.take("crm", {**person(1), "record_id": "P1", "kind": "dragon", "line1": "Nowherestr. 1"})
    at = pipeline.where()
    judge.merge(customers=[at["crm:P1"], at["crm:P3"]], act=alice())
    pipeline.take(
        "crm", person(1, city="Ulm"), person(2, city="Ulm"), person(3, city="Ulm", email="other@mail.example")
    )
    return pipeline.where()["crm:P1"]


def told() -> str:
    """Everything that stands in the tables that can be erased."""
    return "\n".join(row[0] for table in ERASABLE for row in query(f"SELECT t::text FROM {table} t"))


def test_values_go_facts_stay_and_the_audit_verifies_before_and_after(customer: UUID) -> None:
    seal_all()
    assert all(word in told() for word in PLANTED)
    before = verify()
    facts = query(
        "SELECT history_id, id, version, history_date, actor, digest FROM historical_customer ORDER BY history_id"
    )
    done = erase_history(customer=customer, act=LAW)
    assert not [word for word in PLANTED if word in told()]
    assert (
        query(
            "SELECT history_id, id, version, history_date, actor, digest FROM historical_customer ORDER BY history_id"
        )
        == facts
    )
    after = verify()
    assert (before.findings, after.findings) == ([], [])
    seal_all()
    assert verify().findings == []
    assert verify().rows > before.rows, "the erasure itself is sealed"
    assert done.rows["historical_customer"] == one("SELECT count(*) FROM historical_customer WHERE salt IS NULL") > 2
    assert done.rows["quarantine"] == 1


def test_it_says_who_and_why_and_not_whom(customer: UUID) -> None:
    done = erase_history(customer=customer, act=LAW)
    row = Erasure.objects.get(id=done.id)
    assert (row.actor, row.reason, row.correlation_id) == (LAW.actor, LAW.reason, LAW.correlation_id)
    assert row.counts == done.rows
    assert set(query("SELECT id FROM customer WHERE replaced_by = %s", customer)[0]) <= set(row.subjects)


def test_others_keep_theirs_and_the_present_stays(customer: UUID) -> None:
    other = pipeline.where()["crm:P2"]
    mine = "SELECT h::text FROM historical_customer h WHERE id = %s ORDER BY version"
    before, present = query(mine, other), query("SELECT c::text FROM customer c ORDER BY id")
    erase_history(customer=customer, act=LAW)
    assert query(mine, other) == before
    assert query("SELECT c::text FROM customer c ORDER BY id") == present
    assert pipeline.broken() == []
    assert erase_history(customer=customer, act=LAW).rows == dict.fromkeys(ERASABLE, 0), (
        "there is nothing left to erase"
    )


def test_its_pages_and_the_feed_still_open_and_say_that_values_were_erased(customer: UUID) -> None:
    erase_history(customer=customer, act=LAW)
    relay_all()
    steward = browser("steward")
    for page in (f"/customers/{customer}/", f"/customers/{customer}/history/", "/quarantine/"):
        answer = steward.get(page)
        assert answer.status_code == 200, page
        assert not [word for word in PLANTED if word in text(answer)]
    assert "were erased" in text(steward.get(f"/customers/{customer}/history/"))
    assert len(changes(0, 100)) == one("SELECT count(*) FROM event")


def test_history_goes_on_after_it(customer: UUID) -> None:
    erase_history(customer=customer, act=LAW)
    pipeline.take("crm", person(1, city="Mainz"))
    assert one("SELECT count(*) FROM historical_customer WHERE id = %s AND salt IS NOT NULL", customer) == 1
    seal_all()
    assert verify().findings == []
    assert pipeline.broken() == []


def test_without_a_reason_or_a_customer_nothing_is_erased(customer: UUID) -> None:
    with pytest.raises(Rejected):
        erase_history(customer=customer, act=LAW.because("  "))
    with pytest.raises(NotFound):
        erase_history(customer=uuid7(), act=LAW)
    assert not Erasure.objects.exists()


@pytest.mark.parametrize(
    "statement",
    ["UPDATE historical_customer SET name = 'x'", "UPDATE historical_customer SET name = NULL", "UPDATE event SET body = NULL",
     "UPDATE event SET body = NULL, salt = NULL", "DELETE FROM event", "UPDATE quarantine SET raw = NULL", "DELETE FROM erasure",
     "UPDATE erasure SET reason = 'another'"],
)  # fmt: skip
def test_no_setting_opens_the_guards(customer: UUID, statement: str) -> None:
    """Setting `hub.erasing` once did."""
    with transaction.atomic():
        query(
            "INSERT INTO erasure SELECT gen_random_uuid(), gen_random_uuid(), '{}', '{}', 'x', 'x', gen_random_uuid(), now(), 0"
        )
    query("SET LOCAL hub.erasing = 'on'")
    with pytest.raises(IntegrityError), transaction.atomic():
        query(statement)


def test_an_erasure_that_somebody_writes_by_hand_empties_rows_and_does_nothing_else(customer: UUID) -> None:
    query(
        "INSERT INTO erasure SELECT gen_random_uuid(), %s, ARRAY[%s]::uuid[], '{}', 'user:mallory', 'x', gen_random_uuid(), now(),"
        " pg_current_xact_id()::text::bigint",
        customer, customer,
    )  # fmt: skip
    for statement in ("UPDATE event SET body = '{}' WHERE subject_id = %s", "DELETE FROM event WHERE subject_id = %s"):
        with pytest.raises(IntegrityError), transaction.atomic():
            query(statement, customer)
    query("UPDATE event SET body = NULL, salt = NULL WHERE subject_id = %s", customer)
    with pytest.raises(IntegrityError), transaction.atomic():
        query("UPDATE event SET body = NULL, salt = NULL WHERE subject_id <> %s", customer)


def test_only_the_owner_may_call_it_and_with_its_own_search_path() -> None:
    ((secured, path, public),) = query(
        "SELECT prosecdef, proconfig, has_function_privilege('public', oid, 'execute') FROM pg_proc WHERE proname = 'erase_subject'"
    )
    assert (secured, path, public) == (True, ["search_path=public, pg_temp"], False)


def test_the_list_of_what_is_sealed_knows_what_an_erasure_takes() -> None:
    """Columns that an erasure empties must not be in a leaf, and those that are left out for it must be emptied by it."""
    for of in sealed.SEALED:
        if of.erased:
            taken = {name for (name,) in query("SELECT jsonb_object_keys(erased_form(%s))", of.table)}
            assert set(of.erased) <= taken
            assert taken.isdisjoint(of.columns)
            assert taken == set(of.erased) or of.columns
