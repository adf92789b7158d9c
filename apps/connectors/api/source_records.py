"""Source records come in: up to 100 are taken to their golden records in the call, more become a job."""

import json
from contextlib import nullcontext
from typing import Any, ClassVar

from django.db import transaction
from drf_spectacular.utils import OpenApiParameter
from rest_framework.response import Response

from apps.common.api.endpoints import Endpoint
from apps.common.api.idempotency import idempotent
from apps.common.api.parsers import JsonParser, NdjsonParser
from apps.common.api.problems import bad_parameter
from apps.common.api.views import HubView
from apps.common.errors import NotFound
from apps.common.jsontext import json_text
from apps.connectors import doorbell, inbound, runs
from apps.connectors.api import records as reading
from apps.connectors.api import serializers as shapes
from apps.connectors.api.jobs import job_body
from apps.connectors.inbound import Door, Item, ItemOutcome
from apps.connectors.items import items_of
from apps.connectors.mapping import Mapping
from apps.customers.api.sources import ReadSourceRecordView
from apps.customers.canonical import Problem as RecordProblem
from apps.customers.models import SourceRecord

MOST_AT_ONCE = 100
"""Records of one call that are taken through while the caller waits."""
_PREFER = OpenApiParameter(
    "Prefer", str, OpenApiParameter.HEADER, description="`respond-async`: always answer with a job."
)


class SourceRecordsView(HubView):
    endpoints: ClassVar = {
        "POST": Endpoint(
            "send_source_records",
            "sources.write",
            {200: shapes.ResultsOut, 202: shapes.JobOut},
            query=shapes.SendQuery,
            body=shapes.RecordsIn,
            tag="source records",
            headers=(_PREFER,),
        )
    }
    parser_classes = [JsonParser, NdjsonParser]
    keeps_odd_text = True
    most_keys = reading.MOST_KEYS

    @idempotent
    def post(self, request: Any) -> Response:
        """Records of one system. Up to 100 are answered one by one with their customers; more, or with
        `Prefer: respond-async`, become a job. A record that cannot be taken is set aside and told; the others go on."""
        p, body = self.params, request.data
        system = reading.system_of(body, p.get("system"), request.user)
        records, in_list = reading.listed(body)
        stored = reading.latest_mapping(system, p.get("mapping"))
        mapping = Mapping.from_dict(stored.body) if stored else None
        patch = p["mode"] == "patch"
        if p["unknown"] == "refuse":
            reading.refuse_unknown(records, in_list=in_list, patch=patch, mapping=mapping)
        if len(records) > MOST_AT_ONCE or _wants_job(request):
            return self._job(system, records, stored, patch=patch)
        act = self.act("sent by API", quiet=p["quiet"])
        items = items_of(records, patch=patch)
        with transaction.atomic() if p["dry_run"] else nullcontext():
            outcomes = inbound.take_in(door=Door(system, mapping), items=items, act=act)
            if p["dry_run"]:
                transaction.set_rollback(True)
        return Response({"results": [result_body(at, o) for at, o in enumerate(outcomes)]})

    def _job(self, system: Any, records: list[Any], stored: Any, *, patch: bool) -> Response:
        if self.params["dry_run"]:
            raise bad_parameter("dry_run", "too_many", f"A dry run takes up to {MOST_AT_ONCE} records and no job.")
        run = runs.create_api_run(
            system=system, body=json.dumps(records).encode(), act=self.act("sent by API"),
            patch=patch,
            keep_unknown=True, quiet=self.params["quiet"], mapping=stored,
        )  # fmt: skip
        assert run is not None  # only a message id that came before makes none
        doorbell.ring()
        return Response(job_body(run), status=202, headers={"Location": f"/api/v1/jobs/{run.id}", "Retry-After": "2"})


def _wants_job(request: Any) -> bool:
    wishes = request.META.get("HTTP_PREFER", "").lower().replace(";", ",").split(",")
    return "respond-async" in (w.strip() for w in wishes)


def result_body(at: int, outcome: ItemOutcome) -> dict[str, Any]:
    return {
        "index": at, "external_id": outcome.external_id, "outcome": outcome.outcome, "customer_id": outcome.customer,
        "record_id": outcome.record, "quarantine_id": outcome.quarantine,
        "problems": [note(p) for p in outcome.problems], "warnings": [note(p) for p in outcome.warnings],
    }  # fmt: skip


def note(problem: RecordProblem) -> dict[str, str]:
    return {"pointer": problem.pointer, "code": problem.code, "detail": problem.detail}


class SourceRecordView(ReadSourceRecordView):
    endpoints: ClassVar = {
        "GET": ReadSourceRecordView.reading,
        "DELETE": Endpoint("delete_source_record", "sources.write", {200: shapes.DeletedOut}, tag="source records"),
    }

    def delete(self, request: Any, system: str, external_id: str) -> Response:
        """The system deleted its record. That is a version of the record: its history stays, its values give way to
        those of live records."""
        found = reading.writable_system(system, request.user)
        if not SourceRecord.objects.filter(system=found, external_id=external_id).exists():
            raise NotFound(f"System {system!r} has no record with this id.")
        values = {"record_id": external_id, "deleted": True}
        item = Item(values, json_text(values), patch=True)
        outcome = inbound.take_in(door=Door(found), items=[item], act=self.act("deleted by API"))[0]
        return Response(
            {
                "external_id": external_id,
                "outcome": outcome.outcome,
                "customer_id": outcome.customer,
                "record_id": outcome.record,
            }
        )
