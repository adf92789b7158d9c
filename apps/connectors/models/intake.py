"""How bytes come in: mappings, messages, runs, keys of calls, and fields nobody declared."""

from django.db import models
from django.db.models import Q

from apps.common.ids import uuid7
from apps.customers.models import System


class Mapping(models.Model):
    """One version of the way a system's columns become canonical names."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    system = models.ForeignKey(System, models.PROTECT, related_name="mappings")
    name = models.TextField()
    version = models.IntegerField(default=1)
    body = models.JSONField()
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.TextField()

    class Meta:
        db_table = "mapping"
        constraints = (models.UniqueConstraint(fields=["system", "name", "version"], name="mapping_version_unique"),)

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


class Run(models.Model):
    """One intake of a file, a large API call or a webhook: its progress, its counts, and where to go on after a crash."""

    class State(models.TextChoices):
        QUEUED = "queued"
        RUNNING = "running"
        SUCCEEDED = "succeeded"
        FAILED = "failed"
        CANCELLED = "cancelled"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    kind = models.TextField()
    system = models.ForeignKey(System, models.PROTECT, related_name="runs")
    state = models.TextField(choices=State, default=State.QUEUED)
    file_name = models.TextField(blank=True)
    file_digest = models.TextField(blank=True)
    file_path = models.TextField(blank=True)
    mapping = models.ForeignKey(Mapping, models.PROTECT, null=True, related_name="runs")
    options = models.JSONField(default=dict)
    position = models.JSONField(default=dict)
    counts = models.JSONField(default=dict)
    total = models.BigIntegerField(null=True)
    actor = models.TextField()
    error = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    heartbeat_at = models.DateTimeField(null=True)
    correlation_id = models.UUIDField()

    class Meta:
        db_table = "run"
        constraints = (
            models.CheckConstraint(condition=Q(kind__in=["file", "api", "webhook"]), name="run_kind"),
            models.CheckConstraint(
                condition=Q(state__in=["queued", "running", "succeeded", "failed", "cancelled"]), name="run_state"
            ),
        )
        indexes = (
            models.Index(fields=["created_at"], name="run_waiting", condition=Q(state__in=["queued", "running"])),
        )

    def __str__(self) -> str:
        return f"{self.kind} {self.file_name or self.id} ({self.state})"


class InboundMessage(models.Model):
    """A message as it arrived, stored once: unique on (system, message id)."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    system = models.ForeignKey(System, models.PROTECT, related_name="messages", db_index=False)
    message_id = models.TextField()
    content_type = models.TextField(blank=True)
    body = models.BinaryField(null=True)
    received_at = models.DateTimeField(auto_now_add=True)
    run = models.ForeignKey(Run, models.PROTECT, null=True, related_name="messages")
    correlation_id = models.UUIDField()
    salt = models.BinaryField(null=True)
    digest = models.BinaryField()

    class Meta:
        db_table = "inbound_message"
        constraints = (models.UniqueConstraint(fields=["system", "message_id"], name="inbound_message_once"),)

    def __str__(self) -> str:
        return self.message_id


class IdempotencyKey(models.Model):
    """A caller's key for one call, and what was answered; without a status the call is being worked on."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    caller = models.TextField()
    key = models.TextField()
    request_digest = models.BinaryField()
    status = models.SmallIntegerField(null=True)
    answer = models.BinaryField(null=True)
    headers = models.JSONField(default=dict)
    correlation_id = models.UUIDField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "idempotency_key"
        constraints = (
            models.UniqueConstraint(fields=["caller", "key"], name="idempotency_key_once"),
            models.CheckConstraint(
                condition=Q(status__isnull=True, answer__isnull=True) | Q(status__isnull=False, answer__isnull=False),
                name="idempotency_key_answered",
            ),
        )
        indexes = (models.Index(fields=["created_at"], name="idempotency_key_age"),)

    def __str__(self) -> str:
        return f"{self.key} of {self.caller}"


class FieldDrift(models.Model):
    """A field that arrived though no mapping declares it: counted, with a sample, kept in raw only."""

    id = models.BigAutoField(primary_key=True)
    system = models.ForeignKey(System, models.PROTECT, related_name="field_drift", db_index=False)
    field = models.TextField()
    seen = models.BigIntegerField(default=0)
    sample = models.TextField(blank=True)
    first_seen_at = models.DateTimeField(auto_now_add=True)
    last_seen_at = models.DateTimeField(auto_now=True)

    class Meta:
        db_table = "field_drift"
        constraints = (models.UniqueConstraint(fields=["system", "field"], name="field_drift_key"),)

    def __str__(self) -> str:
        return self.field
