"""The feature table and its JSON."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.matching import engine, features
from tests.matching.given import canonical, canonicals


@given(st.lists(canonicals, max_size=5))
def test_json_keeps_every_feature(records: list[dict[str, object]]) -> None:
    table = engine.standardise(records)
    assert table.schema == engine.FEATURES
    assert engine.from_json(engine.to_json(table)).equals(table)


def test_slices_of_a_table_are_read_right() -> None:
    table = engine.standardise([canonical(given_name=name, family_name="Moor") for name in ("Ada", "Ben", "Cai")])
    assert features.rows(table.slice(1, 1)) == features.rows(table)[1:2]
    assert engine.from_json(engine.to_json(table.slice(1, 2))).equals(table.slice(1, 2).combine_chunks())


def test_an_empty_record_has_nothing_but_its_kind() -> None:
    assert engine.to_json(engine.standardise([{"kind": "person"}])) == ['{"k":"p"}']
    assert engine.to_json(engine.standardise([])) == []


def test_no_more_than_eight_values_of_a_kind() -> None:
    points = [{"type": "phone", "value": f"+44 113 496 {number:04d}"} for number in range(123, 143)]
    table = engine.standardise([{"kind": "person", "contact_points": points}])
    assert len(table.column("phone")[0]) == features.MOST_VALUES


@pytest.mark.parametrize("texts", [["{"], ["[]"], ["{},{}"], ["1"]], ids=str)
def test_text_that_is_no_object_is_refused(texts: list[str]) -> None:
    with pytest.raises(ValueError, match=r"."):
        engine.from_json(texts)


def test_long_and_strange_values_do_not_hurt() -> None:
    record = canonical(
        given_name="x" * 10_000, family_name="\u0000\ud800", email="@" * 500, phone="9" * 400, address_line1="1" * 999
    )
    assert engine.to_json(engine.standardise([record]))
