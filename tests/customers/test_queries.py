"""Reading customers: what resolves, where values come from, what changed when, and what one search box finds."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.utils import timezone
from hypothesis import given as example
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from apps.common.act import Act
from apps.common.errors import NotFound, Rejected
from apps.common.ids import uuid7
from apps.customers import queries, queries_past
from apps.customers.models import Customer, SourceRecord
from apps.customers.pins import pin
from apps.events.relay import relay_all
from tests.customers import given

pytestmark = pytest.mark.django_db

ANNA: dict[str, Any] = {
    "record_id": "C1", "kind": "person", "given_name": "Anna", "family_name": "Müller",
    "email": "Anna.Mueller@example.com",
    "phone": "+49 30 1234567", "address_line1": "Lindenstraße 5", "postal_code": "10969", "city": "Berlin",
    "country": "DE",
    "source_updated_at": "2024-01-01T00:00:00Z",
}  # fmt: skip
ANNA_ERP: dict[str, Any] = {
    "record_id": "77/a", "kind": "person", "given_name": "Anna", "family_name": "Mueller",
    "email": "anna@firma.example",
    "birth_date": "1980-02-29", "credit_limit": "1200", "country": "DE", "source_updated_at": "2025-01-01T00:00:00Z",
}  # fmt: skip
ACME: dict[str, Any] = {
    "record_id": "9", "kind": "organization", "organization_name": "ACME Maschinenbau GmbH", "city": "Hamburg",
    "country": "DE",
    "tax_id": "DE136695976", "website": "https://acme.example",
}  # fmt: skip


def records_of(*keys: tuple[str, str]) -> list[UUID]:
    return [SourceRecord.objects.get(system__code=c, external_id=x).id for c, x in keys]


def merged() -> tuple[UUID, UUID]:
    """Two customers that became one: (survivor, retired id)."""
    first, second = given.customers([("crm", ANNA)], [("erp", ANNA_ERP)])
    given.place([records_of(("crm", "C1"), ("erp", "77/a"))])
    return first, second


def test_a_retired_id_resolves_to_its_successor(django_assert_num_queries: Any) -> None:
    survivor, retired = merged()
    with django_assert_num_queries(2):
        found = queries.resolve(retired)
    assert (found.customer.id, found.asked, found.replaced) == (survivor, retired, True)
    assert queries.resolve(survivor).replaced is False


def test_an_id_never_given_is_not_found() -> None:
    for ask in (queries.resolve, queries.customer_detail, queries.lineage, queries.history):
        with pytest.raises(NotFound):
            ask(uuid7())


def test_detail_shows_values_sources_and_retired_ids(django_assert_num_queries: Any) -> None:
    survivor, retired = merged()
    with django_assert_num_queries(3):
        detail = queries.customer_detail(survivor)
    assert detail.values["birth_date"] == "1980-02-29"
    assert detail.values["credit_limit"] == "1200.00"
    assert [(s.system, s.external_id) for s in detail.sources] == [("crm", "C1"), ("erp", "77/a")]
    assert list(detail.redirects) == [retired]
    assert detail.member_count == 2
    assert queries.customer_detail(retired).asked == retired


def test_a_source_opens_in_its_system_with_an_escaped_id() -> None:
    given.system("erp", record_url="https://erp.example/c/{id}?v=1")
    id_ = given.customer(("erp", ANNA_ERP))
    assert queries.customer_detail(id_).sources[0].url == "https://erp.example/c/77%2Fa?v=1"


def test_lineage_names_winner_rule_and_the_values_that_lost(django_assert_num_queries: Any) -> None:
    survivor, _ = merged()
    with django_assert_num_queries(2):
        told = {a.attribute: a for a in queries.lineage(survivor)}
    family = told["family_name"]
    assert family.winner is not None
    assert family.value == family.winner.value
    assert {family.winner.system, *(o.system for o in family.others)} == {"crm", "erp"}
    assert told["birth_date"].rule == "only"
    assert told["birth_date"].winner is not None
    assert told["birth_date"].winner.external_id == "77/a"
    emails = {p.part["value"]: [s.system for s in p.sources] for p in told["contact_points"].parts}
    assert emails["anna@firma.example"] == ["erp"]
    assert told["name"].rule == "composed"


def test_lineage_tells_a_pin_with_its_reason() -> None:
    id_ = given.customer(("crm", ANNA))
    pin(customer=id_, attribute="status", value="blocked", act=Act("user:sue", "fraud desk called"))
    told = {a.attribute: a for a in queries.lineage(id_)}["status"]
    assert (told.value, told.rule) == ("blocked", "pin")
    assert told.pin is not None
    assert (told.pin.actor, told.pin.reason) == ("user:sue", "fraud desk called")
    detail = queries.customer_detail(id_)
    assert [p.attribute for p in detail.pins] == ["status"]
    assert [s.system for s in detail.sources] == ["crm"]


def test_history_tells_who_changed_what_and_why(django_assert_num_queries: Any) -> None:
    id_ = given.customer(("crm", ANNA))
    later = {**ANNA, "city": "Potsdam", "source_updated_at": "2024-02-01T00:00:00Z"}
    given.customers([("crm", later)], act=Act("client:crm", "moved house"))
    with django_assert_num_queries(2):
        newest, first = queries.history(id_)
    assert (newest.version, newest.actor, newest.reason, newest.event) == (
        2,
        "client:crm",
        "moved house",
        "customer.changed",
    )
    assert [c.attribute for c in newest.changes] == ["addresses"]
    assert newest.changes[0].before[0]["city"] == "Berlin"
    assert newest.changes[0].after[0]["city"] == "Potsdam"
    assert first.event == "customer.created"
    assert all(c.before is None for c in first.changes)


def test_history_goes_on_after_a_version() -> None:
    id_ = given.customer(("crm", ANNA))
    for day, city in enumerate(("Potsdam", "Kiel", "Mainz"), 2):
        given.customers([("crm", {**ANNA, "city": city, "source_updated_at": f"2024-02-0{day}T00:00:00Z"})])
    page = queries.history(id_, limit=2)
    rest = queries.history(id_, after_version=page[-1].version, limit=2)
    assert [v.version for v in (*page, *rest)] == [4, 3, 2, 1]
    assert [c.attribute for c in page[-1].changes] == ["addresses"]
    assert queries.history(id_, after_version=1) == []


def test_a_retired_customer_keeps_its_own_history() -> None:
    survivor, retired = merged()
    assert queries.history(retired)[0].event == "customer.retired"
    assert queries.history(retired)[0].body["replaced_by"] == str(survivor)


def test_as_of_shows_the_customer_as_it_stood() -> None:
    id_ = given.customer(("crm", ANNA))
    between = Customer.objects.get(id=id_).updated_at
    given.customers([("crm", {**ANNA, "city": "Potsdam", "source_updated_at": "2024-02-01T00:00:00Z"})])
    assert queries_past.as_of(id_, between).values["addresses"][0]["city"] == "Berlin"
    assert queries_past.as_of(id_, timezone.now()).values["addresses"][0]["city"] == "Potsdam"
    with pytest.raises(NotFound):
        queries_past.as_of(id_, between - timedelta(seconds=1))


def test_as_of_a_retired_id_follows_it_to_where_it_was_then() -> None:
    first, second = given.customers([("crm", ANNA)], [("erp", ANNA_ERP)])
    before = Customer.objects.get(id=second).updated_at
    given.place([records_of(("crm", "C1"), ("erp", "77/a"))])
    assert queries_past.as_of(second, before).id == second
    assert queries_past.as_of(second, timezone.now()).id == first


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("anna.mueller@EXAMPLE.com", "email"),
        ("+493012345 67", "phone"),
        ("030 1234567", "phone"),
        ("C1", "external id"),
        ("crm:C1", "external id"),
        ("müller", "words"),
        ("Muller anna", "words"),
        ("MÜL", "words"),
        ("linden", "words"),
        ("Mueler", "similar name"),
        ("Ana Muler", "similar name"),
    ],
)
def test_one_box_finds_a_person_by(text: str, why: str) -> None:
    anna, _ = given.customers([("crm", ANNA)], [("erp", ACME)])
    hits = queries.search(text).items
    assert [(h.id, h.why) for h in hits] == [(anna, why)]
    assert (hits[0].city, hits[0].country, hits[0].systems) == ("Berlin", "DE", ["crm"])


@pytest.mark.parametrize("text", ["DE136695976", "136695976", "de 136 695 976"])
def test_one_box_finds_an_organisation_by_its_tax_id(text: str) -> None:
    _, acme = given.customers([("crm", ANNA)], [("erp", ACME)])
    assert [(h.id, h.why) for h in queries.search(text).items] == [(acme, "tax_id")]


def test_one_box_finds_customers_by_id_even_a_retired_one() -> None:
    survivor, retired = merged()
    assert [(h.id, h.why) for h in queries.search(str(survivor)).items] == [(survivor, "customer id")]
    assert [(h.id, h.why) for h in queries.search(str(retired)).items] == [(survivor, "retired id")]


def test_filters_narrow_every_way_of_finding() -> None:
    anna, acme = given.customers([("crm", ANNA)], [("erp", ACME)])
    found = [h.id for h in queries.search("", kind="organization").items]
    assert found == [acme]
    assert [h.id for h in queries.search("", system="crm").items] == [anna]
    assert [h.id for h in queries.search("", country="de").items] == [acme, anna]
    assert queries.search("", country="FR").items == []
    assert queries.search("C1", kind="organization").items == []
    assert queries.search("müller", system="erp").items == []
    assert queries.search("Mueler", country="FR").items == []
    assert queries.search("", system="nobody").items == queries.search("C1", system="nobody").items == []


def test_words_in_angle_brackets_are_words() -> None:
    places = [{"line1": "<hof 4", "country": "AT"}, {"line1": "x='1'>", "country": "PT"}]
    (ada,) = given.customers([("crm", {"record_id": "1", "kind": "person", "name": "Ada Byron", "addresses": places})])
    assert [hit.id for hit in queries.search("Hof").items] == [ada]
    assert [hit.id for hit in queries.search("", country="AT").items] == [ada]


def test_a_country_is_one_of_the_addresses_and_no_word_elsewhere() -> None:
    street = {"record_id": "1", "kind": "person", "name": "Ines Po", "address_line1": "Via IT 4", "country": "AT"}
    abroad = {"record_id": "2", "kind": "person", "name": "Udo It", "addresses": [{"country": "PT"}, {"country": "IT"}]}
    _, udo = given.customers([("crm", street)], [("erp", abroad)])
    assert [h.id for h in queries.search("", country="IT").items] == [udo]
    assert [h.id for h in queries.search("it", country="pt").items] == [udo]


@pytest.mark.parametrize("country", ["D", "DEU", "D'", "%s", "''", "D\n", "ÄÖ", '"}', "de "])
def test_what_is_no_country_narrows_to_nothing(country: str) -> None:
    given.customers([("crm", ANNA)])
    assert queries.search("", country=country).items == queries.search("anna", country=country).items == []


@pytest.mark.parametrize("text", ["", "Mustermann"])
def test_pages_join_without_gap_or_repeat(text: str) -> None:
    people = [
        [("crm", {"record_id": f"P{i}", "kind": "person", "given_name": f"No{i}", "family_name": "Mustermann"})]
        for i in range(25)
    ]
    wanted = set(given.customers(*people))
    seen: list[UUID] = []
    cursor = None
    while True:
        page = queries.search(text, limit=7, after=cursor)
        seen += [h.id for h in page.items]
        cursor = page.next
        if cursor is None:
            break
    assert len(seen) == 25
    assert set(seen) == wanted


@pytest.mark.parametrize("cursor", ["", "x", "!", "W10", "e30", "WzEsMl0", "a" * 600, "WyJ4IiwieSJd"])
@pytest.mark.parametrize("text", ["", "Mustermann"])
def test_a_foreign_cursor_is_rejected(text: str, cursor: str) -> None:
    with pytest.raises(Rejected):
        queries.search(text, after=cursor)


@example(st.text(st.characters() | st.sampled_from("’＇'\\\"&|!:*()<-> "), max_size=40))
@hypothesis_settings(max_examples=60, deadline=None)
def test_any_text_can_be_searched(text: str) -> None:
    queries.search(text)


@pytest.mark.parametrize(
    "text",
    [
        "\x00",
        "'; DROP TABLE customer",
        "\\",
        "a:* & !b",
        "\ud800",
        "%",
        "((",
        "x" * 5000,
        "' : *",
        "<->",
        "O’Zzz",
        "x’",
        "’",
        "'\\",
    ],
)
def test_hostile_text_finds_nothing_and_breaks_nothing(text: str) -> None:
    assert queries.search(text).items == []


def test_search_asks_few_questions(django_assert_max_num_queries: Any) -> None:
    given.customers([("crm", ANNA)], [("erp", ACME)])
    with django_assert_max_num_queries(8):  # two of them open and close a savepoint
        queries.search("Mueler")
    with django_assert_max_num_queries(4):
        queries.search("anna.mueller@example.com")
    with django_assert_max_num_queries(2):
        queries.search("")


def test_the_feed_tells_merges_and_retirements() -> None:
    survivor, retired = merged()
    relay_all()
    entries = queries.changes(0, 100)
    assert [e.position for e in entries] == list(range(entries[0].position, entries[0].position + len(entries)))
    told = {e.type: e for e in entries}
    assert told["customer.merged"].subject == survivor
    assert told["customer.merged"].body["merged"] == [str(retired)]
    assert told["customer.retired"].body["replaced_by"] == str(survivor)
    assert queries.changes(entries[-1].position, 10) == []


@pytest.mark.parametrize("text", ["o’brien", "O'Brien", "O’Bri", "O'B"])
def test_an_apostrophe_is_found_however_it_is_written(text: str) -> None:
    id_ = given.customer(("crm", {"record_id": "1", "kind": "person", "given_name": "Pat", "family_name": "O’Brien"}))
    assert [h.id for h in queries.search(text).items] == [id_]
