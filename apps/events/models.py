"""Facts about customers, written in the transaction that made them true."""

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
