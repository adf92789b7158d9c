"""Phone numbers in E.164, with the country of the record for numbers written the national way.

Most numbers need no parser: after a known calling code, or the trunk prefix of a known country, a number of possible
length is already standard. The rest (vanity letters, other exit codes, odd trunk rules) goes to the port of Google's
libphonenumber. Both ways agree; a test holds them against each other.
`valid` means: the calling code exists and the length is possible there.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache, lru_cache
from typing import Final, NamedTuple


class Phone(NamedTuple):
    """A number in E.164 (digits alone where that fails), its extension if any, and whether it can be a number."""

    value: str
    ext: str
    valid: bool


class _Plan(NamedTuple):
    """What the numbering plan of a country says, as far as the fast way needs it."""

    code: str
    lengths: frozenset[int]
    trunk: tuple[str, ...] | None  # prefixes to drop; None: the rule is not a plain prefix
    pattern: re.Pattern[str]
    exit: re.Pattern[str]  # what is dialled before a foreign calling code


_EASY: Final = re.compile(r"\+?[0-9 ().\-/]+", re.ASCII)
# Behind a calling code "(0)" is what callers at home dial; in Italy and San Marino callers from abroad dial it too.
_FOREIGN: Final = re.compile(r"\s*(?:\+|00)(?!39|378)")
_NOT_DIGITS: Final = {ord(char): None for char in " ().-/+"}
_EXTENSION: Final = re.compile(
    r"(?:;\s*ext=|[\s,;]*(?:ext(?:ensio)?n?|x|durchwahl|poste|interno|toestel|wew|доб|#)[\s.:]*)([0-9]{1,8})\s*#?$",
    re.IGNORECASE,
)
_SEVERAL: Final = re.compile(r"\s*[;|\n]\s*|\s+/\s+|\s*,\s*|\s+(?:or|oder|ou)\s+")


def phones(text: str, country: str | None) -> list[tuple[str, Phone]]:
    """Every number in a value, as (piece as received, phone); pieces without a digit are left out."""
    if _EASY.fullmatch(text) and " / " not in text:
        return [(text, phone(text, country))]
    pieces = [text]
    if ";ext=" not in text:
        parts = [part for part in _SEVERAL.split(text) if part]
        if all(sum(char.isdecimal() for char in part) >= 7 for part in parts):
            pieces = parts
    return [(piece, found) for piece in pieces if (found := phone(piece, country)).value]


@lru_cache(maxsize=50_000)
def phone(text: str, country: str | None) -> Phone:
    """One number in standard form; `country` is the ISO code that national numbers are read by."""
    ext = ""
    found = _EXTENSION.search(text)
    if found:
        ext, text = found[1], text[: found.start()]
    if "(0)" in text and _FOREIGN.match(text):
        text = text.replace("(0)", "", 1)
    quick = _quick(text, country) if _EASY.fullmatch(text) else None
    if quick is None:
        quick = _thorough(text, country)
    return Phone(quick[0], ext, quick[1])


def _quick(text: str, country: str | None) -> tuple[str, bool] | None:
    """Value and validity where plain rules decide; None sends the number the thorough way."""
    international = text.lstrip().startswith("+")
    digits = text.translate(_NOT_DIGITS)
    if not international and digits.startswith("00"):
        international, digits = True, digits[2:]
    if international:
        plans = _plans_by_code()
        plan = plans.get(digits[:1]) or plans.get(digits[:2]) or plans.get(digits[:3])
        if plan is None or plan.trunk is None:
            return None
        national = digits[len(plan.code) :]
        if len(national) not in plan.lengths or national.startswith(plan.trunk):
            return None
        return f"+{digits}", True
    plan = _plan(country) if country else None
    if plan is None or plan.trunk is None or digits.startswith(plan.code) or plan.exit.match(digits):
        return None
    if digits.startswith(plan.trunk):
        prefix = max((one for one in plan.trunk if digits.startswith(one)), key=len)
        rest = digits[len(prefix) :]
        if plan.pattern.fullmatch(digits) and not plan.pattern.fullmatch(rest):
            rest = digits
        digits = rest
    return (f"+{plan.code}{digits}", True) if len(digits) in plan.lengths else None


def _thorough(text: str, country: str | None) -> tuple[str, bool]:
    import phonenumbers  # 30 ms, on first need only

    if text.startswith("00"):
        text = "+" + text[2:]
    try:
        number = phonenumbers.parse(text, country)
    except phonenumbers.NumberParseException:
        return _digits(text), False
    # "Possible only locally" (no area code) is not enough: such a number names nobody beyond its town.
    if phonenumbers.is_possible_number_with_reason(number) != phonenumbers.ValidationResult.IS_POSSIBLE:
        return _digits(text), False
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164), True


def _digits(text: str) -> str:
    return "".join(str(unicodedata.decimal(char)) for char in text if char.isdecimal())


@cache
def _plans_by_code() -> dict[str, _Plan]:
    """Calling code -> plan of the main country with that code."""
    from phonenumbers import COUNTRY_CODE_TO_REGION_CODE

    plans = {
        str(code): _plan(regions[0]) for code, regions in COUNTRY_CODE_TO_REGION_CODE.items() if regions[0] != "001"
    }
    return {code: plan for code, plan in plans.items() if plan is not None}


@cache
def _plan(country: str) -> _Plan | None:
    from phonenumbers import PhoneMetadata

    found = PhoneMetadata.metadata_for_region(country)
    if found is None or found.general_desc is None or not found.general_desc.national_number_pattern:
        return None
    rule = found.national_prefix_for_parsing or ""
    plain = all(part.isdigit() for part in rule.split("|")) and not found.national_prefix_transform_rule
    return _Plan(
        code=str(found.country_code),
        lengths=frozenset(found.general_desc.possible_length),
        trunk=tuple(rule.split("|")) if plain else () if not rule else None,
        pattern=re.compile(found.general_desc.national_number_pattern),
        exit=re.compile(found.international_prefix or "00"),
    )
