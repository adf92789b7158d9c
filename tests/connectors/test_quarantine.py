"""The quarantine desk: mended and sent through again, or discarded with a reason; once, and with the payload kept."""

import pytest
from django.db import IntegrityError, transaction

from apps.common import seal
from apps.common.errors import Conflict, NotFound, Rejected
from apps.common.ids import uuid7
from apps.connectors.quarantine import discard, resubmit
from apps.customers.models import Quarantine, SourceRecord
from tests import pipeline
from tests.pipeline import alice, person

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def hub() -> None:
    pipeline.systems()


def bad() -> Quarantine:
    outcome = pipeline.take("crm", person(1, birth_date="2024-02-30"))[0]
    assert (outcome.outcome, outcome.record) == ("quarantined", None)
    return Quarantine.objects.get(id=outcome.quarantine)


def test_a_record_set_aside_keeps_what_came_and_every_cause() -> None:
    outcome = pipeline.take("crm", person(1, birth_date="2024-02-30", kind="robot"))[0]
    row = Quarantine.objects.get(id=outcome.quarantine)
    assert {p["field"] for p in row.problems} == {"birth_date", "kind"}
    assert all(p["code"] and p["detail"] for p in row.problems)
    assert '"2024-02-30"' in (row.raw or "")
    assert bytes(row.digest) == seal.digest(b"crm", bytes(row.salt or b""), (row.raw or "").encode())


def test_mended_it_goes_through() -> None:
    row = bad()
    outcome = resubmit(row.id, person(1), alice())
    assert (outcome.outcome, outcome.customer is not None) == ("created", True)
    raw = row.raw
    row.refresh_from_db()
    assert (row.state, row.resolved_by, row.raw, row.fixed) == ("resubmitted", "user:alice", raw, person(1))
    assert pipeline.broken() == []


def test_still_wrong_it_stays_and_says_why() -> None:
    row = bad()
    with pytest.raises(Rejected) as refused:
        resubmit(row.id, person(1, birth_date="tomorrow"), alice())
    assert [f.field for f in refused.value.fields] == ["/birth_date"]
    row.refresh_from_db()
    assert (row.state, Quarantine.objects.count(), SourceRecord.objects.count()) == ("open", 1, 0)


def test_it_is_resolved_once() -> None:
    row = bad()
    discard(row.id, alice(), "a test record")
    for again in (lambda: discard(row.id, alice(), "again"), lambda: resubmit(row.id, person(1), alice())):
        with pytest.raises(Conflict):
            again()
    row.refresh_from_db()
    assert (row.state, row.fixed) == ("discarded", {"discarded_because": "a test record"})


def test_discarding_needs_a_reason_and_a_record() -> None:
    row = bad()
    with pytest.raises(Rejected):
        discard(row.id, alice(), "  ")
    with pytest.raises(NotFound):
        discard(uuid7(), alice(), "why not")


def test_the_payload_never_changes() -> None:
    row = bad()
    with pytest.raises(IntegrityError), transaction.atomic():
        Quarantine.objects.filter(id=row.id).update(raw="{}")
