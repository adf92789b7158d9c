"""Customers as other systems read them: effective values, history, lineage."""

from typing import Any, ClassVar
from uuid import UUID

from django.utils.http import parse_etags
from rest_framework.response import Response

from apps.accounts.roles import allowed
from apps.common import cursors
from apps.common.api.endpoints import Caller, Endpoint
from apps.common.api.serializers import Page
from apps.common.api.views import HubView
from apps.customers import queries, queries_why
from apps.customers.api import serializers as shapes


class CustomersView(HubView):
    endpoints: ClassVar = {
        "GET": Endpoint(
            "search_customers", "customers.read", {200: shapes.HitsOut}, query=shapes.SearchQuery, tag="customers"
        )
    }

    def get(self, request: Any) -> Response:
        """Find customers by anything people or systems call them by."""
        p = self.params
        hits = queries.search(
            p["q"],
            kind=p.get("kind"),
            country=p.get("country"),
            system=p.get("system"),
            limit=p["limit"],
            after=p.get("cursor"),
        )
        return self.page([_hit(h) for h in hits.items], hits.next)


def _hit(hit: queries.Hit) -> dict[str, Any]:
    return {
        "id": hit.id, "name": hit.name, "kind": hit.kind, "city": hit.city, "country": hit.country,
        "systems": hit.systems, "why": hit.why, "score": round(hit.score, 4),
    }  # fmt: skip


class CustomerView(HubView):
    endpoints: ClassVar = {
        "GET": Endpoint(
            "read_customer",
            "customers.read",
            {200: shapes.CustomerOut, 304: None},
            query=shapes.CustomerQuery,
            tag="customers",
        )
    }

    def get(self, request: Any, customer_id: UUID) -> Response:
        """One customer. An id that was retired answers with the customer that replaced it. The ETag is the version:
        send it back as If-None-Match and an unchanged customer costs a 304."""
        if "as_of" in self.params:
            return Response(_snapshot(queries.as_of(customer_id, self.params["as_of"])))
        found = queries.resolve(customer_id)
        etag = f'"{found.customer.id}-{found.customer.version}"' if found.replaced else f'"{found.customer.version}"'
        headers = {"ETag": etag, "Cache-Control": "private, no-cache"}
        known = parse_etags(request.META.get("HTTP_IF_NONE_MATCH", ""))
        if any(tag in ("*", etag, f"W/{etag}") for tag in known):
            return Response(status=304, headers=headers)
        return Response(_customer(queries.detail_of(found)), headers=headers)


def _customer(detail: queries.CustomerDetail) -> dict[str, Any]:
    return {
        "id": detail.id, "asked_id": detail.asked, "replaced_by": detail.id if detail.replaced else None,
        "version": detail.version, "active": detail.active, **detail.values, "held": sorted(detail.held),
        "member_count": detail.member_count,
        "sources": [
            {"system": s.system, "external_id": s.external_id, "updated_at": s.updated_at, "deleted": s.deleted}
            for s in detail.sources
        ],
        "retired_ids": detail.redirects, "created_at": detail.created_at, "updated_at": detail.updated_at,
    }  # fmt: skip


def _snapshot(snapshot: queries.Snapshot) -> dict[str, Any]:
    return {
        "id": snapshot.id, "asked_id": snapshot.asked,
        "replaced_by": snapshot.id if snapshot.id != snapshot.asked else None,
        "version": snapshot.version, "active": snapshot.active, "as_of": snapshot.at, **snapshot.values,
        "held": sorted(snapshot.held), "member_count": snapshot.member_count, "updated_at": snapshot.since,
    }  # fmt: skip


class HistoryView(HubView):
    endpoints: ClassVar = {
        "GET": Endpoint(
            "read_customer_history", "customers.read", {200: shapes.HistoryOut}, query=Page, tag="customers"
        )
    }

    def get(self, request: Any, customer_id: UUID) -> Response:
        """Every version of exactly this id, newest first: who, why, and what changed. A retired id keeps its own
        history."""
        after = cursors.decode(self.params["cursor"], int)[0] if "cursor" in self.params else None
        limit = self.params["limit"]
        versions = queries.history(customer_id, after, limit)
        more = bool(versions) and len(versions) == limit and versions[-1].version > 1
        answer = self.page([_version(v) for v in versions], cursors.encode([versions[-1].version]) if more else None)
        answer.data = {"id": customer_id, **answer.data}
        return answer


def _version(version: queries.Version) -> dict[str, Any]:
    told = {k: version.body[k] for k in ("merged", "replaced_by") if k in version.body}
    return {
        "version": version.version, "at": version.at, "actor": version.actor, "reason": version.reason,
        "correlation_id": version.correlation_id, "event": version.event, **told, "erased": version.erased,
        "changes": [c._asdict() for c in version.changes],
    }  # fmt: skip


class LineageView(HubView):
    endpoints: ClassVar = {
        "GET": Endpoint("read_customer_lineage", "customers.read", {200: shapes.LineageOut}, tag="customers")
    }

    def get(self, request: Any, customer_id: UUID) -> Response:
        """Which record and which rule gave each value. The values that lost are shown to callers who may read source
        records (sources:read)."""
        found = queries.resolve(customer_id)
        scopes = request.auth.scopes if isinstance(request.auth, Caller) else None
        whole = allowed(request.user.roles, "sources.read", scopes)
        told = queries.lineage_of(found.customer)
        return Response(
            {
                "id": found.customer.id,
                "asked_id": found.asked,
                "version": found.customer.version,
                "attributes": [_attribute(a, whole=whole) for a in told],
            }
        )


class WhyView(HubView):
    endpoints: ClassVar = {
        "GET": Endpoint("read_attribute_lineage", "sources.read", {200: shapes.WhyOut}, tag="customers")
    }

    def get(self, request: Any, customer_id: UUID, attribute: str) -> Response:
        """How one attribute is decided (`extra.tier` for a declared one): every candidate, what each strategy of the policy's
        chain gave it, and where it fell out."""
        found = queries_why.why(customer_id, attribute)
        told = {name: found.told[name] for name in (
            "attribute", "value", "rule", "record", "group", "condition", "chain", "pin", "ignored", "steps", "candidates",
        )}  # fmt: skip
        return Response(
            {
                "id": found.customer.id,
                "asked_id": found.asked,
                "version": found.customer.version,
                "policy_hash": found.policy_hash,
                "stands": found.stands,
                **told,
            }
        )


def _attribute(told: queries.AttributeLineage, *, whole: bool) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "attribute": told.attribute, "value": told.value, "rule": told.rule, "policy_hash": told.policy_hash,
        "winner": _source_value(told.winner) if told.winner is not None else None, "held": told.held,
    }  # fmt: skip
    if whole:
        shown["others"] = [_source_value(o) for o in told.others]
    if told.pin is not None:
        shown |= {"pinned_by": told.pin.actor, "pinned_because": told.pin.reason}
    return shown


def _source_value(value: queries.SourceValue) -> dict[str, Any]:
    return {
        "value": value.value, "system": value.system, "external_id": value.external_id, "updated_at": value.updated_at,
    }  # fmt: skip
