"""Countries, currencies and languages from codes and names."""

import pytest

from apps.customers.canonical_places import _COUNTRY_NAMES, COUNTRIES, country_code, currency_code, language_tag
from tests.customers import cldr


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("DE", "DE"), ("de", "DE"), ("DEU", "DE"), ("276", "DE"), ("Germany", "DE"), ("Deutschland", "DE"),
        ("Allemagne", "DE"), ("ALEMANIA", "DE"), ("UK", "GB"), ("U.K.", "GB"), ("England", "GB"), ("USA", "US"),
        ("U.S.A.", "US"), ("United States of America", "US"), ("The Netherlands", "NL"), ("Holland", "NL"),
        ("Россия", "RU"), ("Российская Федерация", "RU"), ("España", "ES"), ("Espana", "ES"), ("Österreich", "AT"),
        ("Oesterreich", "AT"), ("日本", "JP"), ("中国", "CN"), ("대한민국", "KR"), ("Ελλάδα", "GR"), ("مصر", "EG"),
        ("ישראל", "IL"), ("Türkiye", "TR"), ("Turkey", "TR"), ("Czechia", "CZ"), ("Czech Republic", "CZ"),
        ("Norja", "NO"),
        ("Côte d’Ivoire", "CI"), ("Ivory Coast", "CI"), ("Niger", "NE"), ("Nigeria", "NG"), ("Georgia", "GE"),
        ("Kosovo", "XK"), ("EL", "GR"), ("Österreich ", "AT"),
    ],
)  # fmt: skip
def test_a_country_by_any_name(text, code):
    assert country_code(text) == code


def test_the_file_of_names_is_what_cldr_says():
    """If not, babel brought a newer CLDR: python -m tests.customers.cldr writes the file anew."""
    assert _COUNTRY_NAMES.read_text("utf-8") == cldr.as_text(cldr.country_names())


@pytest.mark.parametrize("text", ["Narnia", "XX", "ZZ", "EU", "YU", "SUN", "", "?", "Berlin", "123456"])
def test_what_is_no_country(text):
    assert country_code(text) is None


def test_every_code_is_known_by_its_name_in_english_and_its_alpha_3_code():
    from babel import Locale
    from babel.core import get_global

    english = Locale.parse("en").territories
    assert {code for code in COUNTRIES if country_code(english[code]) != code} == set()
    alpha_3 = {
        alias: codes[0]
        for alias, codes in get_global("territory_aliases").items()
        if len(alias) == 3 and alias.isalpha()
    }
    assert {code for alias, code in alpha_3.items() if code in COUNTRIES and country_code(alias)} >= COUNTRIES - {
        "XK",
        "SH",
    }


@pytest.mark.parametrize(
    ("text", "code"),
    [("EUR", "EUR"), ("usd", "USD"), ("€", "EUR"), ("£", "GBP"), ("Swiss Franc", "CHF"), ("$", None), ("ABC", None)],
)
def test_a_currency_by_code_or_symbol(text, code):
    assert currency_code(text) == code


@pytest.mark.parametrize(
    ("text", "tag"),
    [
        ("de", "de"), ("DE", "de"), ("de_AT", "de-AT"), ("zh-hant-tw", "zh-Hant-TW"), ("ger", "de"), ("deu", "de"),
        ("German", "de"),
        ("Deutsch", "de"), ("français", "fr"), ("русский", "ru"), ("es-419", "es-419"), ("xq", None),
        ("Klingonish", None), ("de-XX", None),
    ],
)  # fmt: skip
def test_a_language_by_code_or_name(text, tag):
    assert language_tag(text) == tag
