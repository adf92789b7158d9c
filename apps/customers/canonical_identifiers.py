"""Identifiers in compact form, checked by the scheme of their country (python-stdnum); a failed check never rejects.

`verified` is True where a scheme of that kind and country confirms check digit or format, False where schemes are known
and none confirms, None where no scheme is known.
"""

from __future__ import annotations

import importlib
import re
import unicodedata
from functools import cache, lru_cache
from typing import Final, NamedTuple, Protocol

from stdnum.exceptions import ValidationError

from apps.customers.canonical_places import COUNTRIES

TELLING: Final = ("tax_id", "national_id", "lei", "duns", "registration_number")
"""Kinds that tell who somebody is. An account does not: families and groups share one, and one customer has several."""
KINDS: Final = (*TELLING, "iban")


class Identifier(NamedTuple):
    """An identifier as stored: compact upper-case value, ISO country or None, and what the check said."""

    value: str
    country: str | None
    verified: bool | None


class _Scheme(Protocol):
    def is_valid(self, number: str) -> bool: ...

    def validate(self, number: str) -> str: ...


# Schemes by kind and country, the most usual first: modules of python-stdnum.
_TAX: Final = """
ad.nrt al.nipt ar.cuit at.uid at.tin au.tfn au.abn az.voen be.vat bg.vat br.cnpj br.cpf by.unp ca.bn ca.sin ch.uid
ch.vat cl.rut cn.uscc co.nit cr.cpj cr.cpf cu.ni cy.vat cz.dic de.vat de.idnr de.stnr dk.cvr dk.cpr do.rnc do.cedula
dz.nif ec.ruc ec.ci ee.kmkr ee.ik es.nif fi.alv fi.hetu fo.vn fr.tva fr.siren fr.nif fr.siret gb.vat gb.utr gh.tin
gn.nifp gr.vat gt.nit hr.oib hu.anum id.npwp ie.vat il.hp il.idnr in_.gstin in_.pan is_.vsk is_.kennitala it.iva
it.codicefiscale jp.cn jp.in_ ke.pin kr.brn kr.rrn li.peid lt.pvm lt.asmens lu.tva lv.pvn ma.ice mc.tva md.idno me.pib
mk.edb mt.vat mu.nid mx.rfc mz.nuit nl.btw nl.bsn no.mva no.orgnr no.fodselsnummer nz.ird pe.ruc pl.nip pl.pesel
pt.nif py.ruc ro.cf ro.cui ro.cnp rs.pib ru.inn se.vat se.orgnr se.personnummer sg.uen si.ddv sk.dph sm.coe sn.ninea
sv.nit th.tin tn.mf tr.vkn tr.tckimlik tw.ubn ua.edrpou ua.rntrc us.ein us.tin uy.rut ve.rif vn.mst za.tin za.idnr
"""
_NATIONAL: Final = """
ar.dni at.vnr be.nn bg.egn bg.pnf br.cpf ca.sin ch.ssn cn.ric cr.cpf cr.cr cu.ni cz.rc de.idnr dk.cpr do.cedula ec.ci
ee.ik es.nif fi.hetu fr.nir gr.amka hr.oib id.nik ie.pps il.idnr in_.aadhaar in_.pan is_.kennitala it.codicefiscale
jp.in_ kr.rrn lt.asmens lv.pvn mu.nid mx.curp my.nric nl.bsn no.fodselsnummer pe.cui pk.cnic pl.pesel pt.cc pt.nif
ro.cnp se.personnummer si.emso sk.rc th.pin tr.tckimlik ua.rntrc us.ssn us.itin za.idnr
"""
_REGISTRATION: Final = """
at.businessid au.acn au.abn be.vat br.cnpj ch.uid cl.rut cn.uscc co.nit cz.dic dk.cvr ee.registrikood es.nif
fi.ytunnus fr.siren fr.siret hr.oib il.hp is_.kennitala jp.cn kr.brn lv.pvn md.idno me.pib mx.rfc no.orgnr pl.regon
pt.nif ro.cui ro.onrc rs.pib ru.ogrn ru.inn se.orgnr sg.uen si.maticna tr.vkn tw.ubn ua.edrpou
"""
# Countries whose VAT numbers are written with the country before the number (EL is Greece, XI Northern Ireland).
_VAT_PREFIXES: Final = "AT BE BG CY CZ DE DK EE EL ES FI FR GB GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK XI"
_VAT_PREFIX: Final = {code: {"EL": "GR", "XI": "GB"}.get(code, code) for code in _VAT_PREFIXES.split()}
# After the prefix comes a letter in these countries' numbers; elsewhere it was no prefix (think of a codice fiscale).
_LETTER_AFTER_PREFIX: Final = frozenset({"AT", "ES", "FR"})
# Schemes in which punctuation says something (the century of birth, the parts of a register entry).
_READ_PUNCTUATION: Final = frozenset({"fi.hetu", "se.personnummer", "ro.onrc"})
READ_PUNCTUATION: Final = frozenset(name[:2].upper() for name in _READ_PUNCTUATION)
"""Countries in which punctuation may say something."""
_DUNS: Final = re.compile(r"\d{9}", re.ASCII)
# What follows a country's letters is a number: a digit is among its first four signs.
_PREFIXED: Final = re.compile(r"([A-Z]{2})(?=[0-9A-Z]{0,3}[0-9])([0-9A-Z]{7,13})", re.ASCII)
# The tax's name behind a Swiss number says which language the sender speaks, not who the company is.
_SWISS_TAX: Final = re.compile(r"(CHE\d{9})(?:MWST|TVA|IVA|TPV)", re.ASCII)
_NOT_KEPT: Final = re.compile(r"[^0-9A-Z]+", re.ASCII)


@lru_cache(maxsize=50_000)
def identifier(kind: str, text: str, country: str | None) -> Identifier | None:
    """The identifier in standard form, read in its country; None when the text holds no letter or digit."""
    number = compact(text)
    if not number:
        return None
    if kind == "lei":
        scheme = _scheme("lei")
        return Identifier(number, None, scheme.is_valid(number))
    if kind == "iban":
        return Identifier(number, number[:2] if number[:2] in COUNTRIES else None, _scheme("iban").is_valid(number))
    if kind == "duns":
        return Identifier(number, None, None if _DUNS.fullmatch(number) else False)
    if kind != "tax_id":
        return _checked(kind, number, text, country)
    if country == "CH":
        number = _SWISS_TAX.sub(r"\1", number)
    home, bare = _without_prefix(number, country)
    found = _checked(kind, bare, text, home)
    if home != country and country is not None and not found.verified:
        return _checked(kind, number, text, country)  # the letters were part of the number
    return found


def compact(text: str) -> str:
    """Letters and digits only, upper-case; full-width and other compatibility forms become plain ones."""
    upper = text.upper()
    if upper.isascii():
        return upper if upper.isalnum() else _NOT_KEPT.sub("", upper)
    return "".join(char for char in unicodedata.normalize("NFKC", text).upper() if char.isalnum())


def _without_prefix(number: str, country: str | None) -> tuple[str | None, str]:
    """Country and number of a tax id that may begin with a VAT prefix."""
    found = _PREFIXED.fullmatch(number)
    home = _VAT_PREFIX.get(found[1]) if found else None
    if found is None or home is None:
        return country, number
    if found[2][0].isalpha() and home not in _LETTER_AFTER_PREFIX:
        return country, number
    return home, found[2]


def _checked(kind: str, number: str, text: str, country: str | None) -> Identifier:
    schemes = _schemes_of(kind, country) if country else ()
    for scheme, reads_punctuation in schemes:
        for written in (number, text) if reads_punctuation else (number,):
            valid = _valid(scheme, written)
            if valid:
                return Identifier(compact(valid) or number, country, verified=True)
    return Identifier(number, country, verified=False if schemes else None)


def _valid(scheme: _Scheme, number: str) -> str:
    """A number that a scheme confirms, as the scheme writes it; '' for others."""
    try:
        return scheme.validate(number)
    except ValidationError:
        return ""


@cache
def _schemes_of(kind: str, country: str) -> tuple[tuple[_Scheme, bool], ...]:
    """A country's schemes in order, and whether punctuation says something in them."""
    return tuple((_scheme(name), name in _READ_PUNCTUATION) for name in _schemes(kind).get(country, ()))


@cache
def _schemes(kind: str) -> dict[str, tuple[str, ...]]:
    """Country -> module names, in order."""
    listed = {"tax_id": _TAX, "national_id": _NATIONAL, "registration_number": _REGISTRATION}[kind]
    by_country: dict[str, tuple[str, ...]] = {}
    for name in listed.split():
        country = name.split(".")[0].rstrip("_").upper()
        by_country[country] = (*by_country.get(country, ()), name)
    return by_country


@cache
def _scheme(name: str) -> _Scheme:
    module: _Scheme = importlib.import_module(f"stdnum.{name}")
    return module
