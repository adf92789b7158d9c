"""Names of people and companies to tokens."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.matching.standardise_names import company_name, generic_text, person_name


@pytest.mark.parametrize(
    ("given_name", "family", "name", "expected"),
    [
        ("", "", "Orozson, Mark", (("mark",), ("orozson",), "")),
        ("", "", "Mark Orozson", (("mark",), ("orozson",), "")),
        ("", "", "Dr. Maria van der Berg", (("maria",), ("berg",), "")),
        ("", "", "George Wexler Jr.", (("george",), ("wexler",), "jr")),
        ("", "", "Wexler, Jr.", ((), ("wexler",), "jr")),
        ("Jean-Luc", "D'Angelo", "", (("jean", "luc"), ("dangelo",), "")),
        ("J.R.", "Mc Donald", "", (("j", "r"), ("mcdonald",), "")),
        ("Paul", "Stevens-Lewis III", "", (("paul",), ("stevens", "lewis"), "3")),
        ("Josh", "", "Josh Pearidge", (("josh",), ("pearidge",), "")),
        ("", "Pearidge", "Josh Pearidge", (("josh",), ("pearidge",), "")),
        ("I9or", "Sech1n", "", (("igor",), ("sechln",), "")),
        ("unknown", "n/a", "", ((), (), "")),
        ("", "", "Abd al-Rahman Omar", (("abdulrahman",), ("omar",), "")),
        ("", "", "Abdurrahman Omar", (("abdulrahman",), ("omar",), "")),
        ("Abdul Karim", "Haddad", "", (("abdulkarim",), ("haddad",), "")),
        ("Abdul", "Khan", "", (("abdul",), ("khan",), "")),
        ("Nour al-Din", "Saleh", "", (("nourdin",), ("saleh",), "")),
        ("Noureddine", "Saleh", "", (("nourdin",), ("saleh",), "")),
        ("", "", "Khalid bin Faisal Al Harthi", (("khalid", "faisal"), ("harthi",), "")),
        ("", "", "Ben James Ross", (("ben", "james"), ("ross",), "")),
        ("", "", "Wang Bin", (("wang",), ("bin",), "")),
        ("", "", "Maria del Carmen Ruiz", (("maria", "carmen"), ("ruiz",), "")),
        ("", "", "Laura Stokes-Whitfield", (("laura",), ("stokes", "whitfield"), "")),
        ("", "", "Ferrow Dana K.", (("dana", "k"), ("ferrow",), "")),
        ("", "", "Präsident Otto Ferrow", (("otto",), ("ferrow",), "")),
        ("", "", "王小明", (("xiaoming",), ("wang",), "")),
        ("", "", "欧阳小明", (("xiaoming",), ("ouyang",), "")),
        ("", "", "박지성", (("jiseong",), ("bag",), "")),
        ("D J", "Howridge", "", (("d", "j"), ("howridge",), "")),
        ("", "", "Dana Mac Angus", (("dana",), ("macangus",), "")),
        ("", "", "Cher", ((), ("cher",), "")),
        ("", "", ",", ((), (), "")),
        ("", "", "Al", ((), ("al",), "")),
    ],
)
def test_person(given_name: str, family: str, name: str, expected: tuple[object, ...]) -> None:
    assert tuple(person_name(given_name, family, name)) == expected


@pytest.mark.parametrize(
    ("text", "city", "names", "form"),
    [
        ("Dörhauser & Adolph, Gesellschaft mbH", "", ("dorhauser adolph",), "gmbh"),
        ("SUPREMEWOOD PRODUCTS S.p.A.", "", ("supremewood products",), "spa"),
        ("Blue Paint Ventures spółka z o.o.", "", ("blu paint ventures",), "spzoo"),
        ("ООО Ромашка", "", ("romashka",), "ooo"),
        ("Wilson Brothers - Nottingham", "Nottingham", ("wilson brothers",), ""),
        ("Textile Manufacturing LLC - Rostov", "", ("textile manufacturing",), "llc"),
        ("Legacy Crescent Optics, P.L.C.", "", ("legacy crescent optics",), "plc"),
        ("Vista Wood Dist. LLC", "", ("vista wood distribution",), "llc"),
        ("SupremedesignIndustries SA", "", ("supremedesign industries",), "sa"),
        ("MarlowandFinch Ltd", "", ("marlow finch", "marlowand finch"), "ltd"),
        ("VelosanAG", "", ("velosan",), "ag"),
        ("Velosan Aktiengeselschaft", "", ("velosan",), "ag"),
        ("JSC Velosan Corporation", "", ("velosan",), "corp"),
        ("SAS Velosan Inc", "", ("sas velosan",), "inc"),
        ("ТОО Велосан", "", ("velosan",), "too"),
        ("Palm Too", "", ("palm too",), ""),
        ("Velosan GmbH Berlin", "", ("velosan berlin",), "gmbh"),
        ("Velosan Ltd (Leeds)", "", ("velosan leeds",), "ltd"),
        ("Velosan Ltd (Leeds)", "Leeds", ("velosan",), "ltd"),
        ("Velosan Sp. z o.o. Oddział Krakow", "", ("velosan oddzial krakow",), "spzoo"),
        ("Velosan SE", "", ("velosan",), "se"),
        ("Pier Forty-Four", "", ("pier 44",), ""),
        ("Harbourside Fund V", "", ("harbourside fund 5",), ""),
        ("Marlow & V", "", ("marlow v",), ""),
        ("The E&H AG", "", ("e h",), "ag"),
        ("U.S. Timber Board", "", ("united states timber board",), ""),
        ("Acme GmbH & Co. KG", "", ("acme",), "gmbh_co_kg"),
        ("le chardonnay (los angeles)", "Los Angeles", ("chardonnay",), ""),
        ("Bank of China (Hong Kong) Ltd", "", ("bank china hong kong",), "ltd"),
        ("Acme UG (haftungsbeschränkt)", "", ("acme",), "ug"),
        ("Apollo Fund VIII L.P.", "", ("apollo fund 8",), "lp"),
        ("Halworth Ltd t/a The Blue Door", "", ("halworth", "blu door"), "ltd"),
        ("株式会社山田", "", ("shantian",), "kk"),
        ("First International Bank", "", ("1 international bank",), ""),
        ("Limited", "", ("limited",), ""),
        ("N/A", "", (), ""),
        ("", "", (), ""),
    ],
)
def test_company(text: str, city: str, names: tuple[str, ...], form: str) -> None:
    found = company_name(text, city)
    assert (found.names, found.form) == (names, form)


@given(st.text(), st.text(), st.text())
def test_any_text_is_read(one: str, other: str, third: str) -> None:
    name = person_name(one, other, third)
    assert all(token for token in (*name.given, *name.family))
    company = company_name(one, other)
    assert all(company.names)
    generic_text(third)
