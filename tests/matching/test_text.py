"""Folding and sounds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.matching import text


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Müller", "Mueller"),
        ("Västerås", "Vaesteraas"),
        ("Gießstraße", "Giessstrasse"),
        ("O'Brien", "OBrien"),
        ("Ærø", "aero"),
    ],
    ids=str,
)
def test_spellings_of_one_word_fold_to_one(one: str, other: str) -> None:
    assert text.fold(one) == text.fold(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("sergey", "sergei"), ("zoya", "zoia"), ("meyer", "meier"), ("stephen", "stefen"), ("yuri", "juri")],
    ids=str,
)
def test_words_that_sound_alike(one: str, other: str) -> None:
    assert text.sound(one) == text.sound(other)


def test_dotted_abbreviations_are_joined() -> None:
    assert text.fold(text.undotted("S.p.A.")) == "spa"
    assert text.fold(text.undotted("Sp. z o.o.")) == "sp z oo"
    assert text.fold(text.undotted("A.B.C. Company")) == "abc company"
    assert text.fold(text.undotted("Fed. Bank")) == "fed bank"


def test_bones_of_a_script_without_vowels() -> None:
    assert text.bones("zeinab") == text.bones("zynb")


@given(st.text())
def test_folding_only_ever_takes_away(value: str) -> None:
    """Not idempotent: "aae" is "ae" and then "a". A value is folded once."""
    folded = text.fold(value)
    assert len(text.fold(folded)) <= len(folded)
    assert folded == "" or folded.replace(" ", "").isalnum()
    text.skeleton(folded)


def test_a_very_long_value_is_cut() -> None:
    assert len(text.fold("x" * 10_000)) == text.LONGEST


def test_every_reference_file_has_a_version() -> None:
    assert all(version >= 1 for version in text.reference_versions().values())
    assert "nicknames" in text.reference_versions()
