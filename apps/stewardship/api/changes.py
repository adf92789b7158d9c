"""Changes that wait for a second person, over the API: seen, and decided field by field by somebody else than their author."""

from typing import Any, ClassVar
from uuid import UUID

from rest_framework.response import Response

from apps.common import cursors
from apps.common.api.endpoints import Endpoint
from apps.common.api.idempotency import idempotent
from apps.common.api.problems import bad_field
from apps.common.api.views import HubView
from apps.customers.holds import Verdict
from apps.customers.models import ChangeRequest
from apps.stewardship import changes
from apps.stewardship.api import serializers as shapes


def change_body(found: changes.Change) -> dict[str, Any]:
    return {
        "id": found.id, "state": found.state, "author": found.author, "approver": found.approver, "reason": found.reason,
        "opened_at": found.opened_at, "decided_at": found.decided_at, "customer_id": found.customer, "customer_name": found.name,
        "customer_version": found.version, "moved": found.moved,
        "fields": [
            {"attribute": f.attribute, "kept": f.kept, "proposed": f.proposed, "token": f.token, "state": f.state, "system": f.system}
            for f in found.fields
        ],
    }  # fmt: skip


class ChangeRequestsView(HubView):
    endpoints: ClassVar = {
        "GET": Endpoint(
            "list_change_requests", "doubts.read", {200: shapes.ChangeRequestsOut}, query=shapes.ChangeRequestsQuery,
            tag="change requests",
        )
    }  # fmt: skip

    def get(self, request: Any) -> Response:
        """Changes to sensitive values, the newest first; by itself those that wait for a decision."""
        p = self.params
        rows = ChangeRequest.objects.filter(state=p["state"], holds__isnull=False).distinct().order_by("-id")
        if "cursor" in p:
            rows = rows.filter(id__lt=cursors.decode_uuid(p["cursor"]))
        found = list(rows.prefetch_related("holds")[: p["limit"] + 1])
        page = found[: p["limit"]]
        more = cursors.encode([str(page[-1].id)]) if len(found) > len(page) else None
        return self.page([_line(row) for row in page], more)


def _line(row: ChangeRequest) -> dict[str, Any]:
    held = sorted(row.holds.all(), key=lambda h: h.attribute)
    return {
        "id": row.id, "state": row.state, "author": row.author, "opened_at": row.opened_at,
        "attributes": [h.attribute for h in held], "customer_id": held[0].customer_id,
    }  # fmt: skip


class ChangeRequestView(HubView):
    endpoints: ClassVar = {
        "GET": Endpoint("read_change_request", "doubts.read", {200: shapes.ChangeRequestOut}, tag="change requests")
    }

    def get(self, request: Any, request_id: UUID) -> Response:
        """One change: what is kept, what is proposed and from where, and how far the customer has moved since."""
        return Response(change_body(changes.change(request_id)))


class DecideChangeRequestView(HubView):
    endpoints: ClassVar = {
        "POST": Endpoint(
            "decide_change_request", "changes.decide", {200: shapes.ChangeRequestOut}, body=shapes.DecideIn,
            tag="change requests",
        )
    }  # fmt: skip

    @idempotent
    def post(self, request: Any, request_id: UUID) -> Response:
        """Approves or rejects fields; those that are not named stay open. Nobody decides about a change of their own; a token of another
        proposal than the present one is a conflict."""
        body = self.body()
        verdicts: dict[str, Verdict] = {}
        for n, said in enumerate(body["verdicts"]):
            if said["attribute"] in verdicts:
                raise bad_field(f"/verdicts/{n}/attribute", "duplicate", "This attribute is named twice.")
            verdicts[said["attribute"]] = Verdict(
                said["approve"], bytes.fromhex(said["token"]) if "token" in said else None
            )
        changes.decide(request=request_id, verdicts=verdicts, act=self.act(body["reason"]))
        return Response(change_body(changes.change(request_id)))
