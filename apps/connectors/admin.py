"""Connections and mappings are set up here; runs and fields nobody declared are shown."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from apps.accounts.admin_site import HubModelAdmin, act_of
from apps.accounts.roles import may
from apps.common.errors import HubError
from apps.connectors import runs
from apps.connectors.mapping import Mapping as ColumnMapping
from apps.connectors.mapping import MappingError
from apps.connectors.models import Connection, FieldDrift, Mapping, Run
from apps.connectors.saved_mappings import save_mapping
from apps.connectors.secrets import add_secret, retire_old_secrets


@admin.register(Connection)
class ConnectionAdmin(HubModelAdmin):
    """Secrets are made by an action, shown once, and never again."""

    writes = "systems.write"
    list_display = ("name", "system", "adapter", "mode", "has_secret")
    list_select_related = ("system",)
    readonly_fields = ("has_secret", "cursor")
    actions = ("new_secret", "retire_old")

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
