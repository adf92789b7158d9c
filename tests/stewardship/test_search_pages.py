"""Search with facets: what narrows, what is counted, and that the two never disagree."""

import re
from typing import Any
from uuid import UUID

import pytest
from django.test import Client
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.customers import queries_facets, queries_search
from apps.customers.models import Customer
from apps.customers.queries_narrow import FACETS, Narrow
from apps.stewardship import cases
from apps.stewardship.overview import WAITING
from tests import pipeline
from tests.stewardship.given import browser, text

pytestmark = pytest.mark.django_db
MOST_QUERIES = 15
PEOPLE = (
    ("crm", {"record_id": "1", "kind": "person", "name": "Ida Holm", "email": "ida@example.com", "country": "DK", "status": "active"}),
    ("erp", {"record_id": "2", "kind": "person", "name": "Ole Holm", "country": "DK", "status": "closed"}),
    ("erp", {"record_id": "3", "kind": "person", "name": "Eva Holm", "email": "eva@", "addresses": [{"country": "SE"}, {"country": "DK"}]}),
    ("billing", {"record_id": "4", "kind": "organization", "name": "Holm Werk AB", "country": "SE", "address_line1": "Torget 1"}),
    ("crm", {"record_id": "5", "kind": "organization", "name": "Nordlys AS", "phone": "+47 22 12 34 56"}),
)  # fmt: skip


@pytest.fixture
def people() -> dict[str, UUID]:
    """Customers by name. Ida is known by two records."""
    pipeline.systems()
    found = {item["name"]: pipeline.customer_of(system, item) for system, item in PEOPLE}
    ida = {**PEOPLE[0][1], "record_id": "9", "birth_date": "1970-01-01"}
    assert pipeline.customer_of("support", ida) == found["Ida Holm"]
    return found


def names(answer: Any) -> list[str]:
    return [hit.name for hit in answer.context["hits"]]


def counts(answer: Any, facet: str) -> dict[str, int]:
    return {v: n for v, n in answer.context["counts"].values[facet].items() if n}


def look(query: str = "", role: str = "viewer") -> Any:
    answer = browser(role).get(f"/customers/?{query}")
    assert answer.status_code == 200, (query, answer)
    return answer


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("country=DK", {"Ida Holm", "Ole Holm", "Eva Holm"}),
        ("country=dk&country=SE", {"Ida Holm", "Ole Holm", "Eva Holm", "Holm Werk AB"}),
        ("country=none", {"Nordlys AS"}),
        ("country=none&country=SE", {"Nordlys AS", "Eva Holm", "Holm Werk AB"}),
        ("status=closed&status=active", {"Ida Holm", "Ole Holm"}),
        ("status=none", {"Eva Holm", "Holm Werk AB", "Nordlys AS"}),
        ("kind=organization", {"Holm Werk AB", "Nordlys AS"}),
        ("system=support", {"Ida Holm"}),
        ("system=crm&system=billing", {"Ida Holm", "Nordlys AS", "Holm Werk AB"}),
        ("records=1", {"Ole Holm", "Eva Holm", "Holm Werk AB", "Nordlys AS"}),
        ("records=2&records=3", {"Ida Holm"}),
        ("quality=unreachable", {"Ole Holm", "Eva Holm"}),
        ("quality=wrong", {"Eva Holm"}),
        ("q=holm&country=SE&kind=person", {"Eva Holm"}),
        ("q=holm&quality=unreachable", {"Ole Holm", "Eva Holm"}),
        ("country=DK&status=closed&system=erp&records=1", {"Ole Holm"}),
    ],
)  # fmt: skip
def test_facets_narrow(people: dict[str, UUID], query: str, expected: set[str]) -> None:
    answer = look(query)
    assert set(names(answer)) == expected
    assert answer.context["counts"].total == len(expected)


def test_counts_follow_the_other_facets_but_not_their_own(people: dict[str, UUID]) -> None:
    answer = look("country=DK&kind=person")
    assert counts(answer, "country") == {"DK": 3, "SE": 1}
    assert counts(answer, "kind") == {"person": 3}
    assert counts(answer, "status") == {"active": 1, "closed": 1, "none": 1}
    assert counts(look("q=holm&country=SE"), "country") == {"DK": 3, "SE": 2}
    assert counts(look("q=holm&country=SE"), "kind") == {"person": 1, "organization": 1}


def test_every_value_leads_to_as_many_customers_as_it_says(people: dict[str, UUID]) -> None:
    """Of the whole hub and of a text: what is counted is what the link finds."""
    viewer = browser("viewer")
    for start in ("", "q=holm", "country=DK", "q=holm&kind=person&status=none", "records=1&quality=unreachable"):
        answer = viewer.get(f"/customers/?{start}")
        options = [o for f in answer.context["facets"] for o in (*f.options, *f.folded) if not o.chosen]
        assert options, start
        for facet in answer.context["facets"]:
            if any(o.chosen for o in facet.options):
                continue  # one more of the same facet adds to it
            for option in facet.options:
                found = viewer.get(f"/customers/?{option.address}")
                assert found.context["counts"].total == option.count == len(found.context["hits"]), option


def test_a_chosen_value_can_be_taken_away(people: dict[str, UUID]) -> None:
    answer = look("q=holm&country=DK&country=SE&status=closed")
    taken = {o.value: o.address for _, o in answer.context["taken"]}
    assert taken.keys() == {"DK", "SE", "closed"}
    assert taken["closed"] == "q=holm&country=DK&country=SE"
    assert taken["SE"] == "q=holm&country=DK&status=closed"
    assert answer.context["anyway"] == "q=holm"


def test_the_form_keeps_what_is_chosen(people: dict[str, UUID]) -> None:
    seen = text(look("country=DK&status=none&kind=person&sort=name"))
    for name, value in (("country", "DK"), ("status", "none"), ("sort", "name")):
        assert f'<input type="hidden" name="{name}" value="{value}">' in seen
    assert re.search(r'<option value="person" selected>Persons \(\d\)', seen)


def test_a_view_has_one_address_and_offers_it(people: dict[str, UUID]) -> None:
    answer = look("system=crm&country=DK&q=%20holm%20&after=&kind=")
    assert answer.context["view"] == "http://testserver/customers/?q=holm&country=DK&system=crm"
    assert "Copy link to this view" in text(answer)


def test_who_waits_for_a_person_is_a_facet(people: dict[str, UUID]) -> None:
    assert counts(look(), "waits") == {}
    records = pipeline.record_ids()
    pair = sorted((records["erp:2"], records["erp:3"]))
    pipeline.execute(
        "INSERT INTO doubt (id, record_a_id, record_b_id, reason, sentence, state, opened_at)"
        " VALUES (gen_random_uuid(), %s, %s, 'margin', '', 'open', now())",
        *pair,
    )
    assert set(names(look("waits=yes"))) == {"Ole Holm", "Eva Holm"}
    assert counts(look("q=holm"), "waits") == {"yes": 2}
    assert counts(look("status=closed"), "waits") == {"yes": 1}
    cases.refresh()
    pipeline.execute("UPDATE doubt SET state = 'overtaken', closed_at = now()")
    cases.refresh()
    assert "Ole Holm" not in names(look("waits=yes"))


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("sort=name", ["Eva Holm", "Holm Werk AB", "Ida Holm", "Nordlys AS", "Ole Holm"]),
        ("q=holm&sort=name", ["Eva Holm", "Holm Werk AB", "Ida Holm", "Ole Holm"]),
        ("sort=changed", ["Ida Holm", "Nordlys AS", "Holm Werk AB", "Eva Holm", "Ole Holm"]),
        ("q=holm&sort=changed", ["Ida Holm", "Holm Werk AB", "Eva Holm", "Ole Holm"]),
        ("", ["Ida Holm", "Nordlys AS", "Holm Werk AB", "Eva Holm", "Ole Holm"]),
        ("sort=best", ["Ida Holm", "Nordlys AS", "Holm Werk AB", "Eva Holm", "Ole Holm"]),
    ],
)  # fmt: skip
def test_orders(people: dict[str, UUID], query: str, expected: list[str]) -> None:
    assert names(look(query)) == expected


@pytest.mark.parametrize(
    "query", ["sort=name", "q=mustermann&sort=name", "sort=changed", "q=mustermann&sort=changed", "q=mustermann"]
)
def test_pages_join_without_gap_or_repeat(query: str) -> None:
    pipeline.systems()
    long = "Ж" * 150  # a cursor could not hold it
    pipeline.take(
        "crm", *({"record_id": f"{n}", "kind": "person", "name": f"{long}{n:02} Mustermann"} for n in range(60))
    )
    pipeline.take("erp", {"record_id": "x", "kind": "person", "email": "mustermann@example.com"})
    viewer, seen, after = browser("viewer"), [], ""
    while True:
        answer = viewer.get(f"/customers/?{query}&after={after}")
        seen += [hit.id for hit in answer.context["hits"]]
        after = answer.context["next"]
        if not after:
            break
    wanted = set(Customer.objects.filter(active=True).values_list("id", flat=True))
    assert len(seen) == len(set(seen))
    assert set(seen) == wanted or (query.startswith("q=") and len(seen) >= 60)
    if query == "sort=name":
        assert Customer.objects.get(id=seen[-1]).name is None


def test_a_page_beyond_the_end_says_so(people: dict[str, UUID]) -> None:
    last = names(look("sort=name"))[-1]
    cursor = queries_search.cursors.encode((str(people[last]),))
    seen = text(look(f"sort=name&after={cursor}"))
    assert "This page is empty" in seen
    assert "No customers yet" not in seen


@pytest.mark.parametrize(
    "query",
    [
        "kind=dragon", "country=%3Cb%3E", "country=none%00", "status=%27%3B--", "system=none", "records=99", "waits=no", "quality=great",
        "sort=colour", "q=%00%ff", "q=" + "x" * 5000, "after=nonsense", "sort=name&after=WzEsMl0", "&".join(f"country=X{n}" for n in range(500)),
        "sort=name&after=WyIwMTkwMDAwMC0wMDAwLTcwMDAtODAwMC0wMDAwMDAwMDAwMDAiXQ", "format=csv", "kind=person&kind=organization&kind=&kind=x",
    ],
    ids=range(17),
)  # fmt: skip
def test_a_forged_view_is_no_error(people: dict[str, UUID], query: str) -> None:
    answer = browser("viewer").get(f"/customers/?{query}", follow=True)
    assert answer.status_code == 200
    assert not answer.context["taken"] or query.startswith("kind=person")


def test_a_foreign_cursor_leads_to_the_first_page_of_the_same_view(people: dict[str, UUID]) -> None:
    answer = browser("viewer").get("/customers/?country=DK&sort=name&after=zzz")
    assert answer["Location"] == "/customers/?country=DK&sort=name"


@pytest.mark.parametrize(
    "query",
    ["", "q=holm", "q=holm&country=DK&status=none&system=erp&records=1&quality=wrong&waits=yes&kind=person&sort=name"],
)
def test_a_view_keeps_its_number_of_queries(
    people: dict[str, UUID], query: str, django_assert_max_num_queries: Any
) -> None:
    viewer = browser("viewer")
    with django_assert_max_num_queries(MOST_QUERIES):
        assert viewer.get(f"/customers/?{query}").status_code == 200


def test_a_text_that_finds_too_much_is_counted_over_the_first(
    people: dict[str, UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries_search, "MOST", 3)
    monkeypatch.setattr(queries_search, "_FEW", 2)
    answer = look("q=holm")
    assert answer.context["counts"].total == 3
    assert "3+" in text(answer)
    narrowed = look("q=holm&country=SE")
    assert set(names(narrowed)) == {"Eva Holm", "Holm Werk AB"}
    assert narrowed.context["counts"].more is False
    assert counts(narrowed, "kind") == {"person": 1, "organization": 1}
    assert sum(counts(narrowed, "country").values()) >= 3  # its siblings are not hidden


CHOICES = {
    "kind": ("person", "organization"), "country": ("DK", "SE", "none", "FR"), "status": ("active", "closed", "none"),
    "system": ("crm", "erp", "billing", "support", "x"), "records": ("1", "2", "3"), "waits": ("yes",), "quality": ("unreachable", "wrong"),
}  # fmt: skip


def test_the_database_and_the_counting_narrow_alike(people: dict[str, UUID]) -> None:
    """Two ways to the same set: SQL finds, cells count."""
    cells = queries_facets._cells_of(list(people.values()), WAITING)

    @given(st.fixed_dictionaries({}, optional={n: st.sets(st.sampled_from(v), min_size=1) for n, v in CHOICES.items()}))
    @settings(max_examples=120, deadline=None)
    def check(chosen: dict[str, set[str]]) -> None:
        narrow = Narrow.of(waiting=WAITING, **chosen)
        listed = {h.id for h in queries_search.browse(narrow, "changed", 50, None).items}
        assert listed == {id_ for id_, cell in cells.items() if queries_facets._fits(cell, narrow.chosen)}
        assert queries_facets.searched("", narrow, sort="", limit=1, after=None).counts.total == len(listed)

    check()
    assert set(CHOICES) == set(FACETS)


def test_counts_of_a_large_hub_are_shown_while_they_are_counted_anew(
    people: dict[str, UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    beside: list[str] = []
    monkeypatch.setattr(queries_facets, "_kept", {})
    monkeypatch.setattr(queries_facets, "KEPT_FROM", 5)
    monkeypatch.setattr(
        queries_facets.threading,
        "Thread",
        lambda target, args, **_: type("T", (), {"start": lambda self: beside.append(*args)})(),
    )
    viewer: Client = browser("viewer")

    def total() -> int:
        return int(viewer.get("/customers/").context["counts"].total)

    assert total() == 5
    pipeline.take("crm", {"record_id": "77", "kind": "person", "name": "Neu Hier"})
    assert (total(), beside) == (5, [])
    monkeypatch.setattr(queries_facets, "KEPT_SECONDS", 0.0)
    assert (total(), beside) == (5, [WAITING])
    assert (total(), beside) == (5, [WAITING])  # once is enough while it is under way
    queries_facets._counting.release()
    monkeypatch.setattr(queries_facets, "STALE_SECONDS", 0.0)
    assert total() == 6


def test_nobody_without_a_role_sees_customers(people: dict[str, UUID]) -> None:
    assert browser("nobody", roles=[]).get("/customers/?country=DK").status_code == 403
