"""Shapes of what is asked and answered about the way out."""

from typing import Any

from rest_framework import serializers

from apps.common.api.serializers import Page, Strict
from apps.connectors.contract import Op, Trouble
from apps.connectors.models import Circuit, Connection, Delivery, GoLive
from apps.customers.models import Link

STATES = [s.value for s in Delivery.State]
TROUBLES = [t.value for t in Trouble]
OPS = [o.value for o in Op]
LONGEST_REASON = 1000


class ReasonIn(Strict):
    reason = serializers.CharField(max_length=LONGEST_REASON)


class MaybeReasonIn(Strict):
    reason = serializers.CharField(max_length=LONGEST_REASON, required=False, allow_blank=True, default="")


class ResumeIn(MaybeReasonIn):
    guard_hours = serializers.IntegerField(
        min_value=0,
        max_value=168,
        default=0,
        help_text="For so long the guard on the share of records lets everything through.",
    )


class CountsOfPlanOut(serializers.Serializer[Any]):
    create = serializers.IntegerField()  # type: ignore[assignment]  # a field; the method stays
    update = serializers.IntegerField()  # type: ignore[assignment]  # a field; the method stays
    deactivate = serializers.IntegerField()
    reactivate = serializers.IntegerField()
    merge = serializers.IntegerField()
    unchanged = serializers.IntegerField(help_text="Records there that hold already what they should.")
    linked = serializers.IntegerField(help_text="Records there that belong to a customer.")


class GoLiveOut(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    connection = serializers.CharField()
    state = serializers.ChoiceField(choices=[s.value for s in GoLive.State])
    counts = CountsOfPlanOut(help_text="What the plan came to when it was asked for.")
    author = serializers.CharField()
    reason = serializers.CharField()
    opened_at = serializers.DateTimeField()
    approver = serializers.CharField(allow_blank=True)
    decision = serializers.CharField(allow_blank=True)
    decided_at = serializers.DateTimeField(allow_null=True)


class OpenGoLiveOut(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    author = serializers.CharField()
    reason = serializers.CharField()
    opened_at = serializers.DateTimeField()
    counts = CountsOfPlanOut()


class ConnectionOut(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    name = serializers.CharField()
    system = serializers.CharField()
    adapter = serializers.CharField()
    mode = serializers.ChoiceField(choices=[m.value for m in Connection.Mode])
    paused_reason = serializers.CharField(allow_blank=True)
    paused_by = serializers.CharField(allow_blank=True)
    paused_at = serializers.DateTimeField(allow_null=True)
    error = serializers.CharField(allow_blank=True, help_text="Why its document cannot be used.")
    breaker = serializers.ChoiceField(choices=[s.value for s in Circuit.State])
    probe_at = serializers.DateTimeField(allow_null=True)
    not_before = serializers.DateTimeField(allow_null=True, help_text="The target said when to call again.")
    guard_lifted_until = serializers.DateTimeField(allow_null=True)
    hour_writes = serializers.IntegerField()
    planned = serializers.IntegerField()
    waiting = serializers.IntegerField()
    sending = serializers.IntegerField()
    uncertain = serializers.IntegerField()
    failed = serializers.IntegerField()
    lag_seconds = serializers.FloatField(allow_null=True, help_text="Age of the oldest change that waits to be told.")
    done_hour = serializers.IntegerField()
    failed_hour = serializers.IntegerField()
    success = serializers.FloatField(allow_null=True, help_text="Share of what came to an end within the hour.")
    last_success_at = serializers.DateTimeField(allow_null=True)
    last_failure_at = serializers.DateTimeField(allow_null=True)
    last_error = serializers.CharField(allow_blank=True)
    per_second = serializers.FloatField(allow_null=True)
    in_flight = serializers.IntegerField(help_text="Most calls at a time.")
    polled_at = serializers.DateTimeField(allow_null=True)
    poll_due_at = serializers.DateTimeField(allow_null=True)
    swept_at = serializers.DateTimeField(allow_null=True)
    sweep_due_at = serializers.DateTimeField(allow_null=True)
    go_live = OpenGoLiveOut(allow_null=True)


class ConnectionsOut(serializers.Serializer[Any]):
    items = ConnectionOut(many=True)


class DifferenceOut(serializers.Serializer[Any]):
    field = serializers.CharField()
    name = serializers.CharField(help_text="For people.")
    before = serializers.JSONField()
    after = serializers.JSONField()


class PlanQuery(Page):
    op = serializers.ChoiceField(choices=OPS, required=False)


class PlannedOut(serializers.Serializer[Any]):
    delivery_id = serializers.UUIDField()
    record_id = serializers.UUIDField()
    customer_id = serializers.UUIDField()
    customer_name = serializers.CharField(allow_null=True)
    op = serializers.ChoiceField(choices=OPS)
    state = serializers.ChoiceField(choices=STATES)
    version = serializers.IntegerField()
    external_id = serializers.CharField(allow_null=True)
    losers = serializers.ListField(child=serializers.CharField())
    changes = DifferenceOut(many=True)


class PlanOut(serializers.Serializer[Any]):
    counts = CountsOfPlanOut()
    items = PlannedOut(many=True)
    next = serializers.CharField(allow_null=True)


class AskedOut(serializers.Serializer[Any]):
    customers = serializers.IntegerField(help_text="How many will be planned again.")


class SwitchIn(MaybeReasonIn):
    stopped = serializers.BooleanField()


class SwitchOut(serializers.Serializer[Any]):
    stopped = serializers.BooleanField()
    reason = serializers.CharField(allow_blank=True)
    actor = serializers.CharField(allow_blank=True)
    changed_at = serializers.DateTimeField(allow_null=True)


class DeliveriesQuery(Page):
    connection = serializers.CharField(
        required=False, max_length=200, help_text="Name of a connection, or code of its system."
    )
    state = serializers.ChoiceField(choices=STATES, required=False)
    trouble = serializers.ChoiceField(choices=TROUBLES, required=False)
    code = serializers.CharField(required=False, max_length=200, allow_blank=True)
    customer = serializers.UUIDField(required=False)
    correlation_id = serializers.UUIDField(required=False)


class DeliveryOut(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    connection = serializers.CharField()
    system = serializers.CharField()
    customer_id = serializers.UUIDField()
    customer_name = serializers.CharField(allow_null=True)
    record_id = serializers.UUIDField()
    external_id = serializers.CharField(allow_null=True)
    op = serializers.ChoiceField(choices=OPS)
    cause = serializers.CharField(allow_blank=True)
    version = serializers.IntegerField()
    state = serializers.ChoiceField(choices=STATES)
    idempotency_key = serializers.CharField()
    attempts = serializers.IntegerField()
    due_at = serializers.DateTimeField()
    first_sent_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()
    changed_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)
    trouble = serializers.CharField(allow_blank=True)
    code = serializers.CharField(allow_blank=True)
    detail = serializers.CharField(allow_blank=True)
    correlation_id = serializers.UUIDField()
    actor = serializers.CharField(allow_blank=True)
    reason = serializers.CharField(allow_blank=True)


class DeliveriesOut(serializers.Serializer[Any]):
    items = DeliveryOut(many=True)
    next = serializers.CharField(allow_null=True)


class AttemptOut(serializers.Serializer[Any]):
    number = serializers.IntegerField()
    started_at = serializers.DateTimeField()
    ms = serializers.IntegerField()
    trouble = serializers.CharField(allow_blank=True)
    status = serializers.IntegerField(allow_null=True)
    code = serializers.CharField(allow_blank=True)
    detail = serializers.CharField(allow_blank=True)
    request = serializers.CharField(allow_blank=True)
    response = serializers.CharField(allow_blank=True)


class AdviceOut(serializers.Serializer[Any]):
    cause = serializers.CharField()
    fix = serializers.CharField()
    who = serializers.CharField()


class DeliveryDetailOut(DeliveryOut):
    values = DifferenceOut(many=True)
    native = serializers.DictField(help_text="As it is told; sensitive values masked.")
    losers = serializers.ListField(child=serializers.CharField())
    url = serializers.CharField(allow_blank=True, help_text="Opens the record in its system.")
    newer_id = serializers.UUIDField(allow_null=True, help_text="A later delivery of the same record.")
    advice = AdviceOut(allow_null=True)
    tries = AttemptOut(many=True)


class EditIn(MaybeReasonIn):
    native = serializers.DictField(
        help_text="The native fields, in place of those there; a masked value given back stays as it was."
    )


class ReplayIn(MaybeReasonIn):
    connection = serializers.CharField(max_length=200, help_text="Name of a connection, or code of its system.")
    trouble = serializers.ChoiceField(choices=TROUBLES)
    code = serializers.CharField(
        max_length=200, required=False, allow_blank=True, help_text="Left out: whatever the code."
    )
    since = serializers.DateTimeField(required=False, help_text="Only what failed from then on.")
    dry_run = serializers.BooleanField(default=False, help_text="Only count.")


class ReplayedOut(serializers.Serializer[Any]):
    count = serializers.IntegerField()
    dry_run = serializers.BooleanField()


class SentOut(serializers.Serializer[Any]):
    field = serializers.CharField()
    name = serializers.CharField()
    value = serializers.JSONField()


class HeldOut(serializers.Serializer[Any]):
    external_id = serializers.CharField()
    url = serializers.CharField(allow_blank=True)
    state = serializers.ChoiceField(choices=[s.value for s in Link.State])
    disposition = serializers.ChoiceField(choices=[d.value for d in Link.Disposition])
    merged_into = serializers.CharField(allow_blank=True)
    own = serializers.BooleanField(help_text="Whether it also says something by itself.")
    sent = SentOut(many=True, help_text="What it holds because the hub told it.")
    acknowledged_version = serializers.IntegerField(allow_null=True)
    acknowledged_at = serializers.DateTimeField(allow_null=True)
    differs = DifferenceOut(many=True, help_text="What it would be told now.")


class PendingOut(serializers.Serializer[Any]):
    delivery_id = serializers.UUIDField()
    op = serializers.ChoiceField(choices=OPS)
    state = serializers.ChoiceField(choices=STATES)
    version = serializers.IntegerField()
    attempts = serializers.IntegerField()
    due_at = serializers.DateTimeField()
    trouble = serializers.CharField(allow_blank=True)
    code = serializers.CharField(allow_blank=True)
    detail = serializers.CharField(allow_blank=True)


class DistributionOut(serializers.Serializer[Any]):
    connection = serializers.CharField()
    system = serializers.CharField()
    mode = serializers.ChoiceField(choices=[m.value for m in Connection.Mode])
    records = HeldOut(many=True)
    deliveries = PendingOut(many=True)
    creates = DifferenceOut(many=True, help_text="What a record it lacks would be made of.")
    why_not = serializers.CharField(allow_blank=True, help_text="Why there is no record, in a sentence.")


class DistributionsOut(serializers.Serializer[Any]):
    customer_id = serializers.UUIDField()
    items = DistributionOut(many=True)
