"""How old a customer's values are, or were at a past moment, and how far they are trusted."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from django.utils import timezone

from apps.customers.models import Customer
from apps.customers.queries import AttributeLineage, lineage_by, resolve
from apps.customers.queries_members import Members, members_and_facts
from apps.customers.queries_past import Then, members_and_facts_then, require_kept
from apps.customers.queries_values import values_of
from apps.customers.survivorship import survive
from apps.customers.survivorship_age import Aged, ages, facts
from apps.customers.survivorship_members import Member, noted_of
from apps.policies.active import active_ones, known

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


def lineage_with_ages_then(then: Then) -> tuple[list[AttributeLineage], Ages]:
    """The same at a past moment: three statements. Raises Erased."""
    require_kept(then)
    return lineage_with_ages_by(then, *members_and_facts_then(then))


def lineage_with_ages_by(
    then: Then, members: Members, known_ones: Sequence[Member]
) -> tuple[list[AttributeLineage], Ages]:
    """The same with what `members_and_facts_then` read, by the policy that the version was made under: one statement.

    A policy that is not kept says nothing of age. What a system itself was trusted is not kept either, so a value has a confidence only where
    its records, read again, come to the origin that was stored."""
    row = then.row
    told = lineage_by(row, members)
    policy = known("survivorship", row.policy_hash)
    if policy is None or not known_ones:
        return told, {}
    found = ages(facts(values_of(row), row.lineage, known_ones, policy.rules), policy.rules, then.at, row.held.keys())
    again = survive(known_ones, policy.rules, then.at).lineage
    return told, {
        name: aged if _origin(again, name) == _origin(row.lineage, name) else _without_confidence(aged)
        for name, aged in found.items()
    }


def _origin(lineage: Mapping[str, Any], name: str) -> tuple[Any, Any]:
    noted = noted_of(lineage, name)
    return noted.get("rule"), noted.get("record")


def _without_confidence(aged: tuple[Aged, tuple[Aged, ...]]) -> tuple[Aged, tuple[Aged, ...]]:
    whole, entries = aged
    return replace(whole, confidence=None), tuple(replace(entry, confidence=None) for entry in entries)


def ages_of(id: UUID) -> Ages:
    """The ages alone, of what an id stands for. Raises NotFound."""
    return lineage_with_ages(resolve(id).customer)[1]
