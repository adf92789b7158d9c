"""Quality as it was measured last: a small table, made anew each time."""

from django.db import models
from django.db.models import Q

from apps.common.ids import uuid7
from apps.customers.models.source import System


class QualityScore(models.Model):
    """Of one system and one attribute ('' for whole records): how many records have a value, the mean of its scores (0 to 100), and how
    many failed each check, by its code."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    system = models.ForeignKey(System, models.CASCADE, related_name="quality_scores")
    attribute = models.TextField(blank=True)
    records = models.IntegerField()
    score = models.FloatField()
    failed = models.JSONField()
    policy_hash = models.TextField()
    measured_at = models.DateTimeField()

    class Meta:
        db_table = "quality_score"
        constraints = (
            models.UniqueConstraint(fields=["system", "attribute"], name="quality_score_once"),
            models.CheckConstraint(condition=Q(score__gte=0, score__lte=100), name="quality_score_percent"),
        )

    def __str__(self) -> str:
        return f"{self.attribute or 'records'}: {self.score}"
