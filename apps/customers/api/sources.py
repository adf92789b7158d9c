"""Source records as they came, and the crosswalk from every system's id to its customer."""

from datetime import datetime
from typing import Any, ClassVar

from rest_framework.response import Response

from apps.common.api.endpoints import Endpoint
from apps.common.api.views import HubView
from apps.customers.api import serializers as shapes
from apps.customers.measure_quality import quality_of
from apps.customers.models import SourceRecord
from apps.customers.queries_sources import SourceDetail, customers_of, source_record


def source_record_body(detail: SourceDetail, at: datetime | None = None) -> dict[str, Any]:
    """One source record as the API shows it; the state in the pipeline and the quality are those of today only."""
    row, held = detail.row, detail.held
    now = {"as_of": at} if at is not None else {"state": row.state, "quality": _quality(row)}
    return {
        "record_id": row.id, "system": row.system.code, "external_id": row.external_id, "customer_id": detail.customer,
        **now, "version": held.version, "received_at": held.received_at,
        "source_updated_at": held.source_updated_at, "deleted": held.deleted, "raw": held.raw, "canonical": held.canonical,
        "versions": [
            {
                "version": v.version, "received_at": v.received_at, "replaced_at": v.replaced_at,
                "source_updated_at": v.source_updated_at, "deleted": v.deleted, "erased": v.erased,
                "canonical": v.canonical,
            }
            for v in detail.versions
        ],
    }  # fmt: skip


def _quality(row: SourceRecord) -> dict[str, Any]:
    found = quality_of(row.canonical, row.source_updated_at or row.changed_at)
    failed = [
        {"attribute": name, "code": check.code, "severity": check.severity, "says": check.says}
        for name, checks in found.failed.items()
        for check in checks
    ]
    return {"score": found.score, "scores": found.scores, "failed": failed}


class ReadSourceRecordView(HubView):
    """The reading half of a source record's address; the connectors room adds the deletion."""

    reading: ClassVar = Endpoint(
        "read_source_record",
        "sources.read",
        {200: shapes.SourceRecordOut},
        query=shapes.AsOfQuery,
        tag="source records",
    )
    endpoints: ClassVar = {"GET": reading}

    def get(self, request: Any, system: str, external_id: str) -> Response:
        """What a system sent: as received, as the hub understands it, and every earlier version; `as_of` a moment as the hub
        had it then, without its state in the pipeline."""
        at = self.params.get("as_of")
        return Response(source_record_body(source_record(system, external_id, at), at))


class CrosswalkView(HubView):
    endpoints: ClassVar = {
        "GET": Endpoint(
            "look_up_id", "customers.read", {200: shapes.CrosswalkOut}, query=shapes.CrosswalkQuery, tag="crosswalk"
        ),
        "POST": Endpoint(
            "look_up_ids", "customers.read", {200: shapes.CrosswalksOut}, body=shapes.CrosswalkIn, tag="crosswalk"
        ),
    }

    def get(self, request: Any) -> Response:
        """The customer behind one system's id; `customer_id` is null for a record the hub does not know."""
        key = (self.params["system"], self.params["external_id"])
        return Response(_pair(key, customers_of([key])))

    def post(self, request: Any) -> Response:
        """The customers behind up to 1,000 ids, in the order asked."""
        keys = [(ask["system"], ask["external_id"]) for ask in self.body()["ids"]]
        found = customers_of(list(dict.fromkeys(keys)))
        return Response({"items": [_pair(key, found) for key in keys]})


def _pair(key: tuple[str, str], found: dict[tuple[str, str], Any]) -> dict[str, Any]:
    return {"system": key[0], "external_id": key[1], "customer_id": found.get(key)}
