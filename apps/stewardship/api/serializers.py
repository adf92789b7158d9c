"""Shapes of change requests in the API."""

from typing import Any

from rest_framework import serializers

from apps.common.api.serializers import Page, Strict
from apps.customers.models import ChangeRequest

LONGEST_REASON = 1_000


class ChangeRequestsQuery(Page):
    state = serializers.ChoiceField(choices=[s.value for s in ChangeRequest.State], default="open")


class HeldFieldOut(serializers.Serializer[Any]):
    attribute = serializers.CharField()
    kept = serializers.JSONField(allow_null=True, help_text="What readers see until it is decided.")
    proposed = serializers.JSONField(allow_null=True)
    token = serializers.CharField(
        help_text="Stands for the proposal: sent back, a decision about another one is refused."
    )
    state = serializers.CharField()
    system = serializers.CharField(allow_blank=True, help_text="Where the proposal comes from.")


class ChangeRequestOut(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    state = serializers.CharField()
    author = serializers.CharField()
    approver = serializers.CharField(allow_blank=True)
    reason = serializers.CharField(allow_blank=True)
    opened_at = serializers.DateTimeField()
    decided_at = serializers.DateTimeField(allow_null=True)
    customer_id = serializers.UUIDField()
    customer_name = serializers.CharField(allow_blank=True)
    customer_version = serializers.IntegerField()
    moved = serializers.IntegerField(help_text="Versions of the customer since the request was opened.")
    fields = HeldFieldOut(many=True)  # type: ignore[assignment]  # a field of the answer; the property stays


class ChangeRequestLineOut(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    state = serializers.CharField()
    author = serializers.CharField()
    opened_at = serializers.DateTimeField()
    attributes = serializers.ListField(child=serializers.CharField())
    customer_id = serializers.UUIDField()


class ChangeRequestsOut(serializers.Serializer[Any]):
    items = ChangeRequestLineOut(many=True)
    next = serializers.CharField(allow_null=True)


class VerdictIn(Strict):
    attribute = serializers.CharField(max_length=60)
    approve = serializers.BooleanField()
    token = serializers.RegexField(
        r"^([0-9a-f]{2}){8,64}$", required=False, help_text="Of the proposal that was looked at."
    )


class DecideIn(Strict):
    verdicts = VerdictIn(many=True, allow_empty=False)
    reason = serializers.CharField(max_length=LONGEST_REASON, required=False, allow_blank=True, default="")
