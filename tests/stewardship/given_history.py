"""Customers with a past: what tests of the timeline, of moments and of notes begin with."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from apps.common.act import Act
from apps.matching import judge
from tests import pipeline
from tests.pipeline import alice, person, take


def sent(system: str, *items: Mapping[str, Any], why: str = "sent") -> Act:
    """Records taken in by a client's call of its own."""
    act = Act("client:loader", why)
    take(system, *items, act=act)
    return act


def at(record: str) -> UUID:
    return pipeline.where()[record]


def merged() -> tuple[UUID, UUID, Act]:
    """(who goes on, who was retired, the act): the people of crm:P1, the older one, and of erp:P2, whom alice took for one."""
    sent("crm", person(1))
    sent("erp", person(2, city="Ulm"))
    survivor, retired = at("crm:P1"), at("erp:P2")
    act = alice()
    judge.merge(customers=[survivor, retired], act=act)
    assert at("erp:P2") == survivor
    return survivor, retired, act
