"""Targets over the API: seen, planned, taken live by two people, paused, and all stopped at once."""

from typing import Any

import pytest

from apps.common.ids import uuid7
from apps.connectors import connections, queries
from apps.connectors.models import Connection, PlanDue
from apps.connectors.sandbox.running import Far
from tests import outward, pipeline
from tests.callers import machine, person
from tests.connectors.described import checked

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("empty")]
API = "/api/v1"


def post(client: Any, path: str, body: Any = None, **headers: str) -> Any:
    return client.post(f"{API}/{path}", body or {}, format="json", headers=headers)


def test_targets_are_listed_and_read(observed: tuple[Far, Connection], django_assert_max_num_queries: Any) -> None:
    _, made = observed
    pipeline.take("erp", pipeline.person(1))
    outward.settle()
    connections.request_go_live(connection=made.id, act=outward.ALICE)
    viewer = person("viewer")
    with django_assert_max_num_queries(4):
        answer = viewer.get(f"{API}/connections")
    (one,) = checked(answer, "list_connections")["items"]
    assert (one["name"], one["mode"], one["planned"], one["lag_seconds"]) == ("CRM", "observe", 1, None)
    assert one["go_live"]["counts"]["create"] == 1
    assert checked(viewer.get(f"{API}/connections/crm"), "read_connection") == one
    assert checked(machine("sync:read").get(f"{API}/connections/CRM"), "read_connection") == one
    assert viewer.get(f"{API}/connections/nowhere").status_code == 404
    hook = Connection.objects.create(system=pipeline.systems()["erp"], name="erp-events")
    assert viewer.get(f"{API}/connections/erp-events").status_code == 422
    hook.delete()


def test_a_plan_is_read_page_by_page(observed: tuple[Far, Connection]) -> None:
    pipeline.take("erp", *(pipeline.person(n, city="Ulm") for n in range(3)))
    outward.settle()
    viewer = person("viewer")
    first = checked(viewer.get(f"{API}/connections/crm/plan", {"limit": 2}), "read_plan")
    assert (first["counts"]["create"], first["counts"]["unchanged"], len(first["items"])) == (3, 0, 2)
    assert {"field": "city", "name": "City", "before": None, "after": "Ulm"} in first["items"][0]["changes"]
    answer = viewer.get(f"{API}/connections/crm/plan", {"limit": 2, "cursor": first["next"], "op": "create"})
    second = checked(answer, "read_plan")
    assert (len(second["items"]), second["next"]) == (1, None)
    assert checked(viewer.get(f"{API}/connections/crm/plan", {"op": "merge"}), "read_plan")["items"] == []
    for wrong in ({"cursor": "x"}, {"op": "explode"}, {"nonsense": "1"}):
        assert viewer.get(f"{API}/connections/crm/plan", wrong).status_code == 400


def test_two_people_take_a_target_live(observed: tuple[Far, Connection]) -> None:
    far, made = observed
    pipeline.take("erp", pipeline.person(1))
    outward.settle()
    anna, both, bob = (
        person("integrator", name="anna"),
        person("integrator", "approver", name="both"),
        person("approver", name="bob"),
    )
    assert post(anna, "connections/crm:go-live").status_code == 400
    assert post(bob, "connections/crm:go-live", {"reason": "go"}).status_code == 403
    asked = checked(post(both, "connections/crm:go-live", {"reason": "checked 20"}), "request_go_live")
    assert (asked["state"], asked["author"], asked["counts"]["create"], asked["decided_at"]) == (
        "open",
        "user:both",
        1,
        None,
    )
    assert post(anna, "connections/crm:go-live", {"reason": "me too"}).status_code == 409
    assert post(anna, f"go-lives/{asked['id']}:approve").status_code == 403
    assert post(both, f"go-lives/{asked['id']}:approve").status_code == 400, "nobody approves what they asked for"
    made.refresh_from_db()
    assert made.mode == "observe"
    told = checked(post(bob, f"go-lives/{asked['id']}:approve", {"reason": "fine"}), "approve_go_live")
    assert (told["state"], told["approver"], told["decision"]) == ("approved", "user:bob", "fine")
    assert post(bob, f"go-lives/{asked['id']}:approve").status_code == 409
    assert post(bob, f"go-lives/{uuid7()}:approve").status_code == 404
    outward.settle()
    assert len(far.records()) == 1


def test_a_request_is_rejected_with_a_reason(observed: tuple[Far, Connection]) -> None:
    _, made = observed
    anna, bob = person("integrator", name="anna"), person("approver", name="bob")
    asked = checked(post(anna, "connections/crm:go-live", {"reason": "go"}), "request_go_live")
    assert post(bob, f"go-lives/{asked['id']}:reject").status_code == 400
    told = checked(post(bob, f"go-lives/{asked['id']}:reject", {"reason": "names are cut"}), "reject_go_live")
    assert (told["state"], told["decision"]) == ("rejected", "names are cut")
    made.refresh_from_db()
    assert made.mode == "observe"
    again = post(anna, "connections/crm:go-live", {"reason": "mended"})
    assert again.json()["id"] != asked["id"]


def test_a_lost_answer_asks_once(observed: tuple[Far, Connection]) -> None:
    anna = person("integrator", name="anna")
    first = post(anna, "connections/crm:go-live", {"reason": "go"}, **{"Idempotency-Key": "k-1"})
    again = post(anna, "connections/crm:go-live", {"reason": "go"}, **{"Idempotency-Key": "k-1"})
    assert (first.status_code, again.status_code, again["Idempotency-Replayed"]) == (200, 200, "true")
    assert first.content == again.content


def test_paused_and_resumed(observed: tuple[Far, Connection]) -> None:
    anna = person("integrator", name="anna")
    assert post(anna, "connections/crm:pause", {"reason": "x"}).status_code == 409, "it is not live"
    pipeline.execute("UPDATE connection SET mode = 'live'")
    assert post(anna, "connections/crm:pause").status_code == 400
    assert post(person("steward"), "connections/crm:pause", {"reason": "x"}).status_code == 403
    told = checked(post(anna, "connections/crm:pause", {"reason": "inventory"}), "pause_connection")
    assert (told["mode"], told["paused_reason"], told["paused_by"]) == ("paused", "inventory", "user:anna")
    assert post(anna, "connections/crm:resume", {"guard_hours": -1}).status_code == 400
    assert post(anna, "connections/crm:resume", {"guard_hours": "nan"}).status_code == 400
    told = checked(post(anna, "connections/crm:resume", {"guard_hours": 4}), "resume_connection")
    assert (told["mode"], told["paused_reason"]) == ("live", "")
    assert told["guard_lifted_until"] is not None
    assert post(anna, "connections/crm:resume").status_code == 409
    assert post(anna, "connections/nowhere:pause", {"reason": "x"}).status_code == 404


def test_planned_again(observed: tuple[Far, Connection]) -> None:
    pipeline.take("erp", *(pipeline.person(n) for n in range(3)))
    outward.settle()
    told = checked(post(person("integrator"), "connections/crm:plan-again"), "plan_connection_again", 202)
    assert told == {"customers": 3}
    assert PlanDue.objects.count() == 3


def test_the_one_switch(observed: tuple[Far, Connection]) -> None:
    viewer, approver = person("viewer"), person("approver", name="bob")
    assert checked(viewer.get(f"{API}/outbound"), "read_outbound")["stopped"] is False
    put = {"path": f"{API}/outbound", "format": "json"}
    assert viewer.put(data={"stopped": True, "reason": "x"}, **put).status_code == 403
    assert approver.put(data={"stopped": True}, **put).status_code == 400, "it needs a reason"
    assert approver.put(data={"reason": "x"}, **put).status_code == 400
    told = checked(approver.put(data={"stopped": True, "reason": "attack"}, **put), "switch_outbound")
    assert (told["stopped"], told["reason"], told["actor"]) == (True, "attack", "user:bob")
    assert queries.switch_state().stopped
    assert checked(approver.put(data={"stopped": False}, **put), "switch_outbound")["stopped"] is False
    assert not queries.switch_state().stopped
