"""The kinds of blocking key: which there are, and what each counts for."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple, Self

KINDS: Final[Mapping[str, str]] = {
    "email": "the same email",
    "phone": "the same phone number",
    "identifier": "the same identifier",
    "mailbox": "the same name before the @ and the same family name",
    "domain": "the same web or mail domain (of people: and a similar family name)",
    "name": "the same full name",
    "name_city": "a similar name in the same city",
    "family_year": "a similar family name, first letter and birth year",
    "name_birth": "a similar name and the same birth date",
    "family_postcode": "a similar family name in the same post code",
    "family_address": "a similar family name at the same house number and street",
    "birth_postcode": "the same birth date and post code",
    "company": "the same company name",
    "company_words": "two similar words of the company name",
    "company_city": "a similar word of the company name in the same city",
    "company_postcode": "a similar word of the company name in the same post code",
    "acronym": "the same initials of the company name in the same city or post code",
    "address": "the same house number and street in the same city or post code",
    "name_phone": "a similar name and the same phone ending",
    "house_street": "a similar word of the company name at the same house number and street",
    "birth_city": "the same birth date in the same city",
    "initial_city": "a similar family name and the same initial in the same city",
    "letter_street": "the same house number and street and the same first letters of the name",
    "digits": "the same digits of an identifier in another order and the same first letter of the name or post code",
    "given_postcode": "a similar given name in the same post code",
}
"""Name in the policy -> what two records share, as said to a steward. A kind's number is its place here."""
SENTENCES: Final = tuple(KINDS.values())
EMAIL, PHONE, IDENTIFIER, MAILBOX, DOMAIN, NAME, NAME_CITY, FAMILY_YEAR, NAME_BIRTH, FAMILY_POSTCODE = range(10)
FAMILY_ADDRESS, BIRTH_POSTCODE, COMPANY, COMPANY_WORDS, COMPANY_CITY, COMPANY_POSTCODE, ACRONYM = range(10, 17)
ADDRESS, NAME_PHONE, HOUSE_STREET, BIRTH_CITY, INITIAL_CITY, LETTER_STREET, DIGITS, GIVEN_POSTCODE = range(
    17, len(KINDS)
)
STRONG, WEAK, OFF = "strong", "weak", "off"
_SHIPPED: Final = {"company_words": WEAK, "company_city": WEAK}


class KeyRules(NamedTuple):
    """What kinds of key count for, by number. One key of a strong kind brings two records together, of weak kinds two keys do,
    because strangers share them too often; of a kind that is off none does."""

    weak: frozenset[int]
    off: frozenset[int]

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Self:
        """Rules of a policy: name of a kind -> strong, weak or off; a kind that is not named is as shipped. Raises ValueError."""
        for name, word in told.items():
            if name not in KINDS:
                raise ValueError(f"keys.{name}: there is no such kind of key; there are {', '.join(KINDS)}")
            if word not in (STRONG, WEAK, OFF):
                raise ValueError(f"keys.{name} is {STRONG}, {WEAK} or {OFF}, not {word!r}")
        words = [told.get(name, _SHIPPED.get(name, STRONG)) for name in KINDS]
        weak, off = (frozenset(n for n, word in enumerate(words) if word == wanted) for wanted in (WEAK, OFF))
        return cls(weak, off)

    def to_dict(self) -> dict[str, str]:
        """Every kind by name."""
        return {name: OFF if n in self.off else WEAK if n in self.weak else STRONG for n, name in enumerate(KINDS)}
