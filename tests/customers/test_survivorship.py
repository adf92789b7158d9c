"""Survivorship: a pure function of members and policy, whatever the order of the members."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.common.errors import Rejected
from apps.customers.survivorship import Member, Pin, survive
from apps.customers.survivorship_policy import SurvivorshipPolicy, parse_survivorship

BODY: dict[str, Any] = {
    "default": ["trust", "recent", "frequent", "complete"], "attributes": {"status": ["recent", "trust"]},
    "groups": {"person_name": ["given_name", "family_name", "name"]}, "trust": {"erp": {"payment_terms": 95}},
}  # fmt: skip
POLICY = parse_survivorship(BODY)
START = datetime(2024, 1, 1, tzinfo=UTC)


def policy(*strategies: str) -> SurvivorshipPolicy:
    return parse_survivorship({"default": list(strategies)})


def member(
    external_id: str, *, system: str = "crm", trust: int = 50, day: int = 0, downgraded: bool = False, **canonical: Any
) -> Member:
    canonical.setdefault("kind", "person")
    return Member(
        f"{system}-{external_id}",
        system,
        system,
        external_id,
        trust,
        START + timedelta(days=day),
        canonical,
        downgraded,
    )


def anchor(external_id: str, at: str, **pins: Any) -> Member:
    return Member(
        f"a{external_id}",
        "steward",
        "steward",
        external_id,
        100,
        START,
        {},
        pins={a: Pin(at, v) for a, v in pins.items()},
    )


texts = st.sampled_from(("a", "bb", "ccc"))
members = st.lists(
    st.builds(
        lambda system, trust, day, down, values, mails: member(
            "", system=system, trust=trust, day=day, downgraded=down, **values,
            **({"contact_points": [{"type": "email", "value": m} for m in mails]} if mails else {}),
        ),
        st.sampled_from(("crm", "erp", "support")), st.integers(0, 2), st.integers(0, 2), st.booleans(),
        st.dictionaries(st.sampled_from(("given_name", "family_name", "status", "payment_terms", "website")), texts),
        st.lists(texts, max_size=2, unique=True),
    ),
    min_size=1, max_size=5,
).map(lambda found: [Member(f"r{i}", m.system, m.system, str(i), m.trust, m.updated_at, m.canonical, m.downgraded) for i, m in enumerate(found)])  # fmt: skip
pins = st.lists(
    st.tuples(st.sampled_from(("1", "2")), st.dictionaries(st.sampled_from(("status", "website")), texts)), max_size=2
)


@given(members, pins, st.randoms(use_true_random=False))
def test_the_order_of_the_members_does_not_matter(
    found: list[Member], hung: list[tuple[str, dict[str, str]]], rng: Any
) -> None:
    everybody = [*found, *(anchor(str(i), f"2024-01-0{day}", **values) for i, (day, values) in enumerate(hung))]
    expected = survive(everybody, POLICY)
    for _ in range(3):
        rng.shuffle(everybody)
        assert survive(everybody, POLICY) == expected


@given(members)
def test_every_value_is_some_members_and_lineage_names_it(found: list[Member]) -> None:
    golden = survive(found, POLICY)
    by_id = {m.id: m for m in found}
    for attribute, told in golden.lineage.items():
        if attribute not in ("contact_points", "name"):
            assert golden.values[attribute] == by_id[told["record"]].canonical[attribute]
    mails = {p["value"] for m in found for p in m.canonical.get("contact_points", ())}
    assert {p["value"] for p in golden.values.get("contact_points", ())} == mails


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        ("trust", "trusted"),
        ("recent", "newest"),
        ("oldest", "first"),
        ("frequent", "often"),
        ("complete", "the longest"),
    ],
)
def test_each_strategy(strategy: str, expected: str) -> None:
    found = [
        member("1", trust=90, day=1, website="trusted"), member("2", day=9, website="newest"), member("3", day=0, website="first"),
        member("4", day=2, website="often"), member("5", day=3, website="often"), member("6", day=4, website="the longest"),
    ]  # fmt: skip
    golden = survive(found, policy(strategy))
    assert (golden.values["website"], golden.lineage["website"]["rule"], golden.lineage["website"]["of"]) == (
        expected,
        strategy,
        6,
    )


def test_a_tie_goes_on_to_the_next_strategy_and_ends_with_system_and_id() -> None:
    found = [member("2", website="b"), member("1", website="a"), member("1", system="billing", website="c")]
    golden = survive(found, policy("trust", "recent"))
    assert (golden.values["website"], golden.lineage["website"]["rule"]) == ("c", "tie")
    assert (
        survive([member("1", website="x"), member("2", website="x")], policy("trust")).lineage["website"]["rule"]
        == "agreed"
    )


def test_trust_by_system_before_trust_by_kind_before_general_trust() -> None:
    rules = parse_survivorship({"default": ["trust"], "trust": {"crm": {"website": 40}, "sap": {"website": 60}}})
    as_kind = Member("k", "my-crm", "crm", "1", 99, START, {"kind": "person", "website": "by kind"})
    as_system = Member("s", "sap", "erp", "1", 1, START, {"kind": "person", "website": "by system"})
    general = Member("g", "other", "other", "1", 50, START, {"kind": "person", "website": "general"})
    assert survive([as_kind, general], rules).values["website"] == "general"
    assert survive([as_kind, general, as_system], rules).values["website"] == "by system"


def test_names_come_from_one_record_together() -> None:
    found = [member("1", trust=90, given_name="Ada"), member("2", given_name="Eva", family_name="Lund")]
    golden = survive(found, POLICY)
    assert golden.values["given_name"] == "Ada"
    assert "family_name" not in golden.values
    assert golden.values["name"] == "Ada"


def test_a_deleted_record_gives_way_to_any_live_one_and_serves_where_there_is_none() -> None:
    gone = member("1", trust=100, day=9, downgraded=True, website="gone", status="active")
    golden = survive([gone, member("2", trust=0, website="live")], POLICY)
    assert (golden.values["website"], golden.values["status"]) == ("live", "active")


def test_parts_are_united_once_each_with_where_they_came_from() -> None:
    mail = {"type": "email", "value": "a@x.example"}
    golden = survive(
        [member("1", contact_points=[mail]), member("2", trust=90, contact_points=[{**mail, "valid": True}])], POLICY
    )
    (point,) = golden.values["contact_points"]
    assert (point["value"], point["valid"], point["from"]) == ("a@x.example", True, ["crm-2", "crm-1"])
    assert len(point["id"]) == 12


def test_a_pin_stands_above_all_and_of_two_the_newer() -> None:
    found = [
        member("1", trust=100, status="active"),
        anchor("1", "2024-05-02", status="closed"),
        anchor("2", "2024-05-01", status="blocked"),
    ]
    golden = survive(found, POLICY)
    assert (golden.values["status"], golden.lineage["status"]) == ("closed", {"record": "a1", "rule": "pin", "of": 1})


def test_what_people_read_as_the_name() -> None:
    assert (
        survive([member("1", given_name="Ada", family_name="Lund", name="L., A.")], POLICY).values["name"] == "Ada Lund"
    )
    assert survive([member("1", name="Ada Lund")], POLICY).values["name"] == "Ada Lund"
    assert (
        survive([member("1", kind="organization", organization_name="Werft", name="W")], POLICY).values["name"]
        == "Werft"
    )
    assert "name" not in survive([member("1")], POLICY).values


def test_a_policy_that_makes_no_sense_says_where() -> None:
    with pytest.raises(Rejected) as refused:
        parse_survivorship({"default": [], "attributes": {"name": ["luck"]}, "trust": {"crm": {"name": 101}}})
    assert [f.field for f in refused.value.fields] == ["/default", "/attributes/name/0", "/trust/crm/name"]
