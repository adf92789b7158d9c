"""Trust of each system in each attribute: where every number comes from, and how it becomes another."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.common.errors import Conflict, Rejected
from apps.customers import trust_matrix
from apps.customers.models import System
from apps.customers.survivorship import Member
from apps.customers.survivorship_policy import parse_survivorship
from apps.customers.survivorship_trust import effective_trust
from apps.customers.trust_matrix import Whence, _matrix, matrix, propose, proposed
from apps.policies.activate import activate
from apps.policies.active import active
from tests import pipeline
from tests.customers.test_survivorship_properties import NOW
from tests.pipeline import alice, bob

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def systems() -> None:
    """Two ERPs, of which one has no row of its own."""
    pipeline.systems()
    System.objects.create(code="erp-asia", name="ERP Asia", kind="erp", trust=40)


def cell(system: str, attribute: str) -> trust_matrix.Trust:
    found = matrix()
    return found.rows[attribute][[s.code for s in found.systems].index(system)]


def test_an_own_number_counts_before_the_kinds_and_that_before_the_general_trust() -> None:
    assert cell("erp", "payment_terms") == trust_matrix.Trust(95, Whence.OWN, 80)
    assert cell("erp-asia", "payment_terms") == trust_matrix.Trust(95, Whence.KIND, 95)
    assert cell("erp-asia", "website") == trust_matrix.Trust(40, Whence.GENERAL, 40)
    assert "steward" not in [s.code for s in matrix().systems]


def test_a_draft_changes_nothing_until_a_second_person_says_so() -> None:
    changes = {("erp-asia", "payment_terms"): 10, ("erp", "payment_terms"): None, ("crm", "names"): 77}
    made = propose(changes=changes, on=matrix().hash, act=alice())
    assert cell("erp-asia", "payment_terms").value == 95
    (draft,) = proposed()
    assert (draft.policy, draft.author, draft.besides) == (made.id, "user:alice", False)
    assert draft.changes == {
        ("crm", "names"): (70, 77), ("erp", "payment_terms"): (95, 80), ("erp-asia", "payment_terms"): (95, 10),
    }  # fmt: skip
    with pytest.raises(Rejected, match="second person"):
        activate(policy=made.id, act=alice())
    activate(policy=made.id, act=bob())
    assert cell("erp-asia", "payment_terms") == trust_matrix.Trust(10, Whence.OWN, 40)
    assert cell("erp", "payment_terms") == trust_matrix.Trust(80, Whence.GENERAL, 80)
    assert proposed() == []
    assert active("survivorship").rules.groups == (("given_name", "family_name", "name"),)


def test_what_makes_no_sense_is_refused_and_nothing_is_drafted() -> None:
    on = matrix().hash
    wrong = {
        ("sap", "website"): 3,
        ("crm", "shoe_size"): 3,
        ("crm", "extra"): 3,
        ("crm", "website"): 101,
        ("crm", "status"): -1,
    }
    with pytest.raises(Rejected) as refused:
        propose(changes=wrong, on=on, act=alice())
    assert [(f.field, f.code) for f in refused.value.fields] == [
        ("/trust/sap/website", "unknown_value"), ("/trust/crm/shoe_size", "unknown_value"), ("/trust/crm/extra", "unknown_value"),
        ("/trust/crm/website", "out_of_range"), ("/trust/crm/status", "out_of_range"),
    ]  # fmt: skip
    with pytest.raises(Rejected, match="as it was"):
        propose(changes={("erp", "payment_terms"): 95}, on=on, act=alice())
    with pytest.raises(Conflict, match="meanwhile"):
        propose(changes={("crm", "website"): 3}, on="0" * 16, act=alice())
    assert proposed() == []


@given(
    trusts=st.dictionaries(
        st.sampled_from(["crm", "erp", "erp-asia"]),
        st.dictionaries(st.sampled_from(["website", "names"]), st.integers(0, 100)),
    ),
    general=st.integers(0, 100),
)
def test_the_table_tells_what_survivorship_takes(trusts: dict[str, dict[str, int]], general: int) -> None:
    body = {"default": ["trust"], "trust": trusts}
    systems = [System(code=code, kind=kind, trust=general) for code, kind in (("crm", "crm"), ("erp-asia", "erp"))]
    rules, found = parse_survivorship(body), _matrix(body, 1, systems)
    for attribute in ("website", "names", "status"):
        for system, trust in zip(systems, found.rows[attribute], strict=True):
            member = Member("r", system.code, system.kind, "1", general, NOW, {attribute: "x"})
            assert trust.value == effective_trust(member, attribute, rules, NOW)
