"""Countries, currencies and languages as codes (ISO 3166-1 alpha-2, ISO 4217, BCP 47), from codes or names.

Names come from the Unicode CLDR; they are read on first need, and every distinct value is looked up once.
"""

from __future__ import annotations

import json
import re
import unicodedata
from functools import cache, lru_cache
from pathlib import Path
from typing import Final

# Codes that stand for a country or territory with addresses of its own; XK (Kosovo) is user-assigned but in wide use.
_CODES: Final = """
AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ CA CC
CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD
GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH
KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW
MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC
SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY
UZ VA VC VE VG VI VN VU WF WS XK YE YT ZA ZM ZW
"""
COUNTRIES: Final = frozenset(_CODES.split())

# Names no list of countries has, folded as _fold() does.
_ALIASES: Final = {
    "uk": "GB",
    "u k": "GB",
    "el": "GR",
    "xi": "GB",
    "england": "GB",
    "scotland": "GB",
    "wales": "GB",
    "northern ireland": "GB",
    "great britain": "GB",
    "britain": "GB",
    "united kingdom of great britain and northern ireland": "GB",
    "gb eng": "GB",
    "gb sct": "GB",
    "usa": "US",
    "u s": "US",
    "u s a": "US",
    "united states of america": "US",
    "america": "US",
    "holland": "NL",
    "the netherlands": "NL",
    "republic of ireland": "IE",
    "eire": "IE",
    "brd": "DE",
    "federal republic of germany": "DE",
    "bundesrepublik deutschland": "DE",
    "russian federation": "RU",
    "rossiiskaia federatsiia": "RU",
    "российская федерация": "RU",
    "россииская федерация": "RU",
    "рф": "RU",
    "korea": "KR",
    "republic of korea": "KR",
    "korea republic of": "KR",
    "south korea": "KR",
    "democratic peoples republic of korea": "KP",
    "czech republic": "CZ",
    "czechia": "CZ",
    "ceska republika": "CZ",
    "slovak republic": "SK",
    "peoples republic of china": "CN",
    "prc": "CN",
    "mainland china": "CN",
    "中华人民共和国": "CN",
    "taiwan province of china": "TW",
    "viet nam": "VN",
    "uae": "AE",
    "u a e": "AE",
    "emirates": "AE",
    "ivory coast": "CI",
    "burma": "MM",
    "swaziland": "SZ",
    "cape verde": "CV",
    "macedonia": "MK",
    "republic of moldova": "MD",
    "moldova republic of": "MD",
    "iran islamic republic of": "IR",
    "islamic republic of iran": "IR",
    "syrian arab republic": "SY",
    "bolivia plurinational state of": "BO",
    "venezuela bolivarian republic of": "VE",
    "tanzania united republic of": "TZ",
    "lao peoples democratic republic": "LA",
    "brunei darussalam": "BN",
    "vatican": "VA",
    "holy see": "VA",
    "east timor": "TL",
    "palestine": "PS",
    "state of palestine": "PS",
    "turkey": "TR",
    "kosovo": "XK",
    "hong kong": "HK",
    "macau": "MO",
    "macao": "MO",
    "congo": "CG",
    "drc": "CD",
    "schweiz suisse svizzera": "CH",
    "helvetia": "CH",
    "suisse": "CH",
    "espana": "ES",
    "osterreich": "AT",
    "oesterreich": "AT",
    "micronesia": "FM",
    "reunion": "RE",
}
# The English first: where two languages give one name to two countries, the earlier language is right.
_LANGUAGES: Final = """
en de fr es it nl pl pt ru sv da nb fi cs
uk tr zh zh_Hant ja ko ar he fa hu ro bg el sk hr sr sr_Latn sl et lv lt is ga cy mt ca eu gl sq mk bs be hy ka az kk
uz ky tg mn hi bn ta te ml kn mr gu pa ur ne si th lo km my vi id ms fil sw af am so zu lb fo nn rm
"""
LANGUAGES: Final = tuple(_LANGUAGES.split())
_COUNTRY_NAMES: Final = Path(__file__).parent / "reference" / "country_names.json"
_ALPHA_3: Final = re.compile(r"[A-Z]{3}|\d{3}", re.ASCII)


def _fold(name: str) -> str:
    """A name without case, accents and punctuation, single-spaced."""
    folded = unicodedata.normalize("NFKD", name.casefold())
    kept = "".join(
        char if char.isalnum() else " " for char in folded if not unicodedata.combining(char) and char != "'"
    )
    return " ".join(kept.split())


@lru_cache(maxsize=20_000)
def country_code(text: str) -> str | None:
    """The ISO 3166-1 alpha-2 code for a code (alpha-2, alpha-3, numeric) or a name; None if unknown."""
    code = text.upper()
    if code in COUNTRIES:
        return code
    folded = _fold(text)
    found = _ALIASES.get(folded)
    if found:
        return found
    if folded.startswith("the "):
        return country_code(folded[4:])
    if _ALPHA_3.fullmatch(code):
        found = _alpha_3(code)
        if found:
            return found
    return _country_names().get(folded)


def _alpha_3(code: str) -> str | None:
    from babel.core import get_global  # 12 ms, on first need only

    found = get_global("territory_aliases").get(code, ())
    code = str(found[0]) if len(found) == 1 else ""
    return code if code in COUNTRIES else None


@cache
def _country_names() -> dict[str, str]:
    """Folded name -> code. The file holds what CLDR says in some sixty languages, which babel takes a second to read."""
    names: dict[str, list[str]] = json.loads(_COUNTRY_NAMES.read_text("utf-8"))
    return {name: code for code, own in names.items() for name in own}


_SYMBOLS: Final = {"€": "EUR", "£": "GBP", "us$": "USD", "zł": "PLN", "₽": "RUB", "₹": "INR", "₺": "TRY", "₴": "UAH"}


@lru_cache(maxsize=4096)
def currency_code(text: str) -> str | None:
    """The ISO 4217 code for a code, an unmistakable symbol or an English name; None if unknown."""
    code = text.upper()
    known = _currencies()
    if code in known:
        return code
    return _SYMBOLS.get(text.lower()) or _currency_names().get(_fold(text))


@cache
def _currencies() -> frozenset[str]:
    from babel import Locale

    return frozenset(str(code) for code in Locale.parse("en").currencies if code not in {"XXX", "XTS"})


@cache
def _currency_names() -> dict[str, str]:
    from babel import Locale

    names = {_fold(str(name)): code for code, name in Locale.parse("en").currencies.items() if code in _currencies()}
    return names | {"euros": "EUR", "pound sterling": "GBP", "dollar us": "USD"}


_TAG: Final = re.compile(r"([A-Za-z]{2,3})(?:-([A-Za-z]{4}))?(?:-([A-Za-z]{2}|\d{3}))?", re.ASCII)


@lru_cache(maxsize=4096)
def language_tag(text: str) -> str | None:
    """The BCP 47 tag ("de", "pt-BR", "zh-Hant") for a tag, an ISO 639 code or a language's name; None if unknown."""
    found = _TAG.fullmatch(text.replace("_", "-"))
    if found is None or (language := _language(found[1].lower())) is None:
        return _language_names().get(_fold(text))
    script = f"-{found[2].title()}" if found[2] else ""
    if not found[3]:
        return language + script
    region = country_code(found[3]) if found[3].isalpha() else found[3]
    return f"{language}{script}-{region}" if region else None


def _language(code: str) -> str | None:
    from babel import Locale
    from babel.core import get_global

    code = get_global("language_aliases").get(code, code)
    return code if code in Locale.parse("en").languages else None


@cache
def _language_names() -> dict[str, str]:
    """Names in English, German, French, Spanish, and each language's name for itself."""
    from babel import Locale
    from babel.core import UnknownLocaleError

    names: dict[str, str] = {}
    for language in ("en", "de", "fr", "es"):
        for code, name in Locale.parse(language).languages.items():
            if len(code) <= 3:
                names.setdefault(_fold(name), code)
    for code in LANGUAGES:
        try:
            own = Locale.parse(code).languages.get(code)
        except UnknownLocaleError:  # pragma: no cover  (all are shipped with babel)
            continue
        if own:
            names.setdefault(_fold(own), code.split("_", maxsplit=1)[0])
    return names
