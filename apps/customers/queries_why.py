"""Why one value of a customer is what it is, step by step: by its records as they are now and the policy in force, or as both were at a
past moment."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.utils import timezone

from apps.common.errors import FieldError, NotFound, Rejected
from apps.customers.golden import read_members
from apps.customers.queries import resolve
from apps.customers.queries_past import Then, members_and_facts_then, require_kept, stood
from apps.customers.queries_values import values_of
from apps.customers.survivorship_explain import explain
from apps.customers.survivorship_members import ATTRIBUTES, EXTRA, noted_of, value_of
from apps.policies.active import Active, active_ones, known


@dataclass(frozen=True, slots=True)
class Why:
    """`told` as `survivorship_explain.explain` gives it; `policy_hash` of the policy that decides; `stands`: the customer has the value
    that is told, of the same record. It has not, for a moment, when the policy is new or trust has decayed since. `asked` is the id that
    was asked for, `customer` a Customer, or the version of it that stood at a past moment."""

    asked: UUID
    customer: Any
    told: dict[str, Any]
    policy_hash: str
    stands: bool


def why(id: UUID, attribute: str, at: datetime | None = None) -> Why:
    """How one attribute is decided (`extra.<name>` for a declared one), or was `at` a past moment. NotFound for what is no customer or
    no attribute; of the past also Erased, and Rejected where it cannot be told truly any more."""
    if (attribute not in ATTRIBUTES and not attribute.startswith(EXTRA)) or attribute == "extra":
        raise NotFound("There is no such attribute.")
    if at is not None:
        return _why_then(stood(id, at), attribute)
    found = resolve(id)
    (policy,) = active_ones("survivorship")
    members = [row.member for row in read_members(customers=[found.customer.id])]
    if not members:
        raise NotFound("The customer has no records.")
    told = explain(members, policy.rules, attribute, timezone.now())
    stands = policy.hash == found.customer.policy_hash or _origin(found.customer, attribute) == told["record"]
    return Why(found.asked, found.customer, told, policy.hash, stands)


def _origin(customer: Any, attribute: str) -> str | None:
    """The record that a value comes from; a customer of one record has its declared attributes as a whole."""
    record: str | None = (customer.lineage.get(attribute) or {}).get("record")
    return record


def _why_then(then: Then, attribute: str) -> Why:
    """By the records of then, the policy that the version was made under, and trust as it had decayed by then.

    What a system itself is trusted, and what it makes of deletions, is kept as it is today only; and a record may have come that was not
    matched yet. So nothing is told unless it comes to just what stood then."""
    require_kept(then)
    _, members = members_and_facts_then(then)
    if not members:
        raise NotFound("The customer had no records at that time.")
    policy = known("survivorship", then.row.policy_hash)
    if policy is None:
        raise _cannot(attribute, "the policy of then is not kept")
    told = explain(members, policy.rules, attribute, then.at)
    if not _stood(then, policy, attribute, told):
        raise _cannot(attribute, "its records or what their systems were trusted were others when it was decided")
    return Why(then.asked, then.row, told, policy.hash, stands=True)


def _stood(then: Then, policy: Active, attribute: str, told: dict[str, Any]) -> bool:
    """Whether the version had the value that is told, by the same rule, of the same record; of what a Hold kept, the value it kept back."""
    row = then.row
    noted = noted_of(row.lineage, attribute)
    derived = {**values_of(row), **row.held}
    rule = noted.get("rule", "none")
    return (
        policy.hash == row.policy_hash
        and value_of(derived, attribute) == told["value"]
        and told["rule"] in (rule, "composed")
        and noted.get("record") == told["record"]
    )


def _cannot(attribute: str, cause: str) -> Rejected:
    said = (
        f"How {attribute} was decided at that time cannot be told any more: {cause}. Which record and rule gave the value is told by"
        " the customer's lineage with the same as_of; how it is decided today, without as_of."
    )
    return Rejected(said, [FieldError("as_of", "not_explainable", said)])
