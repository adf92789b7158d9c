"""Two accounts there of one customer: each merge action is shown, and an unmerge puts all four right."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from apps.connectors.models import Delivery
from apps.connectors.sandbox.running import Far
from apps.customers.models import Link, SourceRecord
from apps.matching import judge
from tests import outward, pipeline

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("empty")]


def two_accounts(far: Far) -> tuple[UUID, UUID]:
    """Two accounts in the CRM, each with values of its own, known to the hub as two customers."""
    far.load([native("C-1", "Anna", "Berlin"), native("C-2", "Annabel", "Hamburg")])
    outward.poll_all()
    outward.settle()
    found = dict(SourceRecord.objects.values_list("external_id", "customer_id"))
    assert found["C-1"] != found["C-2"]
    return found["C-1"], found["C-2"]


def native(id_: str, given: str, city: str) -> dict[str, Any]:
    return {
        "Id": id_, "RecordType": "Person", "FirstName": given, "LastName": f"Sommer{id_[-1]}", "BillingCity": city,
        "BillingStreet": f"Weg {id_[-1]}", "BillingCountry": "DE", "PersonEmail": f"{given.lower()}@example.org", "Status__c": "Active",
    }  # fmt: skip


def there(far: Far) -> dict[str, dict[str, Any]]:
    return {r["Id"]: r for r in far.records()}


def both_alike(far: Far) -> None:
    one, other = there(far)["C-1"], there(far)["C-2"]
    assert one["BillingCity"] == other["BillingCity"]
    assert one["PersonEmail"] == other["PersonEmail"]


def later_one_is_off(far: Far) -> None:
    assert (there(far)["C-1"]["Status__c"], there(far)["C-2"]["Status__c"]) == ("Active", "Inactive")
    assert there(far)["C-2"]["BillingCity"] == "Hamburg"


def folded_there(far: Far) -> None:
    loser = there(far)["C-2"]
    assert loser["IsDeleted"]
    assert loser["MasterRecordId"] == "C-1"


def left_alone(far: Far) -> None:
    assert there(far)["C-2"]["BillingCity"] == "Hamburg"
    assert there(far)["C-2"]["Status__c"] == "Active"
    assert Link.objects.get(external_id="C-2").state == "duplicate"


ACTIONS: dict[str, Callable[[Far], None]] = {
    "update_both": both_alike, "deactivate": later_one_is_off, "merge": folded_there, "cross_reference": left_alone,
}  # fmt: skip


@pytest.mark.parametrize("action", list(ACTIONS))
def test_a_merge_and_its_unmerge(action: str, tmp_path: Path) -> None:
    outward.policy(crm={"on_merge": action, "creates": []})
    with outward.target("crm", tmp_path / "crm.db") as (far, _):
        first, second = two_accounts(far)
        before = {
            i: {k: v for k, v in r.items() if not k.startswith(("_", "System", "MDM"))} for i, r in there(far).items()
        }
        merged = judge.merge(customers=[first, second], act=pipeline.alice())
        outward.settle()
        ACTIONS[action](far)
        outward.poll_all()
        outward.settle()
        ACTIONS[action](far)
        assert pipeline.broken() == []
        survivor = next(iter(set(merged.customer_of.values())))
        taken = SourceRecord.objects.get(external_id="C-2").id
        judge.unmerge(customer=survivor, records=[taken], act=pipeline.alice())
        outward.settle()
        outward.poll_all()
        outward.settle()
        after = there(far)
        if action == "merge":  # what was folded there cannot be taken apart: a new account takes its place
            (made,) = [r for i, r in after.items() if i not in before]
            assert {n: made[n] for n in ("FirstName", "LastName", "BillingCity", "PersonEmail")} == {
                n: before["C-2"][n] for n in ("FirstName", "LastName", "BillingCity", "PersonEmail")
            }
        else:
            right = {i: {k: after[i][k] for k in before[i]} for i in before}
            assert right == before
        assert not Delivery.objects.filter(state__in=("waiting", "failed", "uncertain")).exists()
        assert pipeline.broken() == []


def test_two_that_the_far_side_merges_are_a_question_here(tmp_path: Path) -> None:
    with outward.target("crm", tmp_path / "crm.db") as (far, _):
        first, second = two_accounts(far)
        far.merge("C-1", "C-2")
        outward.poll_all()
        outward.settle()
        (doubt,) = pipeline.open_doubts()
        assert doubt == (frozenset({"crm:C-1", "crm:C-2"}), "merged_there")
        assert (Link.objects.get(external_id="C-2").disposition, Link.objects.get(external_id="C-2").merged_into) == (
            "gone",
            "C-1",
        )
        pipeline.take("erp", pipeline.person(5))
        assert len(pipeline.open_doubts()) == 1
        judge.merge(customers=[first, second], act=pipeline.alice())
        assert pipeline.open_doubts() == set()
        assert pipeline.broken() == []
