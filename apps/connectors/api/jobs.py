"""Jobs: runs of files, of large calls and of webhooks, as their senders follow them."""

from typing import Any, ClassVar
from uuid import UUID

from rest_framework.response import Response

from apps.common import cursors
from apps.common.api.endpoints import Endpoint
from apps.common.api.views import HubView
from apps.common.errors import NotFound
from apps.connectors import runs
from apps.connectors.api import serializers as shapes
from apps.connectors.models import Run


def job_body(run: Run) -> dict[str, Any]:
    """One run as the API shows it; `run.system` should be read already."""
    return {
        "id": run.id, "kind": run.kind, "system": run.system.code, "state": run.state, "file_name": run.file_name,
        "counts": {name: run.counts.get(name, 0) for name in runs.COUNTS}, "total": run.total, "actor": run.actor,
        "error": run.error, "created_at": run.created_at, "started_at": run.started_at, "finished_at": run.finished_at,
        "correlation_id": run.correlation_id,
    }  # fmt: skip


class JobsView(HubView):
    endpoints: ClassVar = {
        "GET": Endpoint("list_jobs", "jobs.read", {200: shapes.JobsOut}, query=shapes.JobsQuery, tag="jobs")
    }

    def get(self, request: Any) -> Response:
        """Jobs, the newest first."""
        p = self.params
        rows = Run.objects.select_related("system").order_by("-id")
        rows = rows.filter(state=p["state"]) if "state" in p else rows
        rows = rows.filter(system__code=p["system"]) if "system" in p else rows
        if "cursor" in p:
            rows = rows.filter(id__lt=cursors.decode_uuid(p["cursor"]))
        found = list(rows[: p["limit"] + 1])
        page = found[: p["limit"]]
        return self.page(
            [job_body(r) for r in page], cursors.encode([str(page[-1].id)]) if len(found) > len(page) else None
        )


class JobView(HubView):
    endpoints: ClassVar = {"GET": Endpoint("read_job", "jobs.read", {200: shapes.JobOut}, tag="jobs")}

    def get(self, request: Any, job_id: UUID) -> Response:
        """How far a job is: state, counts, and the error that ended it."""
        return Response(job_body(_job(job_id)))


class CancelJobView(HubView):
    endpoints: ClassVar = {"POST": Endpoint("cancel_job", "jobs.cancel", {200: shapes.JobOut}, tag="jobs")}

    def post(self, request: Any, job_id: UUID) -> Response:
        """Stops a job that has not ended. What it has taken in stays."""
        runs.cancel(job_id)
        return Response(job_body(_job(job_id)))


def _job(job_id: UUID) -> Run:
    run = Run.objects.select_related("system").filter(id=job_id).first()
    if run is None:
        raise NotFound(f"There is no job {job_id}.")
    return run
