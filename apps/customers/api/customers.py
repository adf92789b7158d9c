"""Customers as other systems read them: effective values, history, lineage."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from django.utils.http import parse_etags
from rest_framework.response import Response

from apps.accounts.roles import allowed
from apps.common import cursors
from apps.common.api.endpoints import Caller, Endpoint
from apps.common.api.serializers import Page
from apps.common.api.views import HubView
from apps.customers import queries, queries_compare, queries_why
from apps.customers import queries_past as past
from apps.customers.api import serializers as shapes
from apps.customers.queries_ages import lineage_with_ages, lineage_with_ages_then
from apps.customers.survivorship_age import Aged


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
            query=shapes.AsOfQuery,
            tag="customers",
        )
    }

    def get(self, request: Any, customer_id: UUID) -> Response:
        """One customer. An id that was retired answers with the customer that replaced it. The ETag is the version:
        send it back as If-None-Match and an unchanged customer costs a 304. `as_of` a moment: as it stood then, and the id
        that stood for the one asked for."""
        at = self.params.get("as_of")
        if at is not None:
            return Response(_customer(past.as_of(customer_id, at), at))
        found = queries.resolve(customer_id)
        etag = f'"{found.customer.id}-{found.customer.version}"' if found.replaced else f'"{found.customer.version}"'
        headers = {"ETag": etag, "Cache-Control": "private, no-cache"}
        known = parse_etags(request.META.get("HTTP_IF_NONE_MATCH", ""))
        if any(tag in ("*", etag, f"W/{etag}") for tag in known):
            return Response(status=304, headers=headers)
        return Response(_customer(queries.detail_of(found)), headers=headers)


def _customer(detail: queries.CustomerDetail, at: datetime | None = None) -> dict[str, Any]:
    return {
        "id": detail.id, "asked_id": detail.asked, "replaced_by": detail.id if detail.replaced else None,
        "version": detail.version, "active": detail.active, **_as_of(at), **detail.values, "held": sorted(detail.held),
        "member_count": detail.member_count,
        "sources": [
            {"system": s.system, "external_id": s.external_id, "updated_at": s.updated_at, "deleted": s.deleted}
            for s in detail.sources
        ],
        "retired_ids": detail.redirects, "created_at": detail.created_at, "updated_at": detail.updated_at,
    }  # fmt: skip


def _as_of(at: datetime | None) -> dict[str, Any]:
    return {"as_of": at} if at is not None else {}


class MembersView(HubView):
    endpoints: ClassVar = {
        "GET": Endpoint(
            "read_customer_members",
            "customers.read",
            {200: shapes.MembersOut},
            query=shapes.AsOfQuery,
            tag="customers",
        )
    }

    def get(self, request: Any, customer_id: UUID) -> Response:
        """The source records that are part of a customer, since when, and in which version; `as_of` a moment those of
        then. What they say is shown to callers who may read source records (sources:read)."""
        at, whole = self.params.get("as_of"), _may_see_sources(request)
        if at is None:
            found = queries.resolve(customer_id)
            id_, version, members = found.customer.id, found.customer.version, past.membership_now(found.customer.id)
        else:
            then = past.stood(customer_id, at)
            past.require_kept(then)
            id_, version, members = then.id, then.version, past.membership_then(then)
        items = [_member(m, whole=whole) for m in members]
        return Response({"id": id_, "asked_id": customer_id, "version": version, **_as_of(at), "items": items})


def _may_see_sources(request: Any) -> bool:
    scopes = request.auth.scopes if isinstance(request.auth, Caller) else None
    return allowed(request.user.roles, "sources.read", scopes)


def _member(member: past.MemberOf, *, whole: bool) -> dict[str, Any]:
    s = member.source
    shown = {
        "record_id": s.record, "system": s.system, "external_id": s.external_id, "since": member.since, "action": member.action,
        "version": s.version, "received_at": s.received_at, "updated_at": s.updated_at, "deleted": s.deleted, "erased": s.erased,
    }  # fmt: skip
    return {**shown, "canonical": s.canonical} if whole else shown


class CompareView(HubView):
    endpoints: ClassVar = {
        "GET": Endpoint(
            "compare_customer_versions",
            "customers.read",
            {200: shapes.ComparisonOut},
            query=shapes.CompareQuery,
            tag="customers",
        )
    }

    def get(self, request: Any, customer_id: UUID) -> Response:
        """What two versions of exactly this id say otherwise, a retired one's too: values, who was part of it, and where
        the values came from."""
        found = queries_compare.compare(customer_id, self.params["from"], self.params["to"])
        return Response(
            {
                "id": customer_id, "before": _side(found.before), "after": _side(found.after),
                "changes": [c._asdict() for c in found.changes],
                "joined": [n._asdict() for n in found.joined], "left": [n._asdict() for n in found.left],
                "lineage": [
                    {"attribute": c.attribute, "before": _origin(c.before), "after": _origin(c.after)} for c in found.lineage
                ],
            }
        )  # fmt: skip


def _side(then: past.Then) -> dict[str, Any]:
    row = then.row
    return {
        "version": row.version, "at": row.history_date, "actor": row.actor, "reason": row.history_change_reason or "",
        "active": row.active,
    }  # fmt: skip


def _origin(origin: queries_compare.Origin | None) -> dict[str, Any] | None:
    return {"rule": origin.rule, "sources": [n._asdict() for n in origin.sources]} if origin is not None else None


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
        "GET": Endpoint(
            "read_customer_lineage",
            "customers.read",
            {200: shapes.LineageOut},
            query=shapes.AsOfQuery,
            tag="customers",
        )
    }

    def get(self, request: Any, customer_id: UUID) -> Response:
        """Which record and which rule gave each value, how old it is and how far it is trusted by now; `as_of` a moment as it was stored
        then, with age and trust of then. The values that lost are shown to callers who may read source records (sources:read)."""
        at, whole = self.params.get("as_of"), _may_see_sources(request)
        if at is None:
            found = queries.resolve(customer_id)
            id_, version = found.customer.id, found.customer.version
            told, ages = lineage_with_ages(found.customer)
        else:
            then = past.stood(customer_id, at)
            id_, version = then.id, then.version
            told, ages = lineage_with_ages_then(then)
        shown = [_attribute(a, whole=whole) | _age(*ages.get(a.attribute, (None, ()))) for a in told]
        return Response({"id": id_, "asked_id": customer_id, "version": version, **_as_of(at), "attributes": shown})


class WhyView(HubView):
    endpoints: ClassVar = {
        "GET": Endpoint(
            "read_attribute_lineage", "sources.read", {200: shapes.WhyOut}, query=shapes.AsOfQuery, tag="customers"
        )
    }

    def get(self, request: Any, customer_id: UUID, attribute: str) -> Response:
        """How one attribute is decided (`extra.tier` for a declared one): every candidate, what each strategy of the policy's
        chain gave it, and where it fell out. `as_of` a moment: by the records, the policy and the trust of then; 400 where
        that does not come to what stood, because something that counted is not kept."""
        at = self.params.get("as_of")
        found = queries_why.why(customer_id, attribute, at)
        told = {name: found.told[name] for name in (
            "attribute", "value", "rule", "record", "group", "condition", "chain", "pin", "ignored", "steps", "candidates",
        )}  # fmt: skip
        return Response(
            {
                "id": found.customer.id,
                "asked_id": found.asked,
                "version": found.customer.version,
                **_as_of(at),
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


def _age(age: Aged | None, entries: Sequence[Aged]) -> dict[str, Any]:
    if age is None:
        return {}
    return {**_aged(age), **({"entries": [_aged(entry) for entry in entries]} if entries else {})}


def _aged(age: Aged) -> dict[str, Any]:
    return {
        "since": age.since, "age_days": age.days, "clock": age.clock, "confidence": age.confidence, "stale": age.stale,
    }  # fmt: skip


def _source_value(value: queries.SourceValue) -> dict[str, Any]:
    return {
        "value": value.value, "system": value.system, "external_id": value.external_id, "updated_at": value.updated_at,
    }  # fmt: skip
