"""When what two companies were is undone, who hangs on both of them parts too: along the relations that the policy names, never what a person
has joined, and all of it in one act."""

from io import StringIO
from typing import Any
from uuid import UUID

import pytest
from django.core.management import call_command

from apps.common.act import Act
from apps.common.errors import Rejected
from apps.customers.models import Judgement, Relation
from apps.matching import judge, unjoin
from apps.matching.merge_vetoes import parse_merging
from apps.matching.unjoin import What, choose, take_apart
from apps.matching.unmerge_policy import UnmergePolicy
from apps.policies import activate
from apps.policies.active import shipped
from tests import pipeline
from tests.callers import person as caller
from tests.pipeline import alice, bob, person, take
from tests.stewardship.given import browser, text

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def hub() -> Any:
    pipeline.empty()
    pipeline.systems()
    yield
    assert pipeline.broken() == []


def follow(*kinds: str) -> None:
    body = shipped("merging") | {"unmerge": {"cascade": list(kinds)}}
    drafted = activate.draft(kind="merging", body=body, note="", act=alice())
    activate.activate(policy=drafted.id, act=bob())
    pipeline.drain_all()


def company(number: int, name: str) -> dict[str, Any]:
    return {
        "record_id": f"F{number}",
        "kind": "organization",
        "organization_name": name,
        "city": "Ulm",
        "country": "DE",
    }


def record(name: str) -> UUID:
    return pipeline.record_ids()[name]


def relate(one: str, other: str, kind: str = "contact") -> None:
    pair = sorted((record(one), record(other)))
    judge.keep_apart(pairs=[(pair[0], pair[1])], related_as=kind, act=alice())


def firms() -> tuple[UUID, UUID]:
    """Two companies, a person of each whom the machine took for one, and the merge that made one company of two: (it, the person)."""
    take("crm", company(1, "Brandvold Fisk"), person(5))
    take("erp", company(2, "Quastel Anlagenbau"), person(5))
    relate("crm:F1", "crm:P5")
    relate("erp:F2", "erp:P5")
    at = pipeline.where()
    assert at["crm:P5"] == at["erp:P5"]
    judge.merge(customers=[at["crm:F1"], at["erp:F2"]], act=alice())
    return pipeline.where()["crm:F1"], at["crm:P5"]


def unmerge(firm: UUID, act: Act | None = None, **how: Any) -> Any:
    return judge.unmerge(customer=firm, records=[record("erp:F2")], act=act or alice(), **how)


def children(firm: UUID, **how: Any) -> list[tuple[UUID, tuple[str, ...], str]]:
    found = judge.children_of(customer=firm, records=[record("erp:F2")], **how)
    return [(child.customer, child.kinds, child.fate) for child in found]


def apart(*names: str) -> bool:
    at = pipeline.where()
    return len({at[name] for name in names}) == len(names)


def test_shipped_it_is_off_and_the_preview_says_who_hangs_on_both() -> None:
    firm, someone = firms()
    assert children(firm) == [(someone, ("contact",), "off")]
    unmerge(firm)
    assert apart("crm:F1", "erp:F2")
    assert not apart("crm:P5", "erp:P5")


def test_switched_on_the_person_parts_in_the_same_act_and_comes_back_with_the_undo() -> None:
    follow("contact")
    firm, someone = firms()
    assert children(firm) == [(someone, ("contact",), "parts")]
    act = alice()
    unmerge(firm, act)
    assert apart("crm:F1", "erp:F2", "crm:P5", "erp:P5")
    pair = sorted((record("crm:P5"), record("erp:P5")))
    said = Judgement.objects.get(record_a=pair[0], record_b=pair[1], superseded_at=None)
    assert (said.verdict, said.actor, said.correlation_id) == ("no_match", "user:alice", act.correlation_id)
    take("erp", person(5, phone="+49 30 4444444"))
    pipeline.drain_all()
    assert apart("crm:P5", "erp:P5"), "for ever"
    judge.undo(correlation_id=act.correlation_id, act=bob())
    assert not apart("crm:F1", "erp:F2")
    assert pipeline.where()["crm:P5"] == pipeline.where()["erp:P5"] == someone


def test_a_kind_that_is_not_named_is_not_followed() -> None:
    follow("group", "household")
    firm, someone = firms()
    assert children(firm) == [(someone, ("contact",), "off")]
    unmerge(firm)
    assert not apart("crm:P5", "erp:P5")


def test_what_a_person_joined_by_hand_stays_together() -> None:
    follow("contact")
    firm, someone = firms()
    pair = sorted((record("crm:P5"), record("erp:P5")))
    judge.join(record_a=pair[0], record_b=pair[1], act=bob())
    assert children(firm) == [(someone, ("contact",), "by_hand")]
    unmerge(firm)
    assert not apart("crm:P5", "erp:P5")


def test_by_hand_also_where_the_word_was_said_of_another_record_between_them() -> None:
    follow("contact")
    firm, someone = firms()
    other = pipeline.customer_of("billing", person(6))
    judge.merge(customers=[someone, other], act=bob())
    assert [fate for _, _, fate in children(firm)] == ["by_hand"]


def test_a_record_that_is_related_to_both_sides_parts_from_nothing() -> None:
    follow("contact")
    firm, someone = firms()
    relate("crm:P5", "erp:F2")
    relate("erp:P5", "crm:F1")
    assert children(firm) == [(someone, ("contact",), "both")]
    unmerge(firm)
    assert not apart("crm:P5", "erp:P5")


def test_who_hangs_on_one_side_only_and_a_relation_that_was_taken_back_are_nobodys_business() -> None:
    follow("contact")
    firm, _ = firms()
    Relation.objects.filter(record_a__in=[record("erp:F2")], until=None).update(until="2026-01-01T00:00:00Z")
    assert Relation.objects.filter(until=None).count() == 1
    assert children(firm) == []
    unmerge(firm)
    assert not apart("crm:P5", "erp:P5")


def test_records_that_are_related_to_neither_go_where_the_evidence_puts_them() -> None:
    """The third fits both parts alike: it stays with neither, and is a question."""
    follow("contact")
    firm, _ = firms()
    take("billing", person(5))
    unmerge(firm)
    assert apart("crm:P5", "erp:P5", "billing:P5")
    assert "ambiguous" in {reason for _, reason in pipeline.open_doubts()}
    verdicts = Judgement.objects.filter(superseded_at=None, verdict="no_match")
    assert not verdicts.filter(record_a=record("billing:P5")).exists()
    assert not verdicts.filter(record_b=record("billing:P5")).exists()


def test_when_the_machine_decides_again_nothing_is_kept_apart() -> None:
    follow("contact")
    firm, someone = firms()
    assert children(firm, for_ever=False) == [(someone, ("contact",), "again")]
    unmerge(firm, for_ever=False)
    assert apart("crm:F1", "erp:F2")
    assert not apart("crm:P5", "erp:P5")


def test_a_bulk_unmerge_takes_them_with_it_and_its_undo_brings_them_back() -> None:
    """The same company twice by a run: what it joined parts, and so does the person who hangs on both records."""
    follow("contact")
    take("crm", company(1, "Brandvold Fisk"), person(5))
    take("erp", person(5))
    run = Act("user:loader", "a run")
    take("erp", company(1, "Brandvold Fisk"), act=run)
    relate("crm:F1", "crm:P5")
    relate("erp:F1", "erp:P5")
    assert not apart("crm:F1", "erp:F1")
    out = StringIO()
    since = pipeline.one("SELECT min(since) FROM membership WHERE correlation_id = %s", run.correlation_id)
    call_command("unmerge", since=since, customer=[pipeline.where()["crm:F1"]], dry_run=True, stdout=out)
    assert "hangs on both sides (contact)" in out.getvalue()
    assert "parts too" in out.getvalue()
    assert not apart("crm:P5", "erp:P5"), "a dry run"
    act = Act("command:unmerge", "wrong")
    done = take_apart(chosen=choose(What(act=run.correlation_id)), act=act)
    ((child,),) = (one.children for one in done.parted)
    assert (child.fate, child.customer) == ("parts", pipeline.where()["crm:P5"])
    assert apart("crm:F1", "erp:F1", "crm:P5", "erp:P5")
    judge.undo(correlation_id=act.correlation_id, act=bob())
    assert not apart("crm:F1", "erp:F1")
    assert not apart("crm:P5", "erp:P5")


def test_who_is_taken_apart_by_itself_is_no_child_of_another() -> None:
    """One run joined both: each of the two is parted by what the run did, not by the other's relation."""
    follow("contact")
    take("crm", company(1, "Brandvold Fisk"), person(5))
    run = Act("user:loader", "a run")
    take("erp", company(1, "Brandvold Fisk"), person(5), act=run)
    relate("crm:F1", "crm:P5")
    relate("erp:F1", "erp:P5")
    chosen = choose(What(act=run.correlation_id))
    assert len(chosen.customers) == 2
    done = unjoin.take_apart(chosen=chosen, act=Act("command:unmerge", "wrong"))
    assert [one.children for one in done.parted] == [(), ()]
    assert apart("crm:F1", "erp:F1", "crm:P5", "erp:P5")


def test_the_api_tells_it_before_and_after() -> None:
    follow("contact")
    firm, someone = firms()
    client = caller("steward")
    body = {"records": [{"system": "erp", "external_id": "F2"}], "reason": "two firms"}
    before = pipeline.activity()
    shown = client.post(f"/api/v1/customers/{firm}:unmerge", {**body, "dry_run": True}, format="json")
    assert shown.status_code == 200, shown.content
    assert pipeline.activity() == before
    told = shown.json()
    (child,) = told["children"]
    assert told["dry_run"] is True
    assert (child["customer_id"], child["relations"], child["fate"]) == (str(someone), ["contact"], "parts")
    assert (child["leaving"], child["staying"]) == ([str(record("erp:P5"))], [str(record("crm:P5"))])
    assert len(told["customers"]) == 4
    done = client.post(f"/api/v1/customers/{firm}:unmerge", body, format="json").json()
    assert (done["dry_run"], done["children"]) == (False, told["children"])
    assert apart("crm:F1", "erp:F2", "crm:P5", "erp:P5")


def test_the_page_tells_it_before_and_the_undo_in_the_inbox_takes_all_back() -> None:
    follow("contact")
    firm, someone = firms()
    steward, address = browser("steward"), f"/customers/{firm}/unmerge/"
    page = text(steward.get(f"{address}?record={record('erp:F2')}"))
    assert "Who hangs on both sides" in page
    assert "parts too" in page
    assert f'href="/customers/{someone}/"' in page
    version = pipeline.one("SELECT version FROM customer WHERE id = %s", firm)
    sent = {"record": str(record("erp:F2")), "again": "0", "version": str(version), "reason": "two firms"}
    assert steward.post(address, sent).status_code == 302
    assert apart("crm:F1", "erp:F2", "crm:P5", "erp:P5")
    decision = pipeline.one("SELECT id FROM steward_decision")
    steward.post("/inbox/undo/", {"decision": str(decision)})
    assert not apart("crm:F1", "erp:F2")
    assert not apart("crm:P5", "erp:P5")


# ── the policy ──────────────────────────────────────────────────────────────────────────────────────────────────────
def test_the_policy_names_kinds_of_relations() -> None:
    assert parse_merging({}).unmerge == UnmergePolicy(frozenset(), 20)
    told = parse_merging({"unmerge": {"cascade": ["contact", "household"], "second_person_from": 5}})
    assert told.unmerge == UnmergePolicy(frozenset({"contact", "household"}), 5)


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({"unmerge": {"cascade": ["contcat"]}}, "/unmerge/cascade/0"),
        ({"unmerge": {"cascade": [["contact"]]}}, "/unmerge/cascade/0"),
        ({"unmerge": {"cascade": "contact"}}, "/unmerge/cascade"),
        ({"unmerge": {"second_person_from": 0}}, "/unmerge/second_person_from"),
        ({"unmerge": {"second_person_from": True}}, "/unmerge/second_person_from"),
        ({"unmerge": {"casacde": []}}, "/unmerge/casacde"),
        ({"unmerge": []}, "/unmerge"),
    ],
)
def test_what_is_wrong_in_it_is_told_with_its_place(body: dict[str, Any], place: str) -> None:
    with pytest.raises(Rejected) as refused:
        parse_merging(body)
    assert [f.field for f in refused.value.fields] == [place]
