"""Rebuild of customers whose members did not move: after an approval or a change of policy."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from django.db import transaction

from apps.common.act import Act
from apps.common.errors import Conflict
from apps.customers import holds, identity
from apps.customers.golden import Change, MemberRow, read_members, rebuild
from apps.customers.models import Hold


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
