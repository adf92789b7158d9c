"""What has become of a test's own records, in a hub that may hold any number of others."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple
from uuid import UUID

from tests import pipeline
from tests.pipeline import Partition

MEMBERS = (
    "SELECT y.code || ':' || s.external_id, s.id, s.customer_id FROM source_record s JOIN system y ON y.id = s.system_id"
    " WHERE s.customer_id IN (SELECT m.customer_id FROM unnest(%s::text[], %s::text[]) own (code, external_id)"
    " JOIN system o ON o.code = own.code JOIN source_record m ON (m.system_id, m.external_id) = (o.id, own.external_id))"
    " ORDER BY s.customer_id, s.id"
)


class Member(NamedTuple):
    """A record, named "system:external id", and the customer it belongs to."""

    name: str
    record: UUID
    customer: UUID


def members(records: Iterable[tuple[str, Mapping[str, Any]]]) -> list[Member]:
    """All members of the customers that own one of these (system, item): others too, if any have come among them."""
    keys = [(system, str(item["record_id"])) for system, item in records]
    rows = pipeline.query(MEMBERS, [system for system, _ in keys], [external_id for _, external_id in keys])
    return [Member(*row) for row in rows]


def by_customer(records: Iterable[tuple[str, Mapping[str, Any]]]) -> dict[UUID, list[Member]]:
    grouped: dict[UUID, list[Member]] = defaultdict(list)
    for member in members(records):
        grouped[member.customer].append(member)
    return grouped


def partition(records: Iterable[tuple[str, Mapping[str, Any]]]) -> Partition:
    """Who is together with whom among the customers of these records."""
    return frozenset(frozenset(m.name for m in group) for group in by_customer(records).values())
