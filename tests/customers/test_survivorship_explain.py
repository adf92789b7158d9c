"""What is asked of single parts: trust over time, failed checks, explanations, and lineage as it is stored."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from apps.customers.quality import Quality
from apps.customers.survivorship import Member, Pin, effective_trust, survive
from apps.customers.survivorship_explain import explain
from apps.customers.survivorship_lineage import pack, unpack
from apps.customers.survivorship_policy import parse_survivorship
from apps.customers.survivorship_trust import Decay

START = datetime(2025, 1, 1, tzinfo=UTC)


def member(id: str, *, trust: int = 50, day: int = 0, **more: Any) -> Member:
    own = {n: more.pop(n) for n in ("downgraded", "failed", "verified_at", "pins", "ignored") if n in more}
    kind = "steward" if own.keys() & {"pins", "ignored"} else "crm"
    external_id = more.pop("external_id", id)
    return Member(id, kind, kind, external_id, trust, START + timedelta(days=day), {"kind": "person", **more}, **own)


@pytest.mark.parametrize(
    ("decay", "trust", "days", "expected"),
    [
        (Decay(40, 100), 90, 0, 90), (Decay(40, 100), 90, 50, 65), (Decay(40, 100), 90, 100, 40), (Decay(40, 100), 90, 9999, 40),
        (Decay(40, 100, "step"), 90, 99.99, 90), (Decay(40, 100, "step"), 90, 100, 40),
        (Decay(40, 100, "half-life"), 80, 100, 60), (Decay(40, 100, "half-life"), 80, 200, 50), (Decay(40, 100, "half-life"), 80, 36_500, 40),
        (Decay(40, 100, above=100), 50, 50, 70), (Decay(40, 100), 30, 50, 30), (Decay(40, 100), 90, -5, 90), (Decay(40, 100), 90, None, 40),
    ],
)  # fmt: skip
def test_trust_over_time(decay: Decay, trust: int, days: float | None, expected: float) -> None:
    assert decay.at_age(trust, None if days is None else timedelta(days=days)) == expected


@pytest.mark.parametrize(
    ("failed", "expected"),
    [([], 80), (["a"], 40), (["a", "a"], 40), (["a", "b"], 30), (["b", "a"], 30), (["unknown"], 80), (["all"], 10)],
)
def test_failed_checks(failed: list[str], expected: float) -> None:
    quality = Quality({"a": 50, "b": 25, "all": 100}, reserve=10)
    assert quality.lowered(80, failed) == expected
    assert quality.lowered(4, ["all"]) == 4, "the reserve keeps trust from falling, it never raises it"


def test_trust_of_any_past_day() -> None:
    policy = parse_survivorship({"default": ["trust"], "quality": {"penalties": {"bad": 10}}})
    one = member("1", trust=90, failed={"website": ["bad"]}, website="x")
    trusts = [effective_trust(one, "website", policy, START + timedelta(days=d), Decay(40, 100)) for d in (0, 50, 100)]
    assert trusts == [81, 58.5, 36]
    assert effective_trust(one, "status", policy) == 90
    with pytest.raises(ValueError, match="moment"):
        effective_trust(one, "status", policy, None, Decay(40, 100))


def test_a_policy_that_asks_for_the_moment_is_not_guessed_one() -> None:
    policy = parse_survivorship({"default": [{"strategy": "trust", "decay": {"to": 0, "days": 1}}]})
    with pytest.raises(ValueError, match="moment"):
        survive([member("1")], policy)
    assert survive([member("1", website="x")], policy, START).values["website"] == "x"


def test_an_explanation_step_by_step() -> None:
    policy = parse_survivorship(
        {
            "default": ["trust"],
            "attributes": {"website": [{"if": "kind is person", "use": [{"strategy": "recent", "clock": "verified"}, "trust", "recent"]}]},
        }
    )  # fmt: skip
    members = [
        member("new", trust=70, day=2, website="https://new.example"),
        member("old", trust=70, day=1, website="https://old.example"),
        member("far", trust=20, day=9, website="https://far.example"),
        member("gone", trust=99, day=9, website="https://gone.example", downgraded=True),
        member("mute", trust=99),
        member("i", external_id="far2", ignored={"website": "https://x.example"}),
        member("far2", trust=90, website="https://x.example", status="active"),
    ]
    assert explain(members, policy, "website", START) == {
        "attribute": "website", "value": "https://new.example", "rule": "recent", "record": "new", "of": 4,
        "decided": "https://new.example", "pin": None, "group": [], "condition": "kind is person",
        "chain": [
            {"rule": "recent_verified", "strategy": "recent", "clock": "verified"}, {"rule": "trust", "strategy": "trust"},
            {"rule": "recent", "strategy": "recent"},
        ],
        "ignored": [{"record": "far2", "value": "https://x.example"}],
        "steps": [
            {"rule": "deleted", "abstained": False, "asked": 4, "kept": 3},
            {"rule": "recent_verified", "abstained": True, "asked": 3, "kept": 3},
            {"rule": "trust", "abstained": False, "asked": 3, "kept": 2},
            {"rule": "recent", "abstained": False, "asked": 2, "kept": 1},
        ],
        "candidates": [
            {
                "record": r, "system": "crm", "external_id": r, "value": f"https://{r}.example", "trust": t, "failed": {}, "scores": s,
                "out": out, "won": out is None,
            }
            for r, t, s, out in (
                ("new", 70, [None, None, 70, "2025-01-03T00:00:00+00:00"], None),
                ("old", 70, [None, None, 70, "2025-01-02T00:00:00+00:00"], "recent"),
                ("far", 20, [None, None, 20, None], "trust"), ("gone", -1, [None, None, None, None], "deleted"),
            )
        ],
    }  # fmt: skip


def test_an_explanation_of_pins_names_and_ties() -> None:
    policy = parse_survivorship({"default": ["trust"], "groups": {"n": ["given_name", "family_name", "name"]}})
    members = [
        member("b", status="x", given_name="Ada", family_name="Lund"), member("a", status="y", given_name="Eva", failed={"given_name": ["odd"]}),
        member("p", pins={"status": Pin("2025", "z")}),
    ]  # fmt: skip
    told = explain(members, policy, "status")
    assert (told["value"], told["rule"], told["decided"], told["pin"]) == (
        "z",
        "pin",
        "y",
        {"record": "p", "at": "2025", "value": "z"},
    )
    assert [(c["record"], c["out"], c["won"]) for c in told["candidates"]] == [("a", None, True), ("b", "tie", False)]
    told = explain(members, policy, "name")
    assert (told["value"], told["rule"], told["decided"]) == ("Eva", "composed", None)
    assert told["group"] == ["given_name", "family_name", "name"]
    assert [(c["value"], c["failed"]) for c in told["candidates"]] == [
        (["Eva", None, None], {"given_name": ["odd"]}),
        (["Ada", "Lund", None], {}),
    ]
    assert explain(members, policy, "currency")["rule"] == "none"


@pytest.mark.parametrize(
    ("strategy", "scores"),
    [
        ({"strategy": "oldest", "clock": "verified"}, ["2025-01-01T00:00:00+00:00", None]), ("minimum", ["5.00", "many"]),
        ("maximum", ["5.00", "many"]), ("complete", [[1, 4], [1, 4]]), ("frequent", [1, 1]),
        ({"strategy": "complete", "of": "record"}, [1, 1]),
    ],
)  # fmt: skip
def test_scores_are_plain(strategy: Any, scores: list[Any]) -> None:
    policy = parse_survivorship({"default": ["trust"], "attributes": {"credit_limit": [strategy]}})
    members = [member("1", credit_limit="5.00", verified_at={"credit_limit": START}), member("2", credit_limit="many")]
    assert [c["scores"][0] for c in explain(members, policy, "credit_limit")["candidates"]] == scores


def test_a_conflict_is_stored_without_a_record() -> None:
    policy = parse_survivorship({"default": ["unanimous"]})
    golden = survive([member("1", status="x", language="de"), member("2", status="y", language="de")], policy)
    assert golden.lineage["status"] == {"rule": "conflict", "of": 2}
    assert "status" not in golden.values
    assert unpack(pack(golden.lineage)) == golden.lineage
    assert [None, "conflict", 2, ["status"]] in pack(golden.lineage)
    assert (
        explain([member("1", status="x"), member("2", status="y")], policy, "status")["candidates"][0]["out"]
        == "unanimous"
    )
