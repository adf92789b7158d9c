"""Promises that hold for every policy and every set of members."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from apps.customers.due import due
from apps.customers.survivorship import PARTS, Golden, Member, Pin, day_of, survive
from apps.customers.survivorship_explain import explain
from apps.customers.survivorship_members import SINGLES, value_of
from apps.customers.survivorship_policy import SurvivorshipPolicy, parse_survivorship

NOW = datetime(2025, 6, 1, tzinfo=UTC)
FOR_ONE = ("trust", "recent", "oldest", "longest", "complete")
"""Strategies that look at one member alone, for any single value."""
WITH = {
    "fading": {"strategy": "trust", "decay": {"to": 10, "days": 30, "shape": "half-life"}},
    "stepping": {"strategy": "trust", "decay": {"from": 80, "to": 10, "days": 3, "shape": "step", "clock": "verified"}},
    "told": {"strategy": "recent", "clock": "received"},
    "sure": {"strategy": "oldest", "clock": "verified"},
    "full": {"strategy": "complete", "of": "record"},
}
days = st.integers(0, 5).map(lambda n: NOW - timedelta(days=n))
texts = st.sampled_from(("a", "bb", "ccc", "12", "7.50"))
NAMES = ("given_name", "family_name", "status", "payment_terms", "credit_limit", "website")


@st.composite
def chains(draw: st.DrawFn, ends: Sequence[str] = ("unanimous",), among: Sequence[Any] = ()) -> list[Any]:
    steps = draw(st.lists(st.sampled_from([*FOR_ONE, "frequent", *WITH, *among]), min_size=1, max_size=4, unique=True))
    end = draw(st.sampled_from(("", *ends)))
    return [WITH.get(s, s) for s in steps] + ([end] if end else [])


@st.composite
def policies(draw: st.DrawFn) -> SurvivorshipPolicy:
    """Any policy, conditions included: what stands in `if` is decided by chains without one."""
    numbers = draw(chains(among=("minimum", "maximum")))
    return parse_survivorship(
        {
            "default": draw(chains()),
            "attributes": {
                "kind": draw(chains()), "credit_limit": numbers, "given_name": draw(chains()),
                "extra.tags": draw(chains(("aggregate",))), "addresses": draw(chains(("aggregate", "unanimous"))),
                "website": [{"if": draw(st.sampled_from(("status is a", "credit_limit > 8 or extra.tags is known", "country is DE"))),
                             "use": draw(chains())}],
            },
            "groups": {"name": ["given_name", "family_name", "name"]}, "lists": {"extra.tags": ","},
            "trust": {"erp": {"status": 90}}, "quality": {"reserve": 5, "penalties": {"odd": 50, "bad": 30}},
        }
    )  # fmt: skip


dates = st.integers(-3, 3).map(lambda n: (NOW + timedelta(days=n)).date().isoformat())
called = st.sampled_from(("Adler Bau GmbH", "ADLER BAU GMBH", "Adler-Bau Gmbh", "Fonds 3", "Fonds 4"))
lines = st.sampled_from(("Hauptstraße 5", "Hauptstr. 5", "5 Haupt Str", "Hauptstr. 5a", "Ringweg 1"))


def name(type_: str, value: str, first: str | None, last: str | None) -> dict[str, Any]:
    """A name that begins before it ends, if it says either."""
    first, last = (last, first) if first and last and first > last else (first, last)
    told = {"type": type_, "value": value, "valid_from": first, "valid_to": last}
    return {field: said for field, said in told.items() if said}


def place(type_: str, line: str, country: str) -> dict[str, Any]:
    return {"type": type_, "line1": line, "city": country, "country": country}


@st.composite
def groups(draw: st.DrawFn, least: int = 1, most: int = 5) -> list[Member]:
    found = []
    for at in range(draw(st.integers(least, most))):
        values = draw(st.dictionaries(st.sampled_from(NAMES), texts))
        mails = draw(st.lists(texts, max_size=2, unique=True))
        names = draw(
            st.lists(
                st.builds(name, st.sampled_from(("legal", "former")), called, st.none() | dates, st.none() | dates),
                max_size=3,
            )
        )
        deleted = draw(st.sampled_from(("", "", "", "downgraded", "ended", "gone")))
        tags = draw(st.lists(texts, max_size=2))
        places = draw(
            st.lists(
                st.builds(place, st.sampled_from(("postal", "billing")), lines, st.sampled_from(("DE", "FR"))),
                max_size=2,
            )
        )
        system = draw(st.sampled_from(("crm", "erp", "support")))
        found.append(
            Member(
                f"r{at}", system, system, str(at), draw(st.integers(0, 2)) * 40, draw(days),
                {
                    "kind": draw(st.sampled_from(("person", "organization"))), **values,
                    **({"contact_points": [{"type": "email", "value": m} for m in mails]} if mails else {}),
                    **({"addresses": places} if places else {}),
                    **({"names": names} if names else {}),
                    **({"extra": {"tags": ",".join(tags)}} if tags else {}),
                },
                deleted in ("downgraded", "ended"), day_of(NOW) if deleted == "ended" else None, deleted == "gone",
                received_at=draw(st.none() | days),
                verified_at=draw(st.dictionaries(st.sampled_from(NAMES), days, max_size=2)),
                failed=draw(st.dictionaries(st.sampled_from(NAMES), st.lists(st.sampled_from(("odd", "bad"))), max_size=2)),
            )
        )  # fmt: skip
    return found


def anchor(**pins: Any) -> Member:
    return Member("pins", "steward", "steward", "pins", 100, NOW, {}, pins={a: Pin("2025", v) for a, v in pins.items()})


@given(
    groups(),
    policies(),
    st.dictionaries(st.sampled_from(("status", "website", "kind")), texts),
    st.randoms(use_true_random=False),
)
def test_the_order_of_the_members_never_matters(
    members: list[Member], policy: SurvivorshipPolicy, pins: dict[str, str], rng: Any
) -> None:
    everybody = [*members, anchor(**pins)] if pins else list(members)
    expected = survive(everybody, policy, NOW)
    for _ in range(3):
        rng.shuffle(everybody)
        assert survive(everybody, policy, NOW) == expected


@given(groups(least=2), policies(), st.integers(1, 4))
def test_merging_groups_is_deriving_their_union(members: list[Member], policy: SurvivorshipPolicy, cut: int) -> None:
    """Whatever the groups were before, and whichever is merged into which."""
    left, right = members[:cut], members[cut:]
    for group in (left, right):
        if group:
            survive(group, policy, NOW)
    assert survive([*left, *right], policy, NOW) == survive([*right, *left], policy, NOW)


@st.composite
def told_apart(draw: st.DrawFn) -> list[Member]:
    """Members of whom no two score alike, whatever the strategy."""
    n = draw(st.integers(2, 6))
    ranks = [draw(st.permutations(range(n))) for _ in range(6)]
    return [
        Member(
            f"r{at}", "crm", "crm", str(at), 10 * trust, NOW - timedelta(days=changed),
            {"status": "x" * (length + 1), **dict.fromkeys(SINGLES[1 : 1 + full], "y")},
            received_at=NOW - timedelta(days=received), verified_at={"status": NOW - timedelta(days=verified)},
        )
        for at, (trust, changed, received, verified, length, full) in enumerate(zip(*ranks, strict=True))
    ]  # fmt: skip


@given(
    told_apart(),
    st.sampled_from(["trust", "recent", "oldest", "longest", "complete", "told", "sure", "full"]),
    st.integers(1, 5),
)
def test_the_winner_of_a_union_is_the_winner_of_the_winners(members: list[Member], strategy: str, cut: int) -> None:
    """For strategies that look at one member at a time, where nobody ties."""
    policy = parse_survivorship({"default": [WITH.get(strategy, strategy)]})
    halves = [half for half in (members[:cut], members[cut:]) if half]
    winners = [next(m for m in half if m.id == survive(half, policy).lineage["status"]["record"]) for half in halves]
    whole = survive(members, policy)
    assert survive(winners, policy).values["status"] == whole.values["status"]
    assert whole.lineage["status"]["rule"] == explain(members, policy, "status")["chain"][0]["rule"]


def loses_everywhere(members: Sequence[Member]) -> Member:
    """A deleted record with values for what live ones have too."""
    live = [m for m in members if not m.downgraded and not m.gone]
    known = {n for m in live for n in m.canonical if n in SINGLES and n != "name"}
    names = {"given_name", "family_name"}
    known = known if names <= known else known - names
    return replace(
        members[0],
        id="last",
        external_id="zzz",
        canonical=dict.fromkeys(known, "loser"),
        downgraded=True,
        ended=None,
        gone=False,
        verified_at={},
    )


def without_of(golden: Golden) -> tuple[dict[str, Any], dict[str, Any]]:
    return golden.values, {a: {k: v for k, v in told.items() if k != "of"} for a, told in golden.lineage.items()}


@given(groups(least=2), policies())
def test_a_member_that_loses_everywhere_changes_nothing_but_of(
    members: list[Member], policy: SurvivorshipPolicy
) -> None:
    """The rule `agreed` may be told otherwise: one that does not agree stands beside."""
    loser = loses_everywhere(members)
    assume(len(loser.canonical) > 1)
    members = [m for m in members if not m.downgraded and not m.gone and len(m.canonical) > 1]
    assume(len(members) > 1)  # of one record that says anything, lineage tells it is the only one
    values, lineage = without_of(survive(members, policy, NOW))
    more = survive([*members, loser], policy, NOW)
    assert more.values == values
    for attribute, told in without_of(more)[1].items():
        assert told.get("record") == lineage[attribute].get("record")
        assert told["rule"] == lineage[attribute]["rule"] or lineage[attribute]["rule"] == "agreed"
        assert more.lineage[attribute]["of"] - survive(members, policy, NOW).lineage[attribute]["of"] in (0, 1)


@given(groups(), policies())
def test_deriving_twice_is_deriving_once(members: list[Member], policy: SurvivorshipPolicy) -> None:
    """The same again; and a record that has the golden values already has nothing to add."""
    golden = survive(members, policy, NOW)
    assert survive(members, policy, NOW) == golden
    once = replace(members[0], canonical=golden.values, ended=None, gone=False)
    again = survive([once], policy, NOW).values
    assert {a: v for a, v in again.items() if a not in PARTS} == {
        a: v for a, v in golden.values.items() if a not in PARTS
    }
    for attribute in PARTS:
        assert [p["id"] for p in again.get(attribute, ())] == [p["id"] for p in golden.values.get(attribute, ())]


@given(groups(), policies(), st.sampled_from((*NAMES, "kind", "addresses", "contact_points", "extra.tags")))
def test_an_explanation_tells_what_was_decided(
    members: list[Member], policy: SurvivorshipPolicy, attribute: str
) -> None:
    golden, told = survive(members, policy, NOW), explain(members, policy, attribute, NOW)
    assert told["value"] == value_of(golden.values, attribute)
    noted = golden.lineage.get(attribute) or (golden.lineage.get("extra") if attribute == "extra.tags" else None)
    assert (told["record"], told["rule"]) == ((noted or {}).get("record"), (noted or {"rule": "none"})["rule"])
    won = [one for one in told["candidates"] if one["won"]]
    assert all(one["out"] is None for one in won)
    assert all(one["out"] for one in told["candidates"] if not one["won"])
    assert all(len(one["scores"]) == len(told["steps"]) for one in told["candidates"])
    if told["record"] is not None:
        assert told["record"] in {one["record"] for one in won}
    if told["rule"] == "conflict":
        assert not won


@given(groups(), policies())
def test_each_role_has_one_golden_entry_where_any_holds(members: list[Member], policy: SurvivorshipPolicy) -> None:
    """Ranks of a type are 1, 2, …; what holds on that day has one, what has ended or not begun has none, and stands behind."""
    golden, today = survive(members, policy, NOW), str(day_of(NOW))
    for attribute in PARTS:
        parts = golden.values.get(attribute, [])
        holds = [part.get("valid_from", today) <= today <= part.get("valid_to", today) for part in parts]
        assert holds == sorted(holds, reverse=True)
        assert ["rank" in part for part in parts] == holds
        for kind in {part.get("type") for part in parts}:
            ranks = [part["rank"] for part in parts if part.get("type") == kind and "rank" in part]
            assert ranks == list(range(1, len(ranks) + 1))


@given(groups(), policies())
def test_an_address_is_never_mixed(members: list[Member], policy: SurvivorshipPolicy) -> None:
    """Every golden address is one that a record has, and that record is named first."""
    by_id = {m.id: m.canonical.get("addresses", []) for m in members}
    for address in survive(members, policy, NOW).values.get("addresses", []):
        told = {name: value for name, value in address.items() if name in ("type", "line1", "city", "country")}
        assert told in by_id[address["from"][0]]


@given(groups(), st.integers(1, 5))
def test_between_its_days_a_customer_stays_as_it_is(members: list[Member], ahead: int) -> None:
    """Entries of lists change on no other day than on the one that is told before."""
    policy = parse_survivorship({"default": ["trust", "recent"]})
    later = NOW + timedelta(days=ahead)
    next_day = due(members, NOW.date())
    if next_day is None or next_day > later.date():
        assert survive(members, policy, later) == survive(members, policy, NOW)
