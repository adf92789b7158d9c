"""The rules of the merging policy: what they see of two records, and what is no rule."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.common.errors import Rejected
from apps.matching.merge_vetoes import Facts, Veto, pairs_of, parse_merging, side_of, stands

SHIPPED = tomllib.loads((Path(__file__).parents[2] / "policy" / "merging.toml").read_text(encoding="utf-8"))


def tax(value: str, country: str = "DE", *, verified: bool | None = True) -> dict[str, Any]:
    return {"type": "tax_id", "value": value, "country": country, "verified": verified}


def record(system: int = 1, **canonical: Any) -> Facts:
    return Facts(system, canonical)


def rules_between(one: Facts, other: Facts, body: dict[str, Any] = SHIPPED) -> set[str]:
    return {v.name for v in parse_merging(body).vetoes if pairs_of([v], [one, other])}


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        pytest.param(record(identifiers=[tax("1")]), record(identifiers=[tax("2")]), {"tax-ids"}, id="two-tax-ids"),
        pytest.param(record(identifiers=[tax("1")]), record(identifiers=[tax("1")]), set(), id="one-tax-id"),
        pytest.param(record(identifiers=[tax("1")]), record(identifiers=[tax("2", "AT")]), set(), id="two-countries"),
        pytest.param(
            record(identifiers=[tax("1")]), record(identifiers=[tax("2", verified=False)]), set(), id="not-confirmed"
        ),
        pytest.param(
            record(identifiers=[tax("1"), tax("3")]), record(identifiers=[tax("3")]), set(), id="one-of-several-is-shared"
        ),
        pytest.param(record(identifiers=[tax("1")]), record(), set(), id="known-on-one-side"),
        pytest.param(
            record(extra={"open_orders": 2.0}), record(extra={"open_orders": "1"}), {"open-business"}, id="open-orders"
        ),
        pytest.param(
            record(extra={"open_orders": 2}), record(extra={"subscription_status": "Active"}), {"open-business"},
            id="orders-and-subscription",
        ),
        pytest.param(record(extra={"open_orders": 2}), record(2, extra={"open_orders": 1}), set(), id="two-systems"),
        pytest.param(record(extra={"open_orders": 0}), record(extra={"open_orders": 3}), set(), id="none-open"),
        pytest.param(record(extra={"open_orders": 3}), record(), set(), id="nobody-says"),
        pytest.param(
            record(extra={"parent": "Acme"}), record(2, extra={"parent": "Other"}), {"hierarchies"}, id="two-parents"
        ),
        pytest.param(record(extra={"parent": "ACME"}), record(2, extra={"parent": "Acme"}), set(), id="case-of-letters"),
    ],
)  # fmt: skip
def test_what_is_shipped(one: Facts, other: Facts, expected: set[str]) -> None:
    assert rules_between(one, other) == rules_between(other, one) == expected


def test_a_rule_of_ones_own_looks_both_ways_round() -> None:
    body = {"vetoes": [{"name": "blocked", "sentence": "x", "one": "status = blocked", "other": "status = active"}]}
    blocked, active = record(status="blocked"), record(status="active")
    assert rules_between(blocked, active, body) == rules_between(active, blocked, body) == {"blocked"}
    assert rules_between(blocked, blocked, body) == rules_between(active, active, body) == set()


def test_all_that_is_written_has_to_be_met() -> None:
    rule = {"name": "n", "sentence": "x", "both": "kind is organization", "differ": ["website"], "one_system": True}
    body = {"vetoes": [rule]}
    a, b = record(kind="organization", website="a.example"), record(kind="organization", website="b.example")
    assert rules_between(a, b, body) == {"n"}
    assert rules_between(a, record(2, kind="organization", website="b.example"), body) == set()
    assert rules_between(a, record(kind="person", website="b.example"), body) == set()
    assert rules_between(a, record(kind="organization", website="a.example"), body) == set()


def test_a_record_that_is_gone_stands_against_nothing() -> None:
    gone = [record(identifiers=[tax("1")]), None, record(identifiers=[tax("2")])]
    assert set(pairs_of(parse_merging(SHIPPED).vetoes, gone)) == {(0, 2)}


@pytest.mark.parametrize(
    ("rule", "pointer"),
    [
        ({"sentence": "x", "differ": ["lei"]}, "/vetoes/0/name"),
        ({"name": "n", "differ": ["lei"]}, "/vetoes/0/sentence"),
        ({"name": "n", "sentence": "x"}, "/vetoes/0"),
        ({"name": "n", "sentence": "x", "one": "status = a"}, "/vetoes/0"),
        ({"name": "n", "sentence": "x", "both": "status ="}, "/vetoes/0/both"),
        ({"name": "n", "sentence": "x", "both": 5}, "/vetoes/0/both"),
        ({"name": "n", "sentence": "x", "differ": ["passport"]}, "/vetoes/0/differ/0"),
        ({"name": "n", "sentence": "x", "differ": "lei"}, "/vetoes/0/differ"),
        ({"name": "n", "sentence": "x", "differ": ["lei"], "second_person": "yes"}, "/vetoes/0/second_person"),
        ({"name": "n", "sentence": "x", "differ": ["lei"], "seconds": True}, "/vetoes/0/seconds"),
        ("lei", "/vetoes/0"),
    ],
)
def test_what_is_no_rule_is_named(rule: Any, pointer: str) -> None:
    with pytest.raises(Rejected) as caught:
        parse_merging({"vetoes": [rule]})
    assert [f.field for f in caught.value.fields] == [pointer]


def test_two_rules_of_one_name_are_refused() -> None:
    rule = {"name": "n", "sentence": "x", "differ": ["lei"]}
    with pytest.raises(Rejected) as caught:
        parse_merging({"vetoes": [rule, rule]})
    assert [f.field for f in caught.value.fields] == ["/vetoes/1/name"]
    assert parse_merging({}).vetoes == ()


_values = st.fixed_dictionaries(
    {},
    optional={
        "extra": st.fixed_dictionaries(
            {},
            optional={
                "open_orders": st.sampled_from([0, 1, True, "2", "none"]),
                "subscription_status": st.sampled_from(["active", "ended"]),
                "parent": st.sampled_from(["a", "A", "b"]),
            },
        ),
        "identifiers": st.lists(st.builds(tax, st.sampled_from("123"), st.sampled_from(["DE", "AT"])), max_size=3),
    },
)
_records = st.lists(st.none() | st.builds(Facts, st.integers(1, 2), _values), max_size=7)


@given(_records)
def test_looking_once_at_records_that_are_alike_finds_what_looking_at_each_pair_does(
    records: list[Facts | None],
) -> None:
    vetoes = parse_merging(SHIPPED).vetoes

    def meets(veto: Veto, a: int, b: int) -> bool:
        sides = [side_of(veto, own) if (own := records[i]) else None for i in (a, b)]
        return sides[0] is not None and sides[1] is not None and stands(veto, sides[1], sides[0])

    expected = {
        (a, b)
        for a in range(len(records))
        for b in range(a + 1, len(records))
        if any(meets(veto, a, b) for veto in vetoes)
    }
    assert set(pairs_of(vetoes, records)) == expected
