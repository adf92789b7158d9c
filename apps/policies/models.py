"""Versioned rule documents."""

from django.db import models
from django.db.models import F, Q

from apps.common.ids import uuid7


class Policy(models.Model):
    """One version of one kind of rules; a decision stores the `hash` of the policy it was made under."""

    class State(models.TextChoices):
        DRAFT = "draft"
        ACTIVE = "active"
        RETIRED = "retired"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    kind = models.TextField()
    version = models.IntegerField()
    state = models.TextField(choices=State, default=State.DRAFT)
    body = models.JSONField()
    hash = models.TextField()
    note = models.TextField(blank=True)
    author = models.TextField()
    approver = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    activated_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "policy"
        verbose_name_plural = "policies"
        constraints = (
            models.UniqueConstraint(fields=["kind", "version"], name="policy_version_unique"),
            models.UniqueConstraint(fields=["kind"], condition=Q(state="active"), name="policy_one_active"),
            models.CheckConstraint(condition=Q(state__in=["draft", "active", "retired"]), name="policy_state"),
            models.CheckConstraint(condition=Q(approver="") | ~Q(approver=F("author")), name="policy_four_eyes"),
        )

    def __str__(self) -> str:
        return f"{self.kind} {self.version} ({self.state})"
