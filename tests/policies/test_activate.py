"""A policy comes into force by a second person, one at a time, and stays what it was."""

from typing import Any

import pytest

from apps.common.act import Act
from apps.common.errors import Conflict, NotFound, Permanent, Rejected
from apps.common.ids import uuid7
from apps.policies import active
from apps.policies.activate import activate, draft
from apps.policies.models import Policy

pytestmark = pytest.mark.django_db

ANN, BOB = Act("user:ann"), Act("user:bob")


def test_the_newest_approved_version_rules() -> None:
    first = draft(kind="approval", body={"protected": ["name"]}, note="", act=ANN)
    second = draft(kind="approval", body={"protected": ["status"]}, note="", act=ANN)
    assert (first.version, second.version, active.active("approval").version) == (1, 2, 0)
    activate(policy=first.id, act=BOB)
    activate(policy=second.id, act=BOB)
    assert active.active("approval").rules.protected == ("status",)
    assert list(Policy.objects.order_by("version").values_list("state", flat=True)) == ["retired", "active"]


def test_an_old_version_can_come_back() -> None:
    first = draft(kind="approval", body={"protected": ["name"]}, note="", act=ANN)
    second = draft(kind="approval", body={"protected": []}, note="", act=ANN)
    activate(policy=first.id, act=BOB)
    activate(policy=second.id, act=BOB)
    assert activate(policy=first.id, act=BOB).state == "active"
    assert active.active("approval").version == 1


def test_the_author_does_not_decide() -> None:
    row = draft(kind="approval", body={"protected": []}, note="", act=ANN)
    with pytest.raises(Rejected):
        activate(policy=row.id, act=ANN)
    assert active.active("approval").version == 0


def test_what_cannot_be_is_told() -> None:
    row = draft(kind="approval", body={"protected": []}, note="", act=ANN)
    activate(policy=row.id, act=BOB)
    with pytest.raises(Conflict):
        activate(policy=row.id, act=BOB)
    with pytest.raises(NotFound):
        activate(policy=uuid7(), act=BOB)


@pytest.mark.parametrize(
    ("kind", "body", "error"),
    [("approval", {"protected": ["nonsense"]}, Rejected), ("magic", {}, Permanent)],
    ids=["unknown attribute", "unknown kind"],
)
def test_a_document_that_makes_no_sense_is_no_draft(kind: str, body: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        draft(kind=kind, body=body, note="", act=ANN)
    assert not Policy.objects.exists()
