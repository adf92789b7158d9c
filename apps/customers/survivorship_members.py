"""What goes into survivorship and what comes out: attributes, source records as members of a customer, and the golden record."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final, NamedTuple

SCALARS: Final = (
    "name", "given_name", "family_name", "organization_name", "birth_date", "website",
    "currency", "language", "payment_terms", "credit_limit", "status",
)  # fmt: skip
PARTS: Final = ("addresses", "contact_points", "identifiers", "names")
ATTRIBUTES: Final = ("kind", *SCALARS, *PARTS, "extra")
SINGLES: Final = ("kind", *SCALARS)
EXTRA: Final = "extra."
"""`extra.tier` is the declared attribute `tier`; each stands by itself."""


class Pin(NamedTuple):
    """A steward's value, and when it was set (ISO 8601 in UTC, to the microsecond): of two pins of one attribute the newer counts."""

    at: str
    value: Any


@dataclass(frozen=True, slots=True)
class Member:
    """One source record of a customer. `pins` and `ignored`: a steward's anchor alone has them, by attribute; `ignored` are values of
    the record that it names as its `external_id`.

    Its clocks: `updated_at` (change at the source), `received_at` (arrival of this content), `verified_at` (by attribute: when somebody
    or something made sure of the value). `failed`: attribute -> codes of the quality checks that its value failed.

    Deleted at its source, as its system says: `downgraded` (it gives way to live records), `ended` (besides, its list entries end on
    that day), `gone` (its values leave, unless there is no other record)."""

    id: str
    system: str
    system_kind: str
    external_id: str
    trust: int
    updated_at: datetime
    canonical: Mapping[str, Any]
    downgraded: bool = False
    ended: date | None = None
    gone: bool = False
    pins: Mapping[str, Pin] = field(default_factory=dict)
    ignored: Mapping[str, Any] = field(default_factory=dict)
    received_at: datetime | None = None
    verified_at: Mapping[str, datetime] = field(default_factory=dict)
    failed: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Golden:
    """`values`: every attribute that has one, JSON-able. `lineage`: attribute -> {record, rule, of} (of: records that had a value);
    where unanimity was asked for and there is none: {rule: conflict, of}, and no value."""

    values: dict[str, Any]
    lineage: dict[str, dict[str, Any]]


def noted_of(lineage: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """What lineage notes of an attribute; a customer of one record has its declared attributes as a whole."""
    return lineage.get(name) or (lineage.get("extra") if name.startswith(EXTRA) else None) or {}


def value_of(values: Mapping[str, Any], attribute: str) -> Any:
    """The value of an attribute in a canonical or golden record, `extra.<name>` included; None without one."""
    if attribute.startswith(EXTRA):
        return (values.get("extra") or {}).get(attribute[len(EXTRA) :])
    return values.get(attribute)
