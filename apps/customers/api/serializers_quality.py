"""Shapes of what is told about quality and age."""

from typing import Any

from rest_framework import serializers

from apps.common.api.serializers import Strict


class QualityScoreOut(serializers.Serializer[Any]):
    """Of one system and one attribute."""

    system = serializers.CharField()
    attribute = serializers.CharField(allow_null=True, help_text="Null: of whole records.")
    records = serializers.IntegerField(help_text="How many have a value.")
    score = serializers.FloatField()
    failed = serializers.DictField(child=serializers.IntegerField(), help_text="Check code -> records that fail it.")


class QualityOut(serializers.Serializer[Any]):
    measured_at = serializers.DateTimeField(allow_null=True, help_text="Null before the first time.")
    items = QualityScoreOut(many=True)


class OldValueOut(serializers.Serializer[Any]):
    customer_id = serializers.UUIDField()
    since = serializers.DateTimeField(allow_null=True, help_text="Null: its age is not known.")


class StaleAttributeOut(serializers.Serializer[Any]):
    """Of an attribute that the survivorship policy gives an age."""

    attribute = serializers.CharField()
    days = serializers.IntegerField(help_text="A value is stale when it is older.")
    clock = serializers.ChoiceField(choices=("changed", "received", "verified"))
    held = serializers.IntegerField(help_text="Customers that have a value.")
    stale = serializers.IntegerField(help_text="Of these: with one that is older, or of unknown age.")
    unknown = serializers.IntegerField(help_text="Of these: of unknown age.")
    measured_at = serializers.DateTimeField()
    oldest = OldValueOut(many=True, help_text="At most 500, the oldest first.")


class StaleOut(serializers.Serializer[Any]):
    items = StaleAttributeOut(many=True)


class ExpiringQuery(Strict):
    days = serializers.IntegerField(min_value=1, max_value=3650, default=30)


class ExpiringPinOut(serializers.Serializer[Any]):
    """Something a steward said until a day."""

    customer_id = serializers.UUIDField()
    attribute = serializers.CharField()
    kind = serializers.ChoiceField(choices=("pin", "ignored"))
    actor = serializers.CharField()
    reason = serializers.CharField()
    expires_at = serializers.DateTimeField()


class ExpiringPinsOut(serializers.Serializer[Any]):
    items = ExpiringPinOut(many=True)
