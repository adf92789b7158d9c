"""What is left where a rule stands against a merge: a link, or a second person."""

from typing import Any, ClassVar
from uuid import UUID

from rest_framework.response import Response

from apps.common import cursors
from apps.common.api.endpoints import Endpoint
from apps.common.api.idempotency import idempotent
from apps.common.api.views import HubView
from apps.customers.queries_ids import different
from apps.matching import judge, merge_requests
from apps.matching.api import serializers as shapes
from apps.matching.api.views import placed


class LinkView(HubView):
    endpoints: ClassVar = {
        "POST": Endpoint("link_customers", "merges.write", {200: shapes.PlacedOut}, body=shapes.LinkIn, tag="matching")
    }

    def post(self, request: Any) -> Response:
        """These customers are not one, but have to do with one another: a household, a group of companies, a person of a company."""
        asked = self.body()
        linked = judge.relate(
            customers=different(asked["customers"]), kind=asked["kind"], act=self.act(asked["reason"])
        )
        return Response(placed(linked))


class MergeRequestsView(HubView):
    endpoints: ClassVar = {
        "GET": Endpoint(
            "list_merge_requests", "doubts.read", {200: shapes.MergeRequestsOut}, query=shapes.MergeRequestsQuery,
            tag="merge requests",
        ),
        "POST": Endpoint(
            "ask_for_merge", "merges.write", {201: shapes.MergeRequestOut}, body=shapes.MergeIn, tag="merge requests"
        ),
    }  # fmt: skip

    def get(self, request: Any) -> Response:
        """Merges that a rule stands against and somebody asked for, the newest first; by itself those that wait for a decision."""
        p = self.params
        before = cursors.decode_uuid(p["cursor"]) if "cursor" in p else None
        found = merge_requests.asked_for(state=p["state"], before=before, limit=p["limit"] + 1)
        shown = found[: p["limit"]]
        more = cursors.encode([str(shown[-1].id)]) if len(found) > len(shown) else None
        return self.page([_request(row) for row in shown], more)

    @idempotent
    def post(self, request: Any) -> Response:
        """Asks a second person for a merge that `customers:merge` refused by rules that one may let pass. Nothing is merged yet."""
        asked = self.body()
        made = merge_requests.ask(customers=different(asked["customers"]), act=self.act(asked["reason"]))
        return Response(_request(merge_requests.asked(made.id)), 201)


class MergeRequestView(HubView):
    endpoints: ClassVar = {
        "GET": Endpoint("read_merge_request", "doubts.read", {200: shapes.MergeRequestOut}, tag="merge requests")
    }

    def get(self, request: Any, request_id: UUID) -> Response:
        """One request: the customers, and the rules that stood against it when it was asked for."""
        return Response(_request(merge_requests.asked(request_id)))


class DecideMergeRequestView(HubView):
    endpoints: ClassVar = {
        "POST": Endpoint(
            "decide_merge_request", "changes.decide", {200: shapes.MergeRequestOut}, body=shapes.MergeDecisionIn,
            tag="merge requests",
        )
    }  # fmt: skip

    @idempotent
    def post(self, request: Any, request_id: UUID) -> Response:
        """Merges, or rejects the request. Nobody decides about a request of their own; a rule that it does not name still stands."""
        body = self.body()
        merge_requests.decide(request=request_id, approve=body["approve"], act=self.act(body["reason"]))
        return Response(_request(merge_requests.asked(request_id)))


def _request(found: merge_requests.Asked) -> dict[str, Any]:
    return {
        "id": found.id, "state": found.state, "author": found.author, "approver": found.approver, "reason": found.reason,
        "opened_at": found.opened_at, "decided_at": found.decided_at, "customers": found.customers,
        "vetoes": [
            {
                "rule": veto["rule"], "sentence": veto["sentence"], "customers": veto["customers"],
                "compared": [{"name": name, "values": [one, other]} for name, one, other in veto["values"]],
            }
            for veto in found.vetoes
        ],
    }  # fmt: skip
