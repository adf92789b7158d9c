"""Addresses of the hub's pages."""

from django.urls import path

from apps.stewardship.views import customer, customers, home, imports, quarantine

urlpatterns = [
    path("", home.home, name="home"),
    path("preferences/", home.preferences, name="preferences"),
    path("systems/", home.systems, name="systems"),
    path("doubts/", home.doubts, name="doubts"),
    path("customers/", customers.customers, name="customers"),
    path("customers/<uuid:id>/", customer.overview, name="customer"),
    path("customers/<uuid:id>/sources/", customer.sources, name="customer-sources"),
    path("customers/<uuid:id>/records/<uuid:record>/", customer.record, name="customer-record"),
    path("customers/<uuid:id>/lineage/", customer.lineage, name="customer-lineage"),
    path("customers/<uuid:id>/history/", customer.history, name="customer-history"),
    path("customers/<uuid:id>/history/compare/", customer.compare, name="customer-compare"),
    path("customers/<uuid:id>/matches/", customer.matches, name="customer-matches"),
    path("imports/", imports.imports, name="imports"),
    path("imports/new/", imports.upload, name="import-new"),
    path("imports/new/<uuid:draft>/", imports.columns, name="import-columns"),
    path("imports/<uuid:id>/", imports.run, name="import"),
    path("imports/<uuid:id>/progress/", imports.progress, name="import-progress"),
    path("imports/<uuid:id>/cancel/", imports.cancel, name="import-cancel"),
    path("imports/<uuid:id>/rejected.csv", imports.rejected, name="import-rejected"),
    path("quarantine/", quarantine.quarantine, name="quarantine"),
    path("quarantine/discard/", quarantine.discard_many, name="quarantine-discard-many"),
    path("quarantine/<uuid:id>/", quarantine.record, name="quarantine-record"),
    path("quarantine/<uuid:id>/discard/", quarantine.discard, name="quarantine-discard"),
]
