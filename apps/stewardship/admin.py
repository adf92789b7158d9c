"""People's work, shown only: it is done on the pages."""

from django.contrib import admin

from apps.accounts.admin_site import HubModelAdmin
from apps.stewardship.models import Case, Decision, Note


@admin.register(Case)
class CaseAdmin(HubModelAdmin):
    list_display = (
        "opened_at",
        "kind",
        "title",
        "cause",
        "priority",
        "due_at",
        "state",
        "assignee",
        "closed_by",
        "outcome",
    )
    list_filter = ("kind", "state", "priority")
    search_fields = ("title", "assignee")
    ordering = ("-id",)


@admin.register(Decision)
class DecisionAdmin(HubModelAdmin):
    list_display = ("decided_at", "action", "title", "actor", "reason", "undone_at", "undone_by")
    list_filter = ("action",)
    search_fields = ("title", "actor")
    ordering = ("-id",)


@admin.register(Note)
class NoteAdmin(HubModelAdmin):
    list_display = ("written_at", "customer_id", "author", "body", "removed_at", "removed_by")
    search_fields = ("body", "author")
    ordering = ("-id",)
