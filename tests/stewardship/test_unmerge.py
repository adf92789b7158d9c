"""Unmerge in the browser: what it comes to is shown before, and is what it then comes to; it is taken back like any decision."""

import re
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.contrib.messages import get_messages

from apps.common.act import Act
from apps.common.errors import Conflict, Rejected
from apps.common.ids import uuid7
from apps.connectors.models import Delivery
from apps.customers.models import Customer, Judgement, SourceRecord
from apps.matching import judge
from apps.stewardship import decisions
from apps.stewardship.models import Decision
from apps.stewardship.preview import preview
from tests import outward, pipeline
from tests.pipeline import alice, person, take
from tests.stewardship.given import browser, text

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _clean() -> None:
    pipeline.empty()
    pipeline.systems()


def merged() -> tuple[UUID, dict[str, UUID]]:
    """One customer of two people whom a steward took for one; (its id, records by name)."""
    first, second = pipeline.customer_of("crm", person(1)), pipeline.customer_of("erp", person(2, city="Ulm"))
    judge.merge(customers=[first, second], act=alice())
    return Customer.objects.get(active=True).id, pipeline.record_ids()


def said(answer: Any) -> str:
    return " ".join(str(m) for m in get_messages(answer.wsgi_request))


def state() -> list[Any]:
    """Everything a preview must leave as it was."""
    return [
        sorted(Customer.objects.values_list("id", "version", "active", "name")),
        sorted(SourceRecord.objects.values_list("id", "customer_id")),
        sorted(Judgement.objects.values_list("id", "superseded_at")),
        sorted(Delivery.objects.values_list("id", "state")),
        pipeline.one("SELECT count(*) FROM event"),
    ]


def test_the_preview_is_what_happens_and_changes_nothing(tmp_path: Path) -> None:
    outward.policy(crm={"creates": ["person"]})
    with outward.target("crm", tmp_path / "crm.db", live=False):
        customer, records = merged()
        outward.settle()
        before = state()
        act = Act("user:anna", "a preview")
        shown = preview(
            lambda: judge.unmerge(customer=customer, records=[records["erp:P2"]], act=act), [customer], act=act
        )
        assert state() == before
        fates = {r.customer: r.fate for r in shown.results}
        assert fates[customer] == "stays"
        assert sorted(fates.values()) == ["back", "stays"]
        assert not shown.nothing
        assert [(t.system, t.op, t.mode) for t in shown.told if t.op == "create"] == [("crm", "create", "observe")]
        judge.unmerge(customer=customer, records=[records["erp:P2"]], act=alice())
        assert {i: bool(a) for i, a in Customer.objects.values_list("id", "active")} == dict.fromkeys(fates, True)
        for result in shown.results:
            assert Customer.objects.get(id=result.customer).name == result.name
    assert pipeline.broken() == []


def test_records_are_ticked_looked_at_and_taken_out() -> None:
    customer, records = merged()
    steward = browser("steward")
    page = text(steward.get(f"/customers/{customer}/unmerge/"))
    assert "Tick the source records" in page
    assert "What it comes to" not in page
    page = text(steward.get(f"/customers/{customer}/unmerge/", {"record": str(records["erp:P2"])}))
    assert "What it comes to" in page
    assert "its id lives again" in page
    version = re.search(r'name="version" value="(\d+)"', page)
    assert version is not None
    answer = steward.post(
        f"/customers/{customer}/unmerge/", {"record": str(records["erp:P2"]), "version": version[1], "reason": "two"}
    )
    assert "taken out" in said(answer)
    assert len(pipeline.partition()) == 2
    made = Decision.objects.get()
    assert (made.action, made.actor, made.reason) == ("unmerge", "user:steward", "two")
    decisions.undo(decision=made.id, act=Act("user:steward"))
    assert len(pipeline.partition()) == 1
    assert pipeline.broken() == []


def test_a_join_of_the_tree_ticks_its_branch() -> None:
    """Two pairs that the machine made, one customer by a person: each join leads to what it brought in, ticked."""
    for system, number in (("crm", 1), ("erp", 1), ("billing", 2), ("support", 2)):
        take(system, person(number))
    where = pipeline.where()
    first, second = where["crm:P1"], where["billing:P2"]
    judge.merge(customers=[first, second], act=alice())
    records = {id_: name for name, id_ in pipeline.record_ids().items()}
    steward = browser("steward")
    part = text(steward.get(f"/customers/{first}/joins/", headers={"HX-Request": "true"}))
    links = re.findall(rf'href="(/customers/{first}/unmerge/\?out=[^"#]+)#preview">([^<]+)<', part)
    assert [words for _, words in links] == ["Take this branch out"] * 3, "a person's word ties each record"
    sides = []
    for link, _ in links:
        page = text(steward.get(link.replace("&amp;", "&")))
        ticked = re.findall(r'name="record" value="([^"]+)" id="r\d+" checked', page)
        sides.append({records[UUID(id_)] for id_ in ticked})
    assert {"billing:P2", "support:P2"} in sides
    assert all(side in ({"crm:P1"}, {"erp:P1"}, {"billing:P2", "support:P2"}) for side in sides)
    link = links[sides.index({"billing:P2", "support:P2"})][0]
    page = text(steward.get(link.replace("&amp;", "&")))
    assert "What it comes to" in page
    version = re.search(r'name="version" value="(\d+)"', page)
    assert version is not None
    hidden = re.findall(r'<input type="hidden" name="record" value="([^"]+)">', page)
    steward.post(f"/customers/{first}/unmerge/", {"record": hidden, "version": version[1], "reason": "two"})
    assert pipeline.partition() == {frozenset({"crm:P1", "erp:P1"}), frozenset({"billing:P2", "support:P2"})}
    page = text(steward.get(f"/customers/{first}/unmerge/", {"out": hidden[0], "of": "nonsense"}))
    assert "These two records join nothing of this customer" in page
    assert "Take this branch out" not in text(browser("viewer").get(f"/customers/{first}/joins/"))
    assert pipeline.broken() == []


def test_apart_for_ever_or_only_what_was_said_is_taken_back() -> None:
    take("crm", person(1))
    take("erp", person(1))
    customer = Customer.objects.get(active=True)
    records = pipeline.record_ids()
    page = text(
        browser("steward").get(f"/customers/{customer.id}/unmerge/", {"record": str(records["erp:P1"]), "again": "1"})
    )
    assert "the machine would decide the same again" in page
    assert 'name="version"' not in page
    decisions.unmerge(
        customer=customer.id, records=[records["erp:P1"]], version=customer.version, for_ever=False, act=alice()
    )
    assert len(pipeline.partition()) == 1
    decisions.unmerge(customer=customer.id, records=[records["erp:P1"]], version=customer.version, act=alice())
    assert len(pipeline.partition()) == 2
    take("crm", person(1, phone="+49 30 2222222"))
    assert len(pipeline.partition()) == 2


def test_only_a_persons_merge_is_taken_back_and_that_too_can_be_undone() -> None:
    customer, records = merged()
    version = Customer.objects.get(id=customer).version
    made = decisions.unmerge(
        customer=customer, records=[records["erp:P2"]], version=version, for_ever=False, act=alice()
    )
    assert len(pipeline.partition()) == 2
    assert not Judgement.objects.filter(superseded_at=None).exists()
    decisions.undo(decision=made.id, act=pipeline.bob())
    assert len(pipeline.partition()) == 1
    assert pipeline.broken() == []


def test_stale_pages_and_forged_fields_do_nothing() -> None:
    customer, records = merged()
    stranger = pipeline.customer_of("billing", person(5))
    version = Customer.objects.get(id=customer).version
    with pytest.raises(Conflict, match="has changed since"):
        decisions.unmerge(customer=customer, records=[records["erp:P2"]], version=version - 1, act=alice())
    with pytest.raises(Rejected, match="not none and not all"):
        decisions.unmerge(customer=customer, records=list(records.values()), version=version, act=alice())
    steward = browser("steward")
    other = pipeline.record_ids()["billing:P5"]
    page = text(steward.get(f"/customers/{customer}/unmerge/", {"record": [str(other), "nonsense"]}))
    assert "no longer belongs" in page
    for wrong in ({"version": "x"}, {"record": str(records["erp:P2"])}, {"record": "1", "version": str(version)}):
        assert steward.post(f"/customers/{customer}/unmerge/", wrong).status_code == 302
    assert Decision.objects.count() == 0
    assert len(pipeline.partition()) == 2
    page = text(steward.get(f"/customers/{stranger}/unmerge/"))
    assert "There is only one record" in page
    assert steward.get(f"/customers/{uuid7()}/unmerge/").status_code == 404


@pytest.mark.parametrize("role", ["viewer", "integrator", "admin"])
def test_who_may_not_unmerge_is_refused(role: str) -> None:
    customer, records = merged()
    assert browser(role).get(f"/customers/{customer}/unmerge/").status_code == 403
    answer = browser(role).post(f"/customers/{customer}/unmerge/", {"record": str(records["erp:P2"])})
    assert answer.status_code == 403
    assert len(pipeline.partition()) == 1
