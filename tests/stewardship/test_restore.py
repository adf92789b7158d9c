"""The past on the pages: tabs that stay at a moment, any two versions, and an old value that is kept again."""

import re
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import pytest
from django.db import transaction
from django.utils import timezone

from apps.common.errors import Erased, NotFound, Rejected
from apps.customers import queries
from apps.customers.golden import read_customers
from apps.customers.models import ChangeRequest, Customer
from apps.customers.pins import expire, take_back
from apps.customers.queries_values import without_origin
from apps.customers.refresh import decide_request
from apps.customers.restore import old_values, restore
from tests import pipeline
from tests.pipeline import alice, bob
from tests.stewardship.given import browser, text
from tests.stewardship.given_history import at, merged, sent

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _clean() -> None:
    pipeline.empty()
    pipeline.systems()


def moved_house() -> UUID:
    """Version 1: in Bonn, version 2: in Kiel under another name; one system says so."""
    sent("crm", pipeline.person(1, city="Bonn", country="DE", website="old.example.org"))
    sent("crm", pipeline.person(1, city="Kiel", country="DE", website="new.example.org", family_name="Neu"))
    return at("crm:P1")


def values(customer: UUID) -> dict[str, Any]:
    return read_customers([customer])[customer].values


def then(customer: UUID, version: int) -> Any:
    return Customer.history.get(id=customer, version=version)


def moment(customer: UUID, version: int) -> str:
    return urlencode({"at": then(customer, version).history_date.isoformat()})


def seen(path: str, role: str = "steward") -> str:
    answer = browser(role).get(path)
    assert answer.status_code == 200, (path, answer.status_code)
    return text(answer)


# ── looking ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_the_tabs_stay_at_the_moment_and_lead_back_to_today() -> None:
    customer = moved_house()
    query = moment(customer, 1)
    for tab in ("as-of", "sources", "lineage"):
        page = seen(f"/customers/{customer}/{tab}/?{query}")
        assert "in your time zone: version 1" in page
        assert "Back to today" in page
        assert "old.example.org" in page
        for other in ("as-of", "sources", "lineage"):
            assert re.search(rf'href="/customers/{customer}/{other}/\?at=', page), (tab, other)
        assert f'href="/customers/{customer}/history/"' in page
    for tab in ("sources", "lineage"):
        page = seen(f"/customers/{customer}/{tab}/?{query}")
        assert "new.example.org" not in page
        assert "/pin/" not in page
        assert "/ignore/" not in page
        assert "old.example.org" not in seen(f"/customers/{customer}/{tab}/")


def test_a_tab_of_a_moment_there_was_not_leads_to_the_page_that_says_why() -> None:
    customer = moved_house()
    for asked in ("2999-01-01T00:00", "tomorrow", "1999-01-01T00:00"):
        answer = browser("steward").get(f"/customers/{customer}/sources/?{urlencode({'at': asked})}")
        assert (answer.status_code, answer["Location"]) == (
            302,
            f"/customers/{customer}/as-of/?{urlencode({'at': asked})}",
        )
    with transaction.atomic():
        pipeline.execute("SET LOCAL session_replication_role = replica")
        pipeline.execute("UPDATE historical_customer SET salt = NULL, addresses = '[]' WHERE version = 1")
    answer = browser("steward").get(f"/customers/{customer}/lineage/?{moment(customer, 1)}")
    assert answer.status_code == 302
    assert "were erased" in seen(answer["Location"])
    compared = browser("steward").get(f"/customers/{customer}/history/compare/?a=1&b=2", follow=True)
    assert "erased by law" in text(compared)


def test_a_retired_ids_own_past_stands_on_its_tabs() -> None:
    _, retired, _ = merged()
    query = moment(retired, 1)
    page = seen(f"/customers/{retired}/sources/?{query}")
    assert ">P2<" in page
    assert ">P1<" not in page, "and no other key: a token of the page may hold the two letters"
    assert browser("steward").get(f"/customers/{retired}/sources/").status_code == 302


def test_members_and_origins_of_two_versions_stand_side_by_side() -> None:
    survivor, retired, _ = merged()
    page = seen(f"/customers/{survivor}/history/compare/?a=1&b=2", "viewer")
    assert re.search(r'joined</span>.*?<code class="wrap"><bdi dir="auto">P2', page, re.DOTALL)
    assert "Where values came from" in page
    own = seen(f"/customers/{retired}/history/compare/?a=2&b=1", "viewer")
    assert re.search(r'left</span>.*?<code class="wrap"><bdi dir="auto">P2', own, re.DOTALL)
    assert "by the same rule from the same records" in own


def test_what_may_be_kept_is_offered_to_those_who_may_pin_and_beside_what_differs() -> None:
    customer = moved_house()
    keep = f"/customers/{customer}/pin/website/?of={customer}&amp;of_version=1"
    for path in (f"as-of/?{moment(customer, 1)}", "history/compare/?a=1&b=2"):
        page = seen(f"/customers/{customer}/{path}")
        assert page.count(keep) == 1
        assert "of_version=2" not in page, "that is how it is today"
        assert "/pin/birth_date/" not in page, "that is the same"
        assert "/pin/name/" not in page, "it follows its parts"
        assert "Keep this value" not in seen(f"/customers/{customer}/{path}", "viewer")


# ── keeping ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def kept(customer: UUID, attribute: str, version: int = 1, of: UUID | None = None, **fields: str) -> Any:
    """The form of the pin composer as a browser sends it."""
    steward = browser("steward")
    address = f"/customers/{customer}/pin/{attribute}/"
    page = text(steward.get(f"{address}?of={of or customer}&of_version={version}"))
    names = ("version", "of", "of_version", "reason")
    form = {n: m[1] for n in names if (m := re.search(rf'name="{n}"[^>]* value="([^"]*)"', page))}
    assert re.search(r'name="choice" value="old" checked', page)
    return steward.post(address, {**form, "choice": "old", **fields}, follow=True)


def test_an_old_value_is_pinned_with_a_reason_that_names_the_version() -> None:
    customer = moved_house()
    assert "is kept again" in text(kept(customer, "website"))
    assert values(customer)["website"] == "old.example.org"
    (pin,) = queries.customer_detail(customer).pins
    assert (pin.attribute, pin.reason, pin.actor) == ("website", "restored from version 1", "user:steward")
    sent("crm", pipeline.person(1, city="Kiel", country="DE", website="third.example.org"))
    assert values(customer)["website"] == "old.example.org"
    taken = browser("steward").post(
        f"/customers/{customer}/pin/website/",
        {"choice": "none", "reason": "no more", "version": str(read_customers([customer])[customer].version)},
    )
    assert taken.status_code == 302
    assert values(customer)["website"] == "third.example.org"
    assert pipeline.broken() == []


def test_a_list_comes_back_whole_and_a_name_with_its_parts() -> None:
    customer = moved_house()
    for attribute in ("addresses", "contact_points"):
        restore(customer=customer, of=customer, version=1, attribute=attribute, act=alice())
        assert without_origin(values(customer)[attribute]) == without_origin(getattr(then(customer, 1), attribute))
    before = then(customer, 1)
    restore(customer=customer, of=customer, version=1, attribute="family_name", act=alice())
    now = values(customer)
    assert (now["given_name"], now["family_name"], now["name"]) == (
        before.given_name,
        before.family_name,
        before.name,
    )
    assert {p.attribute for p in queries.customer_detail(customer).pins} >= {"given_name", "family_name"}
    assert pipeline.broken() == []


def test_one_act_is_taken_back_whole() -> None:
    customer, act = moved_house(), alice()
    today = values(customer)
    restore(customer=customer, of=customer, version=1, attribute="given_name", act=act)
    assert values(customer)["family_name"] != today["family_name"]
    take_back(customer=customer, correlation_id=act.correlation_id, act=alice())
    assert values(customer) == today


def test_it_runs_out_as_any_pin_does() -> None:
    customer = moved_house()
    soon = timezone.now() + timedelta(seconds=1)
    restore(customer=customer, of=customer, version=1, attribute="website", act=alice(), until=soon)
    assert values(customer)["website"] == "old.example.org"
    pipeline.one("SELECT pg_sleep_until(%s)", soon + timedelta(milliseconds=5))
    assert expire() == 1
    assert values(customer)["website"] == "new.example.org"


def test_a_protected_attribute_waits_for_somebody_else() -> None:
    sent("crm", pipeline.person(1, payment_terms="NET30"))
    sent("crm", pipeline.person(1, payment_terms="NET60"))
    customer = at("crm:P1")
    for request in ChangeRequest.objects.filter(state="open"):
        decide_request(change_request=request.id, act=bob())
    last = Customer.history.filter(id=customer).order_by("-version").first()
    assert last is not None
    assert (then(customer, 1).payment_terms, last.payment_terms) == ("NET30", "NET60")
    assert "waits for somebody else" in text(kept(customer, "payment_terms"))
    standing = read_customers([customer])[customer]
    assert (standing.values["payment_terms"], standing.held["payment_terms"]) == ("NET60", "NET30")


def test_a_value_of_an_id_that_was_merged_into_it_is_kept_but_not_a_strangers() -> None:
    survivor, retired, _ = merged()
    restore(customer=survivor, of=retired, version=1, attribute="given_name", act=alice())
    assert values(survivor)["given_name"] == then(retired, 1).given_name
    sent("crm", pipeline.person(9, website="strange.example.org"))
    with pytest.raises(NotFound):
        old_values(customer=survivor, of=at("crm:P9"), version=1, attribute="website")
    answer = browser("steward").get(f"/customers/{survivor}/pin/website/?of={at('crm:P9')}&of_version=1")
    assert "of another customer" in text(answer)


@pytest.mark.parametrize(
    ("attribute", "version", "error"),
    [("website", 9, NotFound), ("language", 1, Rejected), ("kind", 1, Rejected), ("name", 1, Rejected)],
)
def test_what_a_version_has_not_cannot_be_kept(attribute: str, version: int, error: type[Exception]) -> None:
    customer = moved_house()
    with pytest.raises(error):
        restore(customer=customer, of=customer, version=version, attribute=attribute, act=alice())
    assert queries.customer_detail(customer).pins == []


def test_what_was_erased_cannot_be_kept() -> None:
    customer = moved_house()
    with transaction.atomic():
        pipeline.execute("SET LOCAL session_replication_role = replica")
        pipeline.execute("UPDATE historical_customer SET salt = NULL WHERE version = 1")
    with pytest.raises(Erased):
        restore(customer=customer, of=customer, version=1, attribute="website", act=alice())


@pytest.mark.parametrize("of_version", ["", "0", "x", "99", "9" * 40, "１"])
def test_a_version_that_is_none_gets_a_sentence_and_pins_nothing(of_version: str) -> None:
    customer = moved_house()
    asked = urlencode({"of": customer, "of_version": of_version})
    answer = browser("steward").get(f"/customers/{customer}/pin/website/?{asked}")
    assert answer.status_code == 422
    assert re.search(r'role="alert">.*version', text(answer))
    sent_back = {"choice": "old", "reason": "x", "version": "2", "of": str(customer), "of_version": of_version}
    assert browser("steward").post(f"/customers/{customer}/pin/website/", sent_back).status_code == 422
    assert values(customer)["website"] == "new.example.org"
