"""What a method of an address asks for and answers, and who calls it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers

from apps.common.api.serializers import NoParameters

SerializerType = type[serializers.BaseSerializer[Any]]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One method of one address: `name` (operation id), the `operation` a caller needs, what comes in and goes out."""

    name: str
    operation: str
    answers: Mapping[int, SerializerType | None]
    query: SerializerType = NoParameters
    body: SerializerType | None = None
    tag: str = ""
    headers: tuple[OpenApiParameter, ...] = ()


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls: `label` stands in history ("user:alice", "client:crm"); `scopes` of a token, None for a person."""

    label: str
    scopes: frozenset[str] | None = None
