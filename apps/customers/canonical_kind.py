"""Person or organization, for records that do not say."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

# Words and legal forms at the end (or, in the East and for some, at the beginning) of organizations' names.
_LEGAL_FORMS: Final = """
gmbh mbh ag kg kgaa ohg gbr ug eg ev se ltd limited plc llp llc lllp inc incorporated corp corporation co company sa
sas sasu sarl eurl sci snc scop srl srls spa sapa sl slu slne cv sab bv nv vof cvba bvba sprl asbl vzw ab hb as asa
ans aps is oy oyj ky oü ou uab sia kft rt nyrt zrt bt doo dd ad eood ood sro spol zoo spzoo sp pty pte pvt sdn bhd pt
tbk ооо оао зао пао ао ип тов ltda eireli sapi ooo oao zao pao jsc ojsc llc
"""
_WORDS: Final = """
group groupe gruppe holding holdings bank university hospital foundation stiftung verein association institute trust
partners services solutions systems industries technologies consulting logistics international enterprises ministry
council church restaurant hotel cafe pharmacy apotheke school shop store studio associates sons brothers bros
"""
_ENDINGS: Final = frozenset((_LEGAL_FORMS + _WORDS).split()) - {"is", "as", "se", "co", "sp", "ab", "ad", "pt"}
_FIRST_WORDS: Final = """
ооо оао зао пао ао тов pt uab sia ooo oao zao pao
"""
_BEGINNINGS: Final = frozenset(_FIRST_WORDS.split())
_EASTERN: Final = re.compile(r"株式会社|有限会社|合同会社|有限公司|股份|集团|集團|주식회사|유한회사|㈜")
_WORD: Final = re.compile(r"[^\W_]+")
_ORGANIZATION_IDS: Final = ("lei", "duns", "registration_number")


def infer_kind(given: Mapping[str, Any], identifier_types: Iterable[object] = ()) -> tuple[str, str]:
    """The kind a record most likely is, and the reason as the end of a sentence.

    A personal name outweighs a company's name beside it (the contact at a company), a company register outweighs both.
    """
    for name in _ORGANIZATION_IDS:
        if name in given or name in identifier_types:
            return "organization", f"it has a {name}"
    for name in ("given_name", "family_name", "birth_date"):
        if name in given:
            return "person", f"it has a {name}"
    if "organization_name" in given:
        return "organization", "it has an organization_name"
    called = given.get("name")
    if isinstance(called, str) and looks_like_company(called):
        return "organization", "its name reads like a company's"
    return "person", "nothing speaks for an organization"


def looks_like_company(name: str) -> bool:
    """True where a legal form or a word of companies stands where such words stand in names."""
    if _EASTERN.search(name) or "&" in name:
        return True
    # "S.p.A." and "Sp. z o.o." are words with points: without them they are one.
    words = _WORD.findall(name.lower().replace(".", "").replace("z oo", "zoo"))
    if len(words) < 2:
        return False
    return words[-1] in _ENDINGS or words[0] in _BEGINNINGS or words[-2] in {"gmbh", "ltd", "inc", "sp"}
