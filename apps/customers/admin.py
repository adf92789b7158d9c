"""Systems are set up here. Customers, their records and what was decided about them are only shown: they are
derived."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from apps.accounts.admin_site import HubModelAdmin, customer_link
from apps.customers.models import (
    ChangeRequest,
    Customer,
    Hold,
    Judgement,
    Quarantine,
    RebuildRun,
    Relation,
    SourceRecord,
    System,
)
from apps.customers.queries_search import search

_MOST_HITS = 500


@admin.register(System)
class SystemAdmin(HubModelAdmin):
    writes = "systems.write"
    list_display = ("code", "name", "kind", "region", "trust", "one_record_per_customer", "is_active")
    list_filter = ("kind", "is_active")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ("code", "kind") if obj is not None and obj.kind == System.Kind.STEWARD else ("code",) if obj else ()


@admin.register(Customer)
class CustomerAdmin(HubModelAdmin):
    list_display = ("name", "kind", "status", "version", "member_count", "active", "updated_at", "page")
    list_filter = ("kind", "active", "released")
    ordering = ("-updated_at", "-id")
    search_fields = ("name",)
    search_help_text = "Name, e-mail, phone, identifier, any system's id or customer id"
    readonly_fields = ("page",)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Customer], search_term: str
    ) -> tuple[Any, bool]:
        """The hub's own search box."""
        if not search_term:
            return queryset, False
        hits = search(search_term, limit=_MOST_HITS).items
        return queryset.filter(id__in=[h.id for h in hits]), False

    @admin.display(description="page")
    def page(self, customer: Customer) -> SafeString | str:
        return customer_link(customer.id)


@admin.register(SourceRecord)
class SourceRecordAdmin(HubModelAdmin):
    list_display = ("system", "external_id", "kind", "state", "version", "deleted", "received_at", "page")
    list_filter = ("system", "state", "deleted")
    list_select_related = ("system",)
    ordering = ("-id",)
    search_fields = ("=external_id",)
    exclude = ("raw_salt", "raw_digest", "content_digest", "customer_active", "customer")
    readonly_fields = ("page",)

    @admin.display(description="customer")
    def page(self, record: SourceRecord) -> SafeString | str:
        return customer_link(record.customer_id)


@admin.register(Judgement)
class JudgementAdmin(HubModelAdmin):
    list_display = ("decided_at", "verdict", "origin", "actor", "record_a", "record_b", "reason", "superseded_at")
    list_filter = ("verdict", "origin")
    list_select_related = ("record_a", "record_b")
    ordering = ("-id",)
    exclude = ("evidence_digest",)


@admin.register(Relation)
class RelationAdmin(HubModelAdmin):
    list_display = ("since", "kind", "actor", "record_a", "record_b", "reason", "until")
    list_filter = ("kind",)
    list_select_related = ("record_a", "record_b")
    ordering = ("-id",)


@admin.register(ChangeRequest)
class ChangeRequestAdmin(HubModelAdmin):
    list_display = ("opened_at", "kind", "state", "author", "approver", "reason", "decided_at")
    list_filter = ("kind", "state")
    ordering = ("-id",)


@admin.register(Hold)
class HoldAdmin(HubModelAdmin):
    list_display = ("opened_at", "attribute", "state", "kept_value", "proposed_value", "page")
    list_filter = ("state", "attribute")
    list_select_related = ("change_request",)
    ordering = ("-id",)
    exclude = ("proposed_hash", "customer")
    readonly_fields = ("page",)

    @admin.display(description="customer")
    def page(self, hold: Hold) -> SafeString | str:
        return customer_link(hold.customer_id)


@admin.register(Quarantine)
class QuarantineAdmin(HubModelAdmin):
    list_display = ("received_at", "system", "external_id", "file_name", "line", "state", "first_problem")
    list_filter = ("state", "system")
    list_select_related = ("system",)
    ordering = ("-id",)
    exclude = ("salt", "digest")

    @admin.display(description="problem")
    def first_problem(self, row: Quarantine) -> str:
        return row.problems[0]["detail"] if row.problems else ""


@admin.register(RebuildRun)
class RebuildRunAdmin(HubModelAdmin):
    list_display = (
        "started_at", "reason", "state", "done", "written", "conflicts", "failed", "finished_at", "actor", "policy_hash",
    )  # fmt: skip
    list_filter = ("state", "reason")
    ordering = ("-id",)
