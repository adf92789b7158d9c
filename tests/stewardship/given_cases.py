"""Doubts and their cases: what tests of the inbox and the review begin with."""

from uuid import UUID

from apps.policies import activate
from apps.stewardship import cases
from apps.stewardship.models import Case
from tests import pipeline


def doubtful(*numbers: int, systems: tuple[str, ...] = ("crm", "erp")) -> list[Case]:
    """One open case for each person: every system knows them, and the machine will not decide."""
    pipeline.systems()
    pipeline.use_model(automatic=900.0, bridge=900.0)
    for system in systems:
        pipeline.take(system, *(pipeline.person(n, city=f"City of {system}") for n in numbers))
    cases.refresh()
    return list(Case.objects.filter(kind="match").exclude(state="closed").order_by("group_key", "id"))


def vetoed(*, second_person: bool = True) -> Case:
    """One person whom CRM calls active and ERP closed; a rule forbids to merge the two."""
    pipeline.empty()
    pipeline.systems()
    rule = {
        "name": "closed", "sentence": "One is closed, the other is not.", "one": "status = closed",
        "other": "status = active", "second_person": second_person,
    }  # fmt: skip
    drafted = activate.draft(kind="merging", body={"vetoes": [rule]}, note="", act=pipeline.alice())
    activate.activate(policy=drafted.id, act=pipeline.bob())
    pipeline.take("crm", pipeline.person(1, status="active"))
    pipeline.take("erp", pipeline.person(1, status="closed"))
    cases.refresh()
    return Case.objects.get(kind="match")


def groups() -> dict[str, list[UUID]]:
    found: dict[str, list[UUID]] = {}
    for case in Case.objects.exclude(state="closed").order_by("id"):
        found.setdefault(case.group_key, []).append(case.id)
    return found
