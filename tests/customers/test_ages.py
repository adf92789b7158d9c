"""How old values are, how far they are trusted by now, which have grown stale, and what runs out."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any
from uuid import UUID

import pytest
from django.core.management import call_command
from django.utils import timezone

from apps.common.errors import NotFound
from apps.customers import pins, tasks
from apps.customers.measure_stale import measure_stale
from apps.customers.models import QualityScore, StaleAttribute
from apps.customers.queries_ages import ages_of, lineage_with_ages_then
from apps.customers.queries_past import stood
from apps.customers.queries_stale import expiring, oldest, stale_attributes
from apps.matching import judge
from apps.policies import activate
from apps.policies.active import shipped
from tests import pipeline
from tests.callers import machine, person
from tests.pipeline import alice, bob, take
from tests.pipeline import person as somebody
from tests.stewardship.given import browser, text

pytestmark = pytest.mark.django_db(transaction=True)
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def hub() -> None:
    pipeline.empty()
    pipeline.systems()


def enact(**changes: Any) -> None:
    drafted = activate.draft(kind="survivorship", body=shipped("survivorship") | changes, note="", act=alice())
    activate.activate(policy=drafted.id, act=bob())


def sent(system: str, number: int, days: int, **values: Any) -> UUID:
    """A record whose source changed it so many days (and a minute) ago; its customer."""
    moment = timezone.now() - days * DAY - timedelta(minutes=1)
    return pipeline.customer_of(system, somebody(number, source_updated_at=moment.isoformat(), **values))


def test_a_value_is_as_old_as_the_youngest_record_that_says_it() -> None:
    sent("erp", 1, 400, website="here.example.org", language="de")
    customer = sent("crm", 1, 30, website="here.example.org", language="fr")
    found = ages_of(customer)
    assert found["website"][0].days == 30, "the CRM has said so since"
    language = {"de": 400, "fr": 30}[pipeline.one("SELECT language FROM customer WHERE id = %s", customer)]
    assert found["language"][0].days == language
    assert found["name"][0].days == 30, "made of the parts of a record"
    points, entries = found["contact_points"]
    assert (points.days, {e.days for e in entries}) == (30, {30})


def test_a_list_is_as_old_as_its_youngest_entry_and_each_has_its_own_age() -> None:
    sent("erp", 1, 1000, email="old@mail.example")
    customer = sent("crm", 1, 800)
    whole, entries = ages_of(customer)["contact_points"]
    assert sorted({e.days for e in entries if e.days is not None}) == [800, 1000]
    assert (whole.days, whole.stale, all(e.stale for e in entries)) == (800, True, True), "the shipped age is 730 days"
    sent("billing", 1, 5)
    whole, entries = ages_of(customer)["contact_points"]
    assert (whole.days, whole.stale) == (5, False)
    assert {e.stale for e in entries} == {True, False}


def test_confidence_decays_with_age_and_is_lowered_by_failed_checks() -> None:
    """CRM is trusted 85 for websites: half of what is above 5 is left after a year. A check that fails takes half of a date's 70."""
    check = {"code": "too.old", "attribute": "birth_date", "least": "1990-01-01", "lowers": 50, "says": "Too old."}
    decay = {"to": 5, "days": 365, "shape": "half-life"}
    enact(
        attributes={"website": [{"strategy": "trust", "decay": decay}]},
        quality={"reserve": 5, "checks": [check]},
    )  # fmt: skip
    customer = sent("crm", 1, 365, website="here.example.org", birth_date="1971-05-05")
    found = ages_of(customer)
    assert found["website"][0].confidence == pytest.approx(45, abs=0.01)
    assert found["birth_date"][0].confidence == 35
    assert found["given_name"][0].confidence == 70


def test_a_pin_is_certain_and_as_old_as_it_is_pinned_and_what_is_held_has_no_age() -> None:
    customer = sent("crm", 1, 900, website="here.example.org", payment_terms="NET30")
    pins.pin(customer=customer, attribute="website", value="right.example.org", act=alice())
    website = ages_of(customer)["website"][0]
    assert (website.days, website.confidence) == (0, 100.0)
    pipeline.owners_of_nothing()
    take("crm", somebody(1, payment_terms="NET90", website="here.example.org"), act=alice())
    held = ages_of(customer)["payment_terms"][0]
    assert (held.since, held.confidence, held.stale) == (None, None, False)


def test_what_a_steward_ignores_keeps_nothing_young() -> None:
    sent("erp", 1, 500, website="here.example.org")
    customer = sent("crm", 1, 10, website="here.example.org")
    record = pipeline.record_ids()["crm:P1"]
    pins.ignore(customer=customer, record=record, attribute="website", act=alice())
    assert ages_of(customer)["website"][0].days == 500


def test_by_another_clock_it_is_another_age_and_an_unknown_one_is_stale() -> None:
    enact(stale={"website": {"days": 10, "clock": "received"}, "language": {"days": 10, "clock": "verified"}})
    customer = sent("crm", 1, 900, website="here.example.org", language="de")
    found = ages_of(customer)
    assert (found["website"][0].days, found["website"][0].stale) == (0, False)
    assert (found["language"][0].since, found["language"][0].stale) == (None, True)
    assert not found["contact_points"][0].stale, "nothing is said of it any more"


def test_the_lineage_tells_it_over_the_api_and_on_the_page() -> None:
    customer = sent("crm", 1, 800)
    told = machine().get(f"/api/v1/customers/{customer}/lineage").json()["attributes"]
    by_name = {one["attribute"]: one for one in told}
    points = by_name["contact_points"]
    assert (points["age_days"], points["stale"], points["clock"], points["confidence"]) == (800, True, "changed", 85.0)
    assert [e["age_days"] for e in points["entries"]] == [800] * len(points["value"])
    assert (by_name["birth_date"]["stale"], by_name["birth_date"]["confidence"]) == (False, 70.0)
    then = timezone.now().isoformat().replace("+", "%2B")
    sent("crm", 1, 1, email="other@mail.example")
    past = machine().get(f"/api/v1/customers/{customer}/lineage?as_of={then}").json()["attributes"]
    assert _but_since(past) == _but_since(told), "it was young again only afterwards"
    page = text(browser("viewer").get(f"/customers/{customer}/lineage/"))
    assert "trusted 85 of 100" in page
    assert ">stale<" not in page
    page = text(browser("viewer").get(f"/customers/{customer}/lineage/?at={then}"))
    assert "trusted 85 of 100" in page
    assert "800 days then" in page
    assert ">stale<" in page


def _but_since(attributes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Every day counts; what is told is of one record, whose version of then says when it was changed."""
    return [{name: value for name, value in one.items() if name not in ("since", "entries")} for one in attributes]


def test_what_was_trusted_at_a_past_moment_is_told_where_the_records_of_then_come_to_what_stood() -> None:
    """A decay of one day a point of a hundred: what a year has taken away today, it had not then."""
    decay = {"to": 0, "days": 100, "shape": "linear"}
    enact(attributes={"website": [{"strategy": "trust", "decay": decay}], "language": [{"strategy": "trust"}]})
    sent("support", 1, 50, website="here.example.org", language="fr")
    customer = sent("erp", 1, 50, website="here.example.org", language="de")
    then = stood(customer, timezone.now())
    tomorrow = replace(then, at=then.at + 10 * DAY)
    confidence = [lineage_with_ages_then(one)[1]["website"][0].confidence for one in (then, tomorrow)]
    assert confidence[0] / confidence[1] == pytest.approx(50 / 40, rel=0.01), (
        "it goes down to nothing in a hundred days"
    )
    language = lineage_with_ages_then(then)[1]["language"][0]
    assert (language.days, language.confidence) == (50, 80.0)
    pipeline.execute("UPDATE system SET trust = 1 WHERE code = 'erp'")
    language = lineage_with_ages_then(then)[1]["language"][0]
    assert (language.days, language.confidence) == (50, None), "today's trust would have chosen another record"


def test_what_has_grown_old_is_counted_by_attribute_with_the_oldest_customers() -> None:
    young, old, oldest_ = sent("crm", 1, 5), sent("crm", 2, 800), sent("crm", 3, 900)
    pipeline.customer_of("crm", {"record_id": "X", "kind": "person", "name": "Nobody Reachable"})
    measure_stale()
    row, found = oldest("contact_points")
    assert (row.held, row.stale, row.unknown, row.days) == (3, 2, 0, 730)
    assert [one.id for one in found] == [oldest_, old]
    assert young not in {one.id for one in found}
    assert stale_attributes()[0].attribute == "addresses"
    judge.merge(customers=[old, oldest_], act=alice())
    assert {one.id for one in oldest("contact_points")[1]} == {old}, "what a retired id stands for"
    with pytest.raises(NotFound):
        oldest("birth_date")


def test_no_more_than_the_oldest_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apps.customers.measure_stale.KEPT", 2)
    customers = {days: sent("crm", days, days) for days in (801, 803, 802, 805, 804)}
    measure_stale()
    row, found = oldest("contact_points")
    assert row.stale == 5
    assert [one.id for one in found] == [customers[805], customers[804]]


def test_measured_hourly_told_by_api_command_and_page() -> None:
    sent("crm", 1, 800)
    client = machine()
    assert client.get("/api/v1/quality/stale").json() == {"items": []}
    tasks.measure_quality()
    points = next(i for i in client.get("/api/v1/quality/stale").json()["items"] if i["attribute"] == "contact_points")
    assert (points["held"], points["stale"], len(points["oldest"])) == (1, 1, 1)
    out = StringIO()
    call_command("measure_quality", json=True, stdout=out)
    told = {row["attribute"]: row for row in json.loads(out.getvalue())["stale"]}
    assert told["contact_points"] == {
        "attribute": "contact_points", "days": 730, "clock": "changed", "held": 1, "stale": 1, "unknown": 0,
    }  # fmt: skip
    out = StringIO()
    call_command("measure_quality", stdout=out)
    assert "1 of 1 customers, older than 730 days (changed)" in out.getvalue()
    page = text(browser("viewer").get("/quality/"))
    assert "Values that have grown old" in page
    assert '<a href="/quality/stale/contact_points/">' in page
    listed = text(browser("viewer").get("/quality/stale/contact_points/"))
    assert f"/customers/{pipeline.where()['crm:P1']}/lineage/" in listed
    assert browser("viewer").get("/quality/stale/nothing/").status_code == 404


def test_another_policy_has_it_counted_at_once() -> None:
    sent("crm", 1, 50)
    tasks.measure_quality()
    assert StaleAttribute.objects.get(attribute="contact_points").stale == 0
    enact(stale={"contact_points": 40})
    tasks.measure_quality()
    assert [(r.attribute, r.stale) for r in stale_attributes()] == [("contact_points", 1)]
    assert QualityScore.objects.exists()


# ── what runs out ───────────────────────────────────────────────────────────────────────────────────────────────────
def test_pins_that_run_out_are_listed_before_they_lapse() -> None:
    customer = sent("crm", 1, 5, website="here.example.org")
    soon, later = timezone.now() + 3 * DAY, timezone.now() + 60 * DAY
    pins.pin(customer=customer, attribute="website", value="a.example.org", act=alice(), until=later)
    pins.pin(customer=customer, attribute="language", value="de", act=alice(), until=soon)
    pins.pin(customer=customer, attribute="currency", value="EUR", act=alice())
    record = pipeline.record_ids()["crm:P1"]
    pins.ignore(customer=customer, record=record, attribute="website", act=alice(), until=soon + DAY)
    assert [(e.attribute, e.ignored, e.expires_at) for e in expiring(30 * DAY)] == [
        ("language", False, soon), ("website", True, soon + DAY),
    ]  # fmt: skip
    assert len(expiring(90 * DAY)) == 3
    told = person("viewer").get("/api/v1/quality/expiring-pins?days=90").json()["items"]
    assert [(one["attribute"], one["kind"], one["actor"]) for one in told] == [
        ("language", "pin", "user:alice"), ("website", "ignored", "user:alice"), ("website", "pin", "user:alice"),
    ]  # fmt: skip
    assert person("viewer").get("/api/v1/quality/expiring-pins?days=0").status_code == 400
    page = text(browser("viewer").get("/quality/"))
    assert "What runs out within 30 days" in page
    assert "alice says so" in page


def test_a_moment_without_microseconds_stands_in_the_order_of_time_too() -> None:
    customer = sent("crm", 1, 5)
    whole = datetime(2999, 1, 1, tzinfo=UTC)
    pins.pin(customer=customer, attribute="website", value="a.example.org", act=alice(), until=whole)
    assert [e.expires_at for e in expiring(whole - timezone.now() + DAY)] == [whole]
    assert list(expiring(whole - timezone.now() - DAY)) == []
