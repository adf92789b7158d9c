"""Why one value is what it is: the page, for people."""

from typing import Any

import pytest

from apps.customers.refresh import refresh
from apps.policies.active import document_hash, shipped
from apps.policies.models import Policy
from tests import pipeline
from tests.stewardship.given import browser, text

pytestmark = pytest.mark.django_db


def two(**differing: Any) -> Any:
    """One customer of two systems that differ in what is given: (of the CRM, of the ERP)."""
    pipeline.systems()
    for at, system in enumerate(("crm", "erp")):
        pipeline.take(system, pipeline.person(1, **{name: values[at] for name, values in differing.items()}))
    return pipeline.where()["crm:P1"]


def enact(**changes: Any) -> None:
    body = shipped("survivorship")
    body |= changes
    Policy.objects.create(
        kind="survivorship", version=1, state="active", body=body, hash=document_hash(body), author="alice"
    )


def page(customer: Any, attribute: str, role: str = "steward") -> str:
    return text(browser(role).get(f"/customers/{customer}/lineage/{attribute}/"))


def test_every_candidate_is_told_with_what_it_scored_and_where_it_fell_out() -> None:
    customer = two(payment_terms=("NET14", "NET30"))
    seen = page(customer, "payment_terms")
    assert "most trusted source" in seen
    assert seen.index("NET30") < seen.index("NET14"), "the winner first"
    assert "is used" in seen
    assert "fell out: most trusted source" in seen
    assert ">95<" in seen, "the trust of the ERP for this attribute"


def test_a_group_tells_what_goes_with_it() -> None:
    customer = two(given_name=("Anna", "Ana"))
    seen = page(customer, "given_name")
    assert "It survives together with" in seen
    assert "Ana" in seen
    assert "[" not in seen.split("<tbody>")[1], "of the group its own attribute alone"


def test_a_conflict_has_no_value_and_says_so() -> None:
    customer = two(website=("https://one.example", "https://two.example"))
    enact(attributes={"website": ["unanimous"]})
    refresh([customer], act=pipeline.alice())
    lineage = text(browser("steward").get(f"/customers/{customer}/lineage/"))
    assert "the sources disagree, so there is no value" in lineage
    assert "https://one.example" in lineage
    assert "https://two.example" in lineage
    seen = page(customer, "website")
    assert "no value" in seen
    assert seen.count("fell out: all sources must agree") == 2


def test_what_the_customer_has_not_followed_yet_is_said() -> None:
    customer = two(payment_terms=("NET14", "NET30"))
    late = "has not followed the policy in force yet"
    assert late not in page(customer, "payment_terms")
    enact(trust={"crm": {"payment_terms": 100}})
    assert late in page(customer, "payment_terms")
    assert late not in page(customer, "family_name"), "the same record by the new policy, too"
    refresh([customer], act=pipeline.alice())
    assert late not in page(customer, "payment_terms")


def test_what_is_no_attribute_is_not_found_and_a_viewer_sees_no_losers() -> None:
    customer = two()
    steward = browser("steward")
    for attribute in ("shoe_size", "extra", "nicknames"):
        assert steward.get(f"/customers/{customer}/lineage/{attribute}/").status_code == 404
    assert "No source has a value for it." in page(customer, "extra.tier")
