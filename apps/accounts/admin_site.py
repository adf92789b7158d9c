"""The administration pages: who enters, and what the table of roles lets them change there.

Django's own permissions are not asked: one table rules the whole hub."""

from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib import admin
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, resolve_url
from django.utils.html import format_html
from django.utils.safestring import SafeString

from apps.accounts.roles import may
from apps.common.act import Act


class HubAdminSite(admin.AdminSite):
    """For staff with the role admin, through the hub's own login page."""

    site_header = site_title = "MDM hub administration"
    index_title = "Set up the hub"

    def has_permission(self, request: Any) -> bool:
        return bool(request.user.is_active and request.user.is_staff and may(request.user, "admin.use"))

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The hub's login page, so that a second factor counts here too; who may not enter is told so."""
        if self.has_permission(request):
            return redirect("admin:index")
        if request.user.is_authenticated:
            raise PermissionDenied
        return redirect_to_login(request.GET.get("next", resolve_url("admin:index")))


if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[Any]
else:
    ModelAdmin = admin.ModelAdmin  # generic for the type checker only


class HubModelAdmin(ModelAdmin):
    """`writes`: the operation it takes to add and change rows; "" for tables that only verbs write. Nothing is
    deleted."""

    writes: ClassVar[str] = ""
    show_full_result_count = False

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.admin_site.has_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.admin_site.has_permission(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self._may_write(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may_write(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def _may_write(self, request: Any) -> bool:
        return bool(self.writes) and self.admin_site.has_permission(request) and may(request.user, self.writes)


def act_of(request: Any, reason: str) -> Act:
    """Who does this in the administration pages."""
    return Act(
        f"user:{request.user.get_username()}", reason, user_id=request.user.pk, correlation_id=request.correlation_id
    )


def customer_link(customer: Any) -> SafeString | str:
    """A link to the page of a customer (an id), or a dash."""
    return format_html('<a href="/customers/{}/">{}</a>', customer, customer) if customer else "–"
