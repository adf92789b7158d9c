"""Shapes of what the matching room reads and answers."""

from typing import Any

from rest_framework import serializers

from apps.common.api.serializers import Page, Strict
from apps.customers.models import ChangeRequest, Relation
from apps.matching.cascading import SENTENCES
from apps.matching.queries import GRADES


class MatchQuery(Strict):
    limit = serializers.IntegerField(min_value=1, max_value=50, default=10)
    explain = serializers.BooleanField(
        default=True, help_text="Why, field by field, for the five best; false is faster."
    )


def _text() -> serializers.CharField:
    """Null and the empty text both say: the source says it is empty."""
    return serializers.CharField(required=False, allow_null=True, allow_blank=True)


def _places(told: str) -> serializers.ListField:
    return serializers.ListField(child=serializers.IntegerField(min_value=0), help_text=told)


class FlatRecord(serializers.Serializer[Any]):
    """A record under canonical names, as much of it as is known; lists (`addresses`, `contact_points`, `identifiers`,
    `names`) may stand beside or instead of the flat fields."""

    record_id = _text()
    kind = _text()
    name = _text()
    given_name = _text()
    family_name = _text()
    organization_name = _text()
    birth_date = _text()
    email = _text()
    phone = _text()
    website = _text()
    tax_id = _text()
    national_id = _text()
    lei = _text()
    duns = _text()
    registration_number = _text()
    address_line1 = _text()
    address_line2 = _text()
    city = _text()
    region = _text()
    postal_code = _text()
    country = _text()
    currency = _text()
    language = _text()
    payment_terms = _text()
    credit_limit = _text()
    status = _text()
    source_updated_at = _text()
    deleted = serializers.BooleanField(required=False, allow_null=True)
    addresses = serializers.ListField(child=serializers.DictField(), required=False)
    contact_points = serializers.ListField(child=serializers.DictField(), required=False)
    identifiers = serializers.ListField(child=serializers.DictField(), required=False)
    names = serializers.ListField(child=serializers.DictField(), required=False)
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


class BranchRef(Strict):
    out = RecordRef(help_text="This record leaves, and with it all that had come together with it before the join.")
    of = RecordRef(help_text="The other record of the join.")


class UnmergeIn(Strict):
    """Either `records` or `join`."""

    records = serializers.ListField(
        child=RecordRef(), min_length=1, max_length=500, required=False, help_text="The records that are somebody else."
    )
    join = BranchRef(
        required=False,
        help_text="A join of `/customers/{id}/joins` that is wrong: what it brought in on one side leaves.",
    )
    version = serializers.IntegerField(
        min_value=1,
        max_value=2**31 - 1,
        required=False,
        help_text="Of the customer as you saw it; another one is refused.",
    )
    dry_run = serializers.BooleanField(default=False, help_text="Say what would happen, do nothing.")
    reason = serializers.CharField(max_length=1000)


class MovedOut(serializers.Serializer[Any]):
    system = serializers.CharField()
    external_id = serializers.CharField()
    customer_id = serializers.UUIDField()


class PlacedOut(serializers.Serializer[Any]):
    """Where the records stand now."""

    records = MovedOut(many=True)
    customers = serializers.ListField(child=serializers.UUIDField())


class ChildOut(serializers.Serializer[Any]):
    """Another customer that hangs on both of the sides that part, by relations of its records."""

    customer_id = serializers.UUIDField()
    name = serializers.CharField(allow_blank=True)
    relations = serializers.ListField(child=serializers.ChoiceField(choices=Relation.Kind.values))
    leaving = serializers.ListField(child=serializers.UUIDField(), help_text="Its records related to what leaves.")
    staying = serializers.ListField(child=serializers.UUIDField(), help_text="Its records related to what stays.")
    fate = serializers.ChoiceField(
        choices=tuple(SENTENCES),
        help_text="parts: it is taken apart too; else it stays together: off (the policy does not follow the relation), by_hand (a person "
        "joined it), both (one record is related to both sides), again (the machine decides).",
    )
    sentence = serializers.CharField()


class UnmergedOut(PlacedOut):
    dry_run = serializers.BooleanField()
    children = ChildOut(many=True)


class RecordOut(serializers.Serializer[Any]):
    system = serializers.CharField()
    external_id = serializers.CharField()


class OtherRecordOut(RecordOut):
    customer_id = serializers.UUIDField(allow_null=True)


class FollowerOut(RecordOut):
    follows = RecordOut()


class JoinOut(serializers.Serializer[Any]):
    """Two records that joined two groups."""

    record_a = RecordOut()
    record_b = RecordOut()
    why = serializers.ChoiceField(
        choices=("person", "identifier", "weight"),
        help_text="A person said so; one confirmed identifier; enough bits to join without asking.",
    )
    weight = serializers.FloatField(allow_null=True, help_text="Bits; null where a person said so.")
    probability = serializers.FloatField(allow_null=True)
    findings = serializers.ListField(child=serializers.CharField(), help_text="What speaks loudest for one customer.")
    against = serializers.ListField(child=serializers.CharField(), help_text="What speaks loudest against it.")
    actor = serializers.CharField(allow_null=True, help_text="Who said so.")
    reason = serializers.CharField(allow_null=True, allow_blank=True)
    group_a = _places("The group of `record_a` before: places in `records`.")
    group_b = _places("The group of `record_b` before.")


class RefusedOut(serializers.Serializer[Any]):
    """A record of the customer and another that are not joined; of the same customer where `inside`."""

    record = RecordOut()
    other = OtherRecordOut()
    inside = serializers.BooleanField()
    why = serializers.CharField(help_text="person, or the reason of the doubt: veto, ambiguous, review_band …")
    sentence = serializers.CharField()
    weight = serializers.FloatField(allow_null=True)
    actor = serializers.CharField(allow_null=True)
    reason = serializers.CharField(allow_null=True, allow_blank=True)


class JoinsOut(serializers.Serializer[Any]):
    """How a customer came together, as the machine would decide today."""

    id = serializers.UUIDField()
    asked_id = serializers.UUIDField()
    records = RecordOut(many=True, help_text="Those that are compared; groups name them by place, from 0.")
    joins = JoinOut(many=True, help_text="As they were made, the strongest first.")
    groups = serializers.ListField(
        child=_places(""), help_text="What the joins come to: one group where today's evidence holds all records."
    )
    refused = RefusedOut(many=True)
    followers = FollowerOut(many=True, help_text="Records that go with another and are never compared.")


class LinkIn(Strict):
    customers = serializers.ListField(child=serializers.UUIDField(), min_length=2, max_length=50)
    kind = serializers.ChoiceField(choices=Relation.Kind.values, help_text="How they are related.")
    reason = serializers.CharField(max_length=1000)


class MergeRequestsQuery(Page):
    state = serializers.ChoiceField(choices=ChangeRequest.State.values, default="open")


class MergeDecisionIn(Strict):
    approve = serializers.BooleanField()
    reason = serializers.CharField(max_length=1000, required=False, allow_blank=True, default="")


class ComparedOut(serializers.Serializer[Any]):
    name = serializers.CharField(help_text="An attribute, extra.<name>, or a kind of identifier.")
    values = serializers.ListField(
        child=serializers.CharField(allow_blank=True), help_text="Of the first customer and of the second."
    )


class VetoOut(serializers.Serializer[Any]):
    rule = serializers.CharField(help_text="Its name in the merging policy.")
    sentence = serializers.CharField()
    customers = serializers.ListField(child=serializers.UUIDField(), help_text="The two it stands between.")
    compared = ComparedOut(many=True)


class MergeRequestOut(serializers.Serializer[Any]):
    """A merge that rules stand against, asked for all the same."""

    id = serializers.UUIDField()
    state = serializers.ChoiceField(choices=ChangeRequest.State.values)
    author = serializers.CharField()
    approver = serializers.CharField(allow_blank=True)
    reason = serializers.CharField(allow_blank=True)
    opened_at = serializers.DateTimeField()
    decided_at = serializers.DateTimeField(allow_null=True)
    customers = serializers.ListField(child=serializers.UUIDField())
    vetoes = VetoOut(many=True)


class MergeRequestsOut(serializers.Serializer[Any]):
    items = MergeRequestOut(many=True)
    next = serializers.CharField(allow_null=True)
