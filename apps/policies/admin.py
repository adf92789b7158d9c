"""Policies: written as drafts, put into force by a second person."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from apps.accounts.admin_site import HubModelAdmin, act_of
from apps.accounts.roles import may
from apps.common.errors import HubError, Permanent, Rejected
from apps.policies import active
from apps.policies.activate import activate, draft
from apps.policies.models import Policy

if TYPE_CHECKING:
    PolicyForm = forms.ModelForm[Policy]
else:
    PolicyForm = forms.ModelForm  # generic for the type checker only


class DraftForm(PolicyForm):
    """A document that its kind's owner accepts."""

    kind = forms.ChoiceField(choices=lambda: [(k, k) for k in active.kinds()])

    class Meta:
        model = Policy
        fields = ("kind", "body", "note")

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or {}
        if "kind" in values and "body" in values:
            try:
                active.parse(values["kind"], values["body"])
            except (Rejected, Permanent) as error:
                told = [error.detail, *(f"{f.field}: {f.detail}" for f in getattr(error, "fields", ()))]
                raise forms.ValidationError({"body": told}) from error
            except (TypeError, ValueError, KeyError, AttributeError) as error:
                told = [f"The document has not the shape of its kind: {error}."]
                raise forms.ValidationError({"body": told}) from error
        return values


@admin.register(Policy)
class PolicyAdmin(HubModelAdmin):
    writes = "policies.write"
    form = DraftForm
    list_display = ("kind", "version", "state", "author", "approver", "created_at", "activated_at", "hash")
    list_filter = ("kind", "state")
    ordering = ("kind", "-version")
    actions = ("put_into_force",)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """A version never changes: the next one is a new draft."""
        return False

    def save_model(self, request: HttpRequest, obj: Policy, form: Any, change: bool) -> None:  # noqa: FBT001
        made = draft(kind=obj.kind, body=obj.body, note=obj.note, act=act_of(request, obj.note or "drafted by hand"))
        obj.pk, obj.version, obj.hash, obj.author = made.pk, made.version, made.hash, made.author
        obj._state.adding = False

    @admin.action(description="Put into force", permissions=["activate"])
    def put_into_force(self, request: HttpRequest, queryset: QuerySet[Policy]) -> None:
        for row in queryset:
            try:
                activate(policy=row.id, act=act_of(request, "put into force in the administration"))
            except HubError as error:
                self.message_user(request, f"{row.kind} {row.version}: {error.detail}", messages.ERROR)
            else:
                self.message_user(request, f"{row.kind} {row.version} is in force.", messages.SUCCESS)

    def has_activate_permission(self, request: Any) -> bool:
        return self.admin_site.has_permission(request) and may(request.user, "policies.activate")
