"""What targets have to be told, what was tried, and which customers have to be planned again."""

from django.db import models
from django.db.models import Q

from apps.common.ids import uuid7
from apps.connectors.models.connection import Connection
from apps.customers.models import Customer, Link, SourceRecord


class Delivery(models.Model):
    """What one target must be told about one record: state, not steps, so the newest replaces one that still waits.

    `record` is the subject: the source record whose Link is written, or, for a create, the record the new one will follow. Of one
    subject at most one is under way (sending or uncertain) and one waits behind it. `values`: flat canonical values the target is
    meant to hold afterwards; `native`: how it is told. `attempts` is the fence: a result counts only for the attempt it is of.
    `changed_at`: when the customer became what is told here, by the database's clock."""

    class State(models.TextChoices):
        PLANNED = "planned"  # the connection observes: counted, never sent
        WAITING = "waiting"
        SENDING = "sending"
        UNCERTAIN = "uncertain"  # perhaps carried out: has to be found out before anything else is told
        DONE = "done"
        FAILED = "failed"  # a person has to look: the exception desk
        SUPERSEDED = "superseded"
        DISCARDED = "discarded"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    connection = models.ForeignKey(Connection, models.PROTECT, related_name="deliveries", db_index=False)
    customer = models.ForeignKey(Customer, models.PROTECT, related_name="deliveries", db_constraint=False)
    record = models.ForeignKey(SourceRecord, models.PROTECT, related_name="+", db_index=False, db_constraint=False)
    link = models.ForeignKey(Link, models.PROTECT, null=True, related_name="deliveries", db_constraint=False)
    op = models.TextField()
    cause = models.TextField()
    version = models.IntegerField()
    state = models.TextField(choices=State)
    lane = models.SmallIntegerField(default=0)
    values = models.JSONField()
    native = models.JSONField()
    losers = models.JSONField(default=list)
    revision = models.SmallIntegerField(default=0)
    due_at = models.DateTimeField()
    lease_until = models.DateTimeField(null=True)
    attempts = models.IntegerField(default=0)
    burned = models.SmallIntegerField(default=0)
    first_sent_at = models.DateTimeField(null=True)
    trouble = models.TextField(blank=True)
    code = models.TextField(blank=True)
    detail = models.TextField(blank=True)
    correlation_id = models.UUIDField()
    created_at = models.DateTimeField()
    changed_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    actor = models.TextField(blank=True)
    reason = models.TextField(blank=True)

    class Meta:
        db_table = "delivery"
        constraints = (
            models.CheckConstraint(
                condition=Q(op__in=["create", "update", "deactivate", "reactivate", "merge"]), name="delivery_op"
            ),
            models.CheckConstraint(
                condition=Q(
                    state__in=[
                        "planned", "waiting", "sending", "uncertain", "done", "failed", "superseded", "discarded",
                    ]
                ),
                name="delivery_state",
            ),
            models.CheckConstraint(
                condition=~Q(state="sending") | Q(lease_until__isnull=False), name="delivery_sending_has_a_lease"
            ),
            models.CheckConstraint(
                condition=Q(op="create") | Q(link__isnull=False), name="delivery_of_a_link_but_for_creates"
            ),
            models.CheckConstraint(condition=~Q(state="discarded") | ~Q(reason=""), name="delivery_discarded_why"),
            models.UniqueConstraint(
                fields=["connection", "record"], condition=Q(state__in=["sending", "uncertain"]),
                name="delivery_one_under_way",
            ),
            models.UniqueConstraint(
                fields=["connection", "record"], condition=Q(state__in=["waiting", "planned"]),
                include=["state", "op", "changed_at"], name="delivery_one_waiting",
            ),
        )  # fmt: skip
        indexes = (
            models.Index(
                fields=["connection", "lane", "due_at"], name="delivery_due",
                condition=Q(state__in=["waiting", "sending", "uncertain"]),
            ),
            models.Index(
                fields=["connection", "trouble", "code"], include=["finished_at"], name="delivery_failed",
                condition=Q(state="failed"),
            ),
            models.Index(fields=["record"], name="delivery_failed_record", condition=Q(state="failed")),
            models.Index(fields=["connection", "finished_at"], include=["state"], name="delivery_finished"),
            models.Index(fields=["correlation_id"], name="delivery_correlation"),
        )  # fmt: skip

    def __str__(self) -> str:
        return f"{self.op} {self.record_id} ({self.state})"


class DeliveryAttempt(models.Model):
    """One call, or one that never came to be: what was sent and answered, redacted. Append-only."""

    id = models.BigAutoField(primary_key=True)
    delivery = models.ForeignKey(Delivery, models.CASCADE, related_name="tries", db_index=False, db_constraint=False)
    number = models.IntegerField()
    started_at = models.DateTimeField()
    ms = models.IntegerField()
    trouble = models.TextField(blank=True)
    status = models.IntegerField(null=True)
    code = models.TextField(blank=True)
    detail = models.TextField(blank=True)
    request = models.TextField(blank=True)
    response = models.TextField(blank=True)

    class Meta:
        db_table = "delivery_attempt"
        constraints = (models.UniqueConstraint(fields=["delivery", "number"], name="delivery_attempt_number"),)

    def __str__(self) -> str:
        return f"{self.delivery_id} #{self.number}"


class PlanDue(models.Model):
    """A customer whose deliveries have to be worked out again, for another reason than an event of its own."""

    customer = models.OneToOneField(Customer, models.CASCADE, primary_key=True, related_name="+", db_constraint=False)
    cause = models.TextField()
    lane = models.SmallIntegerField(default=1)
    due_at = models.DateTimeField()
    correlation_id = models.UUIDField()

    class Meta:
        db_table = "plan_due"
        indexes = (models.Index(fields=["lane", "due_at"], name="plan_due_order"),)

    def __str__(self) -> str:
        return str(self.customer_id)
