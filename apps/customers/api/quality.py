"""Data quality as it was measured last."""

from typing import Any, ClassVar

from rest_framework.response import Response

from apps.common.api.endpoints import Endpoint
from apps.common.api.serializers import NoParameters
from apps.common.api.views import HubView
from apps.customers.api import serializers as shapes
from apps.customers.queries_quality import measured


class QualityView(HubView):
    endpoints: ClassVar = {
        "GET": Endpoint("read_quality", "customers.read", {200: shapes.QualityOut}, query=NoParameters, tag="quality")
    }

    def get(self, request: Any) -> Response:
        """The quality of what each system says, by attribute, as it was measured last (hourly): scores of 0 to 100, and how many
        records fail each check. `attribute` is null for whole records."""
        found = measured()
        items = [
            {"system": system, "attribute": attribute or None, "records": row.records, "score": row.score, "failed": row.failed}
            for (system, attribute), row in found.scores.items()
        ]  # fmt: skip
        return Response({"measured_at": found.measured_at, "items": items})
