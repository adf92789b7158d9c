"""Rebuild of customers whose members did not move: after an approval, a change of policy, or when the day of an entry has come."""

import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, date
from typing import Final
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from apps.common.act import Act
from apps.common.errors import Conflict
from apps.common.retrying import again
from apps.customers import due, holds, identity
from apps.customers.golden import Change, MemberRow, read_members, rebuild
from apps.customers.models import Hold

BATCH: Final = 250
_log = logging.getLogger(__name__)


@transaction.atomic
def refresh(
    customers: Sequence[UUID],
    *,
    act: Act,
    approved: Mapping[UUID, Mapping[str, bytes]] | None = None,
    releases: bool = False,
) -> list[UUID]:
    """Derives `customers` (250 or fewer) again and writes those that differ; raises Conflict if members moved meanwhile.

    `releases`: what an initial load kept quiet is told from now on."""
    members = locked_members(customers)
    known = identity.lock_customers(customers)
    changes = [
        Change(id_, members.get(id_, []), approved=(approved or {}).get(id_, {}), releases=releases)
        for id_ in sorted(customers)
        if known[id_].active
    ]
    return rebuild([c for c in changes if c.members], act=act)


def locked_members(customers: Sequence[UUID]) -> dict[UUID, list[MemberRow]]:
    """The members of each customer, locked; raises Conflict if they moved meanwhile."""
    before = {m.id for m in read_members(customers=customers)}
    identity.lock_records(before)
    rows = read_members(customers=customers)
    if {m.id for m in rows} != before:
        raise Conflict("Members moved while they were being locked; try again.")
    members: dict[UUID, list[MemberRow]] = {}
    for row in rows:
        if row.customer is not None:
            members.setdefault(row.customer, []).append(row)
    return members


@again
@transaction.atomic
def decide_request(
    *, change_request: UUID, act: Act, approve: bool = True, verdicts: Mapping[str, holds.Verdict] | None = None
) -> list[UUID]:
    """Approves or rejects a change request, whole or by attribute (`verdicts`), and lets what was approved become effective; returns
    the customers written. Raises as holds.decide does."""
    customers = list(
        Hold.objects.filter(change_request=change_request, state="open")
        .values_list("customer_id", flat=True)
        .distinct()
    )
    locked_members(customers)
    decided = holds.decide(change_request=change_request, approve=approve, verdicts=verdicts, act=act)
    approved: dict[UUID, dict[str, bytes]] = {}
    for hold in Hold.objects.filter(change_request=change_request, state="approved"):
        approved.setdefault(hold.customer_id, {})[hold.attribute] = bytes(hold.proposed_hash)
    return refresh(decided, act=act, approved=approved)


def refresh_due() -> int:
    """Derives the customers again of whose lists an entry begins to hold, or holds no longer, by today (UTC); returns how many were looked at.

    One that cannot be written now is found again with the next turn."""
    on, after, seen = timezone.now().astimezone(UTC).date(), UUID(int=0), 0
    while customers := due.overdue(on, after, BATCH):
        after, seen = customers[-1], seen + len(customers)
        if not _turned(customers, on):
            for customer in customers:
                _turned([customer], on)
    return seen


def _turned(customers: Sequence[UUID], on: date) -> bool:
    """Whether they could be derived, all together."""
    act = Act("hub:dates", "An entry of a list begins to hold, or holds no longer.")
    try:
        with transaction.atomic():
            refresh(customers, act=act)
            due.done(customers, on)
    except Exception as error:  # a batch driver: one customer must not keep the others
        _log.warning("Of %d customers with entries that begin or end: %s", len(customers), error)
        return False
    return True
