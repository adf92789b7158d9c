"""People and their roles. Machines are made with `manage.py client`, which shows the secret once."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.forms import AdminUserCreationForm, UserChangeForm
from django.contrib.auth.models import Group
from django.http import HttpRequest

from apps.accounts.admin_site import HubModelAdmin
from apps.accounts.models import User
from apps.accounts.roles import PEOPLE

admin.site.unregister(Group)  # roles decide; a group would look as if it did


if TYPE_CHECKING:
    ChangeForm = UserChangeForm[User]
    CreationForm = AdminUserCreationForm[User]
    People = UserAdmin[User]
else:  # generic for the type checker only
    ChangeForm, CreationForm, People = UserChangeForm, AdminUserCreationForm, UserAdmin


class PersonForm(ChangeForm):
    """Roles as boxes to tick."""

    roles = forms.MultipleChoiceField(
        choices=[(r, r) for r in PEOPLE], widget=forms.CheckboxSelectMultiple, required=False
    )


class NewPersonForm(CreationForm):
    roles = forms.MultipleChoiceField(
        choices=[(r, r) for r in PEOPLE], widget=forms.CheckboxSelectMultiple, required=False
    )

    class Meta:
        model = User
        fields = ("username", "email", "roles", "is_staff")


@admin.register(User)
class PersonAdmin(HubModelAdmin, People):
    """A service user is shown and can be switched off; its role is not for people."""

    writes = "users.write"
    form = PersonForm
    add_form = NewPersonForm
    list_display = ("username", "email", "told_roles", "is_active", "is_staff", "last_login")
    list_filter = ("is_active", "is_staff")
    search_fields = ("username", "email", "first_name", "last_name")
    filter_horizontal = ()
    readonly_fields = ("last_login", "date_joined")
    fieldsets = (
        (None, {"fields": ("username", "password")}),
        ("Person", {"fields": ("first_name", "last_name", "email", "time_zone")}),
        ("What they may do", {"fields": ("is_active", "is_staff", "roles", "systems")}),
        ("Dates", {"fields": ("last_login", "date_joined")}),
    )
    add_fieldsets = (
        (None, {"fields": ("username", "email", "usable_password", "password1", "password2", "roles", "is_staff")}),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        service = obj is not None and "service" in obj.roles
        return (*self.readonly_fields, "username", "roles", "is_staff", "password") if service else self.readonly_fields

    @admin.display(description="roles")
    def told_roles(self, user: User) -> str:
        return ", ".join(user.roles) or "–"
