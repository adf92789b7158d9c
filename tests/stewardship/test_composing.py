"""The merge composer: values picked against the rules, looked at before, pinned by the merge, and taken back with it."""

import re
from typing import Any
from uuid import UUID

import pytest

from apps.common.errors import Rejected
from apps.customers.golden import read_customers
from apps.customers.models import ChangeRequest
from apps.stewardship import composing, decisions
from apps.stewardship.composing import Pick
from apps.stewardship.models import Case, Decision
from apps.stewardship.review import review
from tests import pipeline
from tests.stewardship.given import browser, text
from tests.stewardship.given_cases import doubtful

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def case() -> Case:
    """One person in CRM and ERP, whom the machine will not decide about; each system has its language and its website."""
    pipeline.empty()
    (found,) = doubtful(1)
    for system, language in (("crm", "de"), ("erp", "fr")):
        website = f"https://{system}.example.org"
        pipeline.take(system, pipeline.person(1, city=f"City of {system}", language=language, website=website))
    return found


def sides(case: Case) -> dict[str, UUID]:
    """By system, the customer of it."""
    return {s.systems[0]: s.customer for s in review(case.id).sides}


def values(customer: UUID) -> dict[str, Any]:
    return read_customers([customer])[customer].values


def line(composed: composing.Composition, attribute: str) -> composing.Line:
    return next(found for found in composed.lines if found.attribute == attribute)


def test_the_rules_choose_and_say_which_one(case: Case) -> None:
    customers = list(sides(case).values())
    composed = composing.compose(customers=customers, picks=[], act=pipeline.alice())
    chosen = line(composed, "language")
    assert chosen.value in ("de", "fr")
    assert (chosen.system, chosen.rule) == (("crm" if chosen.value == "de" else "erp"), chosen.rule)
    assert chosen.rule in ("trust", "recent")
    assert chosen.differs
    assert composed.survivor == min(customers)
    assert not line(composed, "given_name").differs
    assert "name" not in [found.attribute for found in composed.lines], "a name is picked in its parts"
    assert len(pipeline.partition()) == 2, "nothing is done by looking"


def test_what_is_picked_is_shown_merged_pinned_and_taken_back_by_the_undo(case: Case) -> None:
    by_system = sides(case)
    customers = list(by_system.values())
    by_rule = line(composing.compose(customers=customers, picks=[], act=pipeline.alice()), "language").value
    other = by_system["erp" if by_rule == "de" else "crm"]
    picks = [Pick("language", other), Pick("website", None, "https://own.example.org")]
    composed = composing.compose(customers=customers, picks=picks, act=pipeline.alice())
    picked = line(composed, "language").value
    assert picked != by_rule
    assert line(composed, "language").rule == "pin"
    assert line(composed, "website").value == "https://own.example.org"
    assert len(pipeline.partition()) == 2
    before = {c: values(c) for c in customers}
    shown = review(case.id)
    made = decisions.merge(case=case.id, customers=customers, token=shown.token, act=pipeline.alice(), picks=picks)
    survivor = min(customers)
    assert (values(survivor)["language"], values(survivor)["website"]) == (picked, "https://own.example.org")
    pipeline.take("crm", pipeline.person(1, city="Ulm", language="it", website="https://new.example.org"))
    assert values(survivor)["language"] == picked, "a pin outlives what sources say later"
    pipeline.take("crm", pipeline.person(1, city="City of crm", language="de", website="https://crm.example.org"))
    decisions.undo(decision=made.id, act=pipeline.alice())
    assert {c: values(c) for c in customers} == before
    assert pipeline.broken() == []


def test_a_pick_that_the_rules_make_anyway_is_no_pin(case: Case) -> None:
    by_system = sides(case)
    customers = list(by_system.values())
    by_rule = line(composing.compose(customers=customers, picks=[], act=pipeline.alice()), "language")
    picks = [Pick("language", by_system[by_rule.system])]
    assert line(composing.compose(customers=customers, picks=picks, act=pipeline.alice()), "language").rule != "pin"


def test_a_sensitive_value_waits_for_a_second_person(case: Case) -> None:
    pipeline.take("crm", pipeline.person(1, city="City of crm", credit_limit="100", currency="EUR"))
    customers = list(sides(case).values())
    composed = composing.compose(customers=customers, picks=[Pick("credit_limit", None, "9000")], act=pipeline.alice())
    assert composed.waits == ["credit_limit"]
    assert line(composed, "credit_limit").waits == "9000.00"
    shown = review(case.id)
    decisions.merge(
        case=case.id,
        customers=customers,
        token=shown.token,
        act=pipeline.alice(),
        picks=[Pick("credit_limit", None, "9000")],
    )
    assert values(min(customers)).get("credit_limit") != "9000.00"
    assert ChangeRequest.objects.get(state="open").author == "user:alice"


@pytest.mark.parametrize(
    ("pick", "says"),
    [
        (Pick("kind", None, "person"), "cannot be picked"),
        (Pick("language", UUID(int=7)), "no such value"),
        (Pick("language", None, ""), "Write the value"),
        (Pick("language", None, "x" * 1_001), "Write the value"),
        (Pick("birth_date", None, "the day before"), "cannot be pinned"),
    ],
)
def test_an_impossible_pick_is_refused_and_nothing_is_merged(pick: Pick, says: str, case: Case) -> None:
    shown = review(case.id)
    customers = [s.customer for s in shown.sides]
    with pytest.raises(Rejected, match=says):
        decisions.merge(case=case.id, customers=customers, token=shown.token, act=pipeline.alice(), picks=[pick])
    assert len(pipeline.partition()) == 2
    assert Decision.objects.count() == 0
    assert pipeline.broken() == []


# ── the page ────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_values_are_picked_on_the_page(case: Case) -> None:
    steward, shown, by_system = browser("steward"), review(case.id), sides(case)
    body = {"customers": [str(c) for c in by_system.values()], "token": shown.token}
    address = f"/inbox/{case.id}/preview/"
    page = text(steward.post(address, body))
    for word in ("Becomes", "as the rules say", "Pick all of these", "A value of your own"):
        assert word in page
    picked = {"pick-language": str(by_system["crm"]), "pick-website": "own", "own-website": "https://own.example.org"}
    page = text(steward.post(address, body | picked))
    assert "https://own.example.org" in page
    assert re.search(r'value="own"[^>]* checked', page)
    refused = steward.post(f"/inbox/{case.id}/", body | picked | {"action": "merge"})
    assert refused.status_code == 200
    assert "Say why the value you wrote is right." in text(refused)
    assert "https://own.example.org" in text(refused), "what was typed is not lost"
    done = steward.post(f"/inbox/{case.id}/", body | picked | {"action": "merge", "reason": "asked them"})
    assert done.status_code == 303
    survivor = min(by_system.values())
    assert (values(survivor)["language"], values(survivor)["website"]) == ("de", "https://own.example.org")


def test_all_values_of_one_customer_are_picked_at_once(case: Case) -> None:
    steward, shown, by_system = browser("steward"), review(case.id), sides(case)
    body = {"customers": [str(c) for c in by_system.values()], "token": shown.token}
    address = f"/inbox/{case.id}/preview/"
    has = dict.fromkeys(re.findall(r'name="(has-[a-z_0-9-]+)"', text(steward.post(address, body))), "1")
    page = text(steward.post(address, body | has | {"whole": str(by_system["erp"])}))
    boxes = re.findall(rf'name="pick-(language|website)" value="{by_system["erp"]}" checked', page)
    assert sorted(boxes) == ["language", "website"]


def test_a_wrong_value_is_told_and_the_page_goes_on_without_it(case: Case) -> None:
    steward, shown = browser("steward"), review(case.id)
    body = {"customers": [str(s.customer) for s in shown.sides], "token": shown.token}
    page = text(steward.post(f"/inbox/{case.id}/preview/", body | {"pick-birth_date": "own", "own-birth_date": "soon"}))
    assert "The rules choose again." in page
    assert "Becomes" in page
