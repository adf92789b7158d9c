"""Values that have grown old, as they were counted last: a small table, made anew each time."""

from django.db import models
from django.db.models import F, Q


class StaleAttribute(models.Model):
    """Of one attribute that the policy gives an age (`days`, by `clock`): how many customers have a value (`held`), of how many it is
    older (`stale`), of how many of these its age is not known (`unknown`), and the oldest: [[customer, since or null], …]."""

    attribute = models.TextField(primary_key=True)
    days = models.IntegerField()
    clock = models.TextField()
    held = models.IntegerField()
    stale = models.IntegerField()
    unknown = models.IntegerField()
    oldest = models.JSONField()
    policy_hash = models.TextField()
    measured_at = models.DateTimeField()

    class Meta:
        db_table = "stale_attribute"
        constraints = (
            models.CheckConstraint(
                condition=Q(unknown__gte=0, unknown__lte=F("stale"), stale__lte=F("held")),
                name="stale_attribute_counts",
            ),
        )

    def __str__(self) -> str:
        return f"{self.attribute}: {self.stale} of {self.held}"
