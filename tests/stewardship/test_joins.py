"""How a customer's records became one, on its page: words, picture, people's words, refusals, and what it costs to ask."""

import re
import xml.etree.ElementTree as ET
from typing import Any
from uuid import UUID

import pytest

from apps.matching import judge
from apps.stewardship.views import customer as pages
from tests import pipeline
from tests.stewardship.given import ANNA, ANNA_ERP, BOB, anna, browser, page_text, text

pytestmark = pytest.mark.django_db
PART = {"HX-Request": "true"}


def part(customer: UUID, query: str = "", role: str = "viewer") -> str:
    answer = browser(role).get(f"/customers/{customer}/joins/{query}", headers=PART)
    assert answer.status_code == 200
    return text(answer)


def picture(html: str) -> ET.Element:
    return ET.fromstring(re.findall(r'<svg class="joins".*?</svg>(?=<ol>)', html, re.DOTALL)[0])


def merged(*others: dict[str, Any]) -> UUID:
    """Anna, with these records by a person's word."""
    customers = [anna(), *(pipeline.customer_of("crm", item) for item in others)]
    judge.merge(customers=customers, act=pipeline.alice())
    return pipeline.where()["crm:C-1"]


def test_the_customers_page_asks_for_the_part_and_leads_to_it_without_script(
    django_assert_max_num_queries: Any,
) -> None:
    customer = anna()
    seen = page_text(browser("viewer").get(f"/customers/{customer}/"))
    assert f'hx-get="/customers/{customer}/joins/" hx-trigger="load"' in seen
    assert f'<a href="/customers/{customer}/joins/">' in seen
    whole = page_text(browser("viewer").get(f"/customers/{customer}/joins/"))
    assert "<nav" in whole
    assert part(customer).strip() in whole
    viewer = browser("viewer")
    with django_assert_max_num_queries(12):
        viewer.get(f"/customers/{customer}/joins/", headers=PART)


def test_a_join_is_told_in_words_and_drawn() -> None:
    seen = part(anna())
    assert re.search(r"<strong>\d+\.\d</strong> bits: ", seen)
    assert "same email" in seen
    assert "same family name" in seen
    drawn = picture(seen)
    assert drawn.get("role") == "img"
    assert drawn.findtext("title") == "Which records joined which"
    assert {"1: CRM C-1 and ERP K-77", "1: ERP K-77 and CRM C-1"} & {drawn.findtext("desc")}
    assert [circle.get("class") for circle in drawn.findall("circle")] == ["weight"]
    assert not any("style" in element.attrib for element in drawn.iter())
    assert "Not joined" not in seen


def test_one_record_says_that_there_was_nothing_to_join() -> None:
    pipeline.systems()
    seen = part(pipeline.customer_of("crm", BOB))
    assert "a single source record, so there was nothing to join" in seen
    assert "<ol>" not in seen
    assert 'class="joins"' not in seen


def test_a_persons_word_is_told_as_such_in_the_list_and_in_the_picture() -> None:
    seen = part(merged(BOB))
    assert "alice</bdi> said so" in seen
    assert "alice says so" in seen
    assert "person" in {circle.get("class") for circle in picture(seen).findall("circle")}


def test_what_a_person_said_stands_beside_what_the_records_say() -> None:
    customer = anna()
    records = pipeline.record_ids()
    judge.join(record_a=records["crm:C-1"], record_b=records["erp:K-77"], act=pipeline.alice())
    seen = part(customer)
    assert "alice</bdi> said so" in seen
    assert re.search("The records themselves: [^.]*same email", seen)


def test_a_record_that_follows_another_is_named() -> None:
    customer = anna()
    pipeline.execute(
        "INSERT INTO source_record SELECT (jsonb_populate_record(s, jsonb_build_object('id', gen_random_uuid(), 'external_id', 'H-1',"
        " 'follows_id', s.id))).* FROM source_record s WHERE id = %s",
        pipeline.record_ids()["crm:C-1"],
    )
    told = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", part(customer)))
    assert "H-1 goes with the others and is compared with nothing: the hub itself made it." in told


def test_what_was_refused_leads_to_the_other_customer() -> None:
    customer = merged(BOB)
    judge.unmerge(customer=customer, records=[pipeline.record_ids()["crm:C-2"]], act=pipeline.bob())
    where = pipeline.where()
    seen = part(where["crm:C-1"])
    assert "Not joined" in seen
    assert "A person said that these are different customers." in seen
    assert "bob says so" in seen
    assert f'<a class="wrap" href="/customers/{where["crm:C-2"]}/">' in seen


def test_records_are_links_for_those_who_may_see_them() -> None:
    customer = anna()
    link = f"/customers/{customer}/records/"
    assert link in part(customer, role="steward")
    assert link not in part(customer)


def test_a_retired_id_leads_to_what_it_is_part_of() -> None:
    first = anna()
    other = pipeline.customer_of("crm", BOB)
    judge.merge(customers=[first, other], act=pipeline.alice())
    retired = next(c for c in (first, other) if c != pipeline.where()["crm:C-1"])
    answer = browser("viewer").get(f"/customers/{retired}/joins/", headers=PART)
    assert answer["Location"] == f"/customers/{pipeline.where()['crm:C-1']}/joins/"


def test_of_many_joins_the_strongest_are_told_and_the_rest_one_click_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "MOST_JOINS", 2)
    customer = merged(*({**BOB, "record_id": f"C-{n}", "family_name": f"Kowal{n}ski"} for n in range(10, 22)))
    seen = part(customer)
    assert seen.count("said so") == 2
    assert "All 13 joins" in seen
    assert 'class="joins"' not in seen, "more than twelve records: words only"
    whole = part(customer, "?all=1")
    assert whole.count("said so") >= 12
    assert "All 13 joins" not in whole


def test_what_today_would_not_hold_is_said() -> None:
    customer = anna()
    pipeline.use_model(automatic=900.0, bridge=950.0, review=800.0)
    seen = part(customer)
    assert "these records fall into 2 groups" in seen
    assert "nothing to join" not in seen


def test_ids_that_try_to_hide_are_shown_safely() -> None:
    pipeline.systems()
    pipeline.take("crm", {**ANNA, "record_id": "<b>\u202e&1</b>"})
    customer = pipeline.customer_of("erp", {**ANNA_ERP, "record_id": "K" * 190})
    seen = part(customer)
    assert "<b>" not in seen
    assert "\u202e" not in seen
    labels = ["".join(t.itertext()) for t in picture(seen).iter("text")]
    assert all(len(label) <= 23 for label in labels)
    assert {"CRM <b>\ufffd&1</b>"} <= {t.text for t in picture(seen).iter("title")}
