"""What a merge would come to, looked at from the review: the same as the merge itself, and nothing is done by looking."""

import pytest

from apps.customers.models import Customer
from apps.stewardship.models import Decision
from apps.stewardship.review import review
from tests import pipeline
from tests.stewardship.given import browser, text
from tests.stewardship.given_cases import doubtful

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _clean() -> None:
    pipeline.empty()


def test_a_merge_is_looked_at_and_then_done() -> None:
    (case,) = doubtful(1)
    shown = review(case.id)
    ids = [str(s.customer) for s in shown.sides]
    steward = browser("steward")
    page = text(steward.post(f"/inbox/{case.id}/preview/", {"customers": ids}))
    for word in ("What the merge comes to", "goes on", "retired", "no target would be told anything"):
        assert word in page
    assert len(pipeline.partition()) == 2
    assert Decision.objects.count() == 0
    body = {"customers": ids, "token": shown.token, "action": "merge"}
    assert steward.post(f"/inbox/{case.id}/", body).status_code in (302, 303)
    survivor = Customer.objects.get(active=True)
    assert str(survivor.id) == min(ids), "the oldest one goes on, as was shown"
    assert pipeline.broken() == []


def test_fewer_than_two_or_somebody_elses_customers_are_no_merge() -> None:
    first, second = doubtful(1, 2)
    mixed = [str(review(c.id).sides[0].customer) for c in (first, second)]
    for sent in ([], mixed, ["nonsense"]):
        answer = browser("steward").post(f"/inbox/{first.id}/preview/", {"customers": sent})
        assert answer.status_code == 302
    assert len(pipeline.partition()) == 4
    assert browser("viewer").post(f"/inbox/{first.id}/preview/", {"customers": mixed}).status_code == 403
