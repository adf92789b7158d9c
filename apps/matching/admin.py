"""Evidence, shown only: what was scored, under which model, and what the machine would not decide."""

from django.contrib import admin
from django.utils.safestring import SafeString

from apps.accounts.admin_site import HubModelAdmin, customer_link
from apps.matching.models import Doubt, Edge, MatchModel


@admin.register(Edge)
class EdgeAdmin(HubModelAdmin):
    list_display = ("scored_at", "weight", "probability", "record_a", "record_b", "flags", "model_version", "page")
    list_filter = ("model_version",)
    list_select_related = ("record_a", "record_b")
    ordering = ("-id",)
    exclude = ("salt", "digest")
    readonly_fields = ("page",)

    @admin.display(description="customer of the first")
    def page(self, edge: Edge) -> SafeString | str:
        return customer_link(edge.record_a.customer_id)


@admin.register(Doubt)
class DoubtAdmin(HubModelAdmin):
    list_display = ("opened_at", "reason", "weight", "record_a", "record_b", "state", "sentence")
    list_filter = ("state", "reason")
    list_select_related = ("record_a", "record_b")
    ordering = ("-id",)


@admin.register(MatchModel)
class MatchModelAdmin(HubModelAdmin):
    list_display = ("version", "state", "hash", "created_at")
    ordering = ("-version",)
