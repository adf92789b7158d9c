"""Folding: one spelling for what people write in several scripts, cases and with or without umlauts."""

import re
import tomllib
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from anyascii import anyascii

_REFERENCE = Path(__file__).parent / "reference"
_NOT_WORD = re.compile(r"[^a-z0-9]+")
_DOTTED = re.compile(r"\b(?:\w\.[ ]?){1,}\w\b\.?")
_UMLAUT = re.compile(r"ae|oe|ue|aa")
_UMLAUTS = {"ae": "a", "oe": "o", "ue": "u", "aa": "a"}
_CACHE = 200_000
LONGEST = 200  # characters of one value that are read; longer ones are cut, so that no value can slow a batch down


@cache
def reference(name: str) -> dict[str, Any]:
    """Return one reference file of this package; every file carries a version."""
    with (_REFERENCE / f"{name}.toml").open("rb") as file:
        return tomllib.load(file)


def reference_versions() -> dict[str, int]:
    """Return the version of each reference file: part of what a model's hash stands for."""
    return {path.stem: int(reference(path.stem)["version"]) for path in sorted(_REFERENCE.glob("*.toml"))}


def plain(value: str) -> str:
    """Lower-case ASCII of any script, umlauts to their vowel whether written ä, ae or a; punctuation stays."""
    value = value[:LONGEST]
    text = (value if value.isascii() else anyascii(value)).lower()
    if "ae" in text or "oe" in text or "ue" in text or "aa" in text:
        return _UMLAUT.sub(lambda found: _UMLAUTS[found[0]], text)
    return text


def plain_ascii(value: str) -> str:
    """Lower-case ASCII without folding vowels: an address is code, not a word."""
    text = value[:LONGEST]
    return (text if text.isascii() else anyascii(text)).lower()


@lru_cache(maxsize=_CACHE)
def fold(value: str) -> str:
    """Plain text reduced to words of letters and digits with single spaces between; apostrophes join."""
    return folded(plain(value))


def folded(text: str) -> str:
    """The same for text that is plain already."""
    if text.isalnum():
        return text
    return _NOT_WORD.sub(" ", text.replace("'", "").replace("`", "")).strip()


def words(value: str) -> list[str]:
    """Return the folded words of a value."""
    return fold(value).split()


def undotted(value: str) -> str:
    """Join dotted abbreviations: S.p.A. becomes SpA, z o.o. becomes z oo; other dots stay."""
    return _DOTTED.sub(lambda found: found[0].replace(".", "").replace(" ", ""), value) if "." in value else value


# Letters that stand for one sound, in this order: what is written first is what a longer one would hide.
SPELLED = (
    ("tsch", "s"), ("tch", "s"), ("sch", "s"), ("sh", "s"), ("ch", "s"), ("zh", "s"), ("cz", "s"), ("sz", "s"), ("tz", "s"), ("ts", "s"),
    ("ph", "f"), ("pf", "f"), ("ck", "k"), ("kh", "k"), ("gh", "k"), ("q", "k"), ("x", "k"),
    ("ce", "se"), ("ci", "si"), ("cy", "si"), ("c", "k"), ("th", "t"), ("dt", "t"),
)  # fmt: skip
ONE_LETTER = str.maketrans("wzyj", "vsii")
VOWELS = (("iie", "i"), ("ie", "i"), ("ei", "i"), ("ou", "u"))
# Consonants that are taken for one another.
CODED = str.maketrans("bpfvgkdtlrmnszx", "bbbbggddlrmmsss")
_TWICE = re.compile(r"(.)\1+")


@lru_cache(maxsize=_CACHE)
def sound(token: str) -> str:
    """One spelling for words that sound alike in the languages of the hub: Sergey, Sergei; Zoya, Zoia; Meyer, Meier."""
    for written, spoken in SPELLED:
        if written in token:
            token = token.replace(written, spoken)
    token = token.translate(ONE_LETTER)
    if "h" in token:
        token = token[0] + token[1:].replace("h", "")
    token = _TWICE.sub(r"\1", token)
    for written, spoken in VOWELS:
        if written in token:
            token = token.replace(written, spoken)
    return _TWICE.sub(r"\1", token)


@lru_cache(maxsize=_CACHE)
def skeleton(token: str) -> str:
    """First letter and the next consonant sounds (four in all): what survives most typing errors in vowels."""
    spoken = sound(token)
    if not spoken:
        return ""
    rest = "".join(letter for letter in spoken[1:] if letter not in "aeiou")
    coded = rest.translate(CODED)
    return spoken[0] + re.sub(r"(.)\1+", r"\1", coded)[:3]


@lru_cache(maxsize=_CACHE)
def bones(token: str) -> str:
    """The consonant sounds alone: what scripts that leave out vowels keep of a name (Zeinab, zynb)."""
    return "".join(letter for letter in sound(token) if letter not in "aeiou")
