"""The change feed: every fact about every customer, in an order without gaps."""

from typing import Any, ClassVar

from rest_framework import serializers
from rest_framework.response import Response

from apps.common.api.endpoints import Endpoint
from apps.common.api.serializers import Strict
from apps.common.api.views import HubView
from apps.events import queries


class ChangesQuery(Strict):
    after = serializers.IntegerField(
        min_value=0,
        max_value=2**63 - 1,
        default=0,
        help_text="The last position you have seen; 0 begins at the beginning.",
    )
    limit = serializers.IntegerField(min_value=1, max_value=1000, default=100)


class EntryOut(serializers.Serializer[Any]):
    position = serializers.IntegerField()
    type = serializers.CharField(help_text="customer.created, .changed, .merged, .unmerged, .retired")
    customer_id = serializers.UUIDField()
    version = serializers.IntegerField()
    at = serializers.DateTimeField()
    actor = serializers.CharField()
    correlation_id = serializers.UUIDField()
    quiet = serializers.BooleanField(help_text="Part of an initial load that is not released yet.")
    attributes = serializers.ListField(child=serializers.CharField(), required=False, help_text="What changed.")
    merged = serializers.ListField(child=serializers.UUIDField(), required=False, help_text="Ids that live on here.")
    replaced_by = serializers.UUIDField(required=False, help_text="Where a retired id leads.")


class ChangesOut(serializers.Serializer[Any]):
    items = EntryOut(many=True)
    next = serializers.IntegerField(help_text="Send it as `after` of the next call.")
    head = serializers.IntegerField(help_text="The last position given so far: how far behind you are.")


class ChangesView(HubView):
    endpoints: ClassVar = {
        "GET": Endpoint("read_changes", "changes.read", {200: ChangesOut}, query=ChangesQuery, tag="changes")
    }

    def get(self, request: Any) -> Response:
        """Everything after a position, oldest first. Positions have no gaps and are given after commit: whoever keeps
        the last `next` misses nothing. Merges and retirements are entries too."""
        head = queries.head()
        entries = queries.changes(self.params["after"], self.params["limit"])
        return Response(
            {
                "items": [_entry(e) for e in entries],
                "next": entries[-1].position if entries else self.params["after"],
                "head": max([head, *(e.position for e in entries)]),
            }
        )


def _entry(entry: queries.Entry) -> dict[str, Any]:
    told = {name: entry.body[name] for name in ("attributes", "merged", "replaced_by") if name in entry.body}
    return {
        "position": entry.position, "type": entry.type, "customer_id": entry.subject, "version": entry.version,
        "at": entry.at, "actor": entry.actor, "correlation_id": entry.correlation_id, "quiet": entry.quiet, **told,
    }  # fmt: skip
