"""Makes the hub's own administration site the default one."""

from django.contrib.admin.apps import AdminConfig


class HubAdminConfig(AdminConfig):
    default_site = "apps.accounts.admin_site.HubAdminSite"
