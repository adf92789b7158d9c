"""Runs over all customers: how far each has come."""

from django.db import models
from django.db.models import Q

from apps.common.ids import uuid7


class RebuildRun(models.Model):
    """All active customers derived again, in the order of their ids. `after_id` moves in the transaction of each batch, so that whoever
    goes on does nothing twice and leaves nothing out."""

    class Reason(models.TextChoices):
        POLICY = "policy", "Another policy"
        DECAY = "decay", "Trust decays"
        MANUAL = "manual", "On demand"

    class State(models.TextChoices):
        RUNNING = "running"
        DONE = "done"
        SUPERSEDED = "superseded"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    policy_hash = models.TextField()
    reason = models.TextField(choices=Reason)
    state = models.TextField(choices=State, default=State.RUNNING)
    after_id = models.UUIDField(null=True)
    done = models.IntegerField(default=0)
    written = models.IntegerField(default=0)
    conflicts = models.IntegerField(default=0)
    failed = models.IntegerField(default=0)
    last_error = models.TextField(blank=True, default="")
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    actor = models.TextField()
    correlation_id = models.UUIDField()

    class Meta:
        db_table = "rebuild_run"
        constraints = (
            models.UniqueConstraint(fields=["state"], condition=Q(state="running"), name="rebuild_run_one_running"),
            models.CheckConstraint(condition=Q(state__in=["running", "done", "superseded"]), name="rebuild_run_state"),
            models.CheckConstraint(condition=Q(reason__in=["policy", "decay", "manual"]), name="rebuild_run_reason"),
            models.CheckConstraint(
                condition=Q(state="running", finished_at__isnull=True)
                | (~Q(state="running") & Q(finished_at__isnull=False)),
                name="rebuild_run_finished",
            ),
        )

    def __str__(self) -> str:
        return f"{self.reason} ({self.state})"
