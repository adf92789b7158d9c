"""What a target has to be told: told once, nothing is left to tell, whatever it had before."""

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from apps.connectors.planning import ADDRESS, Far, Plan, Rule, Step, attribute_of, flat, plan
from tests.connectors.far_model import ACTIONS, KINDS, NAMES, OLDEST, applied, fars, images, values

PARTS = ("given_name", "family_name", "organization_name")
MERGE_ACTIONS = ("update_both", "deactivate", "merge", "cross_reference")


@st.composite
def rules(draw: st.DrawFn) -> Rule:
    return Rule(draw(NAMES), draw(st.frozensets(KINDS)), draw(ACTIONS), draw(st.booleans()))


def far(n: int = 0, *, sent: dict[str, Any] | None = None, **changed: Any) -> Far:
    """A person there that the hub knows of; `own` says by itself that it is a person."""
    whole = Far(UUID(int=100 + n), UUID(int=10 + n), f"X-{n}", "active", "there", {"kind": "person"}, sent or {})
    return replace(whole, **changed)


@settings(max_examples=400)
@given(images(), fars(), rules())
def test_what_was_told_need_not_be_told_again(image: dict[str, Any], there: list[Far], rule: Rule) -> None:
    """One turn is enough; a merge there needs a second one, for what the records said is known only when they are one."""
    turns = 0
    found = plan(image, there, rule, oldest=OLDEST)
    while found != Plan():
        turns += 1
        assert turns <= 2, found
        assert turns == 1 or rule.on_merge == "merge", found
        there = applied(found, there, image["kind"])
        found = plan(image, there, rule, oldest=OLDEST)


@settings(max_examples=300)
@given(images(), fars(), rules())
def test_no_step_is_empty_or_speaks_of_what_the_target_is_not_told(
    image: dict[str, Any], there: list[Far], rule: Rule
) -> None:
    for step in plan(image, there, rule, oldest=OLDEST).steps:
        own = step.op == "reactivate"
        assert set(step.values) <= rule.names | ({"status"} if own else set())
        assert step.values or step.op not in ("update",)
        assert (step.link is None) == (step.op == "create")


@settings(max_examples=300)
@given(images(), fars(), rules())
def test_nothing_is_taken_away_that_the_hub_did_not_put(image: dict[str, Any], there: list[Far], rule: Rule) -> None:
    by_link = {f.link: f for f in there}
    for step in plan(image, there, rule, oldest=OLDEST).steps:
        if step.op == "create":
            assert None not in step.values.values()
            continue
        assert step.link is not None
        emptied = {n for n, v in step.values.items() if v is None}
        if emptied & set(ADDRESS) and any(image.get(n) is not None for n in ADDRESS):
            emptied -= set(ADDRESS)  # another address took its place
        assert all(by_link[step.link].sent.get(n) is not None for n in emptied - set(ADDRESS)), step
        if emptied & set(ADDRESS):
            assert any(by_link[step.link].sent.get(n) is not None for n in ADDRESS)


@settings(max_examples=300)
@given(images(), fars(), rules())
def test_a_name_is_told_one_way(image: dict[str, Any], there: list[Far], rule: Rule) -> None:
    for step in plan(image, there, rule, oldest=OLDEST).steps:
        told = {n for n, v in step.values.items() if v is not None}
        assert not ("name" in told and told & set(PARTS)), step


@settings(max_examples=300)
@given(images(), fars(1), rules())
def test_an_address_is_told_whole(image: dict[str, Any], there: list[Far], rule: Rule) -> None:
    for step in plan(image, there, rule, oldest=OLDEST).steps:
        if set(step.values) & set(ADDRESS):
            assert all(step.values[n] == image[n] for n in ADDRESS if n in rule.names and n in image)


@given(images(), fars(3), rules())
def test_the_plan_does_not_depend_on_the_order_of_records(image: dict[str, Any], there: list[Far], rule: Rule) -> None:
    one, other = plan(image, there, rule, oldest=OLDEST), plan(image, there[::-1], rule, oldest=OLDEST)
    assert set(one.relabel) == set(other.relabel)
    assert sorted((s.op, s.link or OLDEST, sorted(s.losers)) for s in one.steps if s.op != "create") == sorted(
        (s.op, s.link or OLDEST, sorted(s.losers)) for s in other.steps if s.op != "create"
    )


@given(images(), rules())
def test_what_the_far_side_deleted_is_made_again_only_where_the_policy_says_so(
    image: dict[str, Any], rule: Rule
) -> None:
    found = plan(image, [far(disposition="gone")], rule, oldest=OLDEST)
    made = bool(found.steps)
    assert made == (rule.recreate and image["kind"] in rule.creates)


def test_nothing_differs_nothing_is_told() -> None:
    image = {"kind": "person", "email": "a@b.example", "city": "Ulm"}
    rule = Rule(frozenset({"email", "city"}))
    assert plan(image, [far(own=image)], rule, oldest=OLDEST) == Plan()
    assert plan(image, [far(sent={"email": "a@b.example", "city": "Ulm"})], rule, oldest=OLDEST) == Plan()


def test_only_what_differs_is_told() -> None:
    image = {"kind": "person", "email": "new@b.example", "phone": "1"}
    (step,) = plan(
        image, [far(sent={"email": "a@b.example", "phone": "1"})], Rule(frozenset({"email", "phone"})), oldest=OLDEST
    ).steps
    assert step == Step("update", UUID(int=10), UUID(int=100), {"email": "new@b.example"})


def test_a_value_goes_only_where_the_hub_had_put_it() -> None:
    image, rule = {"kind": "person"}, Rule(frozenset({"website", "language"}))
    one = far(own={"kind": "person", "website": "theirs"}, sent={"language": "de"})
    (step,) = plan(image, [one], rule, oldest=OLDEST).steps
    assert step.values == {"language": None}


def test_a_name_that_comes_in_parts_after_it_was_told_whole_is_not_lost_between() -> None:
    """The customer was known by one name; now its parts are known and the whole is not."""
    names = frozenset({"name", "given_name", "family_name"})
    there = [far(sent={"name": "Anna Sommer"})]
    image = {"kind": "person", "given_name": "Anna", "family_name": "Sommer"}
    there = applied(plan(image, there, Rule(names), oldest=OLDEST), there, "person")
    assert any(there[0].believed.get(n) for n in names), "the record has no name at all"


def test_the_oldest_active_record_is_the_one_that_stays() -> None:
    there = [far(2), far(1), far(0, state="duplicate")]
    (step,) = plan({"kind": "person"}, there, Rule(frozenset(), on_merge="merge"), oldest=OLDEST).steps
    assert (step.op, step.record, step.losers) == ("merge", UUID(int=11), ("X-2", "X-0"))


def test_a_record_that_was_folded_away_gets_a_new_one_after_an_unmerge() -> None:
    """Even where no customers are created: it was there before the hub folded it."""
    folded = far(disposition="merged", state="duplicate")
    found = plan({"kind": "person", "email": "a"}, [folded], Rule(frozenset({"email"})), oldest=OLDEST)
    assert found == Plan((Step("create", folded.record, None, {"email": "a"}),), ((folded.link, "retired"),))


@pytest.mark.parametrize("action", MERGE_ACTIONS)
@settings(max_examples=150)
@given(data=st.data())
def test_an_unmerge_puts_both_right(action: str, data: st.DataObject) -> None:
    """Two customers, each told; merged and told; taken apart and told: each record holds its own customer's values again."""
    rule = Rule(data.draw(NAMES), frozenset({"person", "organization"}), action)
    kind = data.draw(KINDS)
    one, other, both = ({**data.draw(values()), "kind": kind} for _ in range(3))
    left, right = (told({**i, "kind": kind}, [far(n, own={"kind": kind})], rule) for n, i in enumerate((one, other)))
    merged = told(both, left + right, rule)
    assume(len(merged) == 2)
    for n, image in enumerate((one, other)):
        after = told(image, [f for f in merged if f.record == UUID(int=10 + n)], rule)
        assert len([f for f in after if f.disposition == "there" and f.state == "active"]) == 1
        assert plan(image, after, rule, oldest=OLDEST) == Plan()
        (living,) = [f for f in after if f.disposition == "there"]
        wrong = {n for n in rule.names - {"name", *PARTS} if living.believed.get(n) != image.get(n)}
        assert not wrong, (living, image)


def told(image: dict[str, Any], there: list[Far], rule: Rule) -> list[Far]:
    """The records there when everything was told, merges with what follows them."""
    for _ in range(3):
        there = applied(plan(image, there, rule, oldest=OLDEST), there, image["kind"])
    return there


def test_flat_takes_the_best_entry_of_each_kind_and_leaves_out_what_is_empty() -> None:
    golden = {
        "kind": "person", "name": "", "city": "not a part of the golden record",
        "contact_points": [{"type": "email", "value": "best@x.example"}, {"type": "email", "value": "other@x.example"}, {"type": "phone"}],
        "identifiers": [{"type": "tax_id", "value": "DE1"}],
        "addresses": [{"type": "delivery", "city": "Bonn"}, {"type": "postal", "city": "Ulm", "line1": ""}],
        "extra": {"tier": "gold"},
    }  # fmt: skip
    assert flat(golden) == {
        "kind": "person",
        "email": "best@x.example",
        "tax_id": "DE1",
        "city": "Ulm",
        "extra.tier": "gold",
    }
    assert flat({"kind": "person", "addresses": [{"type": "delivery", "city": "Bonn"}]})["city"] == "Bonn"


@pytest.mark.parametrize(
    ("name", "attribute"),
    [("city", "addresses"), ("email", "contact_points"), ("tax_id", "identifiers"), ("extra.tier", "extra"), ("status", "status")],
)  # fmt: skip
def test_the_attribute_of_a_flat_name(name: str, attribute: str) -> None:
    assert attribute_of(name) == attribute
