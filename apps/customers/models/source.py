"""What the systems told us: systems, their records, and which customer each record belongs to."""

from django.db import models
from django.db.models import Q

from apps.common.ids import uuid7


class System(models.Model):
    """A place customers are known in. `trust` (0–100) orders systems in survivorship; the system `steward` carries people's pins."""

    class Kind(models.TextChoices):
        CRM = "crm", "CRM"
        ERP = "erp", "ERP"
        BILLING = "billing"
        SUPPORT = "support"
        FILE = "file"
        STEWARD = "steward"
        OTHER = "other"

    class DeletePolicy(models.TextChoices):
        KEEP = "keep", "keep: a deleted record goes on contributing"
        DOWNGRADE = "downgrade", "downgrade: its values stay until any live record has one"
        END_DATE = (
            "end_date",
            "end date: as downgrade, and its addresses, contact points, identifiers and names end that day",
        )
        CASCADE = "cascade", "cascade: its values leave the customer; with the last record the customer is closed"

    id = models.SmallAutoField(primary_key=True)
    code = models.TextField(unique=True, help_text="Lower-case letters, digits, - and _; stands in every API call.")
    name = models.TextField()
    kind = models.TextField(choices=Kind, default=Kind.OTHER)
    region = models.TextField(blank=True)
    trust = models.SmallIntegerField(default=50, help_text="0 to 100; the higher wins where no policy says otherwise.")
    delete_policy = models.TextField(choices=DeletePolicy, default=DeletePolicy.DOWNGRADE)
    one_record_per_customer = models.BooleanField(
        default=False,
        help_text="This system has no duplicates of its own: two of its records are never merged automatically.",
    )
    record_url = models.TextField(blank=True, help_text="Where a record opens in the system; {id} stands for its id.")
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "system"
        ordering = ("code",)
        constraints = (
            models.CheckConstraint(condition=Q(code__regex=r"^[a-z0-9][a-z0-9_-]{0,39}$"), name="system_code_shape"),
            models.CheckConstraint(
                condition=Q(kind__in=["crm", "erp", "billing", "support", "file", "steward", "other"]),
                name="system_kind",
            ),
            models.CheckConstraint(condition=Q(trust__range=(0, 100)), name="system_trust"),
            models.CheckConstraint(
                condition=Q(delete_policy__in=["keep", "downgrade", "end_date", "cascade"]), name="system_delete_policy"
            ),
        )

    def __str__(self) -> str:
        return self.name


class SourceRecord(models.Model):
    """One system's record of a customer, whole: `raw` as received, `canonical` as the hub understands it.

    `follows`: the record it goes with wherever that goes, because nothing of its own ties it to a customer: a steward's pins, and
    what the hub itself made in a target. It is never matched.

    Written by receive.py and identity.py in sets; never saved one by one."""

    class State(models.TextChoices):
        RECEIVED = "received"
        BUILT = "built"
        QUARANTINED = "quarantined"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    system = models.ForeignKey(System, models.PROTECT, related_name="records", db_index=False)
    external_id = models.TextField()
    kind = models.TextField()
    raw = models.TextField(null=True)
    raw_salt = models.BinaryField(null=True)
    raw_digest = models.BinaryField()
    canonical = models.JSONField()
    content_digest = models.BinaryField()
    version = models.IntegerField(default=1)
    source_updated_at = models.DateTimeField(null=True)
    newest_source_at = models.DateTimeField(null=True)
    received_at = models.DateTimeField()
    changed_at = models.DateTimeField()
    deleted = models.BooleanField(default=False)
    state = models.TextField(choices=State, default=State.RECEIVED)
    due_at = models.DateTimeField(null=True)
    attempts = models.SmallIntegerField(default=0)
    last_error = models.TextField(blank=True)
    customer = models.ForeignKey(
        "customers.Customer", models.DO_NOTHING, null=True, related_name="records", db_constraint=False
    )
    customer_active = models.BooleanField(default=True)
    follows = models.ForeignKey("self", models.PROTECT, null=True, related_name="followers", db_index=False)
    correlation_id = models.UUIDField()
    run_id = models.UUIDField(null=True)
    quiet = models.BooleanField(default=False)

    class Meta:
        db_table = "source_record"
        constraints = (
            models.UniqueConstraint(fields=["system", "external_id"], name="source_record_key"),
            models.CheckConstraint(condition=Q(customer_active=True), name="source_record_customer_active"),
            models.CheckConstraint(
                condition=Q(state__in=["received", "built", "quarantined"]), name="source_record_state"
            ),
            models.CheckConstraint(
                condition=~Q(state="built") | Q(customer__isnull=False), name="source_record_built_has_customer"
            ),
            models.CheckConstraint(condition=Q(kind__in=["person", "organization"]), name="source_record_kind"),
            models.CheckConstraint(condition=Q(version__gte=1), name="source_record_version_positive"),
        )
        indexes = (models.Index(fields=["due_at"], name="source_record_due", condition=Q(state="received")),)

    def __str__(self) -> str:
        return f"{self.system_id}:{self.external_id}"


class SourceRecordVersion(models.Model):
    """A version of a source record that a later one replaced. Append-only; erasable."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    source_record = models.ForeignKey(SourceRecord, models.PROTECT, related_name="versions", db_index=False)
    version = models.IntegerField()
    raw = models.TextField(null=True)
    canonical = models.JSONField(null=True)
    content_digest = models.BinaryField()
    source_updated_at = models.DateTimeField(null=True)
    received_at = models.DateTimeField()
    replaced_at = models.DateTimeField()
    deleted = models.BooleanField(default=False)
    salt = models.BinaryField(null=True)
    digest = models.BinaryField()

    class Meta:
        db_table = "source_record_version"
        constraints = (models.UniqueConstraint(fields=["source_record", "version"], name="source_record_version_key"),)

    def __str__(self) -> str:
        return f"{self.source_record_id} v{self.version}"


class Link(models.Model):
    """(system, external id) of a record in a system. It belongs to a source record and travels with it on merge and unmerge.

    `last_sent`: flat values the system holds because the hub sent them, as they come back; a field that the system changes by itself
    leaves it. `acknowledged_version` of `acknowledged_customer`: what the system has confirmed. `disposition`: what the hub, or the
    system itself, has made of the record there."""

    class Disposition(models.TextChoices):
        THERE = "there"
        DEACTIVATED = "deactivated"
        MERGED = "merged"
        GONE = "gone"

    class State(models.TextChoices):
        ACTIVE = "active"
        DUPLICATE = "duplicate"
        RETIRED = "retired"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    system = models.ForeignKey(System, models.PROTECT, related_name="links", db_index=False)
    external_id = models.TextField()
    source_record = models.ForeignKey(SourceRecord, models.PROTECT, related_name="links", db_index=False)
    state = models.TextField(choices=State, default=State.ACTIVE)
    disposition = models.TextField(choices=Disposition, db_default="there")
    last_sent = models.JSONField(db_default={})
    acknowledged_customer = models.UUIDField(null=True)
    acknowledged_version = models.IntegerField(null=True)
    acknowledged_at = models.DateTimeField(null=True)
    etag = models.TextField(blank=True, db_default="")
    merged_into = models.TextField(blank=True, db_default="")
    created_at = models.DateTimeField(auto_now_add=True)
    retired_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "link"
        constraints = (
            models.UniqueConstraint(fields=["system", "external_id"], name="link_key"),
            models.UniqueConstraint(fields=["source_record"], condition=Q(state="active"), name="link_one_active"),
            models.CheckConstraint(condition=Q(state__in=["active", "duplicate", "retired"]), name="link_state"),
            models.CheckConstraint(
                condition=Q(disposition__in=["there", "deactivated", "merged", "gone"]), name="link_disposition"
            ),
        )

    def __str__(self) -> str:
        return f"{self.system_id}:{self.external_id}"


class Membership(models.Model):
    """Which customer a source record belonged to, from when to when, and why it moved. Append-only but for `until`."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    source_record = models.ForeignKey(SourceRecord, models.PROTECT, related_name="memberships", db_index=False)
    customer = models.ForeignKey("customers.Customer", models.PROTECT, related_name="memberships")
    since = models.DateTimeField()
    until = models.DateTimeField(null=True)
    action = models.TextField()
    actor = models.TextField()
    reason = models.TextField(blank=True)
    model_version = models.IntegerField(null=True)
    correlation_id = models.UUIDField()

    class Meta:
        db_table = "membership"
        constraints = (
            models.UniqueConstraint(
                fields=["source_record"], condition=Q(until__isnull=True), name="membership_one_open"
            ),
            models.CheckConstraint(
                condition=Q(until__isnull=True) | Q(until__gt=models.F("since")), name="membership_forward"
            ),
            models.CheckConstraint(
                condition=Q(action__in=["created", "attached", "merged", "unmerged", "detached", "judged"]),
                name="membership_action",
            ),
        )
        indexes = (models.Index(fields=["until"], name="membership_ended", condition=Q(until__isnull=False)),)

    def __str__(self) -> str:
        return f"{self.source_record_id} in {self.customer_id}"
