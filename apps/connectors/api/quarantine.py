"""Records set aside: read, mend and send again, or discard with a reason."""

from typing import Any, ClassVar
from uuid import UUID

from rest_framework.response import Response

from apps.common import cursors
from apps.common.api.endpoints import Endpoint
from apps.common.api.problems import bad_field
from apps.common.api.views import HubView
from apps.common.errors import NotFound
from apps.connectors import quarantine
from apps.connectors.api import serializers as shapes
from apps.connectors.api.records import writable_system
from apps.connectors.api.source_records import result_body
from apps.customers.models import Quarantine


def row_body(row: Quarantine) -> dict[str, Any]:
    return {
        "id": row.id, "system": row.system.code, "job_id": row.run_id, "file_name": row.file_name, "line": row.line,
        "external_id": row.external_id, "raw": row.raw,
        "problems": [
            {"pointer": f"/{p['field']}" if p["field"] else "", "code": p["code"], "detail": p["detail"]}
            for p in row.problems
        ],
        "state": row.state, "received_at": row.received_at, "resolved_by": row.resolved_by,
        "resolved_at": row.resolved_at,
    }  # fmt: skip


class QuarantineView(HubView):
    endpoints: ClassVar = {
        "GET": Endpoint(
            "list_quarantine",
            "quarantine.read",
            {200: shapes.QuarantineOut},
            query=shapes.QuarantineQuery,
            tag="quarantine",
        )
    }

    def get(self, request: Any) -> Response:
        """Records that could not be taken in, the newest first, each whole and with every cause."""
        p = self.params
        rows = Quarantine.objects.select_related("system").filter(state=p["state"]).order_by("-id")
        rows = rows.filter(system__code=p["system"]) if "system" in p else rows
        rows = rows.filter(run_id=p["job"]) if "job" in p else rows
        if "cursor" in p:
            rows = rows.filter(id__lt=cursors.decode_uuid(p["cursor"]))
        found = list(rows[: p["limit"] + 1])
        page = found[: p["limit"]]
        return self.page(
            [row_body(r) for r in page], cursors.encode([str(page[-1].id)]) if len(found) > len(page) else None
        )


class ResubmitView(HubView):
    endpoints: ClassVar = {
        "POST": Endpoint(
            "resubmit_record", "quarantine.write", {200: shapes.ResultOut}, body=shapes.ResubmitIn, tag="quarantine"
        )
    }
    keeps_odd_text = True

    def post(self, request: Any, quarantine_id: UUID) -> Response:
        """The mended record goes in; the payload as received is kept beside it. Still wrong: 400 with what is wrong."""
        row = _row(quarantine_id)
        writable_system(row.system.code, request.user)
        record = self.body()["record"]
        if not record:
            raise bad_field("/record", "missing", "Send the mended record.")
        outcome = quarantine.resubmit(quarantine_id, record, self.act("mended and resubmitted"))
        return Response(result_body(0, outcome))


class DiscardView(HubView):
    endpoints: ClassVar = {
        "POST": Endpoint(
            "discard_record", "quarantine.write", {200: shapes.QuarantinedOut}, body=shapes.DiscardIn, tag="quarantine"
        )
    }

    def post(self, request: Any, quarantine_id: UUID) -> Response:
        """The record shall not come in; it is kept, with the reason."""
        row = _row(quarantine_id)
        writable_system(row.system.code, request.user)
        reason = self.body()["reason"]
        quarantine.discard(quarantine_id, self.act(reason), reason)
        return Response(row_body(_row(quarantine_id)))


def _row(quarantine_id: UUID) -> Quarantine:
    row = Quarantine.objects.select_related("system").filter(id=quarantine_id).first()
    if row is None:
        raise NotFound(f"There is no quarantined record {quarantine_id}.")
    return row
