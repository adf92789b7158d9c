"""The ownership policy: what it says of each system, and every error with its place."""

from pathlib import Path
from typing import Any

import pytest

from apps.common.errors import Rejected
from apps.connectors.targets import Target
from apps.customers.ownership import MERGE_ACTIONS, TargetPolicy, parse_ownership
from tests import outward, pipeline


@pytest.mark.parametrize(
    ("body", "places"),
    [
        ({"owners": {"shoe_size": ["crm"]}}, {"/owners/shoe_size": "unknown_value"}),
        ({"owners": {"email": "crm"}}, {"/owners/email": "wrong_type"}),
        ({"owners": {"email": [1]}}, {"/owners/email": "wrong_type"}),
        ({"owners": ["email"]}, {"/owners": "wrong_type"}),
        ({"targets": ["crm"]}, {"/targets": "wrong_type"}),
        ({"target": {}}, {"/target": "unknown_field"}),
        ({"targets": {"crm": "all"}}, {"/targets/crm": "wrong_type"}),
        ({"targets": {"crm": {"create": []}}}, {"/targets/crm/create": "unknown_field"}),
        ({"targets": {"crm": {"attributes": "none"}}}, {"/targets/crm/attributes": "wrong_type"}),
        ({"targets": {"crm": {"attributes": ["email", "citty"]}}}, {"/targets/crm/attributes": "unknown_value"}),
        ({"targets": {"crm": {"creates": ["robot"]}}}, {"/targets/crm/creates": "unknown_value"}),
        ({"targets": {"crm": {"creates": "person"}}}, {"/targets/crm/creates": "unknown_value"}),
        ({"targets": {"crm": {"on_merge": "delete"}}}, {"/targets/crm/on_merge": "unknown_value"}),
        ({"targets": {"crm": {"on_merge": ["merge"]}}}, {"/targets/crm/on_merge": "unknown_value"}),
        ({"targets": {"crm": {"recreate": "no"}}}, {"/targets/crm/recreate": "wrong_type"}),
        (
            {"owners": {"citty": ["erp"]}, "targets": {"a": {"on_merge": "x"}, "b": {"creates": ["y"]}}},
            {"/owners/citty": "unknown_value", "/targets/a/on_merge": "unknown_value", "/targets/b/creates": "unknown_value"},
        ),
    ],
)  # fmt: skip
def test_every_error_names_its_place(body: dict[str, Any], places: dict[str, str]) -> None:
    with pytest.raises(Rejected) as caught:
        parse_ownership(body)
    assert {e.field: e.code for e in caught.value.fields} == places


def test_a_name_that_is_nearly_right_is_pointed_out() -> None:
    with pytest.raises(Rejected) as caught:
        parse_ownership({"owners": {"citty": ["erp"]}})
    assert "Did you mean city?" in caught.value.fields[0].detail


def test_nothing_said_is_everything_told_and_nothing_created() -> None:
    policy = parse_ownership({})
    assert policy.target(system="crm", kind="crm") == TargetPolicy(None, (), "update_both", False)
    assert not policy.owns(system="crm", kind="crm", attribute="email")


def test_a_code_outranks_a_kind_and_both_the_standard() -> None:
    policy = parse_ownership(
        {"targets": {"crm": {"on_merge": "merge"}, "crm-eu": {"on_merge": "deactivate", "creates": ["person"]}}}
    )
    assert policy.target(system="crm-eu", kind="crm").on_merge == "deactivate"
    assert policy.target(system="crm-us", kind="crm") == TargetPolicy(on_merge="merge")
    assert policy.target(system="erp", kind="erp") == TargetPolicy()


def test_a_code_that_says_nothing_still_outranks_the_kind() -> None:
    policy = parse_ownership({"targets": {"crm": {"on_merge": "merge", "creates": ["person"]}, "crm-eu": {}}})
    assert policy.target(system="crm-eu", kind="crm") == TargetPolicy()


def test_a_system_owns_by_its_code_or_its_kind() -> None:
    policy = parse_ownership({"owners": {"payment_terms": ["erp"], "email": ["crm-eu"]}})
    assert policy.owns(system="sap", kind="erp", attribute="payment_terms")
    assert policy.owns(system="crm-eu", kind="crm", attribute="email")
    assert not policy.owns(system="crm-us", kind="crm", attribute="email")


@pytest.mark.django_db(transaction=True)
class TestWhatATargetIsTold:
    """Target.rule: what the target can hold and subscribes to, but for what it owns itself."""

    @pytest.fixture(autouse=True)
    def _clean(self) -> None:
        pipeline.empty()

    @pytest.fixture
    def crm(self, tmp_path: Path) -> Target:
        with outward.target("crm", tmp_path / "crm.db", live=False) as (_, made):
            return outward.here(made)

    @pytest.fixture
    def erp(self, tmp_path: Path) -> Target:
        with outward.target("erp", tmp_path / "erp.db", live=False) as (_, made):
            return outward.here(made)

    def test_all_it_can_hold(self, crm: Target) -> None:
        names = crm.rule(parse_ownership({})).names
        assert {"given_name", "email", "city", "tax_id", "status"} <= names
        assert not names & {"payment_terms", "record_id", "kind", "hub_version", "customer_id", "deleted"}

    def test_not_what_it_owns_by_attribute(self, crm: Target) -> None:
        names = crm.rule(parse_ownership({"owners": {"contact_points": ["crm"], "addresses": ["erp"]}})).names
        assert not names & {"email", "phone"}
        assert "city" in names, "another system owns it"

    def test_not_what_it_owns_by_field(self, crm: Target) -> None:
        names = crm.rule(parse_ownership({"owners": {"email": ["crm"]}})).names
        assert "email" not in names
        assert "phone" in names

    def test_only_what_it_subscribes_to_by_attribute_or_field(self, crm: Target) -> None:
        told = {"targets": {"crm": {"attributes": ["contact_points", "city", "payment_terms"]}}}
        assert crm.rule(parse_ownership(told)).names == {"email", "phone", "city"}
        owned = {**told, "owners": {"phone": ["crm"]}}
        assert crm.rule(parse_ownership(owned)).names == {"email", "city"}

    @pytest.mark.parametrize("action", MERGE_ACTIONS)
    def test_a_merge_action_the_target_is_not_capable_of_becomes_a_cross_reference(
        self, action: str, crm: Target, erp: Target
    ) -> None:
        policy = parse_ownership({"targets": {k: {"on_merge": action} for k in ("crm", "erp")}})
        assert crm.rule(policy).on_merge == action
        assert erp.rule(policy).on_merge == ("cross_reference" if action == "merge" else action)
