"""Echoes: what comes back as it was sent is no news, what comes back otherwise is the far side's own."""

import copy
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from apps.connectors.planning import ADDRESS, flat
from apps.connectors.planning_echo import own_values

SINGLE = ("given_name", "family_name", "language", "status", "payment_terms")
CONTACTS, IDENTIFIERS, PLACE = ("email", "phone"), ("tax_id", "duns"), ("address_line1", "city", "postal_code")
PARTS = {"address_line1": "line1", "city": "city", "postal_code": "postal_code"}
NAMES = (*SINGLE, *CONTACTS, *IDENTIFIERS, *PLACE, "extra.tier")
VALUE = st.sampled_from(["a", "b", "c"])
FLAT = st.dictionaries(st.sampled_from(NAMES), VALUE)


def record(values: dict[str, Any], empty: list[str] | None = None) -> dict[str, Any]:
    """A canonical record of flat values, as the parser makes it of a flat item."""
    whole: dict[str, Any] = {"kind": "person", **{n: values[n] for n in SINGLE if n in values}}
    if place := {PARTS[n]: values[n] for n in PLACE if n in values}:
        whole["addresses"] = [{"type": "postal", **place}]
    if points := [{"type": n, "value": values[n]} for n in CONTACTS if n in values]:
        whole["contact_points"] = points
    if ids := [{"type": n, "value": values[n]} for n in IDENTIFIERS if n in values]:
        whole["identifiers"] = ids
    if "extra.tier" in values:
        whole["extra"] = {"tier": values["extra.tier"]}
    if empty:
        whole["empty"] = sorted(empty)
    return whole


def there(own: dict[str, Any], *told: dict[str, Any]) -> dict[str, Any]:
    """What the target holds, flat, when it had said `own` and was told `told`: it says nothing of what it has not."""
    held = dict(own)
    for values in told:
        held.update(values)
    return {n: v for n, v in held.items() if v is not None}


def whole_address(values: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """An address is told whole: with one part, every part the record has is told, if only away."""
    if not values.keys() & set(ADDRESS):
        return values
    return {**{n: None for n in PLACE if n in own}, **values}


@settings(max_examples=300)
@given(FLAT, FLAT)
def test_what_comes_back_as_it_was_sent_is_no_news(own: dict[str, Any], sent: dict[str, Any]) -> None:
    stored, sent = record(own), whole_address(sent, own)
    arrived = record(there(own, sent))
    assert own_values(arrived, stored, sent, {}) == (stored, [])


@settings(max_examples=200)
@given(FLAT, FLAT)
def test_nothing_that_is_given_is_changed(own: dict[str, Any], sent: dict[str, Any]) -> None:
    given_ = record({**own, **sent}), record(own), dict(sent), {}
    before = copy.deepcopy(given_)
    own_values(*given_)
    assert given_ == before


@settings(max_examples=300)
@given(FLAT, FLAT, st.sampled_from([n for n in NAMES if n not in PLACE]))
def test_a_field_that_comes_back_otherwise_is_the_far_sides_own(
    own: dict[str, Any], sent: dict[str, Any], name: str
) -> None:
    sent = {**whole_address(sent, own), name: "sent"}
    result, changed = own_values(record({**there(own, sent), name: "theirs"}), record(own), sent, {})
    assert changed == [name]
    assert flat(result) == flat(record({**own, name: "theirs"}))
    after = {n: v for n, v in sent.items() if n not in changed}
    assert own_values(record({**there(own, sent), name: "theirs"}), result, after, {})[1] == [], "it is news once"


@given(FLAT, FLAT)
def test_of_an_address_any_part_makes_the_whole_theirs(own: dict[str, Any], sent: dict[str, Any]) -> None:
    sent = {**sent, "address_line1": "sent", "city": "sent", "postal_code": "sent"}
    held = {**there(own, sent), "city": "theirs"}
    result, changed = own_values(record(held), record(own), sent, {})
    assert changed == ["address_line1", "city", "postal_code"]
    assert result["addresses"] == [{"type": "postal", "line1": "sent", "city": "theirs", "postal_code": "sent"}]


@given(FLAT, FLAT)
def test_what_does_not_arrive_is_not_known(own: dict[str, Any], sent: dict[str, Any]) -> None:
    """A target that shows only part of a record says nothing of the rest."""
    held = {n: v for n, v in own.items() if n not in sent and not (n in PLACE and sent.keys() & set(PLACE))}
    result, changed = own_values(record(held), record(own), whole_address(sent, own), {})
    assert changed == []
    assert all(flat(result).get(n) == own.get(n) for n in sent if n in own)


@settings(max_examples=300)
@given(FLAT, FLAT, FLAT, st.booleans())
def test_what_is_on_its_way_may_be_there_or_not(
    own: dict[str, Any], sent: dict[str, Any], going: dict[str, Any], arrives: bool
) -> None:
    stored, sent = record(own), whole_address(sent, own)
    going = whole_address(going, {**own, **sent})
    held = there(own, sent, going) if arrives else there(own, sent)
    assert own_values(record(held), stored, sent, going) == (stored, [])


def test_the_order_of_lists_is_no_news() -> None:
    stored = record({"email": "e", "phone": "p", "tax_id": "t", "duns": "d"})
    arrived = {**stored, "contact_points": stored["contact_points"][::-1], "identifiers": stored["identifiers"][::-1]}
    sent = {"email": "e", "phone": "p", "tax_id": "t", "duns": "d"}
    assert own_values(arrived, stored, sent, {}) == (stored, [])


def test_a_second_mail_there_stays_beside_the_echo() -> None:
    stored = record({"phone": "own"})
    arrived = record({"phone": "own", "email": "sent"})
    arrived["contact_points"].append({"type": "phone", "value": "new"})
    result, changed = own_values(arrived, stored, {"email": "sent"}, {})
    assert changed == []
    assert [p["value"] for p in result["contact_points"]] == ["own", "new"]


def test_what_the_hub_took_away_and_is_empty_there_is_no_news() -> None:
    stored = record({"language": "de"})
    arrived = record({}, empty=["language"])
    assert own_values(arrived, stored, {"language": None}, {}) == (stored, [])


def test_emptied_there_after_it_was_told_is_their_word() -> None:
    stored = record({"language": "de"})
    result, changed = own_values(record({}, empty=["language"]), stored, {"language": "fr"}, {})
    assert changed == ["language"]
    assert result == record({}, empty=["language"])


def test_an_emptied_value_that_the_record_never_had_is_not_kept_as_emptied() -> None:
    """The hub told it and somebody there took it away: the record itself had never said anything of it."""
    result, changed = own_values(record({}, empty=["language"]), record({}), {"language": "fr"}, {})
    assert changed == ["language"]
    assert result == record({})


def test_an_emptied_value_stays_emptied_under_what_the_hub_told() -> None:
    stored = record({}, empty=["language"])
    assert own_values(record({"language": "fr"}), stored, {"language": "fr"}, {}) == (stored, [])


def test_extra_values_one_by_one() -> None:
    stored = {"kind": "person", "extra": {"tier": "own", "shoe": "44"}}
    arrived = {"kind": "person", "extra": {"tier": "sent", "shoe": "45"}}
    result, changed = own_values(arrived, stored, {"extra.tier": "sent"}, {})
    assert (result["extra"], changed) == ({"tier": "own", "shoe": "45"}, [])
    assert own_values(arrived, {"kind": "person"}, {"extra.tier": "sent", "extra.shoe": "45"}, {}) == (
        {"kind": "person"},
        [],
    )


def test_a_value_on_its_way_that_arrives_before_its_answer_is_an_echo() -> None:
    stored = record({"city": "own"})
    assert own_values(record({"city": "going"}), stored, {}, {"city": "going"}) == (stored, [])
    assert own_values(record({"city": "sent"}), stored, {"city": "sent"}, {"city": "going"}) == (stored, [])
    assert own_values(record({"city": "theirs"}), stored, {"city": "sent"}, {"city": "going"}) == (
        record({"city": "theirs"}),
        ["city"],
    )
