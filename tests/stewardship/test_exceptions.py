"""The exception desk over Django's own client: by cause, told again, corrected, discarded; stale and forged forms are told so."""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode
from uuid import UUID, uuid4

import pytest
from django.contrib.messages import get_messages

from apps.connectors import sandbox
from apps.connectors.models import Connection, Delivery
from apps.connectors.sandbox.running import Far
from tests import outward, pipeline
from tests.stewardship.given import browser, page_text

pytestmark = pytest.mark.django_db(transaction=True)
MOST_QUERIES = 15
LONG = "/llanfair" * 28
"""A website that the hub takes and the CRM does not: more than 255 characters."""


@pytest.fixture(autouse=True)
def _clean() -> None:
    pipeline.empty()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Far]:
    with sandbox.running("crm", data=tmp_path_factory.mktemp("far") / "crm.db") as far:
        yield far


@pytest.fixture
def far(running: Far) -> Far:
    """A CRM that is live and creates customers."""
    running.empty()
    running.faults()
    outward.connect("crm", running)
    outward.policy(crm={"creates": ["person", "organization"]})
    return running


def refused(count: int = 1, **values: Any) -> list[UUID]:
    """Deliveries that the CRM does not accept, oldest first."""
    told = {"city": "Ulm", "country": "DE", **values}
    pipeline.take(
        "erp", *(pipeline.person(n, **{"website": f"https://example-{n}.org{LONG}", **told}) for n in range(count))
    )
    outward.settle(rounds=60)
    ids = list(Delivery.objects.filter(state="failed").order_by("id").values_list("id", flat=True))
    assert len(ids) == count, list(Delivery.objects.values_list("state", "trouble", "detail"))
    return ids


def said(answer: Any) -> str:
    return " ".join(str(m) for m in get_messages(answer.wsgi_request))


def group() -> dict[str, str]:
    """The address of the only group."""
    row = Delivery.objects.filter(state="failed").values("trouble", "code").first()
    assert row is not None
    return {"system": "crm", **row}


def form(id_: UUID, **changes: str) -> dict[str, str]:
    """What the browser sends when the form is changed in these fields."""
    seen = page_text(browser("steward").get(f"/exceptions/{id_}/"))
    found = re.findall(r'name="(field:[^"]+)"(?: rows="4" dir="auto"[^>]*>\n([^<]*)</textarea>| value="([^"]*)")', seen)
    assert found
    return {name: long or short for name, long, short in found} | {f"field:{n}": v for n, v in changes.items()}


def test_without_exceptions_the_desk_says_so(far: Far) -> None:
    assert "Nothing needs a person" in page_text(browser("viewer").get("/exceptions/"))
    answer = browser("viewer").get("/exceptions/group/", {"system": "crm", "trouble": "validation", "code": "x"})
    assert answer["Location"] == "/exceptions/"
    assert browser("viewer").get(f"/exceptions/{uuid4()}/").status_code == 404


@pytest.mark.parametrize("role", ["viewer", "steward", "approver", "integrator", "admin"])
def test_everybody_reads_and_who_may_write_is_offered_to(far: Far, role: str) -> None:
    (id_,) = refused()
    user = browser(role)
    writes = role in ("steward", "integrator")
    seen = page_text(user.get("/exceptions/"))
    assert "The target does not accept the values" in seen
    assert "What to do" in seen
    assert ("again…" in seen) is writes
    seen = page_text(user.get("/exceptions/group/", group()))
    assert ("Discard the chosen" in seen) is writes
    seen = page_text(user.get(f"/exceptions/{id_}/"))
    assert "Website" in seen
    assert "HTTP 400" in seen
    assert str(Delivery.objects.get().correlation_id) in seen
    assert ("Tell it again" in seen) is writes
    assert ("Correct and tell again" in seen) is writes
    if not writes:
        for path in (f"{id_}/", f"{id_}/retry/", f"{id_}/discard/", "replay/"):
            assert user.post(f"/exceptions/{path}", {**group(), "reason": "because"}).status_code == 403
        assert user.post(f"/exceptions/group/?{urlencode(group())}").status_code == 403
        assert Delivery.objects.get().state == "failed"


def test_sensitive_values_are_masked_wherever_they_stand(far: Far) -> None:
    (id_,) = refused()
    told = Delivery.objects.get()
    birth = told.native["PersonBirthdate"]
    for path in (f"/exceptions/{id_}/", "/exceptions/"):
        assert birth not in page_text(browser("steward").get(path))
    assert f'value="•••{birth[-2:]}"' in page_text(browser("steward").get(f"/exceptions/{id_}/"))


def test_the_hubs_own_names_of_a_record_are_not_offered_and_stay(far: Far) -> None:
    (id_,) = refused()
    own = Delivery.objects.get().native["MDM_Id__c"]
    assert not any("MDM" in name for name in form(id_))
    browser("steward").post(f"/exceptions/{id_}/", form(id_, Website=""))
    outward.settle()
    (there,) = far.records()
    assert (there["MDM_Id__c"], there["Website"]) == (own, None)


def test_a_corrected_value_is_told_and_what_was_masked_stays(far: Far) -> None:
    (id_,) = refused()
    birth = Delivery.objects.get().native["PersonBirthdate"]
    answer = browser("steward").post(f"/exceptions/{id_}/", form(id_, Website="https://llanfair.example"))
    assert answer["Location"] == "/exceptions/"
    assert "The corrected values are told now" in said(answer)
    outward.settle()
    (there,) = far.records()
    assert (there["Website"], there["PersonBirthdate"]) == ("https://llanfair.example", birth)
    assert Delivery.objects.get(id=id_).state == "done"


@pytest.mark.parametrize(
    "column", ["IsAdmin", "MDM_Key__c", "MDM_Id__c"], ids=["unknown", "not written", "the hub's own"]
)
def test_a_forged_field_is_refused_by_name_and_what_was_typed_stays(far: Far, column: str) -> None:
    (id_,) = refused()
    answer = browser("steward").post(
        f"/exceptions/{id_}/", form(id_, Website="https://typed.example", **{column: "forged"})
    )
    assert answer.status_code == 200
    seen = page_text(answer)
    assert 'value="https://typed.example"' in seen
    assert "These fields cannot be told" in seen
    assert column in seen
    outward.settle()
    assert Delivery.objects.get().state == "failed"
    assert far.records() == []


def test_retry_goes_on_to_the_next_one_and_at_the_end_to_the_desk(far: Far) -> None:
    third, second, first = refused(3)
    steward = browser("steward")
    seen = page_text(steward.get(f"/exceptions/{second}/"))
    assert f'href="/exceptions/{third}/" rel="next" data-key="j"' in seen
    assert f'href="/exceptions/{first}/" rel="prev" data-key="k"' in seen
    assert steward.post(f"/exceptions/{second}/retry/")["Location"] == f"/exceptions/{third}/"
    assert steward.post(f"/exceptions/{third}/retry/")["Location"] == f"/exceptions/{first}/"
    assert steward.post(f"/exceptions/{first}/retry/")["Location"] == "/exceptions/"
    assert set(Delivery.objects.values_list("state", flat=True)) == {"waiting"}
    outward.settle()
    assert set(Delivery.objects.values_list("state", flat=True)) == {"failed"}


def test_a_second_click_and_another_person_are_told_that_it_is_settled(far: Far) -> None:
    (id_,) = refused()
    one, other = browser("steward"), browser("second", roles=["steward"])
    sent = form(id_)
    one.post(f"/exceptions/{id_}/retry/")
    for path in (f"/exceptions/{id_}/retry/", f"/exceptions/{id_}/"):
        answer = other.post(path, sent)
        assert answer["Location"] == f"/exceptions/{id_}/"
        assert "waiting" in said(answer)
    assert "Tell it again" not in page_text(other.get(f"/exceptions/{id_}/"))


def test_what_a_newer_one_replaced_says_so(far: Far) -> None:
    (id_,) = refused()
    pipeline.take("erp", pipeline.person(0, country="DE", city="Bonn", website="https://short.example"))
    outward.settle()
    assert Delivery.objects.get(id=id_).state == "superseded"
    answer = browser("steward").post(f"/exceptions/{id_}/retry/")
    assert "is superseded" in said(answer)
    seen = page_text(browser("steward").get(f"/exceptions/{id_}/"))
    assert "replaced" in seen
    assert "took its place" in seen
    assert far.records()[0]["BillingCity"] == "Bonn"


def test_a_discarded_one_needs_a_reason_and_keeps_it(far: Far) -> None:
    first, second = refused(2)
    steward = browser("steward")
    assert "Say why" in said(steward.post(f"/exceptions/{first}/discard/", {"reason": " "}))
    assert (
        steward.post(f"/exceptions/{first}/discard/", {"reason": "a test account"})["Location"]
        == f"/exceptions/{second}/"
    )
    assert "is discarded" in said(steward.post(f"/exceptions/{first}/discard/", {"reason": "twice"}))
    seen = page_text(steward.get(f"/exceptions/{first}/"))
    assert "Discarded by steward" in seen
    assert "a test account" in seen
    assert "Tell it again" not in seen


def test_the_chosen_ones_are_settled_and_the_others_counted(far: Far) -> None:
    ids = refused(4)
    steward = browser("steward")
    steward.post(f"/exceptions/{ids[0]}/discard/", {"reason": "mine"})
    address = f"/exceptions/group/?{urlencode(group())}"
    chosen = {"chosen": [str(ids[0]), str(ids[1]), "forged", str(uuid4())]}
    assert "say why" in said(steward.post(address, {**chosen, "action": "discard", "reason": ""}))
    answer = steward.post(address, {**chosen, "action": "discard", "reason": "junk"})
    assert "1 discarded. 2 had been settled meanwhile." in said(answer)
    assert answer["Location"].startswith("/exceptions/group/?system=crm")
    assert "1 told again." in said(steward.post(address, {"chosen": [str(ids[2])], "action": "retry"}))
    assert "Choose at least one" in said(steward.post(address, {"action": "retry"}))
    found = [Delivery.objects.get(id=i).state for i in ids]
    assert found == ["discarded", "discarded", "waiting", "failed"]


def test_a_group_is_replayed_after_the_cause_is_mended(far: Far) -> None:
    far.faults(ok_with_error_inside=1)
    pipeline.take("erp", *(pipeline.person(n, city="Ulm") for n in range(3)))
    outward.settle()
    pipeline.execute("UPDATE delivery SET burned = 9")  # as though it had been so for a day
    outward.due_now()
    outward.settle()
    assert outward.states() == {"failed": 3}
    steward = browser("steward")
    seen = page_text(steward.get("/exceptions/"))
    assert "Yes, tell 3 again" in seen
    far.faults()
    assert "3 deliveries are told again" in said(steward.post("/exceptions/replay/", group()))
    assert "Nothing of this cause is left" in said(steward.post("/exceptions/replay/", {"system": "crm"}))
    outward.settle()
    assert outward.states() == {"done": 3}
    assert len(far.records()) == 3


def test_pages_keep_their_number_of_queries(far: Far, django_assert_max_num_queries: Any) -> None:
    ids = refused(25)
    steward = browser("steward")
    where = f"/exceptions/group/?{urlencode(group())}"
    for path in ("/exceptions/", where, f"/exceptions/{ids[3]}/", "/sync/", "/sync/crm/?state=failed"):
        with django_assert_max_num_queries(MOST_QUERIES):
            assert steward.get(path).status_code == 200
    assert steward.get(f"{where}&after=nonsense").status_code == 302


def test_an_unknown_outcome_asks_what_was_found_there(far: Far) -> None:
    (id_,) = refused()
    Delivery.objects.filter(id=id_).update(trouble="fatal", code="unknown_outcome")
    steward = browser("steward")
    assert "Yes, tell" not in page_text(steward.get("/exceptions/"))
    assert "What you found there" in page_text(steward.get(f"/exceptions/{id_}/"))
    assert "look there" in said(steward.post(f"/exceptions/{id_}/retry/"))
    address = f"/exceptions/group/?{urlencode(group())}"
    assert "Tell the chosen again" not in page_text(steward.get(address))
    assert "look there" in said(steward.post(address, {"chosen": [str(id_)], "action": "retry"}))
    assert "look each up" in said(steward.post("/exceptions/replay/", group()))
    steward.post(f"/exceptions/{id_}/retry/", {"reason": "searched by name: it is not there"})
    assert Delivery.objects.get().state == "waiting"


def test_what_the_customer_waits_for_leads_to_its_exception(far: Far) -> None:
    (id_,) = refused()
    customer = Delivery.objects.get().customer_id
    seen = page_text(browser("viewer").get(f"/customers/{customer}/distribution/"))
    assert f'href="/exceptions/{id_}/"' in seen
    assert "It could not be made there" in seen
    assert Connection.objects.get().mode == "live"
