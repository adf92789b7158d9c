"""What people and rules decided: judgements, holds, change requests, and the records set aside for a person."""

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import F, Q

from apps.common.ids import uuid7
from apps.customers.models.golden import Customer
from apps.customers.models.source import SourceRecord, System


class Judgement(models.Model):
    """A verdict on a pair of source records. A person's outranks a machine's; one live row per pair."""

    class Verdict(models.TextChoices):
        MATCH = "match"
        NO_MATCH = "no_match"
        UNSURE = "unsure"

    class Origin(models.TextChoices):
        MACHINE = "machine"
        PERSON = "person"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    record_a = models.ForeignKey(SourceRecord, models.PROTECT, related_name="+", db_index=False)
    record_b = models.ForeignKey(SourceRecord, models.PROTECT, related_name="+")
    verdict = models.TextField(choices=Verdict)
    origin = models.TextField(choices=Origin)
    actor = models.TextField()
    reason = models.TextField(blank=True)
    evidence_digest = models.BinaryField(null=True)
    correlation_id = models.UUIDField()
    decided_at = models.DateTimeField(auto_now_add=True)
    superseded_at = models.DateTimeField(null=True)
    superseded_by = models.UUIDField(null=True)
    """The correlation id of the act that took its place: by it that act can be taken back."""

    class Meta:
        db_table = "judgement"
        constraints = (
            models.UniqueConstraint(
                fields=["record_a", "record_b"], condition=Q(superseded_at__isnull=True), name="judgement_one_live"
            ),
            models.CheckConstraint(condition=Q(record_a__lt=F("record_b")), name="judgement_ordered"),
            models.CheckConstraint(condition=Q(verdict__in=["match", "no_match", "unsure"]), name="judgement_verdict"),
            models.CheckConstraint(condition=Q(origin__in=["machine", "person"]), name="judgement_origin"),
        )
        indexes = (
            models.Index(
                fields=["superseded_by"], name="judgement_superseded_by", condition=Q(superseded_by__isnull=False)
            ),
            models.Index(
                fields=["superseded_at"], name="judgement_superseded", condition=Q(superseded_at__isnull=False)
            ),
        )

    def __str__(self) -> str:
        return f"{self.record_a_id} {self.verdict} {self.record_b_id}"


class Relation(models.Model):
    """Two source records that are not one customer, but have to do with one another: a person says so, and may take it back.

    It hangs on records, so it goes with them through merges and unmerges of their customers."""

    class Kind(models.TextChoices):
        HOUSEHOLD = "household", "One household or family"
        GROUP = "group", "One group of companies"
        CONTACT = "contact", "A person of that company"
        OTHER = "other", "Something else"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    record_a = models.ForeignKey(SourceRecord, models.PROTECT, related_name="+", db_index=False)
    record_b = models.ForeignKey(SourceRecord, models.PROTECT, related_name="+")
    kind = models.TextField(choices=Kind)
    actor = models.TextField()
    reason = models.TextField(blank=True)
    correlation_id = models.UUIDField()
    since = models.DateTimeField(auto_now_add=True)
    until = models.DateTimeField(null=True)

    class Meta:
        db_table = "relation"
        constraints = (
            models.UniqueConstraint(
                fields=["record_a", "record_b"], condition=Q(until__isnull=True), name="relation_one_live"
            ),
            models.CheckConstraint(condition=Q(record_a__lt=F("record_b")), name="relation_ordered"),
            models.CheckConstraint(
                condition=Q(kind__in=["household", "group", "contact", "other"]), name="relation_kind"
            ),
        )
        indexes = (models.Index(fields=["correlation_id"], name="relation_correlation"),)

    def __str__(self) -> str:
        return f"{self.record_a_id} {self.kind} {self.record_b_id}"


class ChangeRequest(models.Model):
    """What a steward sees and decides: one or more holds, merges or policy changes. The author never approves."""

    class State(models.TextChoices):
        OPEN = "open"
        APPROVED = "approved"
        REJECTED = "rejected"
        CLOSED = "closed"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    kind = models.TextField()
    state = models.TextField(choices=State, default=State.OPEN)
    author = models.TextField()
    approver = models.TextField(blank=True)
    reason = models.TextField(blank=True)
    opened_at = models.DateTimeField(auto_now_add=True)
    decided_at = models.DateTimeField(null=True)
    correlation_id = models.UUIDField()

    class Meta:
        db_table = "change_request"
        constraints = (
            models.CheckConstraint(
                condition=Q(kind__in=["hold", "merge", "unmerge", "policy"]), name="change_request_kind"
            ),
            models.CheckConstraint(
                condition=Q(state__in=["open", "approved", "rejected", "closed"]), name="change_request_state"
            ),
            models.CheckConstraint(
                condition=Q(approver="") | ~Q(approver=F("author")), name="change_request_four_eyes"
            ),
            models.CheckConstraint(
                condition=Q(state="open", decided_at__isnull=True) | (~Q(state="open") & Q(decided_at__isnull=False)),
                name="change_request_decided",
            ),
        )

    def __str__(self) -> str:
        return f"{self.kind} ({self.state})"


class MergeRequest(models.Model):
    """What a change request of the kind "merge" asks for: these customers become one although rules stand against it. `vetoes`: the
    rules as they stood when it was asked, each with the two customers and the values of both."""

    change_request = models.OneToOneField(
        ChangeRequest, models.PROTECT, primary_key=True, related_name="merge", editable=False
    )
    customers = ArrayField(models.UUIDField())
    title = models.TextField()
    vetoes = models.JSONField()

    class Meta:
        db_table = "merge_request"
        constraints = (
            models.CheckConstraint(condition=Q(customers__len__gte=2), name="merge_request_two"),
            models.CheckConstraint(condition=~Q(vetoes=[]), name="merge_request_vetoed"),
        )

    def __str__(self) -> str:
        return self.title


class Hold(models.Model):
    """A protected attribute that keeps its effective value until someone else approves the proposed one."""

    class State(models.TextChoices):
        OPEN = "open"
        APPROVED = "approved"
        REJECTED = "rejected"
        CLOSED = "closed"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    customer = models.ForeignKey(Customer, models.PROTECT, related_name="holds")
    attribute = models.TextField()
    kept_value = models.JSONField(null=True)
    proposed_value = models.JSONField(null=True)
    proposed_hash = models.BinaryField()
    state = models.TextField(choices=State, default=State.OPEN)
    change_request = models.ForeignKey(ChangeRequest, models.PROTECT, related_name="holds")
    opened_at = models.DateTimeField(auto_now_add=True)
    decided_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "hold"
        constraints = (
            models.UniqueConstraint(
                fields=["customer", "attribute"], condition=Q(state__in=["open", "rejected"]), name="hold_one_live"
            ),
            models.CheckConstraint(
                condition=Q(state__in=["open", "approved", "rejected", "closed"]), name="hold_state"
            ),
        )

    def __str__(self) -> str:
        return f"{self.attribute} of {self.customer_id} ({self.state})"


class Quarantine(models.Model):
    """A record that could not be taken in: whole, with its place and every cause. Mended ones are sent through again."""

    class State(models.TextChoices):
        OPEN = "open"
        RESUBMITTED = "resubmitted"
        DISCARDED = "discarded"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    system = models.ForeignKey(System, models.PROTECT, related_name="quarantined")
    run_id = models.UUIDField(null=True)
    file_name = models.TextField(blank=True)
    line = models.BigIntegerField(null=True)
    external_id = models.TextField(blank=True)
    raw = models.TextField(null=True)
    problems = models.JSONField()
    state = models.TextField(choices=State, default=State.OPEN)
    fixed = models.JSONField(null=True)
    resolved_by = models.TextField(blank=True)
    resolved_at = models.DateTimeField(null=True)
    received_at = models.DateTimeField(auto_now_add=True)
    correlation_id = models.UUIDField()
    salt = models.BinaryField(null=True)
    digest = models.BinaryField()

    class Meta:
        db_table = "quarantine"
        verbose_name_plural = "quarantine"
        constraints = (
            models.CheckConstraint(
                condition=Q(state__in=["open", "resubmitted", "discarded"]), name="quarantine_state"
            ),
            models.CheckConstraint(
                condition=Q(state="open", resolved_at__isnull=True) | (~Q(state="open") & Q(resolved_at__isnull=False)),
                name="quarantine_resolved",
            ),
        )
        indexes = (
            models.Index(fields=["system", "received_at"], name="quarantine_open", condition=Q(state="open")),
            models.Index(fields=["run_id"], name="quarantine_run"),
        )

    def __str__(self) -> str:
        return f"{self.system_id}:{self.external_id or self.line}"


class Erasure(models.Model):
    """That the history of a customer was erased: who, why, when. Written by `erase_subject` alone, in the transaction that erases.

    `subjects`: ids of the customers, source records and quarantined records whose rows were emptied; `counts`: rows by table. Nothing
    of it says who the customer was."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    customer_id = models.UUIDField()
    subjects = ArrayField(models.UUIDField())
    counts = models.JSONField()
    actor = models.TextField()
    reason = models.TextField()
    correlation_id = models.UUIDField()
    erased_at = models.DateTimeField()
    written_in = models.BigIntegerField()
    """The transaction: the guards let a row of one of `subjects` be emptied in this one alone."""

    class Meta:
        db_table = "erasure"
        constraints = (models.CheckConstraint(condition=~Q(actor="") & ~Q(reason=""), name="erasure_by_and_why"),)
        indexes = (
            GinIndex(fields=["subjects"], name="erasure_subjects"),
            models.Index(fields=["written_in"], name="erasure_written_in"),
        )

    def __str__(self) -> str:
        return f"{self.customer_id} by {self.actor}"
