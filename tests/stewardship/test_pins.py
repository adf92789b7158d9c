"""A value is pinned on the page: one of the sources' or another one, with a reason, and taken away again."""

import re
from datetime import timedelta
from uuid import UUID

import pytest
from django.utils import timezone

from apps.customers import queries
from apps.customers.golden import read_customers
from apps.matching import judge
from tests import pipeline
from tests.pipeline import person, take
from tests.stewardship.given import browser, text

pytestmark = pytest.mark.django_db


@pytest.fixture
def customer() -> UUID:
    pipeline.systems()
    take("crm", person(1, city="Ulm", website="ulm.example.org"))
    return pipeline.customer_of("erp", person(1, city="Bonn", website="bonn.example.org"))


def website(customer: UUID) -> str:
    return str(read_customers([customer])[customer].values["website"])


def form(customer: UUID, **fields: str) -> dict[str, str]:
    page = text(browser("steward").get(f"/customers/{customer}/pin/website/"))
    version = re.search(r'name="version" value="(\d+)"', page)
    assert version is not None
    return {"version": version[1], "reason": "asked them", **fields}


def test_a_sources_value_is_pinned_and_the_pin_taken_away(customer: UUID) -> None:
    before = website(customer)
    records = pipeline.record_ids()
    loser = "crm:P1" if "bonn" in before else "erp:P1"
    steward = browser("steward")
    assert "pin</a>" in text(steward.get(f"/customers/{customer}/sources/"))
    address = f"/customers/{customer}/pin/website/"
    assert steward.post(address, form(customer, choice=str(records[loser]))).status_code == 302
    assert website(customer) != before
    page = text(steward.get(address))
    assert "Pinned by" in page
    assert "asked them" in page
    assert steward.post(address, form(customer, choice="none")).status_code == 302
    assert website(customer) == before
    assert pipeline.broken() == []


def test_another_value_is_pinned_and_outlives_new_records(customer: UUID) -> None:
    steward = browser("steward")
    sent = form(customer, choice="own", own="https://right.example.org")
    assert steward.post(f"/customers/{customer}/pin/website/", sent).status_code == 302
    assert "right.example.org" in website(customer)
    take("crm", person(1, city="Ulm", website="newer.example.org"))
    assert "right.example.org" in website(customer)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"choice": "own", "own": ""}, "Write the value"),
        ({"choice": "own", "own": "x" * 10_000}, "Write the value"),
        ({"choice": "own", "own": "a.example", "reason": " "}, "Say why"),
        ({"choice": "nonsense"}, "Choose one"),
        ({}, "Choose one"),
        ({"choice": "own", "own": "a.example", "version": "0"}, "has changed since"),
    ],
)
def test_what_cannot_be_pinned_is_refused_and_nothing_changes(
    customer: UUID, fields: dict[str, str], said: str
) -> None:
    before = website(customer)
    answer = browser("steward").post(f"/customers/{customer}/pin/website/", form(customer, **fields))
    assert answer.status_code == 422
    assert said in text(answer)
    assert website(customer) == before


def test_a_value_that_no_source_could_send_is_refused_by_name_and_cause(customer: UUID) -> None:
    answer = browser("steward").post(
        f"/customers/{customer}/pin/birth_date/", form(customer, choice="own", own="the day after")
    )
    assert answer.status_code == 422
    assert "date" in text(answer)


def test_names_with_other_directions_and_hidden_characters_are_shown_safely(customer: UUID) -> None:
    steward = browser("steward")
    address = f"/customers/{customer}/pin/name/"
    sent = form(customer, choice="own", own="<b>מרים</b> \u202eevil")
    steward.post(address, sent)
    page = steward.get(address).content.decode()
    assert "<b>מרים" not in page
    assert "\u202e" not in page.split("<h1>")[1]


def test_only_what_can_be_pinned_and_only_by_whom(customer: UUID) -> None:
    steward = browser("steward")
    for attribute in ("kind", "extra", "nonsense"):
        assert steward.get(f"/customers/{customer}/pin/{attribute}/").status_code == 404
    for role in ("viewer", "integrator", "admin"):
        assert browser(role).get(f"/customers/{customer}/pin/website/").status_code == 403
        assert browser(role).post(f"/customers/{customer}/pin/website/", {"choice": "none"}).status_code == 403


# ── for a time, and ignored ─────────────────────────────────────────────────────────────────────────────────────────
def test_a_pin_runs_out_on_the_day_that_was_said(customer: UUID) -> None:
    steward, address = browser("steward"), f"/customers/{customer}/pin/website/"
    day = (timezone.localdate() + timedelta(days=3)).isoformat()
    sent = form(customer, choice="own", own="https://right.example.org", until=day)
    assert steward.post(address, sent).status_code == 302
    assert "until" in text(steward.get(address))
    (pinned,) = queries.customer_detail(customer).pins
    assert pinned.expires_at is not None
    assert pinned.expires_at.date().isoformat() <= day
    refused = steward.post(address, form(customer, choice="own", own="https://x.example.org", until="2020-01-01"))
    assert refused.status_code == 422
    assert "still to come" in text(refused)


def test_a_sources_value_is_ignored_and_counts_again(customer: UUID) -> None:
    before = website(customer)
    winner = pipeline.record_ids()["erp:P1" if "bonn" in before else "crm:P1"]
    steward, address = browser("steward"), f"/customers/{customer}/records/{winner}/ignore/website/"
    assert address in text(steward.get(f"/customers/{customer}/sources/"))
    assert "Ignore this value" in text(steward.get(address))
    assert steward.post(address, form(customer)).status_code == 302
    assert website(customer) != before
    page = text(steward.get(f"/customers/{customer}/sources/"))
    assert "ignored" in page
    assert "asked them" in page
    assert "Let this value count again" in text(steward.get(address))
    assert steward.post(address, form(customer)).status_code == 302
    assert website(customer) == before
    assert pipeline.broken() == []


def test_what_cannot_be_ignored_is_refused(customer: UUID) -> None:
    winner, steward = pipeline.record_ids()["erp:P1"], browser("steward")
    address = f"/customers/{customer}/records/{winner}/ignore/website/"
    for fields in ({"reason": ""}, {"version": "999"}, {"until": "yesterday"}):
        assert steward.post(address, form(customer, **fields)).status_code == 422
    for wrong in (
        f"/customers/{customer}/records/{winner}/ignore/kind/",
        f"/customers/{customer}/records/{customer}/ignore/website/",
    ):
        assert steward.get(wrong).status_code == 404
    assert steward.get(f"/customers/{customer}/records/{winner}/ignore/language/").status_code == 302
    assert browser("viewer").get(address).status_code == 403
    assert not any(s.ignored for s in queries.customer_detail(customer).sources)


def test_a_form_of_an_id_that_was_merged_meanwhile_asks_to_look_and_then_lands_on_the_successor(customer: UUID) -> None:
    young = pipeline.customer_of("billing", person(2, website="young.example.org"))
    sent = form(young, choice="own", own="right.example.org")
    judge.merge(customers=[customer, young], act=pipeline.alice())
    before = website(customer)
    steward, address = browser("steward"), f"/customers/{young}/pin/website/"
    refused = steward.post(address, {**sent, "version": "1"})
    assert refused.status_code == 422
    assert "has changed since you opened the page" in text(refused)
    assert 'value="right.example.org"' in text(refused), "what was typed is still there"
    assert website(customer) == before
    version = read_customers([customer])[customer].version
    assert steward.post(address, {**sent, "version": str(version)}).status_code == 302
    assert "right.example.org" in website(customer)
