"""Levels of comparisons, field by field, and the evidence against."""

import pytest

from apps.matching.comparison_levels import FORCED, VETO
from tests.matching.given import canonical, levels, scores

Facts = dict[str, str]


def person(given_name: str, family_name: str = "Hallbrook", **more: str) -> Facts:
    return {"given_name": given_name, "family_name": family_name, **more}


def firm(name: str, **more: str) -> Facts:
    return {"kind": "organization", "organization_name": name, **more}


def street(line: str, city: str = "Leeds", postal_code: str = "LS12AB", **more: str) -> Facts:
    return {"address_line1": line, "city": city, "postal_code": postal_code, "country": "GB", **more}


def ann(email: str) -> dict[str, str]:
    return {"given_name": "Ann", "family_name": "Wolf", "email": email}


@pytest.mark.parametrize(
    ("comparison", "left", "right", "level"),
    [
        ("given_name", person("Robert"), person("ROBERT"), "same"),
        ("given_name", person("Robert"), person("Roberrt"), "alike"),
        ("given_name", person("Sergey"), person("Sergei"), "alike"),
        ("given_name", person("زينب"), person("Zeinab"), "alike"),
        ("given_name", person("محمد"), person("Mohamed"), "alike"),
        ("given_name", person("Xiaoming"), person("Hsiaoming"), "alike"),
        ("given_name", person("Abdul Rahim"), person("Abdulrahman"), "similar"),
        ("given_name", person("Wandz"), person("Wanda"), "alike"),
        ("given_name", person("Falke"), person("Falbo"), "similar"),
        ("given_name", person("Robert"), person("Bob"), "nickname"),
        ("given_name", person("Alexandria"), person("Alex"), "nickname"),
        ("given_name", person("Robert"), person("R."), "initial"),
        ("given_name", person("Johannes"), person("Jo"), "initial"),
        ("given_name", person("Anna Maria"), person("Maria"), "part"),
        ("given_name", person("John Allan"), person("John Barry"), "middle_differs"),
        ("given_name", person("John Allan"), person("John A."), "same"),
        ("given_name", person("Alberto"), person("Roberto"), "different"),
        ("family_name", person("Ann", "Müller"), person("Ann", "Mueller"), "same"),
        ("family_name", person("Ann", "Johnson"), person("Ann", "Jonhson"), "alike"),
        ("family_name", person("Ann", "Stevens"), person("Ann", "Stevens-Lewis"), "part"),
        ("family_name", person("Ann", "van der Berg"), person("Ann", "Berg"), "same"),
        ("family_name", person("Ann", "Wolf"), person("Ann", "Keller"), "different"),
        ("company_name", firm("Acme Tools Ltd"), firm("ACME TOOLS LIMITED"), "same"),
        ("company_name", firm("Supremedesign Industries"), firm("SupremedesignIndustries"), "same"),
        ("company_name", firm("Products Supremewood"), firm("Supremewood Products"), "same"),
        ("company_name", firm("Madison North Life"), firm("Madison Norh Life"), "alike"),
        ("company_name", firm("Terratrade Soln"), firm("Terratrade Solutions"), "alike"),
        ("company_name", firm("Cafe Katsu"), firm("Katsu Restaurant"), "alike"),
        ("company_name", firm("Grand Regent Cafe"), firm("Grand Regent Restaurant"), "shared_words"),
        ("company_name", firm("Oldcastle Quarry Works"), firm("Oldcastel Quary Works"), "alike"),
        ("company_name", firm("Madison North Life"), firm("Madison Norh Life Products"), "part"),
        ("company_name", firm("Industrial Bank of Chad"), firm("Industrial Bank of Cuba"), "shared_words"),
        ("company_name", firm("Harbourside Global Fund"), firm("Harbourside Global Fund II"), "part"),
        ("company_name", firm("BAS"), firm("Benby and Simpson"), "acronym"),
        ("company_name", firm("MFO"), firm("Marlow First Optics"), "acronym"),
        ("company_name", firm("B&S"), firm("Benby & Simpson"), "acronym"),
        ("company_name", firm("Nexus Paint"), firm("Nexus Paint Distribution"), "part"),
        ("company_name", firm("MNLP"), firm("Madison North Life Products"), "acronym"),
        ("company_name", firm("Galnival Envases"), firm("Galnival Logistica"), "shared_words"),
        ("company_name", firm("Store 12"), firm("Store 14"), "number_differs"),
        ("company_name", firm("Acme Tools"), firm("Bluebird Travel"), "different"),
        ("company_name", firm("Halworth Ltd dba Blue Door"), firm("Blue Door"), "same"),
        ("legal_form", firm("Acme GmbH"), firm("Acme Gesellschaft mbH"), "same"),
        ("legal_form", firm("Acme Inc"), firm("Acme Corp"), "kin"),
        ("legal_form", firm("Acme GmbH"), firm("Acme AG"), "different"),
        ("birth_date", {"birth_date": "1980-05-04"}, {"birth_date": "1980-05-04"}, "same"),
        ("birth_date", {"birth_date": "1980-05-04"}, {"birth_date": "1980-04-05"}, "alike"),
        ("birth_date", {"birth_date": "1980-05-04"}, {"birth_date": "1980-05-14"}, "alike"),
        ("birth_date", {"birth_date": "1954-07-14"}, {"birth_date": "1954-01-01"}, "year"),
        ("birth_date", {"birth_date": "1954-07-14"}, {"birth_date": "1954-07-30"}, "partly"),
        ("birth_date", {"birth_date": "1954-07-14"}, {"birth_date": "1988-11-02"}, "different"),
        ("email", {"email": "anna@posteo.de"}, {"email": "ANNA@posteo.de"}, "same"),
        ("email", {"email": "info@acme.com"}, {"email": "info@acme.com"}, "role"),
        ("email", {"email": "anna.wolf@acme.com"}, {"email": "anna.wolff@acme.com"}, "alike"),
        ("email", {"email": "anna1.wolf@acme.com"}, {"email": "anna2.wolf@acme.com"}, "different"),
        ("email", {"email": "annawolf@web.de"}, {"email": "annawolf@gmx.de"}, "mailbox"),
        ("email", {"email": "anna@web.de"}, {"email": "carl@gmx.de"}, "different"),
        ("email", ann("ann.wolf@web.de"), ann("ann.wolf@gmx.de"), "different"),
        ("email", ann("ann.wolf81@web.de"), ann("ann.wolf81@gmx.de"), "mailbox"),
        ("email", ann("bluesparrow@web.de"), ann("bluesparrow@gmx.de"), "mailbox"),
        ("email", ann("ann.wolf@posta.example"), ann("ann.wolf@poczta.example"), "different"),
        ("email", ann("ann.wolf@wolfbuam.de"), ann("ann.wolf@wolfbaum.de"), "alike"),
        ("phone", {"phone": "+44 892 674 6118"}, {"phone": "892-674-6118"}, "same"),
        ("phone", {"phone": "+44 892 674 6118"}, {"phone": "892-674-6128"}, "alike"),
        ("phone", {"phone": "+44 892 674 6118"}, {"phone": "221-600-9999"}, "different"),
        ("domain", firm("A", website="www.acme.com"), firm("B", email="x.y@mail.acme.com"), "same"),
        ("domain", firm("A", website="www.acme.com"), firm("B", website="acme.de"), "alike"),
        ("domain", firm("A", website="www.acme.com"), firm("B", website="blue.de"), "different"),
        ("identifier", {"tax_id": "153-93-6297"}, {"tax_id": "153936297"}, "same"),
        ("identifier", {"tax_id": "153936297"}, {"tax_id": "153936298"}, "alike"),
        ("identifier", {"tax_id": "153936297"}, {"tax_id": "888111222"}, "different"),
        ("address", street("12 High Street"), street("12 High St"), "same"),
        ("address", street("12 High Street Flat 3"), street("12 High St Flat 5"), "other_unit"),
        ("address", street("12 Hihg Street"), street("12 High Street"), "alike"),
        ("address", street("128 High Street"), street("18 High Street"), "alike"),
        ("address", street("High Street"), street("12 High St"), "street"),
        ("address", street("14 High Street"), street("12 High St"), "other_house"),
        ("address", street("12 N. High Street"), street("12 High St"), "same"),
        ("address", street("12 N High Street"), street("12 High St. North"), "same"),
        ("address", street("12 East 55th Street"), street("12 W. 55th St."), "postcode"),
        ("address", street("12 High Street", "Dover", ""), street("12 High St", "Leeds", ""), "elsewhere"),
        ("address", street(""), street("12 High St", ""), "postcode"),
        ("address", street("", postal_code=""), street("12 High St"), "city"),
        ("address", street("9 Mill Lane", postal_code=""), street("12 High St"), "other_street"),
        ("address", street("9 Mill Lane", "Dover", "CT161AA"), street("12 High St"), "other_city"),
        ("address", {"country": "FR"}, {"country": "DE"}, "other_country"),
        ("suffix", {"name": "Al Moor Jr"}, {"name": "Al Moor Sr"}, "different"),
        ("kind", {}, {"kind": "organization"}, "different"),
    ],
)
def test_level(comparison: str, left: Facts, right: Facts, level: str) -> None:
    assert levels(canonical(**left), canonical(**right))[comparison] == level
    assert levels(canonical(**right), canonical(**left))[comparison] == level


def test_crossed_names_are_compared_crosswise() -> None:
    found = levels(canonical(**person("Hugues", "Charpentier")), canonical(**person("Charpentier", "Hugues")))
    assert (found["given_name"], found["family_name"]) == ("same", "same")


def test_a_lone_agreement_across_is_the_family_name() -> None:
    found = levels(canonical(**person("Ortmann", "Jakob")), canonical(**person("Elsa", "Ortmann")))
    assert (found["given_name"], found["family_name"]) == ("different", "same")


def test_what_is_missing_is_not_compared() -> None:
    assert levels(canonical(given_name="Ann"), canonical(family_name="Wolf")) == {"kind": "same"}
    assert "identifier" not in levels(canonical(tax_id="153936297"), canonical(lei="529900T8BM49AURSDO55"))


def test_an_email_that_agrees_says_already_that_its_domain_does() -> None:
    one = canonical(**firm("Acme", email="ann@acme.com"))
    assert "domain" not in levels(one, one)


def test_the_best_of_several_values_counts() -> None:
    one, other = canonical(email="anna@posteo.de"), canonical(email="carl@gmx.de")
    other["contact_points"].append({"type": "email", "value": "anna@posteo.de"})
    assert levels(one, other)["email"] == "same"


def flags(left: Facts, right: Facts, *, verified: bool | None = True) -> int:
    return int(scores(canonical(verified=verified, **left), canonical(verified=verified, **right)).flags[0])


def test_one_confirmed_identifier_forces() -> None:
    left, right = person("Ann", tax_id="DE349780495", country="DE"), person("Bea", tax_id="349780495", country="DE")
    assert flags(left, right) == FORCED
    assert flags(left, right, verified=None) == 0


def test_different_confirmed_identifiers_veto_unless_mistyped() -> None:
    left = person("Ann", tax_id="349780495", country="DE")
    assert flags(left, person("Ann", tax_id="812526315", country="DE")) & VETO
    assert not flags(left, person("Ann", tax_id="349780459", country="DE")) & VETO
    assert not flags(left, person("Ann", tax_id="812526315", country="DE"), verified=None) & VETO
    assert not flags(left, person("Ann", tax_id="812526315", country="AT")) & VETO


def test_different_birth_dates_veto_only_under_one_name_without_a_common_number() -> None:
    left = person("Robert", birth_date="1962-02-25")
    assert flags(left, person("Bob", birth_date="1991-11-16")) & VETO
    assert not flags(left, person("Paul", birth_date="1991-11-16")) & VETO
    assert not flags(left, person("Robert", birth_date="1962-02-26")) & VETO
    shared = {"national_id": "4212098"}
    assert not flags({**left, **shared}, person("Robert", birth_date="1991-11-16", **shared), verified=None) & VETO


def test_a_shared_number_under_wholly_different_names_asks_a_person() -> None:
    number = {"tax_id": "349780495", "country": "DE"}
    assert flags(person("Ann", "Wolf", **number), person("Peter", "Keller", **number)) == FORCED | VETO
    assert flags(firm("Acme", **number), firm("Bluebird", **number)) == FORCED


def test_suffixes_of_two_generations_veto() -> None:
    assert flags({"name": "Al Moor Jr"}, {"name": "Al Moor Sr"}) == VETO
