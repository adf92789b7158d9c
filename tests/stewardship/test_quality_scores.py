"""The page of data quality by system and attribute."""

import pytest

from apps.customers.measure_quality import measure
from tests import pipeline
from tests.stewardship.given import browser, text

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def hub() -> None:
    pipeline.empty()
    pipeline.systems()


def test_before_the_first_measuring_it_says_what_to_do() -> None:
    page = text(browser("viewer").get("/quality/"))
    assert "Nothing is measured yet" in page
    assert "measure_quality" in page


def test_scores_and_what_fails_most() -> None:
    pipeline.take("crm", pipeline.person(1), {**pipeline.person(2), "birth_date": "1850-01-01"})
    pipeline.take("erp", pipeline.person(3))
    measure()
    page = text(browser("viewer").get("/quality/"))
    assert "70.0" in page
    assert "The birth date lies before 1900" in page
    assert "50 %" in page


def test_when_nothing_fails_it_says_so() -> None:
    pipeline.take("crm", pipeline.person(1))
    measure()
    assert "No value fails a check." in text(browser("viewer").get("/quality/"))
