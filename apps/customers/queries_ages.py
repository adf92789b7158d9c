"""How old a customer's values are at this moment, and how far they are trusted."""

from uuid import UUID

from django.utils import timezone

from apps.customers.models import Customer
from apps.customers.queries import AttributeLineage, lineage_by, resolve
from apps.customers.queries_members import members_and_facts
from apps.customers.queries_values import values_of
from apps.customers.survivorship_age import Aged, ages, facts
from apps.policies.active import active_ones

Ages = dict[str, tuple[Aged, tuple[Aged, ...]]]
"""Attribute (`extra.<name>` for declared ones) -> its age, and of a list that of each entry, in its order."""


def lineage_with_ages(customer: Customer) -> tuple[list[AttributeLineage], Ages]:
    """Where each value of a customer comes from, and its age by the policy in force: one query. A retired one has no ages."""
    members, known = members_and_facts(customer.id)
    told = lineage_by(customer, members)
    if not known:
        return told, {}
    (policy,) = active_ones("survivorship")
    of = facts(values_of(customer), customer.lineage, known, policy.rules)
    return told, ages(of, policy.rules, timezone.now(), customer.held.keys())


def ages_of(id: UUID) -> Ages:
    """The ages alone, of what an id stands for. Raises NotFound."""
    return lineage_with_ages(resolve(id).customer)[1]
