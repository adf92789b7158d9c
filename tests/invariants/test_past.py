"""Every past moment reads as it did then: what the API answered after each step of a story is what it answers as of that moment at the end."""

import json
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode
from uuid import UUID

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import invariant, run_state_machine_as_test

from apps.customers.models import Customer
from tests import pipeline
from tests.callers import machine
from tests.invariants.machine import Hub

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.flow]
READINGS = ("", "/lineage", "/members")
OF_TODAY_ONLY = ("state", "as_of", "quality")


def body(answer: Any) -> str:
    """The answer as it came, without what one of both has only."""
    assert answer.status_code == 200, (answer.request["PATH_INFO"], answer.content)
    told = json.loads(answer.content)
    if "attributes" in told:
        told["attributes"] = [_but_confidence(one) for one in told["attributes"]]
    return json.dumps({k: v for k, v in told.items() if k not in OF_TODAY_ONLY}, ensure_ascii=False)


def _but_confidence(told: dict[str, Any]) -> dict[str, Any]:
    """Of an attribute or an entry of its list. Confidence is read of what a system is trusted today, or not told."""
    entries = {"entries": [_but_confidence(entry) for entry in told["entries"]]} if "entries" in told else {}
    return {k: v for k, v in told.items() if k != "confidence"} | entries


class Past(Hub):
    """Keeps what was read after every step: (path, moment) -> body."""

    def __init__(self) -> None:
        super().__init__()
        self.client = machine()
        self.kept: dict[tuple[str, datetime], str] = {}
        self.newest: dict[str, str] = {}

    @invariant()
    def kept_for_later(self) -> None:
        moment = timezone.now()
        ids = Customer.objects.values_list("id", flat=True)  # retired ones too
        paths = [f"/api/v1/customers/{id_}{reading}" for id_ in ids for reading in READINGS]
        for name in self.held:
            system, _, external_id = name.partition(":")
            paths.append(f"/api/v1/source-records/{system}/{quote(external_id, safe='')}")
        for path in paths:
            self.kept[path, moment] = body(self.client.get(path))

    def teardown(self) -> None:
        """Before the machine's own end, which begins anew with an empty hub."""
        for (path, moment), then in self.kept.items():
            assert body(self.client.get(f"{path}?{urlencode({'as_of': moment.isoformat()})}")) == then, (path, moment)
        self._every_version_is_read_at_its_first_moment()

    def _every_version_is_read_at_its_first_moment(self) -> None:
        """Members that a version counts are those that are read then: what one act wrote is one moment."""
        rows = Customer.history.filter(active=True).values_list("id", "version", "history_date", "member_count")
        for id_, version, made, count in rows:
            told = self._members(id_, made)
            assert (told["id"], told["version"]) == (str(id_), version)
            assert len(told["items"]) == count, (id_, version, told)

    def _members(self, id_: UUID, moment: datetime) -> Any:
        query = urlencode({"as_of": moment.isoformat()})
        return self.client.get(f"/api/v1/customers/{id_}/members?{query}").json()


def run(examples: int, steps: int) -> None:
    chosen = settings(
        max_examples=examples, stateful_step_count=steps, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate],
        suppress_health_check=list(HealthCheck), print_blob=True,
    )  # fmt: skip
    run_state_machine_as_test(Past, settings=chosen)


def test_ten_stories_of_fifteen_steps() -> None:
    run(10, 15)


@pytest.mark.slow
def test_two_hundred_stories_of_forty_steps() -> None:
    run(200, 40)


def test_nothing_is_read_before_it_was_known() -> None:
    """What was not there yet is not found, and the answer says from when on it is."""
    pipeline.empty()
    pipeline.systems()
    before = timezone.now()
    customer = pipeline.customer_of("crm", pipeline.person(1))
    query = urlencode({"as_of": before.isoformat()})
    first = Customer.history.get(id=customer, version=1).history_date
    for path in (*(f"customers/{customer}{reading}" for reading in READINGS), "source-records/crm/P1"):
        answer = machine().get(f"/api/v1/{path}?{query}")
        assert answer.status_code == 404, path
        (error,) = answer.json()["errors"]
        assert (error["parameter"], error["code"]) == ("as_of", "before_first_version")
    assert first.isoformat() in machine().get(f"/api/v1/customers/{customer}?{query}").json()["detail"]
