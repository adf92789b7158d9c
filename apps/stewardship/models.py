"""People's work: cases, and what stewards decided about them."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Length, Trim
from django.db.models.lookups import GreaterThan, LessThanOrEqual

from apps.accounts.models import User
from apps.common.ids import uuid7
from apps.customers.models import ChangeRequest, Customer


class Case(models.Model):
    """A piece of work for a steward. `subject`: the doubt, change request, quarantined record, delivery or customer it is about, by
    `kind`; the subject is the truth, and a case whose subject needs nobody any more closes itself. Cases with one `group_key` have one cause.

    `assignee`: who works on it, "user:…"; with `lease_until` it was taken and is anybody's again after that, without it was assigned.
    `deciding_until`: somebody's decision is being carried out. `accepted`: a person closed it though nothing has changed; what it says is
    not asked again."""

    class Kind(models.TextChoices):
        MATCH = "match", "Doubtful match"
        CHANGE = "change", "Change to approve"
        QUARANTINE = "quarantine", "Record set aside"
        EXCEPTION = "exception", "Sync exception"
        QUALITY = "quality", "Wrong value"

    class State(models.TextChoices):
        OPEN = "open"
        DEFERRED = "deferred"
        CLOSED = "closed"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    kind = models.TextField(choices=Kind)
    subject = models.UUIDField()
    group_key = models.TextField()
    customer = models.ForeignKey(Customer, models.PROTECT, null=True, related_name="cases", db_constraint=False)
    title = models.TextField()
    cause = models.TextField()
    sentence = models.TextField(blank=True)
    priority = models.SmallIntegerField()
    state = models.TextField(choices=State, default=State.OPEN)
    opened_at = models.DateTimeField()
    due_at = models.DateTimeField()
    assignee = models.TextField(blank=True)
    lease_until = models.DateTimeField(null=True)
    deferred_until = models.DateTimeField(null=True)
    deferred_why = models.TextField(blank=True)
    deciding_until = models.DateTimeField(null=True)
    closed_at = models.DateTimeField(null=True)
    closed_by = models.TextField(blank=True)
    outcome = models.TextField(blank=True)
    accepted = models.BooleanField(db_default=False)

    class Meta:
        db_table = "steward_case"
        constraints = (
            models.CheckConstraint(
                condition=Q(kind__in=["match", "change", "quarantine", "exception", "quality"]), name="case_kind"
            ),
            models.CheckConstraint(condition=Q(state__in=["open", "deferred", "closed"]), name="case_state"),
            models.CheckConstraint(condition=Q(priority__range=(1, 4)), name="case_priority"),
            models.CheckConstraint(
                condition=~Q(state="deferred") | (Q(deferred_until__isnull=False) & ~Q(deferred_why="")),
                name="case_deferred_until_and_why",
            ),
            models.CheckConstraint(
                condition=~Q(state="closed") | (Q(closed_at__isnull=False) & ~Q(outcome="")), name="case_closed_why"
            ),
            models.UniqueConstraint(fields=["kind", "subject"], condition=~Q(state="closed"), name="case_one_live"),
        )
        indexes = (
            models.Index(fields=["group_key", "priority", "due_at"], name="case_group", condition=~Q(state="closed")),
            models.Index(fields=["closed_at"], name="case_closed", condition=Q(state="closed")),
            models.Index(fields=["subject"], name="case_accepted", condition=Q(accepted=True)),
            models.Index(fields=["deferred_until"], name="case_deferred", condition=Q(state="deferred")),
        )

    def __str__(self) -> str:
        return f"{self.kind}: {self.title}"


class Decision(models.Model):
    """What a steward decided about who is who. Its id is the correlation id of everything that followed from it."""

    class Action(models.TextChoices):
        MERGE = "merge"
        APART = "apart"
        LINK = "link"
        UNMERGE = "unmerge"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    action = models.TextField(choices=Action)
    group_key = models.TextField(blank=True)
    title = models.TextField()
    reason = models.TextField(blank=True)
    actor = models.TextField()
    decided_at = models.DateTimeField(auto_now_add=True)
    done_at = models.DateTimeField(null=True)
    undone_at = models.DateTimeField(null=True)
    undone_by = models.TextField(blank=True)

    class Meta:
        db_table = "steward_decision"
        constraints = (
            models.CheckConstraint(
                condition=Q(action__in=["merge", "apart", "link", "unmerge"]), name="decision_action"
            ),
            models.CheckConstraint(condition=Q(undone_at__isnull=True) | ~Q(undone_by=""), name="decision_undone_by"),
        )
        indexes = (models.Index(fields=["actor", "-decided_at"], name="decision_of"),)

    def __str__(self) -> str:
        return f"{self.action}: {self.title}"


class SavedView(models.Model):
    """A filter of one page that somebody keeps under a name of their own. `query`: the part of the address after the question mark."""

    class Page(models.TextChoices):
        INBOX = "inbox"
        CUSTOMERS = "customers"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    owner = models.ForeignKey(User, models.CASCADE, related_name="saved_views")
    page = models.TextField(choices=Page)
    name = models.CharField(max_length=60)
    query = models.CharField(max_length=2_000, blank=True)
    saved_at = models.DateTimeField(auto_now=True)

    class Meta:
        db_table = "saved_view"
        constraints = (
            models.CheckConstraint(condition=Q(page__in=["inbox", "customers"]), name="saved_view_page"),
            models.UniqueConstraint(fields=["owner", "page", "name"], name="saved_view_one_of_a_name"),
        )

    def __str__(self) -> str:
        return f"{self.page}: {self.name}"


class Note(models.Model):
    """What somebody wants others to know of a customer. It hangs on the id it was written to, and is shown on whatever customer that id
    is part of. It is never rewritten: who wants to say something else removes it, with a reason, and writes another one.

    `id` is given out with the form, so that a form which is sent twice adds one note. Only what a database can hold and a person can
    read is taken: see notes.py."""

    LONGEST = 4_000

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    customer = models.ForeignKey(Customer, models.PROTECT, related_name="notes")
    body = models.TextField()
    author = models.TextField()
    written_at = models.DateTimeField()
    removed_at = models.DateTimeField(null=True)
    removed_by = models.TextField(blank=True)
    removed_why = models.TextField(blank=True)

    class Meta:
        db_table = "note"
        constraints = (
            models.CheckConstraint(condition=GreaterThan(Length(Trim("body")), 0), name="note_says_something"),
            models.CheckConstraint(condition=LessThanOrEqual(Length("body"), 4_000), name="note_length"),
            models.CheckConstraint(condition=~Q(author=""), name="note_author"),
            models.CheckConstraint(
                condition=Q(removed_at__isnull=True, removed_by="", removed_why="")
                | (Q(removed_at__isnull=False) & ~Q(removed_by="") & ~Q(removed_why="")),
                name="note_removed_by_and_why",
            ),
        )

    def __str__(self) -> str:
        return f"{self.author} of {self.customer_id}"


class BulkUnmerge(models.Model):
    """What a run, a model or a stretch of time joined, to be taken apart: looked at first, carried out when somebody says so (from a number
    of customers on somebody else), and taken back as one act. `id` is the correlation id of that act.

    `run`, `model`, `since`, `until`, `people`, `again`: what is asked for; `until` is fixed when it is asked. `after`: the last customer that
    has been looked at, or done; `turn` counts who works on it, so that a worker whose lease ran out writes nothing more. `looked` and `done`:
    counts; `shown`: the first customers, each as it would be; `left`: customers that could not be done, with the cause. `confirmed_by`: who
    wanted it done after the look; `decision`: what the second person said to it."""

    class State(models.TextChoices):
        LOOKING = "looking", "being looked at"
        LOOKED = "looked", "looked at"
        WAITING = "waiting", "waits for a second person"
        DOING = "doing", "being done"
        DONE = "done", "done"
        REJECTED = "rejected", "rejected"
        CANCELLED = "cancelled", "given up"
        FAILED = "failed", "failed"
        UNDONE = "undone", "taken back"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    run = models.UUIDField(null=True)
    model = models.IntegerField(null=True)
    since = models.DateTimeField(null=True)
    until = models.DateTimeField()
    people = models.BooleanField(default=False)
    again = models.BooleanField(default=False)
    title = models.TextField()
    reason = models.TextField()
    author = models.TextField()
    asked_at = models.DateTimeField()
    state = models.TextField(choices=State, default=State.LOOKING)
    change_request = models.OneToOneField(ChangeRequest, models.PROTECT, null=True, related_name="unmerge")
    confirmed_by = models.TextField(blank=True)
    decision = models.TextField(blank=True)
    cancelled_by = models.TextField(blank=True)
    total = models.IntegerField(null=True)
    after = models.UUIDField(null=True)
    turn = models.IntegerField(default=0)
    lease_until = models.DateTimeField(null=True)
    looked = models.JSONField(default=dict)
    done = models.JSONField(default=dict)
    shown = models.JSONField(default=list)
    left = models.JSONField(default=dict)
    error = models.TextField(blank=True)
    finished_at = models.DateTimeField(null=True)
    undone_at = models.DateTimeField(null=True)
    undone_by = models.TextField(blank=True)

    class Meta:
        db_table = "bulk_unmerge"
        constraints = (
            models.CheckConstraint(
                condition=Q(state__in=[
                    "looking", "looked", "waiting", "doing", "done", "rejected", "cancelled", "failed", "undone",
                ]),
                name="bulk_unmerge_state",
            ),
            models.CheckConstraint(
                condition=Q(run__isnull=False) | Q(model__isnull=False) | Q(since__isnull=False), name="bulk_unmerge_of"
            ),
            models.CheckConstraint(condition=~Q(reason="") & ~Q(author=""), name="bulk_unmerge_by_and_why"),
            models.CheckConstraint(
                condition=Q(state="undone", undone_at__isnull=False) & ~Q(undone_by="")
                | (~Q(state="undone") & Q(undone_at__isnull=True, undone_by="")),
                name="bulk_unmerge_undone_by",
            ),
        )  # fmt: skip
        indexes = (models.Index(fields=["id"], name="bulk_unmerge_work", condition=Q(state__in=["looking", "doing"])),)

    def __str__(self) -> str:
        return f"{self.title} ({self.state})"
