"""Deliveries: what targets are told, one by one; the verbs of the exception desk; and where a customer's data have gone."""

from dataclasses import asdict
from typing import Any, ClassVar
from uuid import UUID

from rest_framework.response import Response

from apps.accounts.models import User
from apps.accounts.roles import may_write_system
from apps.common.api.endpoints import Endpoint
from apps.common.api.idempotency import idempotent
from apps.common.api.problems import Problem
from apps.common.api.views import HubView
from apps.common.pointers import shown
from apps.connectors import connections, desk, queries
from apps.connectors.api import serializers_sync as shapes
from apps.connectors.models import Delivery
from apps.connectors.queries import DeliveryDetail, DeliveryRow, Distribution, Filters, Held, Pending
from apps.customers.queries import resolve

_SAME = (
    "id", "system", "customer_name", "external_id", "op", "cause", "version", "state", "attempts", "due_at", "first_sent_at",
    "created_at", "changed_at", "finished_at", "trouble", "code", "detail", "correlation_id", "actor", "reason",
)  # fmt: skip


def row_body(row: DeliveryRow) -> dict[str, Any]:
    return {
        **{name: getattr(row, name) for name in _SAME}, "connection": row.connection_name, "customer_id": row.customer,
        "record_id": row.record, "idempotency_key": row.key,
    }  # fmt: skip


def detail_body(found: DeliveryDetail) -> dict[str, Any]:
    return {
        **row_body(found.row), "values": [asdict(d) for d in found.fields], "native": found.native, "losers": found.losers,
        "url": found.url, "newer_id": found.newer, "advice": asdict(found.advice) if found.advice else None,
        "tries": [asdict(a) for a in found.attempts],
    }  # fmt: skip


class DeliveriesView(HubView):
    endpoints: ClassVar = {
        "GET": Endpoint(
            "list_deliveries", "sync.read", {200: shapes.DeliveriesOut}, query=shapes.DeliveriesQuery, tag="sync"
        )
    }

    def get(self, request: Any) -> Response:
        """What targets are told, the newest first."""
        p = self.params
        target = connections.connection_by_name(p["connection"]).id if "connection" in p else None
        filters = Filters(target, *(p.get(n) for n in ("state", "trouble", "code", "customer", "correlation_id")))
        page = queries.deliveries(filters, p.get("cursor"), p["limit"])
        return self.page([row_body(r) for r in page.rows], page.next)


class DeliveryView(HubView):
    endpoints: ClassVar = {"GET": Endpoint("read_delivery", "sync.read", {200: shapes.DeliveryDetailOut}, tag="sync")}

    def get(self, request: Any, delivery_id: UUID) -> Response:
        """One delivery: fields before and after, how it is told, every attempt with request and answer, and what to do about it."""
        return Response(detail_body(queries.delivery(delivery_id)))


class RetryView(HubView):
    endpoints: ClassVar = {
        "POST": Endpoint(
            "retry_delivery", "sync.write", {200: shapes.DeliveryDetailOut}, body=shapes.MaybeReasonIn, tag="sync"
        )
    }

    @idempotent
    def post(self, request: Any, delivery_id: UUID) -> Response:
        """A failed delivery is told again, under the same key. 409 when a newer one took its place."""
        _writable(delivery_id, request.user)
        desk.retry(deliveries=[delivery_id], act=self.act(self.body()["reason"]))
        return Response(detail_body(queries.delivery(delivery_id)))


class EditView(HubView):
    endpoints: ClassVar = {
        "POST": Endpoint("edit_delivery", "sync.write", {200: shapes.DeliveryDetailOut}, body=shapes.EditIn, tag="sync")
    }

    @idempotent
    def post(self, request: Any, delivery_id: UUID) -> Response:
        """A failed delivery is told with other native fields, under a new key. The golden record stays as it is."""
        _writable(delivery_id, request.user)
        asked = self.body()
        desk.edit(delivery=delivery_id, native=asked["native"], act=self.act(asked["reason"]))
        return Response(detail_body(queries.delivery(delivery_id)))


class DiscardView(HubView):
    endpoints: ClassVar = {
        "POST": Endpoint(
            "discard_delivery", "sync.write", {200: shapes.DeliveryDetailOut}, body=shapes.ReasonIn, tag="sync"
        )
    }

    @idempotent
    def post(self, request: Any, delivery_id: UUID) -> Response:
        """This is not told; a later change of the customer is planned as ever. It is kept, with the reason."""
        _writable(delivery_id, request.user)
        desk.discard(deliveries=[delivery_id], act=self.act(self.body()["reason"]))
        return Response(detail_body(queries.delivery(delivery_id)))


class ReplayView(HubView):
    endpoints: ClassVar = {
        "POST": Endpoint("replay_deliveries", "sync.write", {200: shapes.ReplayedOut}, body=shapes.ReplayIn, tag="sync")
    }

    @idempotent
    def post(self, request: Any) -> Response:
        """A whole group of failed deliveries is told again, behind what people wait for."""
        asked = self.body()
        target = connections.connection_by_name(asked["connection"])
        _allowed(target.system.code, request.user)
        count = desk.replay(
            connection=target.id, trouble=asked["trouble"], code=asked.get("code"),
            since=asked.get("since"), dry_run=asked["dry_run"], act=self.act(asked["reason"]),
        )  # fmt: skip
        return Response({"count": count, "dry_run": asked["dry_run"]})


class DistributionView(HubView):
    endpoints: ClassVar = {
        "GET": Endpoint("read_distribution", "sync.read", {200: shapes.DistributionsOut}, tag="sync")
    }

    def get(self, request: Any, customer_id: UUID) -> Response:
        """Where a customer's data have gone: per target its records there, what they were sent and have confirmed, what waits or failed,
        and what differs now. A retired id answers with the customer that replaced it."""
        found = queries.distribution(customer_id)
        return Response({"customer_id": resolve(customer_id).customer.id, "items": [_target(d) for d in found]})


def _writable(delivery_id: UUID, user: User) -> None:
    """A client that may write some systems only has its say about their deliveries alone."""
    code = Delivery.objects.filter(id=delivery_id).values_list("connection__system__code", flat=True).first()
    if code is not None:
        _allowed(code, user)


def _allowed(code: str, user: User) -> None:
    if not may_write_system(user, code):
        raise Problem("forbidden", f"This client may not write the system {shown(code)}.")


def _target(one: Distribution) -> dict[str, Any]:
    return {
        "connection": one.name, "system": one.system, "mode": one.mode, "records": [_held(h) for h in one.held],
        "deliveries": [_pending(p) for p in one.pending], "creates": [asdict(d) for d in one.creates], "why_not": one.why_not,
    }  # fmt: skip


def _held(one: Held) -> dict[str, Any]:
    same = (
        "external_id", "url", "state", "disposition", "merged_into", "own", "acknowledged_version", "acknowledged_at",
    )  # fmt: skip
    return {
        **{name: getattr(one, name) for name in same}, "differs": [asdict(d) for d in one.differs],
        "sent": [{"field": field, "name": name, "value": value} for field, name, value in one.sent],
    }  # fmt: skip


def _pending(one: Pending) -> dict[str, Any]:
    body = asdict(one)
    return {"delivery_id": body.pop("id"), **body}
