"""The golden record, its history, and the tables that find it."""

from typing import Any

from django.contrib.postgres.indexes import GinIndex, OpClass
from django.contrib.postgres.search import SearchVectorField
from django.db import models
from django.db.models import F, Q
from simple_history.models import HistoricalRecords

from apps.common.errors import Permanent
from apps.common.ids import uuid7
from apps.customers.survivorship_lineage import pack, unpack


class LineageField(models.JSONField):
    """Lineage as it is in memory; the database holds it packed."""

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        return unpack(super().from_db_value(value, expression, connection) or [])

    def get_prep_value(self, value: Any) -> Any:
        return pack(super().get_prep_value(value))


class Snapshot(models.Model):
    """What a history row carries beside the customer's columns."""

    actor = models.TextField(blank=True)
    correlation_id = models.UUIDField(null=True)
    salt = models.BinaryField(null=True)
    digest = models.BinaryField(null=True)

    class Meta:
        abstract = True


class Customer(models.Model):
    """The golden record: derived from its members by policy, never edited.

    The attribute columns hold *effective* values. `held` holds the derived value of each attribute that a Hold keeps back,
    so derived = columns updated with `held`. Only store.py writes this table."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    active = models.BooleanField(default=True)
    replaced_by = models.UUIDField(null=True)
    retired_reason = models.TextField(blank=True)
    version = models.IntegerField(default=1)
    kind = models.TextField()
    name = models.TextField(null=True)
    given_name = models.TextField(null=True)
    family_name = models.TextField(null=True)
    organization_name = models.TextField(null=True)
    birth_date = models.DateField(null=True)
    website = models.TextField(null=True)
    currency = models.TextField(null=True)
    language = models.TextField(null=True)
    payment_terms = models.TextField(null=True)
    credit_limit = models.DecimalField(max_digits=18, decimal_places=2, null=True)
    status = models.TextField(null=True)
    addresses = models.JSONField(default=list)
    contact_points = models.JSONField(default=list)
    identifiers = models.JSONField(default=list)
    names = models.JSONField(default=list)
    extra = models.JSONField(default=dict)
    held = models.JSONField(default=dict)
    lineage = LineageField(default=dict)
    policy_hash = models.TextField()
    member_count = models.IntegerField(default=1)
    released = models.BooleanField(default=True)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    history = HistoricalRecords(
        bases=[Snapshot],
        history_id_field=models.UUIDField(default=uuid7, editable=False),
        table_name="historical_customer",
        cascade_delete_history=False,
    )

    class Meta:
        db_table = "customer"
        constraints = (
            models.UniqueConstraint(fields=["id", "active"], name="customer_id_active"),
            models.CheckConstraint(
                condition=Q(active=True, replaced_by__isnull=True) | Q(active=False),
                name="customer_active_not_replaced",
            ),
            models.CheckConstraint(
                condition=Q(replaced_by__isnull=True) | ~Q(replaced_by=F("id")), name="customer_not_own_successor"
            ),
            models.CheckConstraint(
                condition=Q(active=True) | ~Q(retired_reason=""), name="customer_retired_for_a_reason"
            ),
            models.CheckConstraint(
                condition=Q(active=False) | Q(member_count__gte=1), name="customer_active_has_members"
            ),
            models.CheckConstraint(condition=Q(version__gte=1), name="customer_version_positive"),
            models.CheckConstraint(condition=Q(kind__in=["person", "organization"]), name="customer_kind"),
        )
        # Lists and counts of active customers are read from this index alone: the rows themselves are wide.
        indexes = (
            models.Index(fields=["updated_at", "id"], include=["active", "member_count"], name="customer_updated"),
        )

    def __str__(self) -> str:
        return self.name or str(self.id)

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Refused: a golden record is derived. Change a source record, a judgement, a pin or the policy, then rebuild."""
        raise Permanent("A golden record is derived, never edited: change a source record or a policy and rebuild.")

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        """Refused: an id once issued resolves for ever."""
        raise Permanent("A golden record is never deleted: its id has to resolve for ever.")


class Redirect(models.Model):
    """A retired id and its successor, dated. An unmerge closes the row; nothing deletes it."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    retired = models.ForeignKey(Customer, models.PROTECT, related_name="redirects")
    successor = models.ForeignKey(Customer, models.PROTECT, related_name="redirected_from")
    since = models.DateTimeField()
    until = models.DateTimeField(null=True)
    reason = models.TextField(blank=True)
    actor = models.TextField()
    correlation_id = models.UUIDField()

    class Meta:
        db_table = "redirect"
        constraints = (
            models.UniqueConstraint(fields=["retired"], condition=Q(until__isnull=True), name="redirect_one_open"),
            models.CheckConstraint(condition=~Q(retired=F("successor")), name="redirect_elsewhere"),
        )
        indexes = (models.Index(fields=["until"], name="redirect_ended", condition=Q(until__isnull=False)),)

    def __str__(self) -> str:
        return f"{self.retired_id} -> {self.successor_id}"


class CustomerDue(models.Model):
    """The next day on which an entry of a customer's lists begins to hold, or holds no longer: then it is derived again."""

    customer = models.OneToOneField(Customer, models.CASCADE, primary_key=True, related_name="due", db_constraint=False)
    on = models.DateField(db_index=True)

    class Meta:
        db_table = "customer_due"

    def __str__(self) -> str:
        return f"{self.customer_id} on {self.on}"


class LookupKey(models.Model):
    """An exact way to find a customer: kind is email, phone, an identifier type, or `external` with value `system:id`.

    Without a foreign key: customers are never deleted, and these rows are written by the thousand."""

    pk = models.CompositePrimaryKey("kind", "value", "customer")
    kind = models.TextField()
    value = models.TextField()
    customer = models.ForeignKey(Customer, models.CASCADE, related_name="lookup_keys", db_constraint=False)

    class Meta:
        db_table = "lookup_key"

    def __str__(self) -> str:
        return f"{self.kind}={self.value}"


class CustomerSearch(models.Model):
    """The text by which people search an active customer; kept by store.py."""

    customer = models.OneToOneField(Customer, models.CASCADE, primary_key=True, related_name="search")
    document = SearchVectorField()
    names = models.TextField()

    class Meta:
        db_table = "customer_search"
        indexes = (
            GinIndex(fields=["document"], name="customer_search_document"),
            GinIndex(OpClass(F("names"), name="gin_trgm_ops"), name="customer_search_names"),
        )

    def __str__(self) -> str:
        return self.names
