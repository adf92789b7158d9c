"""Shapes of what the matching room reads and answers."""

from typing import Any

from rest_framework import serializers

from apps.common.api.serializers import Strict
from apps.matching.queries import GRADES


class MatchQuery(Strict):
    limit = serializers.IntegerField(min_value=1, max_value=50, default=10)
    explain = serializers.BooleanField(default=True, help_text="Why, field by field, for the five best; leave it out for speed.")


class FlatRecord(serializers.Serializer[Any]):
    """A record under canonical names, as much of it as is known; lists (`addresses`, `contact_points`, `identifiers`)
    may stand beside or instead of the flat fields."""

    record_id = serializers.CharField(required=False)
    kind = serializers.ChoiceField(choices=("person", "organization"), required=False)
    name = serializers.CharField(required=False)
    given_name = serializers.CharField(required=False)
    family_name = serializers.CharField(required=False)
    organization_name = serializers.CharField(required=False)
    birth_date = serializers.CharField(required=False)
    email = serializers.CharField(required=False)
    phone = serializers.CharField(required=False)
    website = serializers.CharField(required=False)
    tax_id = serializers.CharField(required=False)
    national_id = serializers.CharField(required=False)
    lei = serializers.CharField(required=False)
    duns = serializers.CharField(required=False)
    registration_number = serializers.CharField(required=False)
    address_line1 = serializers.CharField(required=False)
    address_line2 = serializers.CharField(required=False)
    city = serializers.CharField(required=False)
    region = serializers.CharField(required=False)
    postal_code = serializers.CharField(required=False)
    country = serializers.CharField(required=False)
    currency = serializers.CharField(required=False)
    language = serializers.CharField(required=False)
    payment_terms = serializers.CharField(required=False)
    credit_limit = serializers.CharField(required=False)
    status = serializers.CharField(required=False)
    source_updated_at = serializers.CharField(required=False)
    deleted = serializers.BooleanField(required=False)
    addresses = serializers.ListField(child=serializers.DictField(), required=False)
    contact_points = serializers.ListField(child=serializers.DictField(), required=False)
    identifiers = serializers.ListField(child=serializers.DictField(), required=False)
    extra = serializers.DictField(required=False)
    empty = serializers.ListField(child=serializers.CharField(), required=False)


class LineOut(serializers.Serializer[Any]):
    comparison = serializers.CharField()
    level = serializers.CharField()
    bits = serializers.FloatField()
    sentence = serializers.CharField()
    left = serializers.CharField(allow_blank=True)
    right = serializers.CharField(allow_blank=True)


class CandidateOut(serializers.Serializer[Any]):
    customer_id = serializers.UUIDField()
    name = serializers.CharField(allow_null=True)
    kind = serializers.CharField()
    system = serializers.CharField(help_text="The nearest of the customer's records.")
    external_id = serializers.CharField()
    weight = serializers.FloatField(help_text="Bits that speak for one customer; 0 is even odds.")
    probability = serializers.FloatField()
    grade = serializers.ChoiceField(choices=GRADES)
    why_not = serializers.CharField(allow_blank=True, help_text="What keeps the machine from joining them itself.")
    explanation = LineOut(many=True, required=False)


class CandidatesOut(serializers.Serializer[Any]):
    items = CandidateOut(many=True)


class MergeIn(Strict):
    customers = serializers.ListField(child=serializers.UUIDField(), min_length=2, max_length=50)
    reason = serializers.CharField(max_length=1000)


class RecordRef(Strict):
    system = serializers.CharField(max_length=40)
    external_id = serializers.CharField(max_length=200, trim_whitespace=False)


class UnmergeIn(Strict):
    records = serializers.ListField(
        child=RecordRef(), min_length=1, max_length=500, help_text="The records that are somebody else."
    )
    reason = serializers.CharField(max_length=1000)


class MovedOut(serializers.Serializer[Any]):
    system = serializers.CharField()
    external_id = serializers.CharField()
    customer_id = serializers.UUIDField()


class PlacedOut(serializers.Serializer[Any]):
    """Where the records stand now."""

    records = MovedOut(many=True)
    customers = serializers.ListField(child=serializers.UUIDField())
