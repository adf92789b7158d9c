"""How the hub reaches a system, how that system is doing, and who let us write to it."""

from django.db import models
from django.db.models import F, Q

from apps.common.ids import uuid7
from apps.customers.models import System


class Connection(models.Model):
    """How the hub reaches a system. It starts in observe: deliveries are planned and counted, nothing is sent until two
    people take it live.

    `adapter` is `webhook` (in only), or a name of the registry; `settings` is the connection's document (address, calls,
    mapping, limits), `credentials` its secrets, encrypted; `cursor` says how far the target's changes were read."""

    class Mode(models.TextChoices):
        OBSERVE = "observe"
        LIVE = "live"
        PAUSED = "paused"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    system = models.ForeignKey(System, models.PROTECT, related_name="connections")
    name = models.TextField(unique=True)
    adapter = models.TextField(default="webhook")
    mode = models.TextField(choices=Mode, default=Mode.OBSERVE)
    settings = models.JSONField(default=dict, blank=True)
    webhook_secrets = models.BinaryField(null=True, editable=False)
    credentials = models.BinaryField(null=True, editable=False)
    cursor = models.JSONField(default=dict, blank=True)
    poll_due_at = models.DateTimeField(null=True, editable=False)
    sweep_due_at = models.DateTimeField(null=True, editable=False)
    paused_reason = models.TextField(blank=True, editable=False)
    paused_by = models.TextField(blank=True, editable=False)
    paused_at = models.DateTimeField(null=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "connection"
        constraints = (
            models.CheckConstraint(condition=Q(mode__in=["observe", "live", "paused"]), name="connection_mode"),
            models.UniqueConstraint(
                fields=["system"], condition=~Q(adapter="webhook"), name="connection_one_target_a_system"
            ),
        )

    def __str__(self) -> str:
        return self.name

    @property
    def is_target(self) -> bool:
        """Whether the hub can write through it."""
        return self.adapter != "webhook"


class Circuit(models.Model):
    """How a target is doing, shared by all workers: breaker, rate, and the guard on how much is written in an hour.

    `tokens` of `refilled_at`: calls that may be made at once under the rate limit. `not_before`: the target said when to call
    again. `hour_writes` since `hour_began`; `guard_lifted_until`: a person let more through until then."""

    class State(models.TextChoices):
        CLOSED = "closed"
        OPEN = "open"
        HALF_OPEN = "half_open"

    connection = models.OneToOneField(Connection, models.CASCADE, primary_key=True, related_name="circuit")
    state = models.TextField(choices=State, default=State.CLOSED)
    failures = models.IntegerField(default=0)
    window_began = models.DateTimeField(null=True)
    window_calls = models.IntegerField(default=0)
    window_failures = models.IntegerField(default=0)
    trips = models.IntegerField(default=0)
    opened_at = models.DateTimeField(null=True)
    probe_at = models.DateTimeField(null=True)
    not_before = models.DateTimeField(null=True)
    tokens = models.FloatField(default=0)
    refilled_at = models.DateTimeField(null=True)
    hour_began = models.DateTimeField(null=True)
    hour_writes = models.IntegerField(default=0)
    guard_lifted_until = models.DateTimeField(null=True)
    last_success_at = models.DateTimeField(null=True)
    last_failure_at = models.DateTimeField(null=True)
    last_error = models.TextField(blank=True)

    class Meta:
        db_table = "circuit"
        constraints = (
            models.CheckConstraint(condition=Q(state__in=["closed", "open", "half_open"]), name="circuit_state"),
        )

    def __str__(self) -> str:
        return f"{self.connection_id} {self.state}"


class GoLive(models.Model):
    """One request to let the hub write to a target: what the plan would do (`counts`), who asked, and who else decided."""

    class State(models.TextChoices):
        OPEN = "open"
        APPROVED = "approved"
        REJECTED = "rejected"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    connection = models.ForeignKey(Connection, models.PROTECT, related_name="go_lives")
    state = models.TextField(choices=State, default=State.OPEN)
    counts = models.JSONField(default=dict)
    author = models.TextField()
    reason = models.TextField()
    opened_at = models.DateTimeField(auto_now_add=True)
    approver = models.TextField(blank=True)
    decision = models.TextField(blank=True)
    decided_at = models.DateTimeField(null=True)
    correlation_id = models.UUIDField()

    class Meta:
        db_table = "go_live"
        constraints = (
            models.UniqueConstraint(fields=["connection"], condition=Q(state="open"), name="go_live_one_open"),
            models.CheckConstraint(condition=~Q(author=F("approver")), name="go_live_second_person"),
            models.CheckConstraint(condition=Q(state__in=["open", "approved", "rejected"]), name="go_live_state"),
            models.CheckConstraint(
                condition=Q(state="open", approver="", decided_at__isnull=True)
                | (~Q(state="open") & ~Q(approver="") & Q(decided_at__isnull=False)),
                name="go_live_decided",
            ),
        )

    def __str__(self) -> str:
        return f"{self.connection_id} {self.state}"


class OutboundSwitch(models.Model):
    """One row: whether anything may leave the hub at all."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    stopped = models.BooleanField(default=False)
    reason = models.TextField(blank=True)
    actor = models.TextField(blank=True)
    changed_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "outbound_switch"
        constraints = (models.CheckConstraint(condition=Q(id=1), name="outbound_switch_single"),)

    def __str__(self) -> str:
        return "stopped" if self.stopped else "on"
