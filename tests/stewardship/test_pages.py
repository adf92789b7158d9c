"""The pages about customers, over Django's own client: what they say, and how many queries they take."""

from typing import Any
from uuid import UUID

import pytest

from apps.customers.models import Customer
from apps.matching import judge
from apps.stewardship import overview
from tests import pipeline
from tests.stewardship.given import ANNA, BOB, anna, browser, text

pytestmark = pytest.mark.django_db
MOST_QUERIES = 15


@pytest.fixture
def customer() -> UUID:
    found = anna()
    pipeline.take("crm", BOB)
    return found


def pages(customer: UUID) -> list[str]:
    record = pipeline.record_ids()["crm:C-1"]
    own = f"/customers/{customer}/"
    tabs = [
        own,
        *(
            own + tab
            for tab in (
                "sources/",
                "lineage/",
                "lineage/contact_points/",
                "lineage/family_name/",
                "history/",
                "history/compare/?a=1&b=2",
                "matches/",
                "joins/",
                f"records/{record}/",
            )
        ),
    ]
    lists = [
        "/",
        "/customers/",
        "/customers/?q=anna",
        "/doubts/",
        "/systems/",
        "/imports/",
        "/imports/new/",
        "/quarantine/",
        "/preferences/",
    ]
    return [*lists, *tabs]


def test_every_page_keeps_its_number_of_queries(customer: UUID, django_assert_max_num_queries: Any) -> None:
    admin = browser("admin")
    for path in pages(customer):
        with django_assert_max_num_queries(MOST_QUERIES):
            answer = admin.get(path)
        assert answer.status_code == 200, path


def test_no_page_takes_more_queries_for_more_rows(customer: UUID, django_assert_max_num_queries: Any) -> None:
    pipeline.take(
        "billing",
        *(
            {"record_id": f"B-{n}", "kind": "person", "name": f"Person {n}", "email": "x" if n % 2 else "a@b.example"}
            for n in range(60)
        ),
    )
    steward = browser("steward")
    for path in ("/", "/customers/", "/customers/?q=person", "/quarantine/", "/systems/"):
        with django_assert_max_num_queries(MOST_QUERIES):
            steward.get(path)


def test_an_empty_hub_says_what_to_do_next() -> None:
    pipeline.empty()
    assert "The hub is empty" in text(browser("integrator").get("/"))
    assert "No customers yet" in text(browser("viewer").get("/customers/"))
    assert "Nothing was imported yet" in text(browser("steward").get("/imports/"))
    assert "Nothing is in quarantine" in text(browser("steward").get("/quarantine/"))
    assert "Nothing is in doubt" in text(browser("steward").get("/doubts/"))


def test_home_counts_what_there_is(customer: UUID) -> None:
    seen = text(browser("viewer").get("/"))
    assert "1.50 for each customer" in seen
    assert "1 known by two or more" in seen


def test_search_finds_and_says_why(customer: UUID) -> None:
    steward = browser("steward")
    assert "same e-mail" in text(steward.get("/customers/?q=ANNA.schmidt@example.com"))
    assert "id in a source system" in text(steward.get("/customers/?q=K-77"))
    assert "similar name" in text(steward.get("/customers/?q=Kowalsky"))
    assert "Kowalski" not in text(steward.get("/customers/?q=&country=DE"))
    assert "No customer found" in text(steward.get("/customers/?q=nobody-at-all"))
    assert "Search without filters" in text(steward.get("/customers/?q=Anna&country=PL"))


@pytest.mark.parametrize(
    "query",
    ["after=nonsense", "q=%00%ff", "kind=dragon", "country=%3Cb%3E", "system=none", "q=" + "x" * 5000],
    ids=range(6),
)
def test_a_forged_search_is_no_error(customer: UUID, query: str) -> None:
    assert browser("viewer").get(f"/customers/?{query}").status_code in (200, 302)


def test_an_id_typed_into_search_opens_the_customer(customer: UUID) -> None:
    assert browser("viewer").get(f"/customers/?q={customer}")["Location"] == f"/customers/{customer}/"


def test_every_value_names_its_source_and_its_losers(customer: UUID) -> None:
    seen = text(browser("viewer").get(f"/customers/{customer}/"))
    assert "Anne" in seen
    assert "2 values" in seen
    assert "most trusted source" in seen or "newest change" in seen
    assert "1,200.00" in seen
    assert "2 sources" in seen


def test_the_grid_marks_the_winner_and_is_for_those_who_may_see_sources(customer: UUID) -> None:
    path = f"/customers/{customer}/sources/"
    seen = text(browser("steward").get(path))
    assert 'class="won"' in seen
    assert "used" in seen
    viewer = browser("viewer")
    assert viewer.get(path).status_code == 403
    assert path not in text(viewer.get(f"/customers/{customer}/"))


def test_history_tells_who_why_and_what(customer: UUID) -> None:
    seen = text(browser("viewer").get(f"/customers/{customer}/history/"))
    assert "Version 2" in seen
    assert "a test" in seen
    assert str(pipeline.ACT.correlation_id) in seen
    compared = text(browser("viewer").get(f"/customers/{customer}/history/compare/?a=1&b=2"))
    assert 'class="was"' in compared
    assert 'class="now"' in compared


@pytest.mark.parametrize("query", ["", "a=1", "a=1&b=x", "a=1&b=99999999999999"], ids=["none", "one", "word", "huge"])
def test_a_forged_comparison_goes_back_to_the_history(customer: UUID, query: str) -> None:
    answer = browser("viewer").get(f"/customers/{customer}/history/compare/?{query}")
    assert answer["Location"] == f"/customers/{customer}/history/"
    assert browser("viewer").get(f"/customers/{customer}/history/compare/?a=1&b=77").status_code == 404


def test_matches_explain_the_pair_in_bits_and_words(customer: UUID) -> None:
    seen = text(browser("steward").get(f"/customers/{customer}/matches/"))
    assert "same email" in seen
    assert "bits" in seen
    assert "Starting point" in seen


def test_a_retired_id_leads_to_what_it_is_part_of_and_keeps_its_history(customer: UUID) -> None:
    other = pipeline.where()["crm:C-2"]
    judge.merge(customers=[customer, other], act=pipeline.alice())
    retired = Customer.objects.get(id__in=[customer, other], active=False).id
    survivor = next(c for c in (customer, other) if c != retired)
    steward = browser("steward")
    for tab in ("", "sources/", "lineage/", "lineage/status/", "matches/"):
        answer = steward.get(f"/customers/{retired}/{tab}")
        assert answer["Location"] == f"/customers/{survivor}/{tab}"
    assert "part of this customer now" in text(steward.get(f"/customers/{retired}/", follow=True))
    kept = text(steward.get(f"/customers/{retired}/history/"))
    assert "history of the retired id" in kept
    assert str(retired) in text(steward.get(f"/customers/{survivor}/"))
    assert steward.get(f"/customers/?q={retired}")["Location"] == f"/customers/{survivor}/"


def test_a_held_attribute_shows_what_is_proposed(customer: UUID) -> None:
    pipeline.take(
        "billing",
        {
            **ANNA,
            "record_id": "B-1",
            "payment_terms": "NET30",
            "credit_limit": "1200",
            "source_updated_at": "2024-06-01T10:00:00Z",
        },
    )
    pipeline.query("UPDATE system SET trust = 99 WHERE code = 'billing'")
    pipeline.take(
        "billing",
        {
            **ANNA,
            "record_id": "B-1",
            "payment_terms": "PREPAID",
            "credit_limit": "1200",
            "source_updated_at": "2024-07-01T10:00:00Z",
        },
    )
    pipeline.take("erp", {**ANNA, "record_id": "K-77", "deleted": True, "source_updated_at": "2024-08-01T10:00:00Z"})
    held = pipeline.one("SELECT held FROM customer WHERE id = %s", pipeline.where()["crm:C-1"])
    assert "payment_terms" in str(held)
    seen = text(browser("steward").get(f"/customers/{customer}/"))
    assert "held" in seen
    assert "waits for approval" in seen
    assert "PREPAID" in seen


def test_names_that_try_to_hide_are_shown_safely() -> None:
    pipeline.systems()
    name = "<script>alert(1)</script> & 'Söhne'"
    customer = pipeline.customer_of(
        "crm", {"record_id": "<b>1</b>", "kind": "organization", "organization_name": name, "country": "DE"}
    )
    for tab in ("", "sources/", "lineage/", "lineage/organization_name/", "history/", "matches/", "joins/"):
        seen = text(browser("steward").get(f"/customers/{customer}/{tab}"))
        assert "<script>alert" not in seen
        assert "<b>1</b>" not in seen
        assert "&lt;script&gt;" in seen


def test_preferences_are_kept_with_the_account_and_in_the_browser(customer: UUID) -> None:
    viewer = browser("viewer")
    answer = viewer.post("/preferences/", {"time_zone": "Asia/Tokyo", "theme": "dark"})
    assert answer.status_code == 302
    assert viewer.cookies["theme"].value == "dark"
    assert viewer.cookies["shortcuts"].value == "off"
    seen = text(viewer.get(f"/customers/{customer}/"))
    assert 'data-bs-theme="dark"' in seen
    assert 'data-shortcuts="off"' in seen
    assert "JST" in seen
    assert viewer.post("/preferences/", {"time_zone": "Mars/Olympus"}).status_code == 200


def test_pages_carry_the_strict_policy(customer: UUID) -> None:
    policy = browser("viewer").get("/")["Content-Security-Policy"]
    assert "script-src 'self'" in policy
    assert "style-src 'self'" in policy
    assert "unsafe" not in policy


def test_the_counts_of_a_large_hub_are_kept_for_a_while(customer: UUID, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overview, "_last_totals", None)
    monkeypatch.setattr(overview, "KEPT_FROM", 2)
    steward = browser("steward")
    assert steward.get("/").context["now"].customers == 2
    pipeline.take("crm", {**BOB, "record_id": "C-3", "family_name": "Nowak"})
    assert steward.get("/").context["now"].customers == 2
    monkeypatch.setattr(overview, "KEPT_SECONDS", 0.0)
    assert steward.get("/").context["now"].customers == 3
