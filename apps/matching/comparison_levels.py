"""What a comparison can find: its levels from best to worst, each with the sentence a steward reads.

Level 0 of every comparison is "not compared" (a value is missing on one side) and weighs nothing.
"""

from typing import Final

LEVELS: Final[dict[str, tuple[tuple[str, str], ...]]] = {
    "kind": (
        ("same", "both are persons or both are organisations"),
        ("different", "one is a person, the other an organisation"),
    ),
    "given_name": (
        ("same", "same given name"),
        ("alike", "given names differ by spelling or a typing error"),
        ("nickname", "given names are used for one another"),
        ("similar", "given names resemble one another"),
        ("initial", "an initial fits the given name"),
        ("part", "a further given name agrees"),
        ("middle_differs", "same first given name, but the further names contradict"),
        ("different", "different given names"),
    ),
    "family_name": (
        ("same", "same family name"),
        ("alike", "family names differ by spelling or a typing error"),
        ("similar", "family names resemble one another"),
        ("part", "part of a double family name agrees"),
        ("initial", "an initial fits the family name"),
        ("different", "different family names"),
    ),
    "suffix": (
        ("same", "same suffix to the name"),
        ("different", "suffixes tell two generations apart"),
    ),
    "company_name": (
        ("same", "same company name, whatever the legal form, order or spacing"),
        ("alike", "company names differ by spelling or a typing error"),
        ("part", "one company name holds all words of the other"),
        ("acronym", "one company name is made of the other's initials"),
        ("shared_words", "company names share words"),
        ("number_differs", "company names differ by a number"),
        ("different", "different company names"),
    ),
    "legal_form": (
        ("same", "same legal form"),
        ("kin", "legal forms that are used for one another"),
        ("different", "different legal forms: perhaps sister companies"),
    ),
    "birth_date": (
        ("same", "same birth date"),
        ("alike", "birth dates differ by a typing error, or day and month are swapped"),
        ("year", "same birth year; the day is not known on one side"),
        ("partly", "birth dates agree in two of day, month and year"),
        ("different", "different birth dates"),
    ),
    "email": (
        ("same", "same email"),
        ("role", "same mailbox of a role (info, billing)"),
        ("alike", "emails differ by a typing error"),
        ("mailbox", "same name before the @ at another provider"),
        ("different", "different emails"),
    ),
    "phone": (
        ("same", "same phone number"),
        ("alike", "phone numbers differ by one digit"),
        ("different", "different phone numbers"),
    ),
    "domain": (
        ("same", "same web or mail domain"),
        ("alike", "same domain name under another ending"),
        ("different", "different web or mail domains"),
    ),
    "identifier": (
        ("same_verified", "same identifier, its check digit or format confirmed"),
        ("same", "same identifier"),
        ("alike", "identifiers differ by one character"),
        ("different", "different identifiers of one kind"),
        ("different_verified", "different confirmed identifiers of one kind and country"),
    ),
    "address": (
        ("same", "same address"),
        ("other_unit", "same building, another unit"),
        ("alike", "same house number, street alike, in one place"),
        ("street", "same street in one place, a house number is missing"),
        ("other_house", "same street in one place, different house numbers"),
        ("elsewhere", "same house number and street, but another place"),
        ("postcode", "same post code only"),
        ("city", "same city, a street is missing"),
        ("other_street", "same city, different streets"),
        ("other_city", "different places"),
        ("other_country", "different countries"),
    ),
}
COMPARISONS: Final = tuple(LEVELS)
MOST_LEVELS: Final = 1 + max(map(len, LEVELS.values()))
_NUMBER: Final = {
    (name, level): number for name, levels in LEVELS.items() for number, (level, _) in enumerate(levels, 1)
}

VETO: Final = 1  # hard evidence against: never one customer without a person's word
FORCED: Final = 2  # same confirmed unique identifier: one customer unless vetoed


def level_number(comparison: str, level: str) -> int:
    """Return the number of a level; raises KeyError for an unknown one."""
    return _NUMBER[comparison, level]


def level_name(comparison: str, number: int) -> str:
    """Return the name of a level; 0 is "missing"."""
    return "missing" if number == 0 else LEVELS[comparison][number - 1][0]
