"""Guessing what columns mean."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.connectors.guess import Guess, guess, mapping_of
from apps.connectors.guess_names import BY_NAME, fold, words
from apps.customers.canonical import FLAT_FIELDS


def meant(header: str) -> list[str | None]:
    return [one.canonical for one in guess(header.split(","), []).values()]


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (
            "Kundennummer,Firma,Vorname,Name,Straße,PLZ,Ort,Land,E-Mail,Telefon,USt-IdNr,Geburtsdatum,Zahlungsziel",
            "record_id,organization_name,given_name,family_name,address_line1,postal_code,city,country,email,phone,tax_id,"
            "birth_date,payment_terms",
        ),
        (
            "AccountNumber,AccountName,BillingStreet,BillingCity,BillingState,BillingPostalCode,BillingCountry,Phone,Website",
            "record_id,organization_name,address_line1,city,region,postal_code,country,phone,website",
        ),
        (
            "cust_no,first_name,LAST NAME,VAT Reg No,ZIP,dob",
            "record_id,given_name,family_name,tax_id,postal_code,birth_date",
        ),
        (
            "KUNNR,NAME1,STRAS,ORT01,PSTLZ,LAND1,TELF1,STCEG,SMTP_ADDR,SPRAS,WAERS,ZTERM,KLIMK",
            "record_id,name,address_line1,city,postal_code,country,phone,tax_id,email,language,currency,payment_terms,credit_limit",
        ),
        (
            "Id client,Nom,Prénom,Raison sociale,Adresse,Code postal,Ville,Pays,Courriel,Téléphone,N° TVA,SIREN",
            "record_id,family_name,given_name,organization_name,address_line1,postal_code,city,country,email,phone,tax_id,"
            "registration_number",
        ),
        (
            "Código cliente,Nombre,Apellidos,Empresa,Calle,Código postal,Población,País,Correo electrónico,Móvil,NIF",
            "record_id,given_name,family_name,organization_name,address_line1,postal_code,city,country,email,phone,tax_id",
        ),
        (
            "Codice cliente,Nome,Cognome,Ragione sociale,Indirizzo,CAP,Città,Provincia,Partita IVA,Data di nascita",
            "record_id,given_name,family_name,organization_name,address_line1,postal_code,city,region,tax_id,birth_date",
        ),
        (
            "Klantnummer,Voornaam,Achternaam,Bedrijfsnaam,Straat,Postcode,Plaats,Land,E-mailadres,Telefoonnummer,BTW-nummer",
            "record_id,given_name,family_name,organization_name,address_line1,postal_code,city,country,email,phone,tax_id",
        ),
        (
            "Nr klienta,Imię,Nazwisko,Nazwa firmy,Ulica,Kod pocztowy,Miejscowość,NIP,PESEL,Adres e-mail,Numer telefonu",
            "record_id,given_name,family_name,organization_name,address_line1,postal_code,city,tax_id,national_id,email,phone",
        ),
    ],
    ids=lambda value: value[:12],
)
def test_headers_of_many_tongues_and_products(header, expected):
    assert meant(header) == expected.split(",")


def test_canonical_names_are_certain():
    guesses = guess(FLAT_FIELDS, [])
    assert [(one.canonical, one.confidence) for one in guesses.values()] == [(name, 1.0) for name in FLAT_FIELDS]


def test_each_field_goes_to_one_column_and_the_first_choice_wins():
    guesses = guess(["ShippingCity", "BillingCity", "Phone 2", "Phone"], [])
    assert [one.canonical for one in guesses.values()] == [None, "city", None, "phone"]
    assert "BillingCity" in guesses["ShippingCity"].reason
    assert meant("Delivery City,Other Phone") == ["city", "phone"]


def test_misspelt_headers_and_words_around_them():
    assert meant("Customer Numbr,Emial Adress,customer first name") == ["record_id", "email", "given_name"]
    assert meant("foo,Total revenue 2023") == [None, None]


def test_values_speak_where_the_header_says_nothing():
    rows = [
        {
            "a": "ann@example.org",
            "b": "+49 30 123456",
            "c": "1980-01-31",
            "d": "DE",
            "e": "www.example.org",
            "f": "DE136695976",
        },
        {
            "a": "bo@example.org",
            "b": "(212) 555-0100",
            "c": "31.12.1975",
            "d": "France",
            "e": "https://a.de/x",
            "f": "FR40303265045",
        },
    ]
    guesses = guess(list("abcdef"), rows)
    assert [one.canonical for one in guesses.values()] == [
        "email",
        "phone",
        "birth_date",
        "country",
        "website",
        "tax_id",
    ]
    assert all("values are" in one.reason and one.confidence < 0.9 for one in guesses.values())


def test_values_contradict_a_header():
    rows = [
        {"Mail": "yes", "Kontakt": "ann@example.org", "Status": "A"},
        {"Mail": "no", "Kontakt": "bo@example.org", "Status": "B"},
    ]
    guesses = guess(["Mail", "Kontakt", "Status"], rows)
    assert guesses["Kontakt"].canonical == "email"
    assert guesses["Mail"].canonical is None
    assert guesses["Status"].canonical == "status" and guesses["Status"].confidence < 0.5
    assert "cannot be" in guesses["Status"].reason


def test_the_mapping_of_sure_guesses():
    guesses = guess(["Nr", "Firma", "Status"], [{"Nr": "1", "Firma": "Acme", "Status": "X"}])
    assert mapping_of(guesses).to_dict() == {"columns": {"record_id": "Nr", "organization_name": "Firma"}}


def test_words_of_headers():
    assert words("BillingPostalCode2") == words("billing postal-code 2") == ["billing", "postal", "code", "2"]
    assert fold("Straße") == fold("STRASSE") and fold("Länderkürzel") == fold("Laenderkuerzel")
    assert set(BY_NAME.values()) == set(FLAT_FIELDS)


@given(
    st.lists(st.text(max_size=12) | st.sampled_from(["Name", "E-Mail", "PLZ", "id"]), max_size=8, unique=True),
    st.lists(st.lists(st.none() | st.text(max_size=8) | st.integers() | st.lists(st.none()), max_size=8), max_size=4),
)
def test_any_header_gets_one_guess_per_column_and_the_same_again(header, cells):
    rows = [dict(zip(header, line, strict=False)) for line in cells]
    guesses = guess(header, rows)
    assert list(guesses) == header and guesses == guess(header, rows)
    taken = [one.canonical for one in guesses.values() if one.canonical]
    assert len(taken) == len(set(taken))
    assert all(isinstance(one, Guess) and 0 <= one.confidence <= 1 and one.reason for one in guesses.values())
    mapping_of(guesses)
