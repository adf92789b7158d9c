"""apps.connectors.planning_cursor: a poll looks back as far as a late commit may hide, and no further."""

from datetime import UTC, datetime

import pytest

from apps.connectors.planning_cursor import forward, overlapping

NOW = datetime(2026, 11, 21, 12, 0, 30, 500_000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "asked"),
    [
        ("2026-11-21T12:00:30.400000+0000", "2026-11-21T12:00:20.500000+0000"),
        ("2026-11-21T12:00:30Z", "2026-11-21T12:00:20Z"),
        ("2026-11-21T12:00:30.400Z", "2026-11-21T12:00:20.500Z"),
        ("2026-11-21T13:00:30.4+01:00", "2026-11-21T13:00:20.5+01:00"),
        ("2026-11-21T12:00:20.500000Z", "2026-11-21T12:00:20.500000Z"),
        ("2026-11-21T11:00:00Z", "2026-11-21T11:00:00Z"),
        ("evt_42", "evt_42"),
        ("2026-13-45T99:00:00Z", "2026-13-45T99:00:00Z"),
        (7, 7),
    ],
    ids=str,
)
def test_a_young_moment_is_put_back(value: object, asked: object) -> None:
    assert overlapping({"after": value, "id": "x"}, now=NOW, seconds=10) == {"after": asked, "id": "x"}


def test_what_is_kept_never_goes_back() -> None:
    young, old = {"after": "2026-11-21T12:00:30Z", "id": "b"}, {"after": "2026-11-21T12:00:20Z", "id": "a"}
    assert forward(young, old) == young
    assert forward(old, young) == young
    assert forward({}, old) == old
    assert forward({"after": "evt_1"}, {"after": "evt_2"}) == {"after": "evt_2"}
