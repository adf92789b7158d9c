"""Targets: how they are doing, what they would be told, who let us write to them, and the one switch for all."""

from dataclasses import asdict
from typing import Any, ClassVar
from uuid import UUID

from rest_framework.response import Response

from apps.common import cursors
from apps.common.api.endpoints import Endpoint
from apps.common.api.idempotency import idempotent
from apps.common.api.views import HubView
from apps.connectors import connections, desk, queries
from apps.connectors.api import serializers_sync as shapes
from apps.connectors.models import GoLive
from apps.connectors.queries import PlannedRow, TargetHealth

_SAME = (
    "name", "system", "adapter", "mode", "paused_reason", "paused_by", "paused_at", "error", "breaker", "probe_at", "not_before",
    "guard_lifted_until", "hour_writes", "planned", "waiting", "sending", "uncertain", "failed", "done_hour", "failed_hour", "success",
    "last_success_at", "last_failure_at", "last_error", "per_second", "polled_at", "poll_due_at", "swept_at", "sweep_due_at",
)  # fmt: skip


def target_body(target: TargetHealth) -> dict[str, Any]:
    """One target as the API and the commands show it."""
    return {
        "id": target.connection, **{name: getattr(target, name) for name in _SAME}, "lag_seconds": target.lag,
        "in_flight": target.in_flight_cap, "go_live": asdict(target.go_live) if target.go_live else None,
    }  # fmt: skip


def go_live_body(row: GoLive) -> dict[str, Any]:
    """One request; `row.connection` should be read already."""
    return {
        "id": row.id, "connection": row.connection.name, "state": row.state, "counts": row.counts, "author": row.author,
        "reason": row.reason, "opened_at": row.opened_at, "approver": row.approver, "decision": row.decision,
        "decided_at": row.decided_at,
    }  # fmt: skip


def planned_body(row: PlannedRow) -> dict[str, Any]:
    return {
        "delivery_id": row.delivery, "record_id": row.record, "customer_id": row.customer, "customer_name": row.customer_name,
        "op": row.op, "state": row.state, "version": row.version, "external_id": row.external_id, "losers": list(row.losers),
        "changes": [asdict(d) for d in row.fields],
    }  # fmt: skip


class ConnectionsView(HubView):
    endpoints: ClassVar = {"GET": Endpoint("list_connections", "sync.read", {200: shapes.ConnectionsOut}, tag="sync")}

    def get(self, request: Any) -> Response:
        """Every target: mode, breaker, what waits and failed, how far behind it is, and a request to go live that is open."""
        return Response({"items": [target_body(t) for t in queries.monitor()]})


class ConnectionView(HubView):
    endpoints: ClassVar = {"GET": Endpoint("read_connection", "sync.read", {200: shapes.ConnectionOut}, tag="sync")}

    def get(self, request: Any, name: str) -> Response:
        """One target, by its name or its system's code."""
        return Response(_health(connections.connection_by_name(name).id))


class PlanView(HubView):
    endpoints: ClassVar = {
        "GET": Endpoint("read_plan", "sync.read", {200: shapes.PlanOut}, query=shapes.PlanQuery, tag="sync")
    }

    def get(self, request: Any, name: str) -> Response:
        """What a target would be told, or is about to be: counts by kind, and each record with its fields before and after."""
        row, p = connections.connection_by_name(name), self.params
        after = cursors.decode_uuid(p["cursor"]) if "cursor" in p else None
        page = queries.planned(row.id, p.get("op"), after, p["limit"])
        response = self.page(
            [planned_body(r) for r in page.rows], cursors.encode([str(page.next)]) if page.next is not None else None
        )
        response.data["counts"] = connections.planned_counts(row.id)
        return response


class GoLiveRequestView(HubView):
    endpoints: ClassVar = {
        "POST": Endpoint(
            "request_go_live", "connections.write", {200: shapes.GoLiveOut}, body=shapes.ReasonIn, tag="sync"
        )
    }

    @idempotent
    def post(self, request: Any, name: str) -> Response:
        """Asks a second person to let the hub write to a target that observes."""
        row = connections.connection_by_name(name)
        asked = connections.request_go_live(connection=row.id, act=self.act(self.body()["reason"]))
        return Response(go_live_body(_go_live(asked.id)))


class ApproveGoLiveView(HubView):
    endpoints: ClassVar = {
        "POST": Endpoint(
            "approve_go_live", "connections.approve", {200: shapes.GoLiveOut}, body=shapes.MaybeReasonIn, tag="sync"
        )
    }

    def post(self, request: Any, go_live_id: UUID) -> Response:
        """The second person lets the hub write: what was planned is sent from now on. Nobody approves what they asked for."""
        act = self.act(self.body()["reason"])
        connections.decide_go_live(go_live=go_live_id, approve=True, act=act)
        return Response(go_live_body(_go_live(go_live_id)))


class RejectGoLiveView(HubView):
    endpoints: ClassVar = {
        "POST": Endpoint(
            "reject_go_live", "connections.approve", {200: shapes.GoLiveOut}, body=shapes.ReasonIn, tag="sync"
        )
    }

    def post(self, request: Any, go_live_id: UUID) -> Response:
        """The target goes on observing; the reason says what has to be mended first."""
        connections.decide_go_live(go_live=go_live_id, approve=False, act=self.act(self.body()["reason"]))
        return Response(go_live_body(_go_live(go_live_id)))


class PauseView(HubView):
    endpoints: ClassVar = {
        "POST": Endpoint(
            "pause_connection", "connections.write", {200: shapes.ConnectionOut}, body=shapes.ReasonIn, tag="sync"
        )
    }

    def post(self, request: Any, name: str) -> Response:
        """Nothing more is sent there; what has to be told waits."""
        row = connections.connection_by_name(name)
        connections.pause(connection=row.id, act=self.act(self.body()["reason"]))
        return Response(_health(row.id))


class ResumeView(HubView):
    endpoints: ClassVar = {
        "POST": Endpoint(
            "resume_connection", "connections.write", {200: shapes.ConnectionOut}, body=shapes.ResumeIn, tag="sync"
        )
    }

    def post(self, request: Any, name: str) -> Response:
        """What waits is sent again, and the breaker begins anew. After a stop by the guard, `guard_hours` lets it through."""
        row, asked = connections.connection_by_name(name), self.body()
        connections.resume(connection=row.id, act=self.act(asked["reason"]), guard_hours=asked["guard_hours"])
        return Response(_health(row.id))


class PlanAgainView(HubView):
    endpoints: ClassVar = {
        "POST": Endpoint("plan_connection_again", "connections.write", {202: shapes.AskedOut}, tag="sync")
    }

    @idempotent
    def post(self, request: Any, name: str) -> Response:
        """Compares every customer with what the targets hold once more, behind all other work. Where nothing differs nothing is told."""
        row = connections.connection_by_name(name)
        asked = desk.plan_again(connection=row.id, act=self.act("asked by API"))
        return Response({"customers": asked}, status=202)


class OutboundView(HubView):
    endpoints: ClassVar = {
        "GET": Endpoint("read_outbound", "sync.read", {200: shapes.SwitchOut}, tag="sync"),
        "PUT": Endpoint("switch_outbound", "outbound.stop", {200: shapes.SwitchOut}, body=shapes.SwitchIn, tag="sync"),
    }

    def get(self, request: Any) -> Response:
        """Whether anything may leave the hub, and who said so last."""
        return Response(asdict(queries.switch_state()))

    def put(self, request: Any) -> Response:
        """Stops everything that leaves the hub, with a reason, or starts it again. Calls on their way come to their end."""
        asked = self.body()
        connections.switch(stopped=asked["stopped"], act=self.act(asked["reason"]))
        return Response(asdict(queries.switch_state()))


def _health(connection: UUID) -> dict[str, Any]:
    return next(target_body(t) for t in queries.monitor() if t.connection == connection)


def _go_live(id_: UUID) -> GoLive:
    return GoLive.objects.select_related("connection").get(id=id_)
