"""Webhooks and mappings are set up here; targets, what they are told, runs and fields nobody declared are shown.

A target is connected by its document and taken live by two people: neither is done by a form."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from apps.accounts.admin_site import HubModelAdmin, act_of, customer_link
from apps.accounts.roles import may
from apps.common.errors import HubError
from apps.connectors import runs
from apps.connectors.mapping import Mapping as ColumnMapping
from apps.connectors.mapping import MappingError
from apps.connectors.models import Circuit, Connection, Delivery, FieldDrift, GoLive, Mapping, OutboundSwitch, Run
from apps.connectors.queries import delivery
from apps.connectors.saved_mappings import save_mapping
from apps.connectors.secrets import add_secret, retire_old_secrets


@admin.register(Connection)
class ConnectionAdmin(HubModelAdmin):
    """Secrets are made by an action, shown once, and never again."""

    writes = "systems.write"
    list_display = ("name", "system", "adapter", "mode", "paused_reason", "has_secret")
    list_filter = ("mode", "adapter")
    list_select_related = ("system",)
    actions = ("new_secret", "retire_old")
    _shown = ("has_secret", "has_credentials", "cursor", "adapter", "mode", "paused_reason", "paused_by", "paused_at")

    def get_readonly_fields(self, request: HttpRequest, obj: Connection | None = None) -> Any:
        """Of a target the whole document too: a form would not check it."""
        return (*self._shown, "system", "name", "settings") if obj is not None and obj.is_target else self._shown

    @admin.display(boolean=True, description="credentials")
    def has_credentials(self, connection: Connection) -> bool:
        return bool(connection.credentials)

    @admin.display(boolean=True, description="webhook secret")
    def has_secret(self, connection: Connection) -> bool:
        return bool(connection.webhook_secrets)

    @admin.action(description="Make a new webhook secret (the old ones stay valid)", permissions=["change"])
    def new_secret(self, request: HttpRequest, queryset: QuerySet[Connection]) -> None:
        for connection in queryset:
            secret = add_secret(connection.id)
            self.log_change(request, connection, "made a new webhook secret")
            self.message_user(request, f"{connection.name}: {secret} (shown only now)", messages.SUCCESS)

    @admin.action(description="Retire all webhook secrets but the newest", permissions=["change"])
    def retire_old(self, request: HttpRequest, queryset: QuerySet[Connection]) -> None:
        for connection in queryset:
            gone = retire_old_secrets(connection.id)
            self.log_change(request, connection, f"retired {gone} webhook secrets")
            self.message_user(
                request, f"{connection.name}: {gone} old secrets are refused from now on.", messages.SUCCESS
            )


if TYPE_CHECKING:
    FormOfMapping = forms.ModelForm[Mapping]
else:
    FormOfMapping = forms.ModelForm  # generic for the type checker only


class MappingForm(FormOfMapping):
    """A document that the intake can use."""

    class Meta:
        model = Mapping
        fields = ("system", "name", "body")

    def clean_body(self) -> dict[str, Any]:
        body = self.cleaned_data["body"]
        if not isinstance(body, dict):
            raise forms.ValidationError("A mapping is a JSON object.")
        try:
            return ColumnMapping.from_dict(body).to_dict()
        except MappingError as error:
            raise forms.ValidationError([f"{f.field}: {f.detail}" for f in error.fields]) from error


@admin.register(Mapping)
class MappingAdmin(HubModelAdmin):
    writes = "systems.write"
    form = MappingForm
    list_display = ("system", "name", "version", "created_by", "created_at")
    list_filter = ("system",)
    list_select_related = ("system",)
    ordering = ("system", "name", "-version")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """A version never changes: runs name it. The next one is added under the same name."""
        return False

    def save_model(self, request: HttpRequest, obj: Mapping, form: Any, change: bool) -> None:  # noqa: FBT001
        mapping = ColumnMapping.from_dict(obj.body)
        made = save_mapping(system=obj.system, name=obj.name, mapping=mapping, act=act_of(request, ""))
        obj.pk, obj.version, obj.created_by = made.pk, made.version, made.created_by
        obj._state.adding = False


@admin.register(Run)
class RunAdmin(HubModelAdmin):
    list_display = ("created_at", "kind", "system", "file_name", "state", "counts", "actor", "error")
    list_filter = ("state", "kind", "system")
    list_select_related = ("system", "mapping")
    ordering = ("-id",)
    actions = ("stop",)

    @admin.action(description="Stop", permissions=["cancel"])
    def stop(self, request: HttpRequest, queryset: QuerySet[Run]) -> None:
        for run in queryset:
            try:
                runs.cancel(run.id)
            except HubError as error:
                self.message_user(request, f"{run}: {error.detail}", messages.ERROR)

    def has_cancel_permission(self, request: Any) -> bool:
        return self.admin_site.has_permission(request) and may(request.user, "jobs.cancel")


@admin.register(FieldDrift)
class FieldDriftAdmin(HubModelAdmin):
    list_display = ("system", "field", "seen", "sample", "last_seen_at")
    list_filter = ("system",)
    list_select_related = ("system",)
    ordering = ("-last_seen_at",)


@admin.register(Circuit)
class CircuitAdmin(HubModelAdmin):
    list_display = (
        "connection",
        "state",
        "failures",
        "trips",
        "not_before",
        "hour_writes",
        "last_success_at",
        "last_error",
    )
    list_filter = ("state",)
    list_select_related = ("connection",)
    ordering = ("connection",)


@admin.register(GoLive)
class GoLiveAdmin(HubModelAdmin):
    list_display = ("opened_at", "connection", "state", "author", "reason", "approver", "decision", "decided_at")
    list_filter = ("state", "connection")
    list_select_related = ("connection",)
    ordering = ("-id",)


@admin.register(OutboundSwitch)
class OutboundSwitchAdmin(HubModelAdmin):
    list_display = ("stopped", "reason", "actor", "changed_at")


@admin.register(Delivery)
class DeliveryAdmin(HubModelAdmin):
    """Values are shown as the exception desk shows them: sensitive ones masked."""

    list_display = ("created_at", "connection", "op", "state", "trouble", "code", "attempts", "due_at", "page")
    list_filter = ("state", "connection", "trouble", "op")
    list_select_related = ("connection",)
    ordering = ("-id",)
    search_fields = ("=id", "=correlation_id")
    exclude = ("values", "native", "customer", "record", "link")
    readonly_fields = ("page", "told", "tries")

    @admin.display(description="customer")
    def page(self, row: Delivery) -> SafeString | str:
        return customer_link(row.customer_id)

    @admin.display(description="fields, before and after")
    def told(self, row: Delivery) -> SafeString:
        return format_html_join(
            "\n", "<div>{}: {} \u2192 {}</div>", [(d.name, d.before, d.after) for d in delivery(row.id).fields]
        )

    @admin.display(description="attempts, redacted")
    def tries(self, row: Delivery) -> SafeString:
        shown = [
            (a.number, a.started_at, a.ms, a.trouble or "done", a.request, a.response)
            for a in delivery(row.id).attempts
        ]
        return format_html_join("\n", "<div>{}. {}, {} ms, {}<pre>{}</pre><pre>{}</pre></div>", shown)
