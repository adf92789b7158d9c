"""Bulk unmerge over the API: asked for, looked at by a worker's turn, agreed on by two from a number of customers on, done, taken back."""

from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from apps.common.ids import uuid7
from apps.connectors.models import Run
from apps.customers.models import ChangeRequest, Judgement
from apps.matching import judge
from apps.stewardship import bulk_unmerges
from apps.stewardship.models import BulkUnmerge
from tests import outward, pipeline
from tests.callers import machine
from tests.callers import person as caller
from tests.connectors.described import checked
from tests.mdmhub.test_unmerge_command import state
from tests.pipeline import bob, person
from tests.stewardship.given import browser, text
from tests.stewardship.test_unmerges import apart, joined, second_person_from, turns

pytestmark = pytest.mark.django_db(transaction=True)
API = "/api/v1/unmerges"


@pytest.fixture(autouse=True)
def hub() -> Any:
    pipeline.empty()
    pipeline.systems()
    yield
    assert pipeline.broken() == []


def post(client: Any, path: str = "", body: Any = None, **headers: str) -> Any:
    return client.post(f"{API}{path}", body or {}, format="json", headers=headers)


def asked(client: Any, run: Run, **body: Any) -> str:
    told = checked(post(client, "", {"run": str(run.id), "reason": "wrong column"} | body), "ask_for_unmerge", 202)
    return str(told["id"])


def looked(client: Any, run: Run, **body: Any) -> str:
    id_ = asked(client, run, **body)
    turns()
    told = read(client, id_)
    assert told["state"] == "looked", told["error"]
    return id_


def read(client: Any, id_: str) -> Any:
    return checked(client.get(f"{API}/{id_}"), "read_unmerge")


def step(client: Any, id_: str, verb: str, **body: Any) -> Any:
    return post(client, f"/{id_}:{verb}", body)


# ── the whole way ───────────────────────────────────────────────────────────────────────────────────────────────────
def test_asked_for_looked_at_done_and_taken_back() -> None:
    run, client = joined(), machine("merges:write")
    before, where = state(), pipeline.where()
    answer = post(client, "", {"run": str(run.id), "reason": "wrong column"})
    told = checked(answer, "ask_for_unmerge", 202)
    assert answer["Location"] == f"{API}/{told['id']}"
    assert (told["state"], told["total"], told["author"], told["reason"]) == (
        "looking", None, "client:loader", "wrong column",
    )  # fmt: skip
    assert (told["run"], told["model"], told["since"], told["people"], told["again"]) == (
        str(run.correlation_id), None, None, False, False,
    )  # fmt: skip
    assert told["title"].startswith("run ERP: ")
    assert step(client, told["id"], "confirm").status_code == 409, "it is not looked at yet"
    turns()
    assert state() == before
    told = read(client, told["id"])
    assert (told["state"], told["total"], told["needs_second_person"]) == ("looked", 2, False)
    assert told["looked"] == {"customers": 2, "records": 4, "into": 4, "pairs": 2, "targets": []}
    assert [one["customer_id"] for one in told["shown"]] == sorted(str(where[f"crm:P{n}"]) for n in (1, 2))
    (first,) = (one for one in told["shown"] if one["customer_id"] == str(where["crm:P1"]))
    assert [(r["fate"], r["records"]) for r in first["results"]] == [
        ("stays", [{"system": "crm", "external_id": "P1"}]),
        ("new", [{"system": "erp", "external_id": "P1"}]),
    ]
    done = checked(step(client, told["id"], "confirm"), "confirm_unmerge")
    assert (done["state"], done["approver"]) == ("doing", "")
    turns()
    assert apart()
    done = read(client, told["id"])
    assert (done["state"], done["left"]) == ("done", [])
    assert done["done"] == {"customers": 2, "records": 4, "into": 4, "pairs": 2}
    assert done["finished_at"] is not None
    live = Judgement.objects.filter(superseded_at=None)
    assert set(live.values_list("actor", "correlation_id")) == {("client:loader", UUID(told["id"]))}
    back = checked(step(client, told["id"], "undo", reason="it was right"), "undo_unmerge")
    assert (back["state"], back["undone_by"], back["customers"]) == ("undone", "client:loader", 2)
    assert pipeline.where() == where
    assert step(client, told["id"], "undo").status_code == 409


def test_what_targets_would_be_told_and_one_customer_as_it_would_be(tmp_path: Path) -> None:
    outward.policy(crm={"creates": ["person"]})
    with outward.target("crm", tmp_path / "crm.db", live=False):
        run = joined()
        outward.settle()
        steward, before = caller("steward"), state()
        id_ = looked(steward, run)
        told = read(steward, id_)
        assert {"system": "crm", "op": "create", "messages": 2} in told["looked"]["targets"]
        assert {"system": "crm", "op": "create", "mode": "observe"} in told["shown"][0]["told"]
        path = f"{API}/{id_}/customers/{pipeline.where()['crm:P1']}"
        seen = checked(steward.get(path), "preview_unmerge")
        new = next(r for r in seen["results"] if r["fate"] == "new")
        assert {"email": person(1)["email"]}.items() <= {c["field"]: c["after"] for c in new["changes"]}.items()
        (create,) = (m for m in seen["told"] if m["op"] == "create")
        assert (create["system"], create["mode"], create["customer_id"]) == ("crm", "observe", new["customer_id"])
        assert person(1)["email"] in [c["after"] for c in create["changes"]]
        narrow = checked(machine("merges:write").get(path), "preview_unmerge")
        assert [r["fate"] for r in narrow["results"]] == [r["fate"] for r in seen["results"]]
        assert person(1)["email"] not in str(narrow), "values take the scopes that values take elsewhere"
        assert state() == before


def test_a_customer_that_is_not_part_of_it_has_no_preview() -> None:
    steward = caller("steward")
    id_ = looked(steward, joined())
    other = pipeline.customer_of("crm", person(9))
    for customer in (other, uuid7()):
        assert steward.get(f"{API}/{id_}/customers/{customer}").status_code == 404
    assert steward.get(f"{API}/{uuid7()}/customers/{other}").status_code == 404


# ── a second person ─────────────────────────────────────────────────────────────────────────────────────────────────
def test_from_a_number_on_a_second_person_decides() -> None:
    second_person_from(2)
    both, approver = caller("steward", "approver", name="both"), caller("approver", name="bea")
    id_ = looked(both, joined())
    assert read(both, id_)["needs_second_person"]
    waiting = checked(step(both, id_, "confirm"), "confirm_unmerge")
    assert (waiting["state"], waiting["confirmed_by"], waiting["decided_at"]) == ("waiting", "user:both", None)
    turns()
    assert not apart()
    refused = step(both, id_, "approve")
    assert refused.status_code == 400
    assert refused.json()["detail"] == "A second person has to decide: you asked for this."
    assert read(both, id_)["state"] == "waiting"
    approved = checked(step(approver, id_, "approve"), "approve_unmerge")
    assert (approved["state"], approved["approver"]) == ("doing", "user:bea")
    turns()
    assert apart()
    assert read(both, id_)["decided_at"] is not None
    assert set(Judgement.objects.values_list("actor", "reason")) == {("user:both", "wrong column (approved by bea)")}
    assert step(approver, id_, "approve").status_code == 409


def test_no_machine_is_the_second_person() -> None:
    """Neither with every scope, nor with another client than the one that asked; nor is a person who lets a machine confirm for them."""
    second_person_from(1)
    loader, other, bea = machine(), machine(name="other"), caller("approver", name="bea")
    run = joined()
    id_ = looked(loader, run)
    assert step(other, id_, "confirm").json()["state"] == "waiting"
    for client in (loader, other):
        for verb in ("approve", "reject"):
            assert step(client, id_, verb).status_code == 403
    assert step(loader, id_, "confirm").status_code == 409, "it waits already"
    turns()
    assert (read(loader, id_)["state"], apart()) == ("waiting", False)
    mine = looked(bea, run)
    step(loader, mine, "confirm")
    assert step(bea, mine, "approve").status_code == 400
    assert set(ChangeRequest.objects.values_list("state", flat=True)) == {"open"}


def test_rejected_nothing_is_done() -> None:
    second_person_from(1)
    steward, approver = caller("steward"), caller("approver")
    id_ = looked(steward, joined())
    assert step(approver, id_, "reject").status_code == 409, "nobody has asked for a decision"
    step(steward, id_, "confirm")
    told = checked(step(approver, id_, "reject", reason="The file was right."), "reject_unmerge")
    assert (told["state"], told["approver"], told["decision"]) == ("rejected", "user:approver", "The file was right.")
    assert "The file was right." in text(browser("steward").get(f"/unmerges/{id_}/"))
    turns()
    assert not apart()
    for verb, client in (("confirm", steward), ("cancel", steward), ("undo", steward), ("approve", approver)):
        answer = step(client, id_, verb)
        assert (answer.status_code, answer.json()["type"]) == (409, "/api/problems/conflict"), verb
        assert "rejected" in answer.json()["detail"]


def test_given_up_nothing_is_done() -> None:
    second_person_from(1)
    steward, run = caller("steward"), joined()
    early, late = asked(steward, run), looked(steward, run)
    assert read(steward, early)["state"] == "looked"
    step(steward, late, "confirm")
    for id_ in (early, late):
        told = checked(step(steward, id_, "cancel"), "cancel_unmerge")
        assert (told["state"], told["approver"], told["cancelled_by"]) == ("cancelled", "", "user:steward")
    assert ChangeRequest.objects.get().state == "closed"
    turns()
    assert not apart()
    assert step(steward, late, "cancel").status_code == 409
    assert step(steward, early, "confirm").status_code == 409


def test_stopped_in_the_middle_it_is_taken_back_as_far_as_it_came(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apps.stewardship.bulk_unmerges._PART", 1)
    steward = caller("steward")
    id_ = looked(steward, joined(3))
    step(steward, id_, "confirm")
    assert bulk_unmerges.work(seconds=0.0), "one part, then the turn is over"
    assert read(steward, id_)["done"]["customers"] == 1
    told = checked(step(steward, id_, "cancel"), "cancel_unmerge")
    assert (told["state"], told["done"]["customers"], len(pipeline.partition())) == ("done", 1, 4)
    turns()
    assert len(pipeline.partition()) == 4
    back = checked(step(steward, id_, "undo"), "undo_unmerge")
    assert (back["customers"], len(pipeline.partition())) == (1, 3)


def test_what_others_did_meanwhile_is_read_again_and_told() -> None:
    steward = caller("steward")
    id_ = looked(steward, joined())
    parted = pipeline.where()["crm:P1"]
    judge.unmerge(customer=parted, records=[pipeline.record_ids()["erp:P1"]], act=bob())
    assert steward.get(f"{API}/{id_}/customers/{parted}").status_code == 404, "nothing is left to part"
    step(steward, id_, "confirm")
    turns()
    told = read(steward, id_)
    assert (told["state"], told["total"], told["done"]["customers"]) == ("done", 2, 1)


def test_who_is_only_like_them_is_not_counted_when_it_is_taken_back() -> None:
    """Neighbours are decided again with the records of an act; they are no part of it."""
    one = person(1)
    run, steward = joined(1), caller("steward")
    relative = person(7, family_name=one["family_name"], phone=one["phone"], birth_date=one["birth_date"])
    other = pipeline.customer_of("billing", relative)
    assert other != pipeline.where()["crm:P1"]
    assert pipeline.one("SELECT count(*) FROM edge") > 1, "there is evidence between them"
    id_ = looked(steward, run)
    step(steward, id_, "confirm")
    turns()
    assert checked(step(steward, id_, "undo"), "undo_unmerge")["customers"] == 1
    assert len(pipeline.partition()) == 2


def test_who_decided_since_keeps_it_from_being_taken_back() -> None:
    steward = caller("steward")
    id_ = looked(steward, joined())
    step(steward, id_, "confirm")
    turns()
    where = pipeline.where()
    pipeline.merge_all_the_same([where["crm:P1"], where["erp:P1"]], bob())
    answer = step(steward, id_, "undo")
    assert answer.status_code == 409
    assert read(steward, id_)["state"] == "done"


# ── repeating, listing, who may ─────────────────────────────────────────────────────────────────────────────────────
def test_a_repeated_call_has_its_effect_once() -> None:
    run, client = joined(), machine("merges:write")
    body = {"run": str(run.id), "reason": "wrong column"}

    def twice(path: str, key: str, status: int, said: Any = None) -> Any:
        first, again = (post(client, path, said, **{"Idempotency-Key": key}) for _ in range(2))
        assert (first.status_code, again.status_code) == (status, status), first.content
        assert again.content == first.content
        assert again.get("Location") == first.get("Location")
        assert again["Idempotency-Replayed"] == "true"
        return first

    first = twice("", "ask", 202, body)
    id_ = first.json()["id"]
    assert first["Location"] == f"{API}/{id_}"
    assert BulkUnmerge.objects.count() == 1
    assert post(client, "", body | {"again": True}, **{"Idempotency-Key": "ask"}).status_code == 422
    twice(f"/{id_}:confirm", "early", 409)
    turns()
    twice(f"/{id_}:confirm", "confirm", 200)
    turns()
    verdicts = Judgement.objects.count()
    twice(f"/{id_}:undo", "undo", 200)
    assert Judgement.objects.count() == verdicts
    twice(f"/{id_}:cancel", "cancel", 409)
    assert post(client, f"/{id_}:confirm", **{"Idempotency-Key": "confirm"}).json()["state"] == "doing", (
        "as it was then"
    )
    assert read(client, id_)["state"] == "undone"


def test_the_list_is_read_in_pages_and_narrowed_by_state(django_assert_max_num_queries: Any) -> None:
    run, steward = joined(1), caller("steward")
    ids = [asked(steward, run) for _ in range(3)]
    step(steward, ids[1], "cancel")
    first = checked(steward.get(API, {"limit": 2}), "list_unmerges")
    assert [row["id"] for row in first["items"]] == [ids[2], ids[1]]
    rest = checked(steward.get(API, {"limit": 2, "cursor": first["next"]}), "list_unmerges")
    assert ([row["id"] for row in rest["items"]], rest["next"]) == ([ids[0]], None)
    given_up = checked(steward.get(API, {"state": "cancelled"}), "list_unmerges")
    assert [row["id"] for row in given_up["items"]] == [ids[1]]
    with django_assert_max_num_queries(4):
        steward.get(API)
    assert steward.get(API, {"state": "nonsense"}).status_code == 400
    assert steward.get(API, {"cursor": "nonsense"}).status_code == 400


def test_it_is_for_stewards_approvers_and_machines_with_the_scope() -> None:
    id_ = looked(caller("steward"), joined(1))
    customer = pipeline.where()["crm:P1"]
    readings = (API, f"{API}/{id_}", f"{API}/{id_}/customers/{customer}")
    writings = ("", *(f"/{id_}:{verb}" for verb in ("confirm", "approve", "reject", "cancel", "undo")))
    narrow = machine("customers:read", "sources:write", "jobs:read", "sync:write")
    for client in (caller("viewer"), caller("integrator"), caller("admin"), narrow):
        assert [client.get(path).status_code for path in readings] == [403] * 3
        assert [post(client, path).status_code for path in writings] == [403] * 6
    assert [post(caller("steward"), f"/{id_}:{verb}").status_code for verb in ("approve", "reject")] == [403, 403]
    for client in (caller("approver"), machine("merges:write")):
        assert [client.get(path).status_code for path in readings] == [200] * 3
    assert read(caller("steward"), id_)["state"] == "looked"


def test_there_is_no_such_unmerge_and_no_such_field() -> None:
    both = caller("steward", "approver")
    for verb in ("confirm", "approve", "reject", "cancel", "undo"):
        assert step(both, str(uuid7()), verb).status_code == 404
        wrong = step(both, str(uuid7()), verb, resaon="x")
        assert (wrong.status_code, wrong.json()["errors"][0]["pointer"]) == (400, "/resaon")
    assert both.get(f"{API}/{uuid7()}").status_code == 404
