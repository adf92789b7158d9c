"""Serializers that take only what they declare."""

import re
from datetime import UTC, datetime
from typing import Any

from django.utils import timezone
from rest_framework import serializers

from apps.common.pointers import shown


class Strict(serializers.Serializer[Any]):
    """Refuses fields it does not know, so that a misspelt one is not silently left out."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, dict):
            unknown = sorted(set(data) - {n for n, f in self.fields.items() if not f.read_only})
            if unknown:
                known = ", ".join(self.fields) or "none"
                raise serializers.ValidationError(
                    {n: [f"{shown(n)} is not known here; known are: {known}."] for n in unknown}, code="unknown_field"
                )
        return super().to_internal_value(data)


_BLANK_FOR_PLUS = re.compile(r" \d\d:?\d\d$")


class Moment(serializers.DateTimeField):
    """ISO 8601 with an offset, so that it is one moment wherever it is read. Answered in UTC."""

    default_error_messages = {
        "no_offset": "Say which moment it is: end it with Z or with an offset, as in 2026-03-01T09:30:00+01:00.",
    }

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(default_timezone=UTC, **kwargs)

    def enforce_timezone(self, value: datetime) -> datetime:
        if timezone.is_naive(value):
            self.fail("no_offset")
        return super().enforce_timezone(value)


class PastMoment(Moment):
    """A moment that has been, as a parameter of an address."""

    default_error_messages = {
        "blank_for_plus": "In an address a + is a blank: write %2B instead, or give the moment in UTC with Z.",
        "future": "That moment is still to come; leave the parameter out for how it is now.",
    }

    def to_internal_value(self, value: Any) -> datetime:
        if isinstance(value, str) and _BLANK_FOR_PLUS.search(value):
            self.fail("blank_for_plus")
        moment = super().to_internal_value(value)
        if moment > timezone.now():
            self.fail("future")
        return moment


class NoParameters(Strict):
    """No query parameter at all."""


class Page(Strict):
    """Where a list begins and how much of it one call returns."""

    limit = serializers.IntegerField(min_value=1, max_value=200, default=50, help_text="Most items in one answer.")
    cursor = serializers.CharField(required=False, max_length=500, help_text="`next` of the answer before.")


class FaultOut(serializers.Serializer[Any]):
    pointer = serializers.CharField(required=False, help_text="JSON pointer (RFC 6901) into the body.")
    parameter = serializers.CharField(required=False, help_text="Name of a query parameter.")
    header = serializers.CharField(required=False, help_text="Name of a header.")
    code = serializers.CharField(help_text="A stable word for programs.")
    detail = serializers.CharField(help_text="A sentence for people.")


class ProblemOut(serializers.Serializer[Any]):
    """RFC 9457 problem document; `correlation_id` finds the call in the hub's log."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    instance = serializers.CharField()
    correlation_id = serializers.UUIDField()
    errors = FaultOut(many=True, required=False)  # type: ignore[assignment]  # a field; the property stays
