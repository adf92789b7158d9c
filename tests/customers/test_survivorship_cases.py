"""The worked examples of tests/cases/survivorship.toml: each is a promise to the people who write policies."""

import tomllib
from collections.abc import Callable
from datetime import UTC, date, datetime, time
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pytest

from apps.customers.survivorship import Member, Pin, survive
from apps.customers.survivorship_explain import explain
from apps.customers.survivorship_members import PARTS, value_of
from apps.customers.survivorship_policy import parse_survivorship
from apps.customers.survivorship_strategies import CLOCKS, NAMES, SHAPES

CASES = tomllib.loads((Path(__file__).parents[1] / "cases" / "survivorship.toml").read_text(encoding="utf-8"))["case"]
ABOUT = {"system", "id", "trust", "changed", "received", "verified", "failed", "deleted"}
"""What a case says of a record; everything else is a value."""


DELETED: dict[str, Callable[[datetime], dict[str, Any]]] = {
    "": lambda changed: {},
    "downgrade": lambda changed: {"downgraded": True},
    "end_date": lambda changed: {"downgraded": True, "ended": changed.date()},
    "cascade": lambda changed: {"gone": True},
}


def moment(day: date | None) -> datetime | None:
    return None if day is None else datetime.combine(day, time(), UTC)


def member(told: dict[str, Any]) -> Member:
    changed = moment(told.get("changed", date(2025, 1, 1)))
    assert changed is not None
    verified = {name: datetime.combine(day, time(), UTC) for name, day in told.get("verified", {}).items()}
    return Member(
        f"{told['system']}:{told['id']}", told["system"], told["system"], told["id"], told["trust"], changed,
        {"kind": "person", **{k: v for k, v in told.items() if k not in ABOUT}}, **DELETED[told.get("deleted", "")](changed),
        received_at=moment(told.get("received")), verified_at=verified, failed=told.get("failed", {}),
    )  # fmt: skip


def given(case: dict[str, Any]) -> list[Member]:
    members = [member(told) for told in case["member"]]
    pins = {attribute: Pin("2025-01-01", value) for attribute, value in case.get("pin", {}).items()}
    anchor = Member("pins", "steward", "steward", members[0].id, 100, members[0].updated_at, {}, pins=pins)
    return [*members, anchor] if pins else members


def seen(part: dict[str, Any], expected: Any) -> Any:
    """As much of an entry as the case says: its value, or some of its fields, without those that it has not."""
    if isinstance(expected, dict):
        return {name: part[name] for name in (*expected, "rank") if name in part}
    return part["value"] if part else None


@pytest.mark.parametrize("case", CASES, ids=[c["name"] for c in CASES])
def test_a_worked_example(case: dict[str, Any]) -> None:
    policy = parse_survivorship({"default": ["trust"], **tomllib.loads(case["policy"])})
    at = moment(case.get("at", date(2025, 12, 31)))
    members = given(case)
    for order in (members, members[::-1]):
        golden = survive(order, policy, at)
        for attribute, expected in case["expect"].items():
            value = value_of(golden.values, attribute)
            if attribute in PARTS and value:
                value = [seen(part, as_) for part, as_ in zip_longest(value, expected.get("value", ()))]
            rule = golden.lineage.get(attribute, {}).get("rule", "none")
            assert (attribute, value, rule) == (attribute, expected.get("value"), expected["rule"])
            assert explain(order, policy, attribute, at)["rule"] == rule


def test_names_of_cases_differ() -> None:
    assert len({case["name"] for case in CASES}) == len(CASES)


def test_there_is_an_example_of_every_strategy_clock_and_shape() -> None:
    written = " ".join(case["policy"] for case in CASES)
    assert [word for word in (*NAMES, *SHAPES, *CLOCKS[1:]) if f'"{word}"' not in written] == []
