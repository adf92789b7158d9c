"""Customers for tests that are not about matching: what stands together in a group is one customer."""

import json
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django.db import transaction

from apps.common.act import Act
from apps.customers import canonical, identity
from apps.customers.models import System
from apps.customers.receive import Incoming, receive

ACT = Act("hub:test", "given")


def system(code: str, **values: Any) -> System:
    """A system, made on first need."""
    return System.objects.get_or_create(code=code, defaults={"name": code.upper(), "kind": "other", **values})[0]


def record(code: str, item: Mapping[str, Any], *, act: Act = ACT) -> UUID:
    """One record received from the system `code`, not yet anybody's; `item` has flat canonical names."""
    parsed = canonical.parse(item)
    assert not parsed.problems, parsed.problems
    incoming = Incoming(
        external_id=str(parsed.external_id), raw=json.dumps(dict(item)), canonical=parsed.canonical,
        content_digest=canonical.content_digest(parsed.canonical, parsed.deleted),
        source_updated_at=parsed.source_updated_at, deleted=parsed.deleted,
    )  # fmt: skip
    return receive(system_id=system(code).id, records=[incoming], act=act)[0].record


@transaction.atomic
def customers(*groups: Sequence[tuple[str, Mapping[str, Any]]], act: Act = ACT) -> list[UUID]:
    """One customer per group of (system code, record); a record named again is received again and its customer
    rebuilt."""
    clusters = [[record(code, item, act=act) for code, item in group] for group in groups]
    return place(clusters, act=act)


@transaction.atomic
def place(clusters: Sequence[Sequence[UUID]], *, act: Act = ACT) -> list[UUID]:
    """Brings membership to `clusters`; the customer of each."""
    records = [r for cluster in clusters for r in cluster]
    identity.lock_records(records)
    placed = identity.place(clusters=clusters, touched=records, compared=records, act=act)
    return [placed.customer_of[cluster[0]] for cluster in clusters]


def customer(*records: tuple[str, Mapping[str, Any]], act: Act = ACT) -> UUID:
    return customers(records, act=act)[0]
