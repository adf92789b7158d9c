"""A system has given its records other keys."""

from typing import Any, ClassVar

from rest_framework.response import Response

from apps.common.api.endpoints import Endpoint
from apps.common.api.idempotency import idempotent
from apps.common.api.views import HubView
from apps.connectors.api import serializers as shapes
from apps.connectors.api.records import writable_system
from apps.customers.rekey import Rename, rekey


class RekeyView(HubView):
    endpoints: ClassVar = {
        "POST": Endpoint(
            "rekey_source_records", "sources.write", {200: shapes.RekeyedListOut}, body=shapes.RekeyIn, tag="source records"
        )
    }  # fmt: skip

    @idempotent
    def post(self, request: Any) -> Response:
        """The system calls these records by other keys from now on: each stays the record it was, of the same customer. All of them or
        none; a key that another record has is refused."""
        asked = self.body()
        system = writable_system(asked["system"], request.user)
        renames = [Rename(told["from"], told["to"]) for told in asked["renames"]]
        done = rekey(system_id=system.id, renames=renames, act=self.act(asked["reason"]))
        return Response(
            {
                "items": [
                    {"external_id": one.after, "former_id": one.before, "customer_id": one.customer, "record_id": one.record}
                    for one in done
                ]
            }
        )  # fmt: skip
