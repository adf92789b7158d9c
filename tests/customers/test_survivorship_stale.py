"""`[stale]` of the survivorship policy: what it may say, and that every mistake is told with its place."""

import tomllib
from typing import Any

import pytest

from apps.common.errors import Rejected
from apps.customers.survivorship_policy import parse_survivorship
from apps.customers.survivorship_stale import Stale


def parse(text: str) -> Any:
    return parse_survivorship({"default": ["trust"], **tomllib.loads(text)})


def test_days_alone_or_days_by_a_clock() -> None:
    policy = parse(
        '[stale]\ncontact_points = 365\n"extra.tier" = { days = 30 }\naddresses = { days = 1, clock = "received" }'
    )
    assert policy.stale == {
        "contact_points": Stale(365), "extra.tier": Stale(30), "addresses": Stale(1, "received"),
    }  # fmt: skip
    assert parse("").stale == {}


@pytest.mark.parametrize(
    ("text", "place", "code", "said"),
    [
        ("[stale]\ncontact_pionts = 1", "/stale/contact_pionts", "unknown_attribute", "did you mean contact_points?"),
        ("[stale]\nextra = 1", "/stale/extra", "unknown_attribute", "extra.<name>"),
        ("[stale]\nwebsite = 0", "/stale/website", "out_of_range", "from 1 to 36500"),
        ("[stale]\nwebsite = 36501", "/stale/website", "out_of_range", "such as 365"),
        ("[stale]\nwebsite = true", "/stale/website", "out_of_range", "whole number"),
        ('[stale]\nwebsite = "a year"', "/stale/website", "out_of_range", "whole number"),
        ("[stale]\nwebsite = { days = 1.5 }", "/stale/website/days", "out_of_range", "whole number"),
        ('[stale]\nwebsite = { clock = "received" }', "/stale/website/days", "missing", "whole number"),
        ('[stale]\nwebsite = { days = 1, clock = "recieved" }', "/stale/website/clock", "unknown_value", "received?"),
        ("[stale]\nwebsite = { days = 1, after = 2 }", "/stale/website/after", "unknown_field", "days and clock"),
        ("stale = 5", "/stale", "wrong_type", "[stale]"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(text: str, place: str, code: str, said: str) -> None:
    with pytest.raises(Rejected) as refused:
        parse(text)
    (found,) = refused.value.fields
    assert (found.field, found.code) == (place, code)
    assert said in found.detail
