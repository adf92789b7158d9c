"""Blocking keys: who meets whom."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.matching import blocking, engine, features
from apps.matching.blocking_kinds import SENTENCES
from apps.matching.hashing import hash_texts
from tests.matching.given import CASES, MODEL, canonical, canonicals


def kinds_shared(left: dict[str, object], right: dict[str, object]) -> set[str]:
    keys = engine.blocking_keys(engine.standardise([left, right]), MODEL)
    both = set(keys.key[keys.row == 0].tolist()) & set(keys.key[keys.row == 1].tolist())
    return {SENTENCES[int(kind)] for key, kind in zip(keys.key, keys.kind, strict=True) if int(key) in both}


@pytest.mark.parametrize("case", [case for case in CASES if case["expect"] == "join"], ids=lambda case: case["name"])
def test_every_pair_that_is_one_customer_meets(case: dict[str, dict[str, str]]) -> None:
    assert kinds_shared(canonical(**case["left"]), canonical(**case["right"]))


def test_a_typing_error_in_one_value_leaves_other_ways() -> None:
    left = canonical(
        given_name="Linda",
        family_name="Johnson",
        birth_date="1941-10-26",
        city="Leeds",
        postal_code="LS1 2AB",
        country="GB",
    )
    for change in (
        {"family_name": "Jonhson"},
        {"birth_date": "1941-10-28"},
        {"postal_code": "LS1 2AA"},
        {"given_name": "Lynda"},
    ):
        facts = {
            "given_name": "Linda",
            "family_name": "Johnson",
            "birth_date": "1941-10-26",
            "city": "Leeds",
            "postal_code": "LS1 2AB",
        }
        assert kinds_shared(left, canonical(country="GB", **{**facts, **change})), change


def test_numbers_of_texts_are_stable_over_versions_and_machines() -> None:
    assert hash_texts(["", "a@b.com", "Ærø"]).tolist() == [0, 12916399101535530185, 11514674555233614627]


def test_a_text_has_one_number_alone_and_among_many() -> None:
    texts = ["", *(f"Ærø {n} 東京" for n in range(1_000)), "x" * 5_000, "y" * 1_024 + "z"]
    assert hash_texts(texts).tolist() == [int(hash_texts([text])[0]) for text in texts]
    assert len(set(hash_texts(texts).tolist())) == len(texts)


def test_generic_values_make_no_key() -> None:
    table = engine.standardise([canonical(given_name="Ada", family_name="Moor", phone="+44 113 496 0123")])
    (phone,) = features.rows(table)[0].phone
    generic = engine.Model.from_dict({**MODEL.to_dict(), "generic": {"phone": [phone]}})
    assert blocking.PHONE in engine.blocking_keys(table, MODEL).kind.tolist()
    assert not {blocking.PHONE, blocking.NAME_PHONE} & set(engine.blocking_keys(table, generic).kind.tolist())


@given(st.lists(canonicals, max_size=4))
def test_keys_are_distinct_per_record_and_do_not_depend_on_the_batch(records: list[dict[str, object]]) -> None:
    table = engine.standardise(records)
    keys = engine.blocking_keys(table, MODEL)
    assert keys.row.dtype == np.int32
    assert keys.key.dtype == np.int64
    pairs = list(zip(keys.row.tolist(), keys.key.tolist(), strict=True))
    assert len(pairs) == len(set(pairs))
    for row, record in enumerate(records):
        alone = engine.blocking_keys(engine.standardise([record]), MODEL)
        assert alone.key.tolist() == keys.key[keys.row == row].tolist()


def test_a_record_without_values_has_no_key() -> None:
    assert len(engine.blocking_keys(engine.standardise([{"kind": "person"}, {"kind": "organization"}]), MODEL).key) == 0
