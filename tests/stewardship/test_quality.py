"""Values that are known to be wrong are work for a person: mended at the source, pinned, ignored, or accepted as they are."""

import re
from uuid import UUID

import pytest

from apps.customers import pins
from apps.customers.models import Customer
from apps.matching import judge
from apps.stewardship import cases
from apps.stewardship.inbox import Filter, lines
from apps.stewardship.models import Case
from tests import pipeline
from tests.pipeline import alice, person, take
from tests.stewardship.given import browser, text

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _clean() -> None:
    pipeline.empty()
    pipeline.systems()


def with_wrong(*numbers: int) -> list[UUID]:
    """Customers whose tax id fails its check."""
    found = [pipeline.customer_of("crm", person(n, country="DE", tax_id=f"DE11111111{n % 10}")) for n in numbers]
    cases.refresh()
    return found


def live() -> list[Case]:
    return list(Case.objects.filter(kind="quality").exclude(state="closed").order_by("title", "id"))


def test_wrong_values_of_one_kind_are_one_line_and_close_when_mended() -> None:
    with_wrong(1, 2)
    assert len(live()) == 2
    (line,) = lines(Filter(kind="quality"), me="user:x")
    assert (line.count, line.cause) == (2, "wrong_tax_id")
    assert line.sentence.startswith("tax id 11111111")
    assert cases.refresh() == 0
    take("crm", person(1, country="DE", tax_id="DE136695976"))
    cases.refresh()
    (left,) = live()
    assert left.subject != line.subject or left.sentence != line.sentence
    closed = Case.objects.get(kind="quality", state="closed")
    assert (closed.outcome, closed.accepted) == ("The value was mended.", False)


def test_what_is_ignored_is_mended_and_what_was_merged_away_closes() -> None:
    one, _ = with_wrong(1, 2)
    record = pipeline.record_ids()["crm:P1"]
    pins.ignore(customer=one, record=record, attribute="identifiers", act=alice())
    cases.refresh()
    assert one not in {c.subject for c in live()}


def test_what_is_accepted_is_not_asked_again_until_it_is_another() -> None:
    (one,) = with_wrong(1)
    (case,) = live()
    steward, address = browser("steward"), f"/inbox/quality/{case.id}/"
    page = text(steward.get(address))
    assert "Tax ID known to be wrong" in page
    assert "Accept as they are" in page
    assert steward.post(address, {"chosen": [str(case.id)], "reason": ""}).status_code == 302
    assert len(live()) == 1, "without a reason nothing is accepted"
    assert steward.post(address, {"chosen": [str(case.id)], "reason": "their old number"}).status_code == 302
    case.refresh_from_db()
    assert (case.state, case.outcome) == ("closed", "Accepted as it is: their old number")
    assert cases.refresh() == 0
    assert live() == []
    take("crm", person(1, country="DE", tax_id="DE999999990"))
    cases.refresh()
    assert [c.subject for c in live()] == [one], "another wrong value is asked about"


def test_forged_lines_and_roles_that_may_not_do_nothing() -> None:
    with_wrong(1)
    (case,) = live()
    address = f"/inbox/quality/{case.id}/"
    assert browser("viewer").post(address, {"chosen": [str(case.id)], "reason": "x"}).status_code == 403
    steward = browser("steward")
    for chosen in ([], ["nonsense"], ["00000000-0000-7000-8000-000000000000"]):
        steward.post(address, {"chosen": chosen, "reason": "x"})
    assert len(live()) == 1
    assert steward.get("/inbox/quality/00000000-0000-7000-8000-000000000000/").status_code == 404
    assert steward.get(f"/inbox/{case.id}/").headers["Location"] == address
    assert re.search(rf'href="{address}"', text(steward.get("/inbox/?kind=quality")))


def test_a_list_that_is_too_long_is_cut_and_told_with_the_value_that_most_records_hold() -> None:
    """110 people by a person's word, each with an address and a number; one of these is in two records."""
    people = [person(n, phone=f"+49 30 {2_000_000 + n}", email=f"p{n}@mail.example") for n in range(110)]
    outcomes = take("erp", *people)
    take("erp", person(500, phone="+49 30 2000000", email="p0@mail.example"))
    customers = sorted({o.customer for o in outcomes if o.customer} | set(pipeline.where().values()))
    judge.merge(customers=customers, act=alice())
    customer = Customer.objects.get(active=True)
    assert len(customer.contact_points) == 200
    assert pipeline.broken() == []
    cases.refresh()
    (case,) = live()
    assert case.cause == "too_many_contact_points"
    assert re.fullmatch(
        r"200 contact points, and the rest left out; (p0@mail\.example|\+49302000000) comes from 2 records",
        case.sentence,
    )
    assert "Too many contact points" in text(browser("steward").get("/inbox/?whose=team"))
