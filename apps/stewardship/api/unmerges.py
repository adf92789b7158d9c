"""Bulk unmerge over the API: what a run, a model or a stretch of time joined is asked for, looked at, agreed on, done and taken back."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, ClassVar
from uuid import UUID

from rest_framework.response import Response

from apps.accounts.roles import allowed
from apps.common import cursors
from apps.common.api.endpoints import Caller, Endpoint
from apps.common.api.idempotency import idempotent
from apps.common.api.serializers import Strict
from apps.common.api.views import HubView
from apps.matching import unjoin
from apps.matching.api.views import child_body
from apps.matching.unjoin import What
from apps.stewardship import bulk_unmerges, unmerge_bell, unmerging
from apps.stewardship.api import serializers_unmerges as shapes
from apps.stewardship.models import BulkUnmerge
from apps.stewardship.preview import Result, Told
from apps.stewardship.unmerging import Shown


def line_body(row: BulkUnmerge) -> dict[str, Any]:
    """One without its customers; `row.change_request` should be read already."""
    asked = row.change_request
    return {
        "id": row.id, "state": row.state, "title": row.title, "run": row.run, "model": row.model, "since": row.since,
        "until": row.until, "people": row.people, "again": row.again, "reason": row.reason, "author": row.author,
        "asked_at": row.asked_at, "total": row.total, "looked": {**_counts(row.looked), "targets": _targets(row.looked)}, "done": _counts(row.done),
        "confirmed_by": row.confirmed_by, "decision": row.decision, "cancelled_by": row.cancelled_by, "approver": asked.approver if asked is not None else "",
        "decided_at": asked.decided_at if asked is not None else None, "finished_at": row.finished_at,
        "undone_at": row.undone_at, "undone_by": row.undone_by, "error": row.error,
    }  # fmt: skip


def unmerge_body(row: BulkUnmerge) -> dict[str, Any]:
    return {
        **line_body(row),
        "needs_second_person": bulk_unmerges.needs_second_person(row),
        "shown": [_found(one) for one in row.shown],
        "left": [{"customer_id": id_, "cause": why} for id_, why in row.left.items()],
    }


def _counts(kept: Mapping[str, Any]) -> dict[str, int]:
    return {name: kept.get(name, 0) for name in ("customers", "records", "into", "pairs")}


def _targets(kept: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"system": system, "op": op, "messages": n} for system, op, n in kept.get("told", ())]


def _found(one: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "customer_id": one["customer"],
        "results": [
            {"customer_id": id_, "fate": fate, "records": _records(records)} for id_, fate, records in one["results"]
        ],
        "told": [{"system": system, "op": op, "mode": mode} for system, op, mode in one["told"]],
        "children": [{"customer_id": id_, "fate": fate} for id_, fate in one["children"]],
    }


def _records(records: Any) -> list[dict[str, str]]:
    return [{"system": system, "external_id": external_id} for system, external_id in records]


def _answer(unmerge_id: UUID, **more: Any) -> Response:
    return Response({**unmerge_body(bulk_unmerges.one(unmerge_id)), **more})


class UnmergesView(HubView):
    endpoints: ClassVar = {
        "GET": Endpoint(
            "list_unmerges", "merges.write", {200: shapes.BulkUnmergesOut}, query=shapes.BulkUnmergesQuery, tag="unmerges"
        ),
        "POST": Endpoint(
            "ask_for_unmerge", "merges.write", {202: shapes.BulkUnmergeOut}, body=shapes.BulkUnmergeIn, tag="unmerges"
        ),
    }  # fmt: skip

    def get(self, request: Any) -> Response:
        """Unmerges of what a run, a model or a stretch of time joined, the newest first; `state` narrows them."""
        p = self.params
        before = cursors.decode_uuid(p["cursor"]) if "cursor" in p else None
        found = bulk_unmerges.listed(state=p.get("state"), before=before, limit=p["limit"] + 1)
        page = found[: p["limit"]]
        more = cursors.encode([str(page[-1].id)]) if len(found) > len(page) else None
        return self.page([line_body(row) for row in page], more)

    @idempotent
    def post(self, request: Any) -> Response:
        """Has what a run, a model or a stretch of time joined looked at in the background; nothing is done by it. Follow Location until
        the state is `looked`, then `:confirm` it."""
        asked = self.body()
        what = What(
            act=unmerging.act_of_run(asked["run"]) if "run" in asked else None,
            model=unjoin.model_version(asked["model"]) if "model" in asked else None,
            since=asked.get("since"), until=asked.get("until"), people=asked["people"],
        )  # fmt: skip
        row = bulk_unmerges.ask(
            what=what, title=bulk_unmerges.title_of(what), again=asked["again"], act=self.act(asked["reason"])
        )
        unmerge_bell.ring()
        return Response(
            unmerge_body(row), status=202, headers={"Location": f"/api/v1/unmerges/{row.id}", "Retry-After": "2"}
        )


class BulkUnmergeView(HubView):
    endpoints: ClassVar = {
        "GET": Endpoint("read_unmerge", "merges.write", {200: shapes.BulkUnmergeOut}, tag="unmerges")
    }

    def get(self, request: Any, unmerge_id: UUID) -> Response:
        """How far it is: what was asked for, what it would come to or came to, the first customers, what was left and why, and who decided."""
        return _answer(unmerge_id)


class UnmergePreviewView(HubView):
    endpoints: ClassVar = {
        "GET": Endpoint("preview_unmerge", "merges.write", {200: shapes.UnmergePreviewOut}, tag="unmerges")
    }

    def get(self, request: Any, unmerge_id: UUID, customer_id: UUID) -> Response:
        """One customer as it would be at this moment: what it would become, what targets would be told, and who hangs on both sides. Values
        are shown to callers who may read them (customers:read, sync:read)."""
        shown = bulk_unmerges.preview_of(bulk_unmerges.one(unmerge_id), customer_id)
        return Response(_preview(shown, values=_may(request, "customers.read"), messages=_may(request, "sync.read")))


def _may(request: Any, operation: str) -> bool:
    scopes = request.auth.scopes if isinstance(request.auth, Caller) else None
    return allowed(request.user.roles, operation, scopes)


def _preview(shown: Shown, *, values: bool, messages: bool) -> dict[str, Any]:
    return {
        "customer_id": shown.parted.customer, "name": shown.name,
        "results": [_result(result, values=values) for result in shown.results],
        "told": [_message(message, values=messages) for message in shown.told],
        "children": [child_body(child) for child in shown.parted.children],
    }  # fmt: skip


def _result(result: Result, *, values: bool) -> dict[str, Any]:
    told = {
        "customer_id": result.customer, "name": result.name, "fate": result.fate, "replaced_by": result.successor,
        "records": _records(result.records),
    }  # fmt: skip
    return {**told, "changes": [asdict(change) for change in result.changes]} if values else told


def _message(message: Told, *, values: bool) -> dict[str, Any]:
    told = {
        "customer_id": message.customer, "system": message.system, "op": message.op, "mode": message.mode,
        "external_id": message.external_id, "losers": list(message.losers),
    }  # fmt: skip
    return {**told, "changes": [asdict(change) for change in message.values]} if values else told


def _step(name: str, operation: str, body: type[Strict] = shapes.UnmergeStepIn) -> Mapping[str, Endpoint]:
    return {"POST": Endpoint(name, operation, {200: shapes.BulkUnmergeOut}, body=body, tag="unmerges")}


class ConfirmUnmergeView(HubView):
    endpoints: ClassVar = _step("confirm_unmerge", "merges.write")

    @idempotent
    def post(self, request: Any, unmerge_id: UUID) -> Response:
        """What was looked at is to be done: at once (`doing`), or from a number of customers on when a second person says so (`waiting`)."""
        self.body()
        bulk_unmerges.confirm(id=unmerge_id, act=self.act())
        unmerge_bell.ring()
        return _answer(unmerge_id)


class ApproveUnmergeView(HubView):
    endpoints: ClassVar = _step("approve_unmerge", "changes.decide", shapes.UnmergeWordIn)

    @idempotent
    def post(self, request: Any, unmerge_id: UUID) -> Response:
        """The second person lets it be done. Nobody approves what they asked for or confirmed themselves, and no machine does."""
        bulk_unmerges.decide(id=unmerge_id, approve=True, act=self.act(self.body()["reason"]))
        unmerge_bell.ring()
        return _answer(unmerge_id)


class RejectUnmergeView(HubView):
    endpoints: ClassVar = _step("reject_unmerge", "changes.decide", shapes.UnmergeWordIn)

    @idempotent
    def post(self, request: Any, unmerge_id: UUID) -> Response:
        """The second person says no; nothing is done."""
        bulk_unmerges.decide(id=unmerge_id, approve=False, act=self.act(self.body()["reason"]))
        return _answer(unmerge_id)


class CancelUnmergeView(HubView):
    endpoints: ClassVar = _step("cancel_unmerge", "merges.write")

    @idempotent
    def post(self, request: Any, unmerge_id: UUID) -> Response:
        """Gives it up. Stopped while it is being done, what is done stays done and can be taken back."""
        self.body()
        bulk_unmerges.cancel(id=unmerge_id, act=self.act())
        return _answer(unmerge_id)


class UndoUnmergeView(HubView):
    endpoints: ClassVar = {
        "POST": Endpoint(
            "undo_unmerge", "merges.write", {200: shapes.UndoneUnmergeOut}, body=shapes.UnmergeWordIn, tag="unmerges"
        )
    }

    @idempotent
    def post(self, request: Any, unmerge_id: UUID) -> Response:
        """Takes all of it back in one act. Refused when somebody has decided about one of its records since."""
        customers = bulk_unmerges.undo(id=unmerge_id, act=self.act(self.body()["reason"]))
        return _answer(unmerge_id, customers=customers)
