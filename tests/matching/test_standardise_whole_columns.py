"""Columns read in whole-array steps: the same, whatever stands in the cells, as the functions that read one value."""

from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rapidfuzz import process
from rapidfuzz.distance import OSA

from apps.customers.canonical_contacts import emails
from apps.customers.canonical_identifiers import TELLING, identifier
from apps.matching import standardise_addresses as addresses
from apps.matching import standardise_addresses_columns as addresses_columns
from apps.matching import standardise_contacts as contacts
from apps.matching import standardise_contacts_columns as contacts_columns
from apps.matching import standardise_identifiers_columns as identifiers_columns
from apps.matching import standardise_legal_forms as legal_forms
from apps.matching import standardise_names as names
from apps.matching import standardise_names_columns as names_columns
from apps.matching import standardise_text_columns as text_columns
from apps.matching import text

Texts = Sequence[str]


def made_of(*parts: str, most: int = 7) -> st.SearchStrategy[str]:
    """Texts put together from parts, with something unforeseen among them."""
    pieces = st.one_of(st.sampled_from(parts), st.sampled_from(parts), st.sampled_from(parts), st.text(max_size=3))
    return st.lists(pieces, max_size=most).map("".join)


ANY = st.text(max_size=20) | st.sampled_from(
    ["", " ", "\n", "\x00", "\u3000", "ſ", "İ", "ß", "٣", "²", "x" * 300, "ä" * 150]
)
WORDS = (
    "Anna",
    "maria",
    "JOSÉ",
    "Müller",
    "Baaer",
    "Óscar",
    "Иван",
    "王小明",
    "Smith",
    "McCoy",
    "Jean",
    "Paul",
    "O",
    "K",
    "X",
)
TURNS = (
    "van",
    "de",
    "Mc",
    "d",
    "St.",
    "Dr.",
    "prof",
    "Jr.",
    "III",
    "el",
    "bin",
    "abd",
    "al",
    "din",
    "Salahuddin",
    "test",
    "n/a",
    "unknown",
    "no",
    "name",
)
SIGNS = (" ", " ", " ", " ", "  ", ", ", ",", "-", ".", ". ", "'", "\t", "\u00a0", "1")
NAMES = made_of(*WORDS, *TURNS, *SIGNS) | ANY
COMPANIES = made_of(
    *WORDS, " ", " ", " ", " ", "  ", " & ", "+", "&", " - ", "-", ", ", ".", " (", ")", "[", "Acme", "Siemens", "GmbH", " & Co. KG", "AG", " Ltd",
    " Ltd.", " S.p.A.", " S.A.", " z o.o.", "SARL", "OOO ", "ООО ", "株式会社", "Aktiengeselschaft", " dba ", " T/A ", "t/a", "formerly ", "and", "und",
    "BrandX", "WeinhageandForster", "ireland", " Group", " International", " Forty Four", " II", " V", "3", " The ", "N. A.", "k. a.", "Berlin", "f\u0131rma",
) | ANY  # fmt: skip
CITIES = st.sampled_from(["", "Berlin", "St. Gallen", "München", "Munich", "N York", "12 High Street"]) | ANY
LINES = made_of(
    "12", "12a", "007", " ", " ", " ", ", ", ",", ".", "/", "-", "#", "Main", "High", "Elm", "O'Neil", "Straße", "Müllerstr.", "Street", "St", "Ave", "Rd.",
    "East", "5th", "Apt", "apt5", "Unit", "PO Box", "P.O. Box 7", "no", "Nr. ", "at", "near", "corner of", "Suite", "1234567", "²", "٣", "\t",
) | ANY  # fmt: skip
MAILS = made_of(
    "bob", "Bob.Smith", "info", "noreply", "@", "@", "@", "+tag", ".", "..", " ", "<", ">", "'", '"', ";", ",", "gmail.com", "googlemail.com", "gmial.com",
    "yahho.com", "acme.co.uk", "shop.acme.com", "acme", "müller.de", "x.de", "Anna <", "\n", "\t", "＠", "a" * 190,
) | ANY  # fmt: skip
PHONES = made_of(
    "+", "00", "0", "1", "44", "49", "380", "7", "30", "555", "123456", "0000000", "9876543210", " ", "-", "(0)", "(", ")", "/", ".", "x12", " ext. 5",
    "#3", "\t", "\u00a0", "٣", "n/a", "+" + "1" * 250, most=9,
) | ANY  # fmt: skip
SITES = made_of(
    "http://", "HTTPS://", "www.", "acme", "Acme-Shop", ".com", ".co.uk", ".de", ".co", ".x1", "/", "/de?x=1", "#", ":8080", "@", ".", "..", " ", "\t",
    "gmail.com", "mailto:", "müller", "_", "\x1f",
) | ANY  # fmt: skip
NUMBERS = made_of(
    "DE", "FI", "SE", "RO", "CHE", "EL", "136695976", "131052", "308T", "-", " ", ".", "/", "0", "12", "J40", "x", "Ä", "١", "911144442", "811228987", "4",
) | ANY  # fmt: skip


def columns(*values: Texts) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays(
        [pa.array(one, pa.string()) for one in values], [str(at) for at in range(len(values))]
    )


def few(texts: st.SearchStrategy[str]) -> st.SearchStrategy[list[str]]:
    return st.lists(texts, max_size=6)


def few_rows(*texts: st.SearchStrategy[str]) -> st.SearchStrategy[list[tuple[str, ...]]]:
    return st.lists(st.tuples(*texts), min_size=1, max_size=6)


def found(batch: pa.RecordBatch) -> list[tuple[Any, ...]]:
    return list(zip(*(column.to_pylist() for column in batch.columns), strict=True))


def one_text(function: Callable[[str], str], texts: Texts) -> list[tuple[str]]:
    return [(function(one),) for one in texts]


@given(few(NAMES | COMPANIES | LINES | ANY))
def test_texts_are_folded(texts: list[str]) -> None:
    array = pa.array(texts, pa.string())
    assert text_columns.plain_ascii_column(array).to_pylist() == [text.plain_ascii(one) for one in texts]
    assert text_columns.plain_column(array).to_pylist() == [text.plain(one) for one in texts]
    assert text_columns.fold_column(array).to_pylist() == [text.fold(one) for one in texts]


@given(few(MAILS))
def test_mails(texts: list[str]) -> None:
    def one(value: str) -> tuple[list[str], str]:
        read = [contacts.mail(mail) for _, mail, _ in emails(value)] if value.count("@") > 1 else [contacts.mail(value)]
        addresses = dict.fromkeys(mail.address for mail in read if mail.address)
        return [*addresses], next((mail.company_domain for mail in read if mail.company_domain), "")

    assert found(contacts_columns.read_mails(columns(texts))) == [one(value) for value in texts]


@given(few(PHONES))
def test_phones(texts: list[str]) -> None:
    assert found(contacts_columns.read_phones(columns(texts))) == one_text(contacts.phone_digits, texts)


@given(few(SITES))
def test_domains(texts: list[str]) -> None:
    def one(value: str) -> str:
        domain = contacts.registrable(value)
        return "" if contacts.free_provider(domain) else domain

    assert found(contacts_columns.read_domains(columns(texts))) == one_text(one, texts)


@given(few(LINES))
def test_address_lines(texts: list[str]) -> None:
    assert found(addresses_columns.read_lines(columns(texts))) == [addresses.line(one) for one in texts]
    flags = addresses_columns.with_digit(pa.array(texts, pa.string()))
    assert flags.tolist() == [addresses.has_digit(one) for one in texts]


COUNTRY = st.sampled_from(["", "us", "de", "gb"])
CODES = made_of("us", "DE", "1234", "5", "-", " ", "AE4", "ä", "٣", "123456789") | ANY


@given(few_rows(CODES, COUNTRY))
def test_post_codes(rows: list[tuple[str, str]]) -> None:
    read = addresses_columns.read_postcodes(columns(*zip(*rows, strict=True)))
    assert found(read) == [(addresses.postcode_of(*row),) for row in rows]


@given(few_rows(LINES, LINES, CITIES, CODES, COUNTRY.map(str.upper)))
def test_addresses(rows: list[tuple[str, str, str, str, str]]) -> None:
    assert found(addresses_columns.read_addresses(columns(*zip(*rows, strict=True)))) == [
        addresses.address(*row) for row in rows
    ]


@given(few(NAMES))
def test_given_and_family_names(texts: list[str]) -> None:
    given_names, family_names = (
        found(read(columns(texts))) for read in (names_columns.read_given, names_columns.read_family)
    )
    for one, own in zip(texts, given_names, strict=True):
        read = names.person_name(one, "", "")
        assert own == (list(read.given), read.suffix)
    for one, own in zip(texts, family_names, strict=True):
        read = names.person_name("", one, "")
        assert own == (list(read.family), read.suffix)


@given(few_rows(st.just("") | NAMES, st.just("") | NAMES, NAMES))
@example(
    [
        ("", "", "Anna Maria Berg"),
        ("", "", "Berg, Anna"),
        ("", "", "Baeer Anna"),
        ("", "", "Anna Smith-Jones"),
        ("", "", "No Name"),
    ]
)
def test_whole_names(rows: list[tuple[str, str, str]]) -> None:
    read = found(names_columns.read_people(columns(*zip(*rows, strict=True))))
    expected = [names.person_name(*row) for row in rows]
    assert read == [(list(one.given), list(one.family), one.suffix) for one in expected]


@given(few_rows(COMPANIES, CITIES))
def test_companies(rows: list[tuple[str, str]]) -> None:
    read = found(names_columns.read_companies(columns(*zip(*rows, strict=True))))
    expected = [names.company_name(*row) for row in rows]
    assert read == [(list(one.names), one.form) for one in expected]


@given(
    st.sampled_from(TELLING), few_rows(NUMBERS, st.sampled_from(["", "DE", "FI", "SE", "RO", "CH", "US", "GR", "XK"]))
)
def test_identifiers_without_punctuation_are_the_same(kind: str, rows: list[tuple[str, str]]) -> None:
    bare = identifiers_columns.numbers(*columns(*zip(*rows, strict=True)).columns).to_pylist()
    for number, (written, country) in zip(bare, rows, strict=True):
        assert identifier(kind, number, country or None) == identifier(kind, written, country or None)


def test_plain_values_go_the_short_way() -> None:
    """Otherwise all the above would hold, and nothing be gained."""
    people = ["Anna Berg", "Anna Maria Müller", "Smith-Jones, Anna", "J. R. Smith"]
    none = [""] * len(people)
    assert names_columns._parted(*columns(none, none, people).columns)[2].all()
    companies = ["Acme Tools Ltd.", "Müller & Söhne GmbH & Co. KG", "Verdi Ingegneria S.p.A."]
    assert names_columns._plain_company(pa.array(companies)).all()


def with_an_error(words: Sequence[str]) -> st.SearchStrategy[str]:
    """One of the words with a letter put in, left out, changed, or two that changed places."""
    put = st.sampled_from("abcxyz.-1")
    return st.builds(
        lambda word, place, letter, kind: [
            word[:place] + letter + word[place:],
            word[:place] + word[place + 1 :],
            word[:place] + letter + word[place + 1 :],
            word[:place] + word[place + 1 : place + 2] + word[place : place + 1] + word[place + 2 :],
        ][kind],
        st.sampled_from(words), st.integers(0, 20), put, st.integers(0, 3),
    )  # fmt: skip


@given(with_an_error(contacts._long_providers()))
def test_a_mail_provider_is_known_with_one_typing_error(wrong: str) -> None:
    meant = process.extractOne(wrong, contacts._long_providers(), scorer=OSA.distance, score_cutoff=1)
    assert contacts._meant(wrong) == (meant[0] if meant else wrong)


@given(with_an_error(legal_forms._long_words()))
def test_a_word_of_a_legal_form_is_known_with_one_typing_error(wrong: str) -> None:
    most = 1 + len(wrong) // 16
    meant = process.extractOne(wrong, legal_forms._long_words(), scorer=OSA.distance, score_cutoff=most)
    assert legal_forms._mended(wrong) == (wrong if wrong in legal_forms._long_words() or not meant else meant[0])


@pytest.mark.parametrize(
    "domain", ["gmail.co", "gmaill.com", "gamil.com", "hotmai.com", "htomail.com", "yahoo.cmo", "acme.co.uk", "x.de"]
)
def test_what_a_mistyped_domain_means(domain: str) -> None:
    meant = process.extractOne(domain, contacts._long_providers(), scorer=OSA.distance, score_cutoff=1)
    assert contacts._meant(domain) == (meant[0] if meant else domain)
