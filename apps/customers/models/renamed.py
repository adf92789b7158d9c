"""Keys that systems have given up for others."""

from django.db import models
from django.db.models import F, Q

from apps.common.ids import uuid7
from apps.customers.models.source import SourceRecord, System


class RenamedKey(models.Model):
    """A source record whose key in its system was changed: from `before` to `after`, when, by whom and why. Append-only and sealed.

    What the record said under the old key was sealed under the old key: by this row it still verifies."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    source_record = models.ForeignKey(SourceRecord, models.PROTECT, related_name="renamed", db_index=False)
    system = models.ForeignKey(System, models.PROTECT, related_name="+", db_index=False)
    before = models.TextField()
    after = models.TextField()
    actor = models.TextField()
    reason = models.TextField()
    correlation_id = models.UUIDField()
    renamed_at = models.DateTimeField()

    class Meta:
        db_table = "renamed_key"
        constraints = (models.CheckConstraint(condition=~Q(before=F("after")), name="renamed_key_differs"),)
        indexes = (
            models.Index(fields=["source_record"], name="renamed_key_record"),
            models.Index(fields=["system", "before"], name="renamed_key_before"),
        )

    def __str__(self) -> str:
        return f"{self.system_id}:{self.before} is {self.after}"
