"""Why and why not, in bits and words."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.matching import engine
from apps.matching.comparison_levels import COMPARISONS
from apps.matching.explain import explain_scored
from tests.matching.given import MODEL, canonical, canonicals

BOB = canonical(given_name="Robert", family_name="Smith", birth_date="1962-02-25", city="Leeds", country="GB")
SON = canonical(given_name="Robert", family_name="Smith", birth_date="1991-11-16", city="Leeds", country="GB")


def explained(left: dict[str, object], right: dict[str, object]) -> engine.Explanation:
    one, other = engine.standardise([left, right]).to_pylist()
    return engine.explain(one, other, MODEL)


@given(canonicals, canonicals)
def test_the_lines_add_up_to_the_weight(left: dict[str, object], right: dict[str, object]) -> None:
    found = explained(left, right)
    assert [line.comparison for line in found.lines] == [*COMPARISONS]
    assert abs(found.prior + sum(line.bits for line in found.lines) + found.kinship - found.weight) < 0.02
    assert all(line.sentence for line in found.lines)
    assert found.kinship <= 0.1
    json.dumps(found.to_dict())


@given(canonicals, st.lists(canonicals, min_size=1, max_size=4))
def test_pairs_of_one_table_are_explained_as_each_alone(
    left: dict[str, object], rights: list[dict[str, object]]
) -> None:
    table = engine.standardise([left, *rights])
    pair = np.zeros(len(rights), np.int64), np.arange(1, len(rights) + 1)
    scores = engine.score(table, table, *pair, MODEL)
    assert explain_scored(table, pair, scores, MODEL) == [explained(left, right) for right in rights]


def test_a_frequent_name_says_so() -> None:
    family = next(line for line in explained(BOB, BOB).lines if line.comparison == "family_name")
    assert "frequent" in family.sentence
    assert (family.left, family.right) == ("smith", "smith")


def test_evidence_against_has_a_sentence() -> None:
    found = explained(BOB, SON)
    assert [code for code, _ in found.flags] == ["veto"]
    assert "birth dates" in found.flags[0][1]
    assert found.model == MODEL.hash


def test_related_customers_are_named() -> None:
    facts = {
        "family_name": "Roussillac",
        "phone": "01 99 00 09 51",
        "address_line1": "5 rue des Glycines",
        "city": "Nantes",
        "country": "FR",
    }
    found = explained(canonical(given_name="Mathilde", **facts), canonical(given_name="Gaston", **facts))
    assert found.kinship < -10
    assert "household" in found.kinship_sentence


def test_why_not_automatic() -> None:
    automatic = MODEL.thresholds.automatic
    assert engine.why_not_automatic(automatic, 0, MODEL) == ""
    assert engine.why_not_automatic(-9.0, engine.FORCED, MODEL) == ""
    assert "evidence" in engine.why_not_automatic(99.0, engine.VETO, MODEL)
    assert f"{automatic:.1f} are needed" in engine.why_not_automatic(automatic - 1, 0, MODEL)
    assert "too few" in engine.why_not_automatic(-9.0, 0, MODEL)


def test_why_two_records_were_never_compared() -> None:
    one, other = engine.standardise(
        [BOB, canonical(given_name="Ines", family_name="Marchetti", city="Roma", country="IT")]
    ).to_pylist()
    assert engine.missing_keys_sentence(one, other, MODEL).startswith(
        "They share no key. Tried on both sides: same full name"
    )
    assert "so they are compared" in engine.missing_keys_sentence(one, one, MODEL)
    assert "no field in common" in engine.missing_keys_sentence(one, {"kind": "person"}, MODEL)
    keys = engine.blocking_keys(engine.standardise([BOB]), MODEL).key.tolist()
    assert "more than 50 records" in engine.missing_keys_sentence(one, one, MODEL, oversized=set(keys))
    generic = engine.Model.from_dict({**MODEL.to_dict(), "generic": {"email": ["a.b@acme.com"]}})
    mail = {"kind": "person", "email": ["a.b@acme.com"]}
    assert "strangers share" in engine.missing_keys_sentence(mail, mail, generic)


def test_one_weak_key_is_not_enough_two_are() -> None:
    def firm(*names: str) -> dict[str, object]:
        return {"kind": "o", "company": names, "address_city": ["kiel"], **{name: [""] for name in rest}}

    rest = ("address_house", "address_street", "address_unit", "address_postcode", "address_country")
    told = engine.missing_keys_sentence(firm("nordlicht wiesen"), firm("nordlicht birken"), MODEL)
    assert told == (
        "They share only a similar word of the company name in the same city, which many strangers share too."
        " Such keys bring nobody together."
    )
    assert "so they are compared" in engine.missing_keys_sentence(
        firm("nordlicht wiesen"), firm("wiesen nordlicht"), MODEL
    )


def test_a_small_country_shows_in_the_starting_point_and_not_as_kinship() -> None:
    shares = {"no": 0.05, "se": 0.95, "": 0.905}
    model = engine.Model.from_dict(
        {**MODEL.to_dict(), "frequencies": {**MODEL.to_dict()["frequencies"], "country": shares}}
    )
    one = canonical(given_name="Annika", family_name="Brandvold", city="Bergen", country="NO", birth_date="1971-06-09")
    left, right = engine.standardise([one, one]).to_pylist()
    plain, found = engine.explain(left, right, MODEL), engine.explain(left, right, model)
    assert found.prior - plain.prior == pytest.approx(np.log2(0.905 / 0.05), abs=0.02)
    assert found.kinship <= 0
    assert found.lines == plain.lines
