"""Addresses of the API, all under /api/v1/. Every view declares what it asks of a caller; what is not here is not."""

from django.urls import URLPattern, path, re_path

from apps.common.api import problems
from apps.connectors.api import connections, deliveries, jobs, quarantine, rekey, source_records
from apps.connectors.hooks import HookView
from apps.customers.api import customers, quality, sources, systems
from apps.events.api.changes import ChangesView
from apps.matching.api import merge_requests
from apps.matching.api import views as matching
from apps.stewardship.api import changes as stewardship
from apps.stewardship.api import unmerges

urlpatterns: list[URLPattern] = [
    path("source-records", source_records.SourceRecordsView.as_view()),
    path("source-records:rekey", rekey.RekeyView.as_view()),
    path("source-records/<str:system>/<path:external_id>", source_records.SourceRecordView.as_view()),
    path("customers", customers.CustomersView.as_view()),
    path("customers:match", matching.MatchView.as_view()),
    path("customers:merge", matching.MergeView.as_view()),
    path("customers:link", merge_requests.LinkView.as_view()),
    path("merge-requests", merge_requests.MergeRequestsView.as_view()),
    path("merge-requests/<uuid:request_id>", merge_requests.MergeRequestView.as_view()),
    path("merge-requests/<uuid:request_id>:decide", merge_requests.DecideMergeRequestView.as_view()),
    path("customers/<uuid:customer_id>", customers.CustomerView.as_view()),
    path("customers/<uuid:customer_id>/history", customers.HistoryView.as_view()),
    path("customers/<uuid:customer_id>/compare", customers.CompareView.as_view()),
    path("customers/<uuid:customer_id>/members", customers.MembersView.as_view()),
    path("customers/<uuid:customer_id>/lineage", customers.LineageView.as_view()),
    path("customers/<uuid:customer_id>/lineage/<str:attribute>", customers.WhyView.as_view()),
    path("customers/<uuid:customer_id>/joins", matching.JoinsView.as_view()),
    path("customers/<uuid:customer_id>/distribution", deliveries.DistributionView.as_view()),
    path("customers/<uuid:customer_id>:unmerge", matching.UnmergeView.as_view()),
    path("quality", quality.QualityView.as_view()),
    path("quality/stale", quality.StaleView.as_view()),
    path("quality/expiring-pins", quality.ExpiringPinsView.as_view()),
    path("crosswalk", sources.CrosswalkView.as_view()),
    path("changes", ChangesView.as_view()),
    path("jobs", jobs.JobsView.as_view()),
    path("jobs/<uuid:job_id>", jobs.JobView.as_view()),
    path("jobs/<uuid:job_id>:cancel", jobs.CancelJobView.as_view()),
    path("quarantine", quarantine.QuarantineView.as_view()),
    path("quarantine/<uuid:quarantine_id>:resubmit", quarantine.ResubmitView.as_view()),
    path("quarantine/<uuid:quarantine_id>:discard", quarantine.DiscardView.as_view()),
    path("connections", connections.ConnectionsView.as_view()),
    path("connections/<str:name>/plan", connections.PlanView.as_view()),
    path("connections/<str:name>:go-live", connections.GoLiveRequestView.as_view()),
    path("connections/<str:name>:pause", connections.PauseView.as_view()),
    path("connections/<str:name>:resume", connections.ResumeView.as_view()),
    path("connections/<str:name>:plan-again", connections.PlanAgainView.as_view()),
    path("connections/<str:name>", connections.ConnectionView.as_view()),
    path("go-lives/<uuid:go_live_id>:approve", connections.ApproveGoLiveView.as_view()),
    path("go-lives/<uuid:go_live_id>:reject", connections.RejectGoLiveView.as_view()),
    path("outbound", connections.OutboundView.as_view()),
    path("deliveries", deliveries.DeliveriesView.as_view()),
    path("deliveries:replay", deliveries.ReplayView.as_view()),
    path("deliveries/<uuid:delivery_id>", deliveries.DeliveryView.as_view()),
    path("deliveries/<uuid:delivery_id>:retry", deliveries.RetryView.as_view()),
    path("deliveries/<uuid:delivery_id>:edit", deliveries.EditView.as_view()),
    path("deliveries/<uuid:delivery_id>:discard", deliveries.DiscardView.as_view()),
    path("change-requests", stewardship.ChangeRequestsView.as_view()),
    path("change-requests/<uuid:request_id>", stewardship.ChangeRequestView.as_view()),
    path("change-requests/<uuid:request_id>:decide", stewardship.DecideChangeRequestView.as_view()),
    path("unmerges", unmerges.UnmergesView.as_view()),
    path("unmerges/<uuid:unmerge_id>", unmerges.BulkUnmergeView.as_view()),
    path("unmerges/<uuid:unmerge_id>/customers/<uuid:customer_id>", unmerges.UnmergePreviewView.as_view()),
    path("unmerges/<uuid:unmerge_id>:confirm", unmerges.ConfirmUnmergeView.as_view()),
    path("unmerges/<uuid:unmerge_id>:approve", unmerges.ApproveUnmergeView.as_view()),
    path("unmerges/<uuid:unmerge_id>:reject", unmerges.RejectUnmergeView.as_view()),
    path("unmerges/<uuid:unmerge_id>:cancel", unmerges.CancelUnmergeView.as_view()),
    path("unmerges/<uuid:unmerge_id>:undo", unmerges.UndoUnmergeView.as_view()),
    path("systems", systems.SystemsView.as_view()),
    path("hooks/<str:name>", HookView.as_view()),
    re_path(r"^[\s\S]*$", problems.nowhere),
]
