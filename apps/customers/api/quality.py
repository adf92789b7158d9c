"""Data quality as it was measured last."""

from datetime import timedelta
from typing import Any, ClassVar

from rest_framework.response import Response

from apps.common.api.endpoints import Endpoint
from apps.common.api.serializers import NoParameters
from apps.common.api.views import HubView
from apps.customers.api import serializers_quality as shapes
from apps.customers.queries_quality import measured
from apps.customers.queries_stale import expiring, stale_attributes


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


class StaleView(HubView):
    endpoints: ClassVar = {
        "GET": Endpoint("read_stale", "customers.read", {200: shapes.StaleOut}, query=NoParameters, tag="quality")
    }

    def get(self, request: Any) -> Response:
        """Values that have grown old, by attribute, as they were counted last (hourly): how many customers have one, and which are the
        oldest. What is old is said in the survivorship policy, `[stale]`."""
        items = [
            {
                "attribute": row.attribute, "days": row.days, "clock": row.clock, "held": row.held, "stale": row.stale,
                "unknown": row.unknown, "measured_at": row.measured_at,
                "oldest": [{"customer_id": customer, "since": since} for customer, since in row.oldest],
            }
            for row in stale_attributes()
        ]  # fmt: skip
        return Response({"items": items})


class ExpiringPinsView(HubView):
    endpoints: ClassVar = {
        "GET": Endpoint(
            "list_expiring_pins", "customers.read", {200: shapes.ExpiringPinsOut}, query=shapes.ExpiringQuery, tag="quality"
        )
    }  # fmt: skip

    def get(self, request: Any) -> Response:
        """Pins and ignored values that run out within so many days, the first to run out first; 200 at the most."""
        found = expiring(timedelta(days=self.params["days"]))
        items = [
            {
                "customer_id": one.customer, "attribute": one.attribute, "kind": "ignored" if one.ignored else "pin",
                "actor": one.actor, "reason": one.reason, "expires_at": one.expires_at,
            }
            for one in found
        ]  # fmt: skip
        return Response({"items": items})
