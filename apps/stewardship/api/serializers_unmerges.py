"""Shapes of bulk unmerges in the API."""

from typing import Any

from rest_framework import serializers

from apps.common.api.serializers import Moment, Page, Strict
from apps.connectors.api.serializers_sync import OPS, DifferenceOut
from apps.connectors.models import Connection
from apps.matching.api.serializers import ChildOut, RecordOut
from apps.matching.cascading import SENTENCES
from apps.stewardship.models import BulkUnmerge

LONGEST_REASON = 1_000
FATES = ("stays", "new", "back", "retired")
_FATE_HELP = "stays: it goes on; new: it gets another id when it is done; back: its id lives again; retired: it is part of another one."
_MODES = [m.value for m in Connection.Mode]
_STATES = [s.value for s in BulkUnmerge.State]


class BulkUnmergeIn(Strict):
    """At least one of `run`, `model` and `since`; what is given has to hold together."""

    run = serializers.UUIDField(
        required=False, help_text="What this run joined: `id` or `correlation_id` of a job of `/jobs`."
    )
    model = serializers.CharField(
        required=False, max_length=64,
        help_text="What this model joined: eight characters of its hash or more, or its number.",
    )  # fmt: skip
    since = Moment(required=False, help_text="What was joined from then on.")
    until = Moment(required=False, help_text="What was joined before then; never later than the question.")
    people = serializers.BooleanField(default=False, help_text="Also what people said, not only what the machine did.")
    again = serializers.BooleanField(
        default=False, help_text="Keep nothing apart: the machine may join the same records again."
    )
    reason = serializers.CharField(max_length=LONGEST_REASON, help_text="It stands in the history of each customer.")


class BulkUnmergesQuery(Page):
    state = serializers.ChoiceField(choices=_STATES, required=False)


class UnmergeStepIn(Strict):
    """Nothing."""


class UnmergeWordIn(Strict):
    """What somebody says to it."""

    reason = serializers.CharField(max_length=LONGEST_REASON, required=False, allow_blank=True, default="")


class ToldCountOut(serializers.Serializer[Any]):
    system = serializers.CharField()
    op = serializers.ChoiceField(choices=OPS)
    messages = serializers.IntegerField()


class UnmergeDoneOut(serializers.Serializer[Any]):
    customers = serializers.IntegerField()
    records = serializers.IntegerField(help_text="Of these customers.")
    into = serializers.IntegerField(help_text="Customers that they become.")
    pairs = serializers.IntegerField(help_text="Pairs of records that are kept apart.")


class UnmergeLookedOut(UnmergeDoneOut):
    targets = ToldCountOut(many=True, help_text="What each target would be told.")


class BulkUnmergeLineOut(serializers.Serializer[Any]):
    id = serializers.UUIDField(help_text="Also the correlation id of all that is done by it.")
    state = serializers.ChoiceField(choices=_STATES)
    title = serializers.CharField(help_text="What is asked for, for people.")
    run = serializers.UUIDField(allow_null=True, help_text="The run's correlation id.")
    model = serializers.IntegerField(allow_null=True, help_text="The model's number.")
    since = serializers.DateTimeField(allow_null=True)
    until = serializers.DateTimeField(help_text="Fixed by the question.")
    people = serializers.BooleanField()
    again = serializers.BooleanField()
    reason = serializers.CharField()
    author = serializers.CharField()
    asked_at = serializers.DateTimeField()
    total = serializers.IntegerField(allow_null=True, help_text="Customers that it is about; null: not counted yet.")
    looked = UnmergeLookedOut(help_text="What it would come to, as far as it has been looked at.")
    done = UnmergeDoneOut()
    confirmed_by = serializers.CharField(allow_blank=True, help_text="Who wanted it done after the look.")
    approver = serializers.CharField(allow_blank=True, help_text="Who approved or rejected it.")
    decision = serializers.CharField(allow_blank=True, help_text="What the second person said to it.")
    decided_at = serializers.DateTimeField(allow_null=True)
    cancelled_by = serializers.CharField(allow_blank=True)
    finished_at = serializers.DateTimeField(allow_null=True)
    undone_at = serializers.DateTimeField(allow_null=True)
    undone_by = serializers.CharField(allow_blank=True)
    error = serializers.CharField(allow_blank=True, help_text="What ended it, when it failed.")


class BulkUnmergesOut(serializers.Serializer[Any]):
    items = BulkUnmergeLineOut(many=True)
    next = serializers.CharField(allow_null=True)


class FoundResultOut(serializers.Serializer[Any]):
    customer_id = serializers.UUIDField()
    fate = serializers.ChoiceField(choices=FATES, help_text=_FATE_HELP)
    records = RecordOut(many=True)


class FoundMessageOut(serializers.Serializer[Any]):
    system = serializers.CharField()
    op = serializers.ChoiceField(choices=OPS)
    mode = serializers.ChoiceField(choices=_MODES, help_text="observe: it would be planned, not sent.")


class FoundChildOut(serializers.Serializer[Any]):
    customer_id = serializers.UUIDField()
    fate = serializers.ChoiceField(choices=tuple(SENTENCES))


class FoundCustomerOut(serializers.Serializer[Any]):
    """One customer as it was when it was looked at; no values."""

    customer_id = serializers.UUIDField()
    results = FoundResultOut(many=True)
    told = FoundMessageOut(many=True)
    children = FoundChildOut(many=True, help_text="Customers that hang on both sides.")


class LeftCustomerOut(serializers.Serializer[Any]):
    customer_id = serializers.UUIDField()
    cause = serializers.CharField()


class BulkUnmergeOut(BulkUnmergeLineOut):
    needs_second_person = serializers.BooleanField(help_text="By the number of customers and the merging policy.")
    shown = FoundCustomerOut(many=True, help_text="The first customers, by id.")
    left = LeftCustomerOut(many=True, help_text="Customers that cannot be, or were not, taken apart; the first ones.")


class UndoneUnmergeOut(BulkUnmergeOut):
    customers = serializers.IntegerField(help_text="Customers that its records are now.")


class PreviewedResultOut(FoundResultOut):
    name = serializers.CharField(allow_blank=True)
    replaced_by = serializers.UUIDField(allow_null=True)
    changes = DifferenceOut(
        many=True, required=False, help_text="Against what it is now, of a new one all values; with `customers:read`."
    )


class PreviewedMessageOut(FoundMessageOut):
    customer_id = serializers.UUIDField()
    external_id = serializers.CharField(allow_blank=True)
    losers = serializers.ListField(child=serializers.CharField())
    changes = DifferenceOut(many=True, required=False, help_text="With `sync:read`.")


class UnmergePreviewOut(serializers.Serializer[Any]):
    """One customer as it would be at this moment."""

    customer_id = serializers.UUIDField()
    name = serializers.CharField(allow_blank=True)
    results = PreviewedResultOut(many=True)
    told = PreviewedMessageOut(many=True)
    children = ChildOut(many=True)
