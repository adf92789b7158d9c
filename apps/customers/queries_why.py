"""Why one value of a customer is what it is, step by step: its records as they are now, under the policy in force."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.utils import timezone

from apps.common.errors import NotFound
from apps.customers.golden import read_members
from apps.customers.models import Customer
from apps.customers.queries import resolve
from apps.customers.survivorship_explain import explain
from apps.customers.survivorship_members import ATTRIBUTES, EXTRA
from apps.policies.active import active_ones


@dataclass(frozen=True, slots=True)
class Why:
    """`told` as `survivorship_explain.explain` gives it; `policy_hash` of the policy in force; `stands`: the customer has the value that
    is told, of the same record. It has not, for a moment, when the policy is new or trust has decayed since. `asked` is the id that was
    asked for."""

    asked: UUID
    customer: Customer
    told: dict[str, Any]
    policy_hash: str
    stands: bool


def why(id: UUID, attribute: str) -> Why:
    """How one attribute is decided (`extra.<name>` for a declared one). NotFound for what is no customer or no attribute."""
    if (attribute not in ATTRIBUTES and not attribute.startswith(EXTRA)) or attribute == "extra":
        raise NotFound("There is no such attribute.")
    found = resolve(id)
    (policy,) = active_ones("survivorship")
    members = [row.member for row in read_members(customers=[found.customer.id])]
    if not members:
        raise NotFound("The customer has no records.")
    told = explain(members, policy.rules, attribute, timezone.now())
    standing = (
        found.customer.lineage.get(attribute) or {}
    )  # a customer of one record has its declared attributes as a whole
    stands = policy.hash == found.customer.policy_hash or standing.get("record") == told["record"]
    return Why(found.asked, found.customer, told, policy.hash, stands)
