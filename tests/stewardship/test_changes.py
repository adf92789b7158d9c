"""Changes that wait for a second person: field by field, never by the author, alike ones together, and never blindly."""

import re
from typing import Any
from uuid import UUID

import pytest
from django.contrib.messages import get_messages
from django.test import Client

from apps.accounts.models import User
from apps.common.act import Act
from apps.common.errors import Conflict, NotFound, Rejected
from apps.common.ids import uuid7
from apps.customers.golden import read_customers
from apps.customers.holds import Verdict
from apps.customers.models import ChangeRequest, Hold
from apps.stewardship import cases, changes
from apps.stewardship.inbox import Filter, lines
from apps.stewardship.models import Case
from tests import pipeline
from tests.pipeline import bob, person, take
from tests.stewardship.given import browser, text

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _clean() -> None:
    pipeline.empty()
    pipeline.systems()
    pipeline.owners_of_nothing()


def proposed(*numbers: int, by: str = "user:anna", **values: Any) -> list[UUID]:
    """Change requests, one for each person: payment terms and credit limit shall be others."""
    act = Act(by, "renegotiated", correlation_id=uuid7())
    take("crm", *(person(n, payment_terms="NET30", credit_limit="100") for n in numbers))
    take("crm", *(person(n, **({"payment_terms": "NET60", "credit_limit": "900"} | values)) for n in numbers), act=act)
    cases.refresh()
    return list(ChangeRequest.objects.filter(state="open").order_by("id").values_list("id", flat=True))


def effective(request: UUID) -> tuple[Any, Any]:
    hold = Hold.objects.filter(change_request=request)[0]
    values = read_customers([hold.customer_id])[hold.customer_id].values
    return values.get("payment_terms"), values.get("credit_limit")


def said(answer: Any) -> str:
    return " ".join(str(m) for m in get_messages(answer.wsgi_request))


def form(request: UUID, **fields: str) -> dict[str, str]:
    """What the page's form sends, with these words."""
    page = text(browser("approver").get(f"/changes/{request}/"))
    hidden = dict(re.findall(r'name="(seen-[a-z_]+)" value="([0-9a-f]+)"', page))
    return {**hidden, **fields}


def test_a_change_is_shown_with_what_is_kept_and_where_the_new_value_is_from(
    django_assert_max_num_queries: Any,
) -> None:
    (id_,) = proposed(1)
    with django_assert_max_num_queries(8):
        shown = changes.change(id_)
    fields = {f.attribute: (f.kept, f.proposed, f.system) for f in shown.fields}
    assert fields["payment_terms"] == ("NET30", "NET60", "crm")
    assert (shown.author, shown.reason, shown.is_open, shown.alike) == ("user:anna", "renegotiated", True, 0)
    page = text(browser("approver").get(f"/changes/{id_}/"))
    for word in ("NET30", "NET60", "proposed by", "Approve"):
        assert word in page
    (line,) = lines(Filter(kind="change"), me="user:x")
    assert line.address == f"/changes/{id_}/"


def test_one_field_is_approved_and_the_other_rejected() -> None:
    (id_,) = proposed(1)
    answer = browser("approver").post(
        f"/changes/{id_}/", form(id_, **{"verdict-payment_terms": "approve", "verdict-credit_limit": "reject"})
    )
    assert answer.status_code == 302
    assert effective(id_)[0] == "NET60"
    assert str(effective(id_)[1]).startswith("100")
    assert ChangeRequest.objects.get(id=id_).state == "approved"
    assert Case.objects.get(subject=id_).outcome == "It was approved."
    assert pipeline.broken() == []


def test_what_nobody_has_said_anything_about_stays_open() -> None:
    (id_,) = proposed(1)
    browser("approver").post(f"/changes/{id_}/", form(id_, **{"verdict-payment_terms": "reject"}))
    row = ChangeRequest.objects.get(id=id_)
    assert (row.state, row.approver) == ("open", "user:approver")
    assert dict(Hold.objects.values_list("attribute", "state")) == {"payment_terms": "rejected", "credit_limit": "open"}
    assert Case.objects.get(subject=id_).state == "open"
    answer = browser("approver").post(f"/changes/{id_}/", form(id_, all="approve"))
    assert "It is decided" in said(answer)
    assert ChangeRequest.objects.get(id=id_).state == "approved"
    assert effective(id_)[0] == "NET30"
    assert pipeline.broken() == []


def test_alike_ones_are_approved_together_with_a_count() -> None:
    first, *_ = proposed(1, 2, 3)
    other = proposed(9, payment_terms="NET90")[-1]
    assert changes.change(first).alike == 2
    assert len(lines(Filter(kind="change"), me="user:x")) == 2
    answer = browser("approver").post(f"/changes/{first}/", form(first, all="approve", alike="7"))
    assert "2 others propose the same by now, not 7" in said(answer)
    assert ChangeRequest.objects.filter(state="open").count() == 4
    answer = browser("approver").post(f"/changes/{first}/", form(first, all="approve", alike="2"))
    assert "It is decided, and 2 alike with it" in said(answer)
    assert list(ChangeRequest.objects.filter(state="open").values_list("id", flat=True)) == [other]
    assert pipeline.broken() == []


def test_the_author_never_decides_whichever_way_they_try() -> None:
    (id_,) = proposed(1, by="user:approver")
    page = text(browser("approver").get(f"/changes/{id_}/"))
    assert "a second person has to decide" in page
    assert 'value="approve"' not in page
    answer = browser("approver").post(f"/changes/{id_}/", {"all": "approve"})
    assert "A second person has to decide" in said(answer)
    with pytest.raises(Rejected, match="second person"):
        changes.decide(request=id_, verdicts={"payment_terms": Verdict(approve=True)}, act=Act("user:approver"))
    assert ChangeRequest.objects.get(id=id_).state == "open"


def test_the_administration_pages_decide_nothing() -> None:
    (id_,) = proposed(1, by="user:admin")
    user = User.objects.create(username="root-of-changes", roles=["admin"], is_staff=True, is_superuser=True)
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    for name in ("changerequest", "hold"):
        row = id_ if name == "changerequest" else Hold.objects.filter(change_request=id_)[0].id
        client.post(f"/admin/customers/{name}/{row}/change/", {"state": "approved", "approver": "user:admin"})
        client.post(f"/admin/customers/{name}/", {"action": "delete_selected", "_selected_action": [str(row)]})
    assert ChangeRequest.objects.get(id=id_).state == "open"
    assert set(Hold.objects.values_list("state", flat=True)) == {"open"}


@pytest.mark.parametrize("role", ["viewer", "steward", "integrator", "admin"])
def test_who_may_not_decide_is_refused(role: str) -> None:
    (id_,) = proposed(1)
    assert browser(role).post(f"/changes/{id_}/", {"all": "approve"}).status_code == 403
    page = browser(role).get(f"/changes/{id_}/")
    assert page.status_code == (403 if role == "integrator" else 200)
    assert 'value="approve"' not in page.content.decode()
    assert ChangeRequest.objects.get(id=id_).state == "open"


def test_a_proposal_that_moved_since_the_page_was_opened_is_looked_at_again() -> None:
    (id_,) = proposed(1)
    stale = form(id_, all="approve")
    take("crm", person(1, payment_terms="NET90", credit_limit="900"))
    answer = browser("approver").post(f"/changes/{id_}/", stale)
    assert "Something else is proposed for payment terms by now" in said(answer)
    assert effective(id_)[0] == "NET30"
    page = text(browser("approver").get(f"/changes/{id_}/"))
    assert "NET90" in page
    with pytest.raises(Conflict):
        changes.decide(request=id_, verdicts={"payment_terms": Verdict(approve=True, seen=b"x")}, act=bob())


def test_forged_fields_and_a_second_submit_do_nothing() -> None:
    (id_,) = proposed(1)
    answer = browser("approver").post(f"/changes/{id_}/", {"verdict-name": "approve", "all": "maybe"})
    assert "Approve or reject a field" in said(answer)
    answer = browser("approver").post(f"/changes/{id_}/", {"all": "approve", "seen-payment_terms": "zz"})
    assert "Something else is proposed" in said(answer)
    with pytest.raises(Rejected, match="Nothing is held"):
        changes.decide(request=id_, verdicts={"name": Verdict(approve=True)}, act=bob())
    body = form(id_, all="reject")
    assert "It is decided" in said(browser("approver").post(f"/changes/{id_}/", body))
    again = said(browser("approver").post(f"/changes/{id_}/", body))
    assert "rejected already" in again
    assert browser("approver").get(f"/changes/{uuid7()}/").status_code == 404
    with pytest.raises(NotFound):
        changes.change(uuid7())
