"""Evidence: features and keys of each record, scored pairs, and what has to be looked at again."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from apps.common.ids import uuid7
from apps.customers.models import SourceRecord


class MatchModel(models.Model):
    """Parameters, frequency tables, generic values and thresholds, frozen: every Edge names the version that scored it.

    `queued_to`: while a version that was put in force is spread, the last record that went into the redo queue; null when all did."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    version = models.IntegerField(unique=True)
    state = models.TextField(default="active")
    parameters = models.JSONField()
    hash = models.TextField(unique=True)
    queued_to = models.UUIDField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "match_model"
        constraints = (
            models.UniqueConstraint(fields=["state"], condition=Q(state="active"), name="match_model_one_active"),
            models.CheckConstraint(condition=Q(state__in=["draft", "active", "retired"]), name="match_model_state"),
        )

    def __str__(self) -> str:
        return f"model {self.version}"


class MatchRecord(models.Model):
    """Standardised features of one source record, and the blocking keys they gave."""

    source_record = models.OneToOneField(SourceRecord, models.CASCADE, primary_key=True, related_name="match_record")
    features = models.TextField()
    keys = ArrayField(models.BigIntegerField())
    features_version = models.IntegerField()

    class Meta:
        db_table = "match_record"

    def __str__(self) -> str:
        return str(self.source_record_id)


class BlockingKey(models.Model):
    """One record under one key. Records that share a key which is not oversized are compared."""

    pk = models.CompositePrimaryKey("key", "source_record")
    key = models.BigIntegerField()
    source_record = models.ForeignKey(
        SourceRecord, models.CASCADE, related_name="+", db_index=False, db_constraint=False
    )

    class Meta:
        db_table = "blocking_key"

    def __str__(self) -> str:
        return str(self.key)


class OversizedKey(models.Model):
    """A key held by more records than the cap: it links nobody, whichever record came first."""

    key = models.BigIntegerField(primary_key=True)
    seen_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "oversized_key"

    def __str__(self) -> str:
        return str(self.key)


class Edge(models.Model):
    """A scored pair of source records above the lower threshold. Append-only but for `superseded_at`."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    record_a = models.ForeignKey(SourceRecord, models.PROTECT, related_name="+", db_index=False)
    record_b = models.ForeignKey(SourceRecord, models.PROTECT, related_name="+", db_index=False)
    weight = models.FloatField()
    probability = models.FloatField()
    levels = ArrayField(models.SmallIntegerField(), null=True)
    flags = models.SmallIntegerField(default=0)
    model_version = models.IntegerField()
    scored_at = models.DateTimeField()
    superseded_at = models.DateTimeField(null=True)
    salt = models.BinaryField(null=True)
    digest = models.BinaryField()

    class Meta:
        db_table = "edge"
        constraints = (
            models.UniqueConstraint(
                fields=["record_a", "record_b"], condition=Q(superseded_at__isnull=True), name="edge_one_live"
            ),
            models.CheckConstraint(condition=Q(record_a__lt=F("record_b")), name="edge_ordered"),
        )
        indexes = (
            models.Index(fields=["record_b"], name="edge_live_b", condition=Q(superseded_at__isnull=True)),
            models.Index(fields=["superseded_at"], name="edge_superseded", condition=Q(superseded_at__isnull=False)),
        )

    def __str__(self) -> str:
        return f"{self.record_a_id} ~ {self.record_b_id}: {self.weight:.1f}"


class Redo(models.Model):
    """A record whose earlier decision has to be taken again, with the reason. Asked for twice is asked for once."""

    source_record = models.OneToOneField(SourceRecord, models.CASCADE, primary_key=True, related_name="+")
    reason = models.TextField()
    due_at = models.DateTimeField()
    attempts = models.SmallIntegerField(default=0)

    class Meta:
        db_table = "redo"
        indexes = (models.Index(fields=["due_at"], name="redo_due"),)

    def __str__(self) -> str:
        return f"{self.source_record_id}: {self.reason}"


class Doubt(models.Model):
    """A pair the machine would not decide, and why; what a steward's case points to."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    record_a = models.ForeignKey(SourceRecord, models.PROTECT, related_name="+", db_index=False)
    record_b = models.ForeignKey(SourceRecord, models.PROTECT, related_name="+")
    reason = models.TextField()
    weight = models.FloatField(null=True)
    sentence = models.TextField()
    state = models.TextField(default="open")
    opened_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "doubt"
        constraints = (
            models.UniqueConstraint(fields=["record_a", "record_b"], condition=Q(state="open"), name="doubt_one_open"),
            models.CheckConstraint(condition=Q(record_a__lt=F("record_b")), name="doubt_ordered"),
            models.CheckConstraint(condition=Q(state__in=["open", "decided", "overtaken"]), name="doubt_state"),
        )

    def __str__(self) -> str:
        return f"{self.record_a_id} ? {self.record_b_id}: {self.reason}"
