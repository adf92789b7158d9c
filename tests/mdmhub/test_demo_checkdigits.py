"""The demo's own check digits, measured against python-stdnum."""

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stdnum import lei
from stdnum.bg import vat as bg_vat
from stdnum.de import vat as de_vat
from stdnum.eg import tn as eg_tn
from stdnum.es import dni as es_dni
from stdnum.es import nif as es_nif
from stdnum.fr import nir as fr_nir
from stdnum.fr import siren as fr_siren
from stdnum.fr import tva as fr_tva
from stdnum.gb import vat as gb_vat
from stdnum.gr import vat as gr_vat
from stdnum.it import iva as it_iva
from stdnum.jp import cn as jp_cn
from stdnum.nl import bsn as nl_bsn
from stdnum.nl import btw as nl_btw
from stdnum.pl import nip as pl_nip
from stdnum.pl import pesel as pl_pesel
from stdnum.pl import regon as pl_regon
from stdnum.se import orgnr as se_orgnr
from stdnum.se import personnummer as se_personnummer
from stdnum.se import vat as se_vat
from stdnum.us import ein as us_ein

from mdmhub.demo import checkdigits

TAX_SCHEMES = {
    "US": us_ein, "GB": gb_vat, "DE": de_vat, "FR": fr_tva, "ES": es_nif, "IT": it_iva, "PL": pl_nip, "NL": nl_btw,
    "SE": se_vat, "GR": gr_vat, "BG": bg_vat, "JP": jp_cn, "EG": eg_tn,
}  # fmt: skip
NATIONAL_SCHEMES = {"PL": pl_pesel, "SE": se_personnummer, "FR": fr_nir, "ES": es_dni, "NL": nl_bsn}
REGISTERS = {"FR": fr_siren, "SE": se_orgnr, "PL": pl_regon, "JP": jp_cn}
SERIALS = st.integers(min_value=0, max_value=10**10)


@pytest.mark.parametrize("country", sorted(checkdigits.TAX_ID))
@given(serial=SERIALS)
@settings(max_examples=60)
def test_tax_numbers_are_valid(country: str, serial: int) -> None:
    TAX_SCHEMES[country].validate(checkdigits.TAX_ID[country](serial))


@pytest.mark.parametrize("country", sorted(checkdigits.NATIONAL_ID))
@given(serial=SERIALS, birth=st.dates(date(1930, 1, 1), date(2010, 12, 31)), odd=st.integers(0, 1))
@settings(max_examples=60)
def test_national_numbers_are_valid_and_tell_the_birth_date(country: str, serial: int, birth: date, odd: int) -> None:
    number = checkdigits.NATIONAL_ID[country](serial, birth, odd)
    NATIONAL_SCHEMES[country].validate(number)
    if country == "PL":
        assert pl_pesel.get_birth_date(number) == birth
    if country == "SE":
        assert se_personnummer.get_birth_date(number) == birth


@given(serial=SERIALS)
@settings(max_examples=60)
def test_registers_and_legal_entity_identifiers_are_valid(serial: int) -> None:
    lei.validate(checkdigits.lei(serial))
    for country, scheme in REGISTERS.items():
        scheme.validate(checkdigits.REGISTRATION[country](serial))


@pytest.mark.parametrize("country", sorted(checkdigits.TAX_ID))
def test_different_serials_give_different_numbers(country: str) -> None:
    assert len({checkdigits.TAX_ID[country](serial) for serial in range(30_000)}) == 30_000
