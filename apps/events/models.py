"""Facts about customers, written in the transaction that made them true."""

from django.contrib.postgres.fields import ArrayField
from django.db import models

from apps.common.ids import uuid7


class Event(models.Model):
    """One fact about one version of one subject. `position` is given by the relay alone, after commit, without gaps."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    type = models.TextField()
    subject_id = models.UUIDField()
    version = models.IntegerField()
    occurred_at = models.DateTimeField()
    actor = models.TextField()
    correlation_id = models.UUIDField()
    quiet = models.BooleanField(default=False)
    body = models.JSONField(null=True)
    salt = models.BinaryField(null=True)
    digest = models.BinaryField()
    position = models.BigIntegerField(null=True)

    class Meta:
        db_table = "event"
        constraints = (
            models.UniqueConstraint(fields=["subject_id", "version"], name="event_one_per_version"),
            models.UniqueConstraint(
                fields=["position"], condition=models.Q(position__isnull=False), name="event_position_unique"
            ),
        )
        indexes = (
            models.Index(fields=["occurred_at", "id"], name="event_waiting", condition=models.Q(position__isnull=True)),
        )

    def __str__(self) -> str:
        return f"{self.type} {self.subject_id} v{self.version}"


class FeedHead(models.Model):
    """The last position given: exactly one row, locked by the relay while it gives the next."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    position = models.BigIntegerField(default=0)

    class Meta:
        db_table = "feed_head"
        constraints = (models.CheckConstraint(condition=models.Q(id=1), name="feed_head_single"),)

    def __str__(self) -> str:
        return str(self.position)


class FeedReader(models.Model):
    """How far one of the hub's own readers of the change feed has got: kept in the transaction of what it made of the events."""

    name = models.TextField(primary_key=True)
    position = models.BigIntegerField(default=0)

    class Meta:
        db_table = "feed_reader"

    def __str__(self) -> str:
        return f"{self.name} {self.position}"


class Seal(models.Model):
    """Up to 1,000 rows of one aspect of a table, sealed together: `leaves` is 16 bytes of id and 32 bytes of digest for each, by id.

    `columns`: what the digests cover, in this order. `newest`: the highest place of a row in it (see sealing.py). `root` covers all that
    stands here and the root before it; `sequence` has no gap."""

    sequence = models.BigIntegerField(primary_key=True)
    aspect = models.TextField()
    columns = ArrayField(models.TextField())
    first = models.UUIDField()
    last = models.UUIDField()
    count = models.IntegerField()
    newest = models.BigIntegerField()
    leaves = models.BinaryField()
    previous = models.BinaryField()
    root = models.BinaryField()
    sealed_at = models.DateTimeField()

    class Meta:
        db_table = "seal"
        indexes = (models.Index(fields=["aspect", "newest"], name="seal_newest"),)

    def __str__(self) -> str:
        return f"{self.sequence}: {self.count} of {self.aspect}"


class SealCursor(models.Model):
    """How far an aspect of a table is settled: what has a lower `place` and no seal was not there when it should have been.

    `marks`: of tables that are numbered, [moment in microseconds, highest number seen by then]."""

    aspect = models.TextField(primary_key=True)
    place = models.BigIntegerField(default=0)
    marks = models.JSONField(default=list)

    class Meta:
        db_table = "seal_cursor"

    def __str__(self) -> str:
        return f"{self.aspect} {self.place}"


class Checkpoint(models.Model):
    """The signed root of a seal. What counts is the same line in the file outside the database; `key` says which key signed."""

    sequence = models.BigIntegerField(primary_key=True)
    root = models.BinaryField()
    signed_at = models.DateTimeField()
    key = models.TextField()
    signature = models.BinaryField()

    class Meta:
        db_table = "checkpoint"

    def __str__(self) -> str:
        return str(self.sequence)


class AuditCheck(models.Model):
    """One verification of the whole audit in turns: `upto` is the last seal whose rows were looked at. `findings`: the first of them;
    `missing`: sealed rows that were not there, by aspect."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    upto = models.BigIntegerField(default=0)
    rows = models.BigIntegerField(default=0)
    broken = models.BigIntegerField(default=0)
    findings = models.JSONField(default=list)
    missing = models.JSONField(default=dict)

    class Meta:
        db_table = "audit_check"

    def __str__(self) -> str:
        return f"{self.started_at:%Y-%m-%d}: {self.broken}"
