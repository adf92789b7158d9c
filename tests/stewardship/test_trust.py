"""The page of trust by system and attribute."""

import html

import pytest

from apps.customers.trust_matrix import matrix, proposed
from apps.policies.models import Policy
from tests import pipeline
from tests.stewardship.given import browser, page_text

pytestmark = pytest.mark.django_db
PAGE = "/systems/trust/"


@pytest.fixture(autouse=True)
def systems() -> None:
    pipeline.systems()


def sent(**fields: str) -> dict[str, str]:
    return {"on": matrix().hash, "reason": "the ERP is mended", **fields}


def test_one_drafts_and_another_puts_it_into_force() -> None:
    author, second = browser("approver"), browser("admin")
    answer = author.post(PAGE, sent() | {"erp:website": "99", "billing:currency": ""}, follow=True)
    (draft,) = proposed()
    assert draft.changes == {("erp", "website"): (80, 99), ("billing", "currency"): (90, 75)}
    assert "Draft 1 waits for a second person" in page_text(answer)
    assert "you are its author" in page_text(answer)
    assert "you are its author" in page_text(author.post(f"{PAGE}{draft.policy}/", follow=True))
    assert "the ERP is mended" in page_text(second.get(PAGE))
    assert "Version 1 is in force" in page_text(second.post(f"{PAGE}{draft.policy}/", follow=True))
    shown = page_text(author.get(PAGE))
    assert 'name="erp:website" value="99" placeholder="80" aria-label="ERP, Website">' in shown


def test_what_was_typed_stays_and_each_mistake_is_named() -> None:
    writer = browser("approver")
    answer = writer.post(PAGE, sent() | {"erp:website": "1e3", "crm:status": "12"})
    assert answer.status_code == 422
    assert "ERP, website: a whole number from 0 to 100." in page_text(answer)
    assert 'name="erp:website" value="1e3"' in page_text(answer)
    assert 'name="crm:status" value="12"' in page_text(answer)
    nothing = writer.post(PAGE, sent())
    assert "every number is as it was" in page_text(nothing)
    unsaid = writer.post(PAGE, sent(reason=" ") | {"crm:status": "12"})
    assert "Say why." in html.unescape(page_text(unsaid))
    assert not Policy.objects.exists()


def test_who_may_not_write_sees_numbers_and_no_fields() -> None:
    shown = page_text(browser("viewer").get(PAGE))
    assert "<input type" not in shown.split("matrix-h")[1]
    assert '<span class="quiet">80</span>' in shown
    assert browser("viewer").post(PAGE, sent()).status_code == 403
    assert browser("integrator").post(f"{PAGE}01a204c8-61fc-727e-9f0d-9af56539d642/").status_code == 403
