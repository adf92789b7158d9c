"""Shapes of what the connectors room reads and answers."""

from typing import Any

from rest_framework import serializers

from apps.common.api.serializers import Page, Strict
from apps.connectors.models import Run
from apps.customers.models import Quarantine
from apps.matching.api.serializers import FlatRecord

CODE = r"^[a-z0-9][a-z0-9_-]{0,39}$"


class SendQuery(Strict):
    system = serializers.RegexField(CODE, required=False, help_text="Code of the system the records are of.")
    mode = serializers.ChoiceField(
        choices=("full", "patch"),
        default="full",
        help_text="full: what is absent is not known; patch: stays as it was.",
    )
    unknown = serializers.ChoiceField(
        choices=("refuse", "keep"),
        default="refuse",
        help_text="Fields nobody declared: refuse the call, or keep them in raw.",
    )
    mapping = serializers.CharField(required=False, max_length=100, help_text="Name of a mapping of the system.")
    quiet = serializers.BooleanField(default=False, help_text="An initial load: matched and built, nobody is told yet.")
    dry_run = serializers.BooleanField(default=False, help_text="Say what would happen, keep nothing.")


class RecordsIn(serializers.Serializer[Any]):
    """{"records": […]}, or one record alone."""

    system = serializers.CharField(required=False, help_text="Instead of ?system=.")
    records = FlatRecord(many=True)


class NoteOut(serializers.Serializer[Any]):
    pointer = serializers.CharField(allow_blank=True, help_text="JSON pointer into the record.")
    code = serializers.CharField()
    detail = serializers.CharField()


class ResultOut(serializers.Serializer[Any]):
    index = serializers.IntegerField()
    external_id = serializers.CharField(allow_null=True)
    outcome = serializers.ChoiceField(choices=("created", "changed", "deleted", "unchanged", "stale", "quarantined"))
    customer_id = serializers.UUIDField(allow_null=True)
    record_id = serializers.UUIDField(allow_null=True)
    quarantine_id = serializers.UUIDField(allow_null=True)
    problems = NoteOut(many=True)
    warnings = NoteOut(many=True)


class ResultsOut(serializers.Serializer[Any]):
    results = ResultOut(many=True)


class DeletedOut(serializers.Serializer[Any]):
    external_id = serializers.CharField()
    outcome = serializers.ChoiceField(choices=("deleted", "unchanged", "stale"))
    customer_id = serializers.UUIDField(allow_null=True)
    record_id = serializers.UUIDField()


class RenameIn(Strict):
    """A key and the one that its system calls the record by now."""

    def get_fields(self) -> dict[str, Any]:
        return {
            "from": serializers.CharField(max_length=200, trim_whitespace=False),
            "to": serializers.CharField(max_length=200, trim_whitespace=False),
        }


class RekeyIn(Strict):
    system = serializers.RegexField(CODE)
    renames = serializers.ListField(child=RenameIn(), min_length=1, max_length=250)
    reason = serializers.CharField(max_length=1000)


class RekeyedOut(serializers.Serializer[Any]):
    external_id = serializers.CharField(help_text="The key from now on.")
    former_id = serializers.CharField()
    customer_id = serializers.UUIDField(allow_null=True, help_text="The same as before; null: not matched yet.")
    record_id = serializers.UUIDField()


class RekeyedListOut(serializers.Serializer[Any]):
    items = RekeyedOut(many=True)


class CountsOut(serializers.Serializer[Any]):
    read = serializers.IntegerField()
    created = serializers.IntegerField()
    changed = serializers.IntegerField()
    deleted = serializers.IntegerField()
    unchanged = serializers.IntegerField()
    stale = serializers.IntegerField()
    quarantined = serializers.IntegerField()


class JobOut(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    kind = serializers.ChoiceField(choices=("file", "api", "webhook"))
    system = serializers.CharField()
    state = serializers.ChoiceField(choices=[s.value for s in Run.State])
    file_name = serializers.CharField(allow_blank=True)
    counts = CountsOut()
    total = serializers.IntegerField(allow_null=True, help_text="Records (API) or bytes (files) in all, once known.")
    actor = serializers.CharField()
    error = serializers.CharField(allow_blank=True)
    created_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)
    correlation_id = serializers.UUIDField()


class JobsQuery(Page):
    state = serializers.ChoiceField(choices=[s.value for s in Run.State], required=False)
    system = serializers.RegexField(CODE, required=False)


class JobsOut(serializers.Serializer[Any]):
    items = JobOut(many=True)
    next = serializers.CharField(allow_null=True)


class QuarantineQuery(Page):
    state = serializers.ChoiceField(choices=[s.value for s in Quarantine.State], default="open")
    system = serializers.RegexField(CODE, required=False)
    job = serializers.UUIDField(required=False, help_text="Only records of this job.")


class QuarantinedOut(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    system = serializers.CharField()
    job_id = serializers.UUIDField(allow_null=True)
    file_name = serializers.CharField(allow_blank=True)
    line = serializers.IntegerField(allow_null=True)
    external_id = serializers.CharField(allow_blank=True)
    raw = serializers.CharField(allow_null=True)
    problems = NoteOut(many=True)
    state = serializers.ChoiceField(choices=[s.value for s in Quarantine.State])
    received_at = serializers.DateTimeField()
    resolved_by = serializers.CharField(allow_blank=True)
    resolved_at = serializers.DateTimeField(allow_null=True)


class QuarantineOut(serializers.Serializer[Any]):
    items = QuarantinedOut(many=True)
    next = serializers.CharField(allow_null=True)


class ResubmitIn(Strict):
    record = serializers.DictField(help_text="The mended record, under canonical names.")


class DiscardIn(Strict):
    reason = serializers.CharField(max_length=1000)
