"""Shapes of what the customers room reads and answers."""

from typing import Any

from rest_framework import serializers

from apps.common.api.serializers import Page, PastMoment, Strict

KINDS = ("person", "organization")


def _entries(fields: str) -> serializers.ListField:
    """A list of a golden record: objects with `fields` and what all entries have."""
    return serializers.ListField(
        child=serializers.DictField(),
        required=False,
        help_text=f"Entries with {fields}; id, from (its records, best first), valid_from, valid_to, and rank among those of its type that"
        " hold today: 1 is the golden one of its role. What has ended, or not begun, has no rank.",
    )


class SearchQuery(Page):
    """What to look for, and how to narrow it."""

    q = serializers.CharField(
        required=False,
        allow_blank=True,
        default="",
        max_length=200,
        trim_whitespace=False,
        help_text="Name, e-mail, phone, identifier, a system's id or customer id; empty: all, the last changed first.",
    )
    kind = serializers.ChoiceField(choices=KINDS, required=False)
    country = serializers.RegexField(r"^[A-Za-z]{2}$", required=False, help_text="ISO code of one of their addresses.")
    system = serializers.RegexField(r"^[a-z0-9][a-z0-9_-]{0,39}$", required=False, help_text="Known to this system.")


class HitOut(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    name = serializers.CharField(allow_null=True)
    kind = serializers.ChoiceField(choices=KINDS)
    city = serializers.CharField(allow_null=True)
    country = serializers.CharField(allow_null=True)
    systems = serializers.ListField(child=serializers.CharField())
    why = serializers.CharField(
        allow_blank=True, help_text="What made it a hit: email, external id, words, similar name …"
    )
    score = serializers.FloatField(help_text="Higher is better; comparable within one answer only.")


class HitsOut(serializers.Serializer[Any]):
    items = HitOut(many=True)
    next = serializers.CharField(allow_null=True)


class AsOfQuery(Strict):
    as_of = PastMoment(
        required=False,
        help_text="As it stood at this past moment: ISO 8601 with offset (in an address %2B stands for +), or Z.",
    )


class CompareQuery(Strict):
    """Which two versions, in any order."""

    def get_fields(self) -> dict[str, Any]:
        return {
            "from": _version_number("Version on the left: `before`."),
            "to": _version_number("On the right: `after`."),
        }


def _version_number(told: str) -> serializers.IntegerField:
    return serializers.IntegerField(min_value=1, max_value=2_147_483_647, help_text=told)


class SourceRef(serializers.Serializer[Any]):
    system = serializers.CharField()
    external_id = serializers.CharField()
    updated_at = serializers.DateTimeField()
    deleted = serializers.BooleanField()


class CustomerOut(serializers.Serializer[Any]):
    """Effective values of one customer; attributes without value are left out."""

    id = serializers.UUIDField(help_text="The customer that the id asked for stands for today, or stood for then.")
    asked_id = serializers.UUIDField()
    replaced_by = serializers.UUIDField(
        allow_null=True, help_text="Set when the id asked for was retired (by then): equals `id`."
    )
    version = serializers.IntegerField()
    active = serializers.BooleanField()
    as_of = serializers.DateTimeField(required=False, help_text="Only in answers to ?as_of=.")
    kind = serializers.ChoiceField(choices=KINDS)
    name = serializers.CharField(required=False)
    given_name = serializers.CharField(required=False)
    family_name = serializers.CharField(required=False)
    organization_name = serializers.CharField(required=False)
    birth_date = serializers.DateField(required=False)
    website = serializers.CharField(required=False)
    currency = serializers.CharField(required=False)
    language = serializers.CharField(required=False)
    payment_terms = serializers.CharField(required=False)
    credit_limit = serializers.CharField(required=False, help_text="An amount in `currency`, as text: 1200.00")
    status = serializers.CharField(required=False)
    addresses = _entries("type, line1, line2, city, region, postal_code, country")
    contact_points = _entries("type (email, phone), value, valid, ext")
    identifiers = _entries("type, value, country, verified")
    names = _entries("type (legal, trading, former, birth, alias), value")
    extra = serializers.DictField(required=False)
    held = serializers.ListField(
        child=serializers.CharField(), help_text="Attributes whose newer value waits for an approval."
    )
    member_count = serializers.IntegerField()
    sources = SourceRef(many=True, required=False)
    retired_ids = serializers.ListField(child=serializers.UUIDField(), required=False)
    created_at = serializers.DateTimeField(required=False)
    updated_at = serializers.DateTimeField()


class ChangeOut(serializers.Serializer[Any]):
    attribute = serializers.CharField()
    before = serializers.JSONField(allow_null=True)
    after = serializers.JSONField(allow_null=True)


class VersionOut(serializers.Serializer[Any]):
    version = serializers.IntegerField()
    at = serializers.DateTimeField()
    actor = serializers.CharField()
    reason = serializers.CharField(allow_blank=True)
    correlation_id = serializers.UUIDField(allow_null=True)
    event = serializers.CharField()
    merged = serializers.ListField(child=serializers.UUIDField(), required=False)
    replaced_by = serializers.UUIDField(required=False)
    erased = serializers.BooleanField()
    changes = ChangeOut(many=True)


class HistoryOut(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    items = VersionOut(many=True)
    next = serializers.CharField(allow_null=True)


class SourceValueOut(serializers.Serializer[Any]):
    value = serializers.JSONField(allow_null=True)
    system = serializers.CharField()
    external_id = serializers.CharField()
    updated_at = serializers.DateTimeField()


class AgeOut(serializers.Serializer[Any]):
    """How old a value is and how far it is trusted by now; not in answers to ?as_of=."""

    since = serializers.DateTimeField(
        required=False, allow_null=True, help_text="When, by `clock`, the youngest record that says it said so."
    )
    age_days = serializers.IntegerField(required=False, allow_null=True, help_text="Null: not known.")
    clock = serializers.ChoiceField(choices=("changed", "received", "verified"), required=False)
    confidence = serializers.FloatField(
        required=False,
        allow_null=True,
        help_text="0 to 100: the trust in it at this moment, decayed and lowered by failed checks. Null: held back.",
    )
    stale = serializers.BooleanField(required=False, help_text="Older than the policy says a value may be.")


class AttributeLineageOut(AgeOut):
    attribute = serializers.CharField()
    value = serializers.JSONField(allow_null=True)
    rule = serializers.CharField(help_text="only, agreed, trust, recent, frequent, complete, united, composed, pin …")
    policy_hash = serializers.CharField()
    winner = SourceValueOut(allow_null=True)
    others = SourceValueOut(many=True, required=False, help_text="Only for callers who may read source records.")
    held = serializers.BooleanField()
    pinned_by = serializers.CharField(required=False)
    pinned_because = serializers.CharField(required=False)
    entries = AgeOut(many=True, required=False, help_text="Of a list: the age of each entry, in its order.")


class _OfACustomer(serializers.Serializer[Any]):
    """Whose it is, and of which version."""

    id = serializers.UUIDField()
    asked_id = serializers.UUIDField()
    version = serializers.IntegerField()
    as_of = serializers.DateTimeField(required=False, help_text="Only in answers to ?as_of=.")


class LineageOut(_OfACustomer):
    attributes = AttributeLineageOut(many=True)


class MemberOut(serializers.Serializer[Any]):
    """A source record that is, or was, part of the customer."""

    record_id = serializers.UUIDField()
    system = serializers.CharField()
    external_id = serializers.CharField()
    since = serializers.DateTimeField(help_text="Part of the customer from then on.")
    action = serializers.CharField(help_text="How it came: created, attached, merged, unmerged, detached, judged.")
    version = serializers.IntegerField(help_text="Of the source record.")
    received_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()
    deleted = serializers.BooleanField()
    erased = serializers.BooleanField()
    canonical = serializers.DictField(
        required=False, help_text="What it says; only for callers who may read source records."
    )


class MembersOut(_OfACustomer):
    items = MemberOut(many=True)


class ComparedVersionOut(serializers.Serializer[Any]):
    version = serializers.IntegerField()
    at = serializers.DateTimeField()
    actor = serializers.CharField(allow_blank=True)
    reason = serializers.CharField(allow_blank=True)
    active = serializers.BooleanField()


class NamedRecordOut(serializers.Serializer[Any]):
    system = serializers.CharField()
    external_id = serializers.CharField()


class OriginOut(serializers.Serializer[Any]):
    rule = serializers.CharField()
    sources = NamedRecordOut(many=True, help_text="None for a pin, and for a value that was lost to a conflict.")


class LineageChangeOut(serializers.Serializer[Any]):
    attribute = serializers.CharField()
    before = OriginOut(allow_null=True)
    after = OriginOut(allow_null=True)


class ComparisonOut(serializers.Serializer[Any]):
    """What two versions of one id say otherwise."""

    id = serializers.UUIDField()
    before = ComparedVersionOut()
    after = ComparedVersionOut()
    changes = ChangeOut(many=True)
    joined = NamedRecordOut(many=True, help_text="Part of it in `after` only.")
    left = NamedRecordOut(many=True, help_text="Part of it in `before` only.")
    lineage = LineageChangeOut(many=True, help_text="Attributes that came by another rule, or from other records.")


class ChainStepOut(serializers.Serializer[Any]):
    """A strategy that was asked."""

    rule = serializers.CharField()
    abstained = serializers.BooleanField(help_text="It had nothing to go by, and all stayed.")
    asked = serializers.IntegerField(help_text="Candidates that it was asked about.")
    kept = serializers.IntegerField(help_text="Those that went on.")


class ValueCandidateOut(serializers.Serializer[Any]):
    record = serializers.UUIDField()
    system = serializers.CharField()
    external_id = serializers.CharField()
    value = serializers.JSONField(
        allow_null=True, help_text="Of attributes that survive together a list, in the group's order."
    )
    trust = serializers.FloatField(help_text="0 to 100; -1 for a record that is gone at its source.")
    failed = serializers.DictField(help_text="Checks that failed, by attribute.")
    scores = serializers.ListField(child=serializers.JSONField(allow_null=True), help_text="In the order of `steps`.")
    out = serializers.CharField(allow_null=True, help_text="The step it fell out at; `tie`: by system and id alone.")
    won = serializers.BooleanField()


class WhyOut(serializers.Serializer[Any]):
    """How a value is decided, by the records as they are now and the policy in force; or was, as both were then."""

    id = serializers.UUIDField()
    asked_id = serializers.UUIDField()
    version = serializers.IntegerField()
    as_of = serializers.DateTimeField(required=False, help_text="Only in answers to ?as_of=.")
    policy_hash = serializers.CharField()
    stands = serializers.BooleanField(help_text="Whether the customer has this value by now.")
    attribute = serializers.CharField()
    value = serializers.JSONField(allow_null=True)
    rule = serializers.CharField()
    record = serializers.UUIDField(allow_null=True)
    group = serializers.ListField(child=serializers.CharField(), help_text="Attributes that survive with it.")
    condition = serializers.CharField(allow_null=True, help_text="The condition of the policy that held.")
    chain = serializers.ListField(
        child=serializers.DictField(), help_text="Strategies in their order, with parameters."
    )
    pin = serializers.DictField(allow_null=True)
    ignored = serializers.ListField(child=serializers.DictField())
    steps = ChainStepOut(many=True)
    candidates = ValueCandidateOut(many=True, help_text="The winner first, then those that fell out last.")


class SourceVersionOut(serializers.Serializer[Any]):
    version = serializers.IntegerField()
    received_at = serializers.DateTimeField()
    replaced_at = serializers.DateTimeField(allow_null=True)
    source_updated_at = serializers.DateTimeField(allow_null=True)
    deleted = serializers.BooleanField()
    erased = serializers.BooleanField()
    canonical = serializers.JSONField(allow_null=True)


class FailedCheckOut(serializers.Serializer[Any]):
    """A check that a value failed."""

    attribute = serializers.CharField()
    code = serializers.CharField()
    severity = serializers.ChoiceField(choices=("error", "warning", "info"))
    says = serializers.CharField(allow_blank=True, help_text="A sentence for people.")


class RecordQualityOut(serializers.Serializer[Any]):
    """By the checks in force now: 0 to 100, 100 where no value fails one."""

    score = serializers.FloatField(allow_null=True, help_text="Mean of the attributes' scores; null without a value.")
    scores = serializers.DictField(child=serializers.FloatField(), help_text="By attribute that has a value.")
    failed = FailedCheckOut(many=True)


class SourceRecordOut(serializers.Serializer[Any]):
    """What a system sent, as received and as the hub understands it."""

    record_id = serializers.UUIDField()
    system = serializers.CharField()
    external_id = serializers.CharField()
    customer_id = serializers.UUIDField(allow_null=True)
    state = serializers.ChoiceField(
        choices=("received", "built", "quarantined"), required=False, help_text="Of today; not in answers to ?as_of=."
    )
    as_of = serializers.DateTimeField(required=False, help_text="Only in answers to ?as_of=.")
    version = serializers.IntegerField()
    received_at = serializers.DateTimeField()
    source_updated_at = serializers.DateTimeField(allow_null=True)
    deleted = serializers.BooleanField()
    raw = serializers.CharField(allow_null=True, help_text="JSON text as received; null once erased.")
    canonical = serializers.JSONField()
    quality = RecordQualityOut(required=False, help_text="Of today; not in answers to ?as_of=.")
    versions = SourceVersionOut(many=True, help_text="Earlier versions, newest first, at most 50.")


class CrosswalkQuery(Strict):
    system = serializers.RegexField(r"^[a-z0-9][a-z0-9_-]{0,39}$")
    external_id = serializers.CharField(max_length=200, trim_whitespace=False)


class CrosswalkAsk(Strict):
    """One id of one system."""

    system = serializers.CharField(max_length=40)
    external_id = serializers.CharField(max_length=200, trim_whitespace=False)


class CrosswalkIn(Strict):
    ids = serializers.ListField(child=CrosswalkAsk(), min_length=1, max_length=1000)


class CrosswalkOut(serializers.Serializer[Any]):
    system = serializers.CharField()
    external_id = serializers.CharField()
    customer_id = serializers.UUIDField(allow_null=True, help_text="Null: the hub does not know this record (yet).")


class CrosswalksOut(serializers.Serializer[Any]):
    items = CrosswalkOut(many=True)
